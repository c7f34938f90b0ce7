{{/* The chart's name, or what replaces it: the label app.kubernetes.io/name. */}}
{{- define "esc-agent.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The prefix of the names of all objects: "esc-agent" for a release of that name. */}}
{{- define "esc-agent.fullname" -}}
{{- $name := include "esc-agent.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "esc-agent.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
app.kubernetes.io/name: {{ include "esc-agent.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* What never changes in the life of a release. Argument: dict "root" $ "component" "agent". */}}
{{- define "esc-agent.selectorLabels" -}}
app.kubernetes.io/name: {{ include "esc-agent.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "esc-agent.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "esc-agent.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name is required when serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "esc-agent.image" -}}
{{- with .Values.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Folders of the node that agent and keeper must agree on. */}}
{{- define "esc-agent.pluginDir" -}}
{{- printf "%s/plugins/%s" .Values.kubeletDir .Values.driverName }}
{{- end }}
{{- define "esc-agent.registrationSocket" -}}
{{- printf "%s/plugins_registry/%s-reg.sock" .Values.kubeletDir .Values.driverName }}
{{- end }}
{{/* Two releases on one node have two drivers, and so two keepers. */}}
{{- define "esc-agent.keeperDir" -}}
{{- if eq .Values.driverName "csi.esc-agent.io" -}}
/run/esc-keeper
{{- else -}}
{{ printf "/run/esc-keeper-%s" .Values.driverName }}
{{- end }}
{{- end }}

{{/* What both kinds of pods have in common in their spec. Argument: dict "root" $ "pod" .Values.agent. */}}
{{- define "esc-agent.placement" -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
nodeSelector:
  kubernetes.io/os: linux
  {{- with .root.Values.nodeSelector }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The flags of `esc-agent run`, as environment variables. */}}
{{- define "esc-agent.settings" -}}
ESC_AGENT_DRIVER_NAME: {{ .Values.driverName }}
ESC_AGENT_CSI_ENDPOINT: unix://{{ include "esc-agent.pluginDir" . }}/csi.sock
ESC_AGENT_REGISTRATION_SOCKET: {{ include "esc-agent.registrationSocket" . }}
ESC_AGENT_KUBELET_DIR: {{ .Values.kubeletDir }}
ESC_AGENT_KEEPER_SOCKET: {{ include "esc-agent.keeperDir" . }}/keeper.sock
ESC_AGENT_ADMIN_SOCKET: /run/esc-agent/admin.sock
ESC_AGENT_HTTP_LISTEN: {{ printf "%s:%v" .Values.http.host .Values.http.port | quote }}
ESC_AGENT_ESC_URL: {{ .Values.escUrl | quote }}
{{- if .Values.caBundle }}
ESC_AGENT_ESC_CA_FILE: /etc/esc-agent/ca.crt
{{- end }}
{{- if .Values.allowPlainHttp }}
ESC_AGENT_ALLOW_PLAIN_HTTP: "true"
{{- end }}
ESC_AGENT_REFRESH_INTERVAL: {{ .Values.refreshInterval | quote }}
ESC_AGENT_MAX_STALE: {{ .Values.maxStale | quote }}
{{- if not .Values.shareProbes }}
ESC_AGENT_SHARE_PROBES: "off"
{{- end }}
{{- if .Values.webhookSecret }}
ESC_AGENT_WEBHOOK_SECRET_FILE: /etc/esc-agent-webhook/secret
{{- end }}
ESC_AGENT_MIRROR: {{ ternary "on" "off" .Values.mirror.enabled | quote }}
{{- with .Values.watchNamespaces }}
ESC_AGENT_WATCH_NAMESPACES: {{ join "," . | quote }}
{{- end }}
ESC_AGENT_CONTROLLER_CLASS: {{ .Values.controllerClass | quote }}
ESC_AGENT_ESO_COMPAT: {{ .Values.esoCompat | quote }}
ESC_AGENT_LOG_LEVEL: {{ .Values.logLevel }}
{{- if .Values.auditLog }}
ESC_AGENT_AUDIT_LOG: "-"
{{- end }}
{{- end }}
