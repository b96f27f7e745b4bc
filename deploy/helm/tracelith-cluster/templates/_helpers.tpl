{{/* The name of everything in a release; `tracelith` is in it once. */}}
{{- define "tracelith.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 44 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default "tracelith" .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 44 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The functions below take a dict: root, and the role's name. */}}
{{- define "tracelith.roleName" -}}
{{ include "tracelith.fullname" .root }}-{{ .role }}
{{- end -}}

{{- define "tracelith.selectorLabels" -}}
app.kubernetes.io/name: {{ default "tracelith" .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end -}}

{{- define "tracelith.labels" -}}
{{ include "tracelith.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
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

{{/* The addresses of all storage nodes, one a line. Every node that should be there is in it, so that one that is away is missed. */}}
{{- define "tracelith.storageNodes" -}}
{{- $name := include "tracelith.roleName" (dict "root" . "role" "storage") -}}
{{- range $index := until (int .Values.storage.replicas) }}
{{ $name }}-{{ $index }}.{{ $name }}.{{ $.Release.Namespace }}.svc.{{ $.Values.clusterDomain }}:10491
{{- end }}
{{- end -}}

{{/* Where a role's pods may run. */}}
{{- define "tracelith.scheduling" -}}
{{- $values := get .root.Values .role -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.topologySpread }}
topologySpreadConstraints:
  {{- range . }}
  - {{ toYaml . | nindent 4 | trim }}
    labelSelector:
      matchLabels: {{- include "tracelith.selectorLabels" $ | nindent 8 }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "tracelith.podMetadata" -}}
{{- $values := get .root.Values .role -}}
labels:
  {{- include "tracelith.labels" . | nindent 2 }}
  {{- with $values.podLabels }}{{ toYaml . | nindent 2 }}{{ end }}
{{- $annotations := merge (default (dict) .annotations) $values.podAnnotations }}
{{- with $annotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The container of a role: root, role, flags (that make the role), defaults (that a value may replace), ports, ready (the path of its readiness), mounts. */}}
{{- define "tracelith.container" -}}
{{- $values := get .root.Values .role -}}
{{- $prefix := include "tracelith.pathPrefix" .root -}}
{{- $paths := dict "startupProbe" "/health" "readinessProbe" (default "/health" .ready) "livenessProbe" "/health" -}}
name: {{ .role }}
image: {{ include "tracelith.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext: {{- toYaml .root.Values.securityContext | nindent 2 }}
args:
  {{- include "tracelith.args" (merge (dict) .flags (include "tracelith.accessFlags" .root | fromYaml) $values.flags .root.Values.flags (default (dict) .defaults)) | trim | nindent 2 }}
{{- $token := .root.Values.auth.storageTokenSecret }}
{{- $asksStorage := and $token.name (ne .role "storage") }}
{{- $isStorage := eq .role "storage" }}
{{- if or .root.Values.env $asksStorage $isStorage }}
env:
  {{- if $isStorage }}
  # The name by which a node gets its share of the traces; the pod of another volume would keep it.
  - name: POD_NAME
    valueFrom: { fieldRef: { fieldPath: metadata.name } }
  {{- end }}
  {{- if $asksStorage }}
  - name: TRACELITH_storageNode_bearerToken
    valueFrom: { secretKeyRef: { name: {{ $token.name }}, key: {{ $token.key }} } }
  {{- end }}
  {{- with .root.Values.env }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end }}
{{- with .root.Values.envFrom }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  {{- range $name, $port := .ports }}
  - { name: {{ $name }}, containerPort: {{ $port }} }
  {{- end }}
{{- range $probe, $path := $paths }}
{{ $probe }}:
  httpGet: { path: {{ $prefix }}{{ $path }}, port: http }
  {{- toYaml (get $.root.Values $probe) | nindent 2 }}
{{- end }}
resources: {{- toYaml $values.resources | nindent 2 }}
volumeMounts:
  {{- range .mounts }}
  - {{ . }}
  {{- end }}
  {{- if .root.Values.auth.existingSecret }}
  - { name: auth, mountPath: /etc/tracelith/auth, readOnly: true }
  {{- end }}
{{- end -}}

{{- define "tracelith.podSecurity" -}}
serviceAccountName: {{ include "tracelith.serviceAccountName" .root }}
automountServiceAccountToken: false
# Variables of services would look like flags: TRACELITH_PORT.
enableServiceLinks: false
# The pause container is process 1, so that a node whose thread hangs can kill itself.
shareProcessNamespace: true
securityContext: {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- end -}}

{{/* The flags that say who may log in: the file of logins, or that nobody has to. A container listens for other machines in any case. */}}
{{- define "tracelith.accessFlags" -}}
{{- if .Values.auth.existingSecret -}}
auth.config: /etc/tracelith/auth/{{ .Values.auth.key }}
{{- else -}}
{{- if and (not .Values.auth.disabled) (or .Values.ingress.enabled .Values.httpRoute.enabled (ne .Values.proxy.service.type "ClusterIP")) -}}
{{- fail "the Service would be reached from outside of the cluster and nobody has to log in: name a Secret in auth.existingSecret, or set auth.disabled=true" -}}
{{- end -}}
insecure: true
{{- end -}}
{{- end -}}
