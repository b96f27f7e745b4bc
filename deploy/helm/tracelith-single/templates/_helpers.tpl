{{/* The name of everything in a release; `tracelith` is in it once. */}}
{{- define "tracelith.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default "tracelith" .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "tracelith.selectorLabels" -}}
app.kubernetes.io/name: {{ default "tracelith" .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tracelith.labels" -}}
{{ include "tracelith.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "tracelith.image" -}}
{{- $tag := default .Chart.AppVersion .Values.image.tag -}}
{{- if .Values.image.digest -}}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{- else -}}{{ .Values.image.repository }}:{{ $tag }}{{- end -}}
{{- end -}}

{{- define "tracelith.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "tracelith.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end -}}

{{/* A map of flags as arguments, in the order of their names. A list becomes one value with commas; Helm's numbers are doubles. */}}
{{- define "tracelith.args" -}}
{{- range $name, $value := . }}
{{- if kindIs "slice" $value }}{{ $value = join "," $value }}{{ end }}
{{- if kindIs "float64" $value }}{{ if eq (floor $value) $value }}{{ $value = int64 $value }}{{ end }}{{ end }}
- {{ printf "-%s=%v" $name $value | quote }}
{{- end }}
{{- end -}}

{{/* What -http.pathPrefix puts before every path. */}}
{{- define "tracelith.pathPrefix" -}}
{{ trimSuffix "/" (toString (get .Values.flags "http.pathPrefix" | default "")) }}
{{- end -}}

{{- define "tracelith.healthPath" -}}
{{ include "tracelith.pathPrefix" . }}/health
{{- end -}}

{{- define "tracelith.metricsPath" -}}
{{ include "tracelith.pathPrefix" . }}/metrics
{{- end -}}

{{/* The flags that say who may log in: the file of logins, or that nobody has to. A container listens for other machines in any case. */}}
{{- define "tracelith.accessFlags" -}}
{{- if .Values.auth.existingSecret -}}
auth.config: /etc/tracelith/auth/{{ .Values.auth.key }}
{{- else -}}
{{- if and (not .Values.auth.disabled) (or .Values.ingress.enabled .Values.httpRoute.enabled (ne .Values.service.type "ClusterIP")) -}}
{{- fail "the Service would be reached from outside of the cluster and nobody has to log in: name a Secret in auth.existingSecret, or set auth.disabled=true" -}}
{{- end -}}
insecure: true
{{- end -}}
{{- end -}}
