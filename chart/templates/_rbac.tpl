{{/* What the agent may do in each namespace that it serves. */}}
{{- define "esc-agent.namespaceRules" -}}
# The objects that say what to mount and to mirror.
- apiGroups: [external-secrets.io]
  resources: [{{ if .Values.mirror.enabled }}externalsecrets, pushsecrets, {{ end }}secretstores]
  verbs: [get, list, watch]
{{- if .Values.mirror.enabled }}
# Ready conditions, and what was synced when.
- apiGroups: [external-secrets.io]
  resources: [externalsecrets/status, pushsecrets/status, secretstores/status]
  verbs: [patch, update]
# Their finalizers: what was pushed is deleted before a PushSecret goes; External Secrets Operator
# leaves one on each ExternalSecret.
- apiGroups: [external-secrets.io]
  resources: [externalsecrets, pushsecrets]
  verbs: [patch]
# Owner references with blockOwnerDeletion, which clusters with the admission plugin
# OwnerReferencesPermissionEnforcement allow only to who may set the owner's finalizers.
- apiGroups: [external-secrets.io]
  resources: [externalsecrets/finalizers]
  verbs: [update]
# Templates in ConfigMaps (templateFrom), by name.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get]
# Workloads annotated esc-agent.io/restart-on-change are found by list and rolled by patch. Without
# this rule the mirror works, and restarts nothing.
- apiGroups: [apps]
  resources: [daemonsets, deployments, statefulsets]
  verbs: [get, list, patch]
{{- end }}
# get: a store's token, a template, the target of an ExternalSecret, the source of a PushSecret,
# each by its name. watch: the same Secrets, and mirrored ones by our label, as metadata only, so
# that a change is followed or repaired at once. The rest: mirrored Secrets and mirrorTo.
# No list: the agent never asks for all Secrets. That keeps accidents small, but it is no wall: RBAC
# knows no labels, and to the API server a watch may send what exists, too.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, watch, create, update, patch, delete]
# What happened to an object, in kubectl describe. A repeated event is counted up by patch.
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- with .Values.rbac.extraRules }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What it needs beside, unless it serves some namespaces only. */}}
{{- define "esc-agent.clusterRules" -}}
# Stores of the cluster{{ if .Values.mirror.enabled }}, and ExternalSecrets in many namespaces{{ end }}.
- apiGroups: [external-secrets.io]
  resources: [{{ if .Values.mirror.enabled }}clusterexternalsecrets, {{ end }}clustersecretstores]
  verbs: [get, list, watch]
{{- if .Values.mirror.enabled }}
- apiGroups: [external-secrets.io]
  resources: [clusterexternalsecrets/status, clustersecretstores/status]
  verbs: [patch, update]
# A ClusterExternalSecret makes, changes and removes ExternalSecrets. Finalizers as above.
- apiGroups: [external-secrets.io]
  resources: [externalsecrets]
  verbs: [create, update, patch, delete]
- apiGroups: [external-secrets.io]
  resources: [clusterexternalsecrets]
  verbs: [patch]
- apiGroups: [external-secrets.io]
  resources: [clusterexternalsecrets/finalizers]
  verbs: [update]
{{- end }}
# For `esc-agent doctor`: whether kubelet knows the driver.
- apiGroups: [storage.k8s.io]
  resources: [csidrivers, csinodes]
  verbs: [get]
# Labels of namespaces, for the conditions of stores{{ if .Values.mirror.enabled }} and for ClusterExternalSecrets{{ end }}; metadata only.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get, list, watch]
{{- end }}

{{/* roleRef and subjects. Argument: dict "root" $ "kind" "Role" "name" NAME. */}}
{{- define "esc-agent.bind" -}}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "esc-agent.serviceAccountName" .root }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}
