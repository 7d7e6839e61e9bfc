{{/* Templates that every chart of the lab uses; the packager puts this file into each of them. */}}

{{- define "lab.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{/* The label values by which Services and workloads find their pods: dict root, name, optionally instance. */}}
{{- define "lab.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .instance | default .root.Release.Name }}
{{- end }}

{{/* All labels of an object: dict root, name, optionally component. */}}
{{- define "lab.labels" -}}
{{ include "lab.selector" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: {{ (.root.Chart.Annotations | default dict).partOf | default .root.Chart.Name }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{/* Environment of a container that binds to its pod's own loopback address. */}}
{{- define "lab.env" -}}
- name: POD_IP
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- end }}

{{/* What the real charts give each of their containers: with less, Pod Security `restricted` refuses the pod. */}}
{{- define "lab.restricted" -}}
{{ dict "allowPrivilegeEscalation" false "capabilities" (dict "drop" (list "ALL")) "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") | toJson }}
{{- end }}

{{/* Where a pod may run, and before whom: dict with nodeSelector, tolerations, priorityClassName. */}}
{{- define "lab.placement" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A role (or cluster role) bound to a service account: dict root, name, account, rules, cluster, optionally binding (its name). */}}
{{- define "lab.rbac" -}}
{{- $kind := .cluster | ternary "ClusterRole" "Role" }}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata:
  name: {{ .name }}
  {{- if not .cluster }}
  namespace: {{ .root.Release.Namespace }}
  {{- end }}
  labels:
    {{- include "lab.labels" (dict "root" .root "name" .account) | nindent 4 }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
metadata:
  name: {{ .binding | default .name }}
  {{- if not .cluster }}
  namespace: {{ .root.Release.Namespace }}
  {{- end }}
  labels:
    {{- include "lab.labels" (dict "root" .root "name" .account) | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $kind }}
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ .account }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}

{{/* A workload's topologySpreadConstraints: dict constraints, labels (YAML text of the pods' labels). */}}
{{- define "lab.spread" -}}
{{- with .constraints }}
topologySpreadConstraints:
  {{- range . }}
  - {{- toYaml . | nindent 4 }}
    {{- if not .labelSelector }}
    labelSelector:
      matchLabels: {{- $.labels | nindent 8 }}
    {{- end }}
  {{- end }}
{{- end }}
{{- end }}

{{/* dict root, name, object (for its labels), maxUnavailable, labels (YAML text of the pods' labels). */}}
{{- define "lab.pdb" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "lab.labels" .object | nindent 4 }}
spec:
  maxUnavailable: {{ .maxUnavailable }}
  selector:
    matchLabels: {{- .labels | nindent 6 }}
{{- end }}

{{/* dict root, name, object (for its labels), labels, port (the Service's), selector (YAML text of its labels). */}}
{{- define "lab.servicemonitor" -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "lab.labels" .object | nindent 4 }}
    {{- with .labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  endpoints:
    - port: {{ .port }}
  selector:
    matchLabels: {{- .selector | nindent 6 }}
{{- end }}

{{/* dict root, name. */}}
{{- define "lab.serviceaccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "lab.labels" . | nindent 4 }}
{{- end }}

{{/* A CRD with an open schema: dict group, kind, plural, versions, status, scope, columns, keep. */}}
{{- define "lab.crd" -}}
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: {{ .plural }}.{{ .group }}
  {{- if .keep }}
  annotations:
    helm.sh/resource-policy: keep
  {{- end }}
spec:
  group: {{ .group }}
  scope: {{ .scope | default "Namespaced" }}
  names:
    kind: {{ .kind }}
    listKind: {{ .kind }}List
    plural: {{ .plural }}
    singular: {{ lower .kind }}
    {{- with .shortNames }}
    shortNames: {{ toJson . }}
    {{- end }}
  versions:
    - name: {{ .version }}
      served: true
      storage: true
      {{- with .columns }}
      additionalPrinterColumns:
        {{- range $name, $path := . }}
        - name: {{ $name }}
          type: string
          jsonPath: {{ $path }}
        {{- end }}
      {{- end }}
      schema:
        openAPIV3Schema:
          type: object
          x-kubernetes-preserve-unknown-fields: true
      {{- if .status }}
      subresources:
        status: {}
      {{- end }}
{{- end }}
