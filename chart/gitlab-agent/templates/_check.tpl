{{- /* What the schema cannot say, each as a sentence that says what to change. */}}
{{- define "gitlab-agent.check" -}}
{{- $config := .Values.config -}}
{{- if ($config.receptive).enabled -}}
{{- fail "config.receptive.enabled: this version's agent cannot be dialled by the server, it dials the server itself. Leave config.receptive.enabled off and set config.kasAddress to the server's address" -}}
{{- end -}}
{{- $_ := required "config.kasAddress is needed: the server's address, as the command of the agent's page has it (grpc://, grpcs://, ws:// or wss://)" $config.kasAddress -}}
{{- if not $config.secretName -}}
{{- $_ := required "config.token (or config.secretName) is needed: the token that the server showed when the agent was registered" $config.token -}}
{{- end -}}
{{- if not .Values.serviceAccount.create -}}
{{- $_ := required "serviceAccount.name is needed where serviceAccount.create is false: the existing service account that the agent is to use" .Values.serviceAccount.name -}}
{{- end -}}
{{- if and (.Values.serviceMonitor).enabled (not (include "gitlab-agent.observability" .)) -}}
{{- fail "serviceMonitor.enabled needs config.observability.enabled: without it there are no metrics to collect" -}}
{{- end -}}
{{- include "gitlab-agent.checkPort" (list "service.internalPort" (.Values.service).internalPort "config.api.listenAddress" ($config.api).listenAddress) -}}
{{- include "gitlab-agent.checkPort" (list "service.privateApiPort" (.Values.service).privateApiPort "config.privateApi.listenAddress" ($config.privateApi).listenAddress) -}}
{{- end }}

{{- /* List of a port's value and its number, and an address's value and the address. */}}
{{- define "gitlab-agent.checkPort" -}}
{{- $port := index . 1 -}}
{{- $address := index . 3 -}}
{{- if and $port $address (ne (toString $port) (splitList ":" $address | last)) -}}
{{- fail (printf "%s is %v, but %s is %q: the two ports must agree" (index . 0) $port (index . 2) $address) -}}
{{- end -}}
{{- end }}

{{- /* The values that are set and change nothing, one a line, for NOTES. */}}
{{- define "gitlab-agent.withoutEffect" -}}
{{- $config := .Values.config -}}
{{- if ($config.operational_container_scanning).enabled }}
  config.operational_container_scanning.enabled: this version's agent has no scanner
{{- end }}
{{- if or ($config.api).jwtPublicKey (($config.api).tls).enabled }}
  config.api: this version's agent cannot be dialled by the server
{{- end }}
{{- if (($config.privateApi).tls).enabled }}
  config.privateApi: the agent's pods need not ask each other, so none listens
{{- end }}
{{- if or (.Values.ingress).enabled (index .Values "ingress-nginx" | default dict).enabled }}
  ingress: this version's agent cannot be dialled by the server
{{- end }}
{{- end }}
