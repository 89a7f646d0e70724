{{/* The name of everything: the release's, with the chart's in it once. */}}
{{- define "weir.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What selects the pods; never changes in the life of a release. */}}
{{- define "weir.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "weir.labels" -}}
{{ include "weir.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: weir
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "weir.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "weir.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The digest goes before the tag, the tag before the chart's appVersion. */}}
{{- define "weir.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "weir.rulesConfigMap" -}}
{{- default (printf "%s-rules" (include "weir.fullname" .)) .Values.rules.existingConfigMap -}}
{{- end -}}

{{- define "weir.listsConfigMap" -}}
{{- default (printf "%s-lists" (include "weir.fullname" .)) .Values.lists.existingConfigMap -}}
{{- end -}}

{{- define "weir.policyConfigMap" -}}
{{- default (printf "%s-policy" (include "weir.fullname" .)) .Values.policy.existingConfigMap -}}
{{- end -}}

{{/* Linux before 5.11 counts maps against RLIMIT_MEMLOCK. */}}
{{- define "weir.capabilities" -}}
{{- $all := .Values.capabilities -}}
{{- if .Values.kernelBefore511 -}}
{{- $all = append $all "SYS_RESOURCE" -}}
{{- end -}}
{{- toYaml ($all | uniq) -}}
{{- end -}}

{{/* As the field of Kubernetes 1.30 says it: the type, and for Localhost a name. */}}
{{- define "weir.appArmorProfile" -}}
{{- $parts := splitn "/" 2 .Values.appArmor -}}
type: {{ $parts._0 }}
{{- with $parts._1 }}
localhostProfile: {{ . }}
{{- end }}
{{- end -}}

{{/* As the annotation before 1.30 says it. */}}
{{- define "weir.appArmorAnnotation" -}}
{{- if eq .Values.appArmor "Unconfined" -}}
unconfined
{{- else if eq .Values.appArmor "RuntimeDefault" -}}
runtime/default
{{- else -}}
{{- printf "localhost/%s" (trimPrefix "Localhost/" .Values.appArmor) -}}
{{- end -}}
{{- end -}}

{{- define "weir.hasAppArmorField" -}}
{{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version -}}true{{- end -}}
{{- end -}}

{{/* A probe: `weir status --check` over the socket in the state directory. */}}
{{- define "weir.probe" -}}
exec:
  command: [/usr/bin/weir, status, --check, {{ .check }}]
periodSeconds: {{ .periodSeconds }}
timeoutSeconds: {{ .timeoutSeconds }}
failureThreshold: {{ .failureThreshold }}
{{- end -}}

{{/* Files of a ConfigMap: names and texts. */}}
{{- define "weir.files" -}}
{{- with . -}}
data:
  {{- toYaml . | nindent 2 }}
{{- else -}}
data: {}
{{- end -}}
{{- end -}}
