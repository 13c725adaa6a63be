{{- define "gitlab-agent.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimAll "-." }}
{{- end }}

{{- define "gitlab-agent.fullname" -}}
{{- $name := include "gitlab-agent.name" . -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- default $full .Values.fullnameOverride | trunc 63 | trimAll "-." }}
{{- end }}

{{- define "gitlab-agent.selectorLabels" -}}
app.kubernetes.io/name: {{ include "gitlab-agent.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- /* A tag may hold what a label may not. */}}
{{- define "gitlab-agent.version" -}}
{{- regexReplaceAll "[^-A-Za-z0-9_.]" (default .Chart.AppVersion .Values.image.tag) "_" | trunc 63 | trimAll "-_." }}
{{- end }}

{{- define "gitlab-agent.labels" -}}
{{- $labels := include "gitlab-agent.selectorLabels" . | fromYaml -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimAll "-_.") -}}
{{- $_ := set $labels "app.kubernetes.io/version" (include "gitlab-agent.version" .) -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" .Release.Service -}}
{{- toYaml (merge $labels (.Values.additionalLabels | default dict)) }}
{{- end }}

{{- /* Not those that change with every version, which would start new pods. */}}
{{- define "gitlab-agent.podLabels" -}}
{{- $labels := include "gitlab-agent.selectorLabels" . | fromYaml -}}
{{- toYaml (merge $labels (.Values.podLabels | default dict) (.Values.additionalLabels | default dict)) }}
{{- end }}

{{- /* "true" or nothing. */}}
{{- define "gitlab-agent.observability" -}}
{{- if (.Values.config.observability).enabled }}true{{ end }}
{{- end }}

{{- define "gitlab-agent.observabilityTls" -}}
{{- if and (.Values.config.observability).enabled ((.Values.config.observability).tls).enabled }}true{{ end }}
{{- end }}

{{- define "gitlab-agent.serviceAccountName" -}}
{{- default (include "gitlab-agent.fullname" .) .Values.serviceAccount.name }}
{{- end }}

{{- define "gitlab-agent.secretName" -}}
{{- default (printf "%s-token" (include "gitlab-agent.fullname" .)) .Values.config.secretName }}
{{- end }}

{{- define "gitlab-agent.observabilitySecretName" -}}
{{- default (printf "%s-observability" (include "gitlab-agent.fullname" .)) (.Values.config.observability.tls.secret).name }}
{{- end }}

{{- /* A Service's name is one DNS label and begins with a letter. */}}
{{- define "gitlab-agent.observabilityServiceName" -}}
{{- $name := include "gitlab-agent.fullname" . | replace "." "-" -}}
{{- regexReplaceAll "^([0-9])" $name "agent-${1}" | trunc 49 | trimAll "-" }}-observability
{{- end }}
