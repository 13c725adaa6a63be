{{- define "towline.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimAll "-." }}
{{- end }}

{{- /* Also the Service's name, which is one DNS label and begins with a letter. At most 52 characters, because the
       StatefulSet's controller adds 11 to it in a label. */}}
{{- define "towline.fullname" -}}
{{- $name := include "towline.name" . -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- $full = default $full .Values.fullnameOverride | replace "." "-" -}}
{{- regexReplaceAll "^([0-9])" $full "kas-${1}" | trunc 52 | trimAll "-" }}
{{- end }}

{{- define "towline.selectorLabels" -}}
app.kubernetes.io/name: {{ include "towline.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "towline.labels" -}}
{{- $labels := include "towline.selectorLabels" . | fromYaml -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimAll "-_.") -}}
{{- /* A tag may hold what a label may not. */}}
{{- $version := regexReplaceAll "[^-A-Za-z0-9_.]" (default .Chart.AppVersion .Values.image.tag) "_" -}}
{{- $_ := set $labels "app.kubernetes.io/version" ($version | trunc 63 | trimAll "-_.") -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" .Release.Service -}}
{{- toYaml (merge $labels .Values.additionalLabels) }}
{{- end }}

{{- /* Not those that change with every version, which would start a new pod. */}}
{{- define "towline.podLabels" -}}
{{- $labels := include "towline.selectorLabels" . | fromYaml -}}
{{- toYaml (merge $labels .Values.podLabels .Values.additionalLabels) }}
{{- end }}

{{- define "towline.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "towline.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "towline.rootSecretName" -}}
{{ .Values.root.existingSecret | default (printf "%s-root" (include "towline.fullname" .)) }}
{{- end }}

{{- define "towline.databaseSecretName" -}}
{{- if .Values.database.existingSecret -}}
{{ .Values.database.existingSecret }}
{{- else if .Values.database.url -}}
{{ include "towline.fullname" . }}-database
{{- end }}
{{- end }}

{{- /* Not empty where the server takes connections without TLS. */}}
{{- define "towline.cleartext" -}}
{{- if .Values.tls.offloaded -}}
true
{{- else if and .Values.ingress.enabled (not .Values.tls.secretName) -}}
true
{{- else if hasPrefix "http://" .Values.externalUrl -}}
true
{{- end }}
{{- end }}

{{- /* What the server speaks, and the name of its port. */}}
{{- define "towline.scheme" -}}
{{ if include "towline.cleartext" . }}http{{ else }}https{{ end }}
{{- end }}

{{- define "towline.servicePort" -}}
{{ .Values.service.port | default (ternary 80 443 (eq (include "towline.scheme" .) "http")) }}
{{- end }}

{{- define "towline.externalUrl" -}}
{{- if .Values.externalUrl -}}
{{ .Values.externalUrl | trimSuffix "/" }}
{{- else if and .Values.ingress.enabled .Values.ingress.hostname -}}
{{ ternary "https" "http" .Values.ingress.tls.enabled }}://{{ .Values.ingress.hostname }}
{{- else -}}
{{- $port := include "towline.servicePort" . | int -}}
{{ include "towline.scheme" . }}://{{ include "towline.fullname" . }}.{{ .Release.Namespace }}.svc{{ if not (has $port (list 80 443)) }}:{{ $port }}{{ end }}
{{- end }}
{{- end }}

{{- /* The value of --external-ca, or nothing. */}}
{{- define "towline.externalCa" -}}
{{- if .Values.externalCa.secretName -}}
/etc/towline/ca/{{ .Values.externalCa.key }}
{{- else if include "towline.cleartext" . -}}
system
{{- end }}
{{- end }}

{{- define "towline.ingressHost" -}}
{{ .Values.ingress.hostname | default (regexReplaceAll "^https?://([^/:]*).*$" .Values.externalUrl "${1}") }}
{{- end }}

{{- /* What a schema cannot say, or not with its reason. */}}
{{- define "towline.validate" -}}
{{- if gt (int .Values.replicas) 1 }}
{{- fail (printf "replicas: only 0 or 1 is possible, because the server keeps repositories and keys in one data folder; got %d" (int .Values.replicas)) }}
{{- end }}
{{- with .Values.externalUrl }}
{{- if not (regexMatch "^https?://([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{1,5})?/?$" .) }}
{{- fail (printf "externalUrl: must be https://HOST or https://HOST:PORT (or http://), without a path; got %q" .) }}
{{- end }}
{{- end }}
{{- if and .Values.database.url .Values.database.existingSecret }}
{{- fail "database.url and database.existingSecret: only one of them can be in force; clear the other" }}
{{- end }}
{{- if and .Values.persistence.existingClaim (not .Values.persistence.enabled) }}
{{- fail "persistence.existingClaim: is not used with persistence.enabled=false; clear it or set persistence.enabled=true" }}
{{- end }}
{{- if and .Values.tls.offloaded .Values.tls.secretName }}
{{- fail "tls.offloaded and tls.secretName: TLS ends either in front of the server or at it; clear one of them" }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.hostname) (not .Values.externalUrl) }}
{{- fail "ingress.hostname: is needed for the ingress, or externalUrl with the name" }}
{{- end }}
{{- end }}
