{{/* The name of everything in a release; `tracelith` is in it once. */}}
{{- define "tracelith.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 44 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default "tracelith" .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 44 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The functions below take a dict: root, and the role's name. With a log, the storage nodes of zone a are the role storage-a. */}}
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
{{- range $role := include "tracelith.storageRoles" . | trim | splitList " " }}
{{- $name := include "tracelith.roleName" (dict "root" $ "role" $role) -}}
{{- range $index := until (int (include "tracelith.storageReplicas" (dict "root" $ "role" $role))) }}
{{ $name }}-{{ $index }}.{{ $name }}.{{ $.Release.Namespace }}.svc.{{ $.Values.clusterDomain }}:10491
{{- end }}
{{- end }}
{{- end -}}

{{/* The volumes of secrets of a pod of Tracelith, as a list. */}}
{{- define "tracelith.secretVolumes" -}}
{{- with .Values.auth.existingSecret }}
- { name: auth, secret: { secretName: {{ . }} } }
{{- end }}
{{- if and .Values.log.enabled .Values.log.caSecret.name }}
- { name: log-ca, secret: { secretName: {{ .Values.log.caSecret.name }} } }
{{- end }}
{{- end -}}

{{/* The names of the roles of storage nodes, with spaces between. */}}
{{- define "tracelith.storageRoles" -}}
{{- if .Values.log.enabled -}}
{{- range .Values.log.zones }}storage-{{ .name }} {{ end -}}
{{- else -}}
storage
{{- end -}}
{{- end -}}

{{/* Values of the role. */}}
{{- define "tracelith.kind" -}}
{{ splitList "-" .role | first }}
{{- end -}}

{{/* How many storage nodes a role has. */}}
{{- define "tracelith.storageReplicas" -}}
{{- $replicas := .root.Values.storage.replicas -}}
{{- range .root.Values.log.zones }}{{ if and (eq (printf "storage-%s" .name) $.role) .replicas }}{{ $replicas = .replicas }}{{ end }}{{ end -}}
{{ int $replicas }}
{{- end -}}

{{/* The flags of a role that belong to the log. */}}
{{- define "tracelith.logFlags" -}}
{{- $log := .root.Values.log -}}
{{- $kind := include "tracelith.kind" . -}}
{{- if $log.enabled -}}
ingestLog: {{ required "log.address: where the servers of the log are, nats://HOST:4222,HOST:4222" $log.address | quote }}
ingestLog.partitions: {{ int $log.partitions }}
ingestLog.stream: {{ $log.stream | quote }}
{{- if $log.caSecret.name }}
ingestLog.tlsCAFile: /etc/tracelith/log-ca/{{ $log.caSecret.key }}
{{- end }}
{{- if eq $kind "insert" }}
{{- if not (or $log.monitor $log.trust (hasPrefix "kafka" $log.address)) }}{{ fail "log.monitor: the monitoring addresses of all servers of the log, where they prove that they sync; or log.trust=true" }}{{ end }}
{{- with $log.monitor }}
ingestLog.monitor: {{ . | quote }}
{{- end }}
ingestLog.replicas: {{ int $log.replicas }}
ingestLog.retention: {{ $log.retention | quote }}
{{- if $log.trust }}
ingestLog.trust: true
{{- end }}
{{- else if eq $kind "storage" }}
ingestLog.zone: {{ trimPrefix "storage-" .role | quote }}
ingestLog.nodes: {{ include "tracelith.storageReplicas" . }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* Where a role's pods may run. */}}
{{- define "tracelith.scheduling" -}}
{{- $values := get .root.Values (include "tracelith.kind" .) -}}
{{- $nodeSelector := $values.nodeSelector -}}
{{- range .root.Values.log.zones }}{{ if and $.root.Values.log.enabled (eq (printf "storage-%s" .name) $.role) }}{{ $nodeSelector = merge (dict) (default (dict) .nodeSelector) $nodeSelector }}{{ end }}{{ end -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $values.affinity }}
affinity: {{- toYaml $values.affinity | nindent 2 }}
{{- else if hasPrefix "storage-" .role }}
# A machine that is lost should take no two copies of a trace with it.
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchExpressions:
              - { key: app.kubernetes.io/instance, operator: In, values: [{{ .root.Release.Name }}] }
              - { key: app.kubernetes.io/component, operator: In, values: [{{ without (include "tracelith.storageRoles" .root | trim | splitList " ") .role | join ", " }}] }
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
{{- $values := get .root.Values (include "tracelith.kind" .) -}}
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
{{- $kind := include "tracelith.kind" . -}}
{{- $values := get .root.Values $kind -}}
{{- $login := dict -}}
{{- if .root.Values.log.enabled }}{{ $login = .root.Values.log.loginSecret }}{{ end -}}
{{- $prefix := include "tracelith.pathPrefix" .root -}}
{{- $paths := dict "startupProbe" "/health" "readinessProbe" (default "/health" .ready) "livenessProbe" "/health" -}}
name: {{ $kind }}
image: {{ include "tracelith.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext: {{- toYaml .root.Values.securityContext | nindent 2 }}
args:
  {{- include "tracelith.args" (merge (dict) .flags (include "tracelith.logFlags" . | fromYaml) (include "tracelith.accessFlags" .root | fromYaml) $values.flags .root.Values.flags (default (dict) .defaults)) | trim | nindent 2 }}
{{- $token := .root.Values.auth.storageTokenSecret }}
{{- $asksStorage := and $token.name (ne $kind "storage") }}
{{- $isStorage := eq $kind "storage" }}
{{- if or .root.Values.env $asksStorage $isStorage $login.name }}
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
  {{- if $login.name }}
  - name: TRACELITH_ingestLog_username
    valueFrom: { secretKeyRef: { name: {{ $login.name }}, key: {{ $login.usernameKey }}, optional: true } }
  - name: TRACELITH_ingestLog_password
    valueFrom: { secretKeyRef: { name: {{ $login.name }}, key: {{ $login.passwordKey }} } }
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
  {{- if and .root.Values.log.enabled .root.Values.log.caSecret.name }}
  - { name: log-ca, mountPath: /etc/tracelith/log-ca, readOnly: true }
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
