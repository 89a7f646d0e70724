{{/*
weir.yml, from the values. What is not given is not written: Weir's defaults are Weir's. Written by toYaml alone: Helm has numbers as
floating point, and {{ }} would write 4294967296 as 4.294967296e+09.
*/}}
{{- define "weir.config" -}}
{{- $otlp := dict -}}
{{- with .Values.otlp -}}
{{- if .endpoint -}}
{{- $_ := set $otlp "endpoint" .endpoint -}}
{{- $_ := set $otlp "protocol" .protocol -}}
{{- $_ := set $otlp "body" .body -}}
{{- if .timeout -}}{{- $_ := set $otlp "timeout" .timeout -}}{{- end -}}
{{- if .compression -}}{{- $_ := set $otlp "compression" .compression -}}{{- end -}}
{{- if or .ca.secret .ca.configMap -}}
{{- $_ := set $otlp "certificate" (printf "/etc/ssl/weir/ca/%s" .ca.key) -}}
{{- end -}}
{{- if .clientCertificate.secret -}}
{{- $_ := set $otlp "client_certificate" "/etc/ssl/weir/client/tls.crt" -}}
{{- $_ := set $otlp "client_key" "/etc/ssl/weir/client/tls.key" -}}
{{- end -}}
{{- if not .metrics.enabled -}}{{- $_ := set $otlp "metrics" (dict "exporter" "none") -}}{{- end -}}
{{- if .resource -}}{{- $_ := set $otlp "resource" .resource -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- $evidence := dict -}}
{{- with .Values.evidence -}}
{{- if .enabled -}}
{{- if .bytes -}}{{- $_ := set $evidence "bytes" .bytes -}}{{- end -}}
{{- if .days -}}{{- $_ := set $evidence "days" .days -}}{{- end -}}
{{- if .incidentDays -}}{{- $_ := set $evidence "incident_days" .incidentDays -}}{{- end -}}
{{- else -}}
{{- $_ := set $evidence "directory" "" -}}
{{- end -}}
{{- end -}}
{{- $config := dict -}}
{{- if $otlp -}}{{- $_ := set $config "otlp" $otlp -}}{{- end -}}
{{- if .Values.spool.bytes -}}{{- $_ := set $config "spool" (dict "bytes" .Values.spool.bytes) -}}{{- end -}}
{{- if $evidence -}}{{- $_ := set $config "evidence" $evidence -}}{{- end -}}
{{- $config = mustMergeOverwrite $config (deepCopy .Values.config) -}}
{{- if $config -}}{{- toYaml $config -}}{{- else -}}# Nothing is said: Weir's defaults.{{- end -}}
{{- end -}}
