{{/* What the schema cannot say in a sentence. */}}
{{- define "weir.check" -}}
{{- with .Values.otlp -}}
{{- if and .endpoint (not (regexMatch "^https?://[^/[:space:]]+(/[^[:space:]]*)?$" .endpoint)) -}}
{{- fail (printf "otlp.endpoint is %q: write a URL with its scheme, like http://collector.observability:4318" .endpoint) -}}
{{- end -}}
{{- if and .ca.secret .ca.configMap -}}
{{- fail "otlp.ca names a Secret and a ConfigMap: name one of them" -}}
{{- end -}}
{{- end -}}
{{- range .Values.capabilities -}}
{{- if eq . "ALL" -}}
{{- fail "capabilities has ALL: name those that the sensor needs (deploy/chart/README.md)" -}}
{{- else if not (regexMatch "^[A-Z][A-Z_]+$" .) -}}
{{- fail (printf "capabilities has %q: write it in capitals and without CAP_, like BPF" .) -}}
{{- else if hasPrefix "CAP_" . -}}
{{- fail (printf "capabilities has %s: Kubernetes wants %s" . (trimPrefix "CAP_" .)) -}}
{{- end -}}
{{- end -}}
{{- if not (regexMatch "^(Unconfined|RuntimeDefault|Localhost/[^[:space:]]+)?$" .Values.appArmor) -}}
{{- fail (printf "appArmor is %q: it can be Unconfined, RuntimeDefault, Localhost/NAME or empty" .Values.appArmor) -}}
{{- end -}}
{{- if not (regexMatch "^/sys/fs/bpf/[^/[:space:]]+$" .Values.pinning.dir) -}}
{{- fail (printf "pinning.dir is %q: name a directory right below /sys/fs/bpf, like /sys/fs/bpf/weir" .Values.pinning.dir) -}}
{{- end -}}
{{- end -}}
