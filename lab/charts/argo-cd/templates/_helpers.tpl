{{- define "argo-cd.image" -}}
{{ .Values.global.image.repository }}:{{ .Values.global.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* Environment of one of Argo CD's servers: dict root, and params (variable -> key in argocd-cmd-params-cm). */}}
{{- define "argo-cd.env" -}}
{{ include "lab.env" .root }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef: {name: argocd-redis, key: auth}
{{- range $variable, $key := .params }}
- name: {{ $variable }}
  valueFrom:
    configMapKeyRef: {name: argocd-cmd-params-cm, key: {{ $key }}, optional: true}
{{- end }}
{{- end }}

{{/* Configuration that repo-server, applicationset-controller and server read from files. */}}
{{- define "argo-cd.mounts" -}}
- {name: ssh-known-hosts, mountPath: /app/config/ssh}
- {name: tls-certs, mountPath: /app/config/tls}
- {name: tmp, mountPath: /tmp}
{{- end }}

{{- define "argo-cd.volumes" -}}
- name: ssh-known-hosts
  configMap: {name: argocd-ssh-known-hosts-cm}
- name: tls-certs
  configMap: {name: argocd-tls-certs-cm}
- name: tmp
  emptyDir: {}
{{- end }}

{{/* The settings ConfigMaps are read at start: pods start anew when these change. */}}
{{- define "argo-cd.checksums" -}}
checksum/cm: {{ toJson .Values.configs.cm | sha256sum }}
checksum/cmd-params: {{ toJson .Values.configs.params | sha256sum }}
{{- end }}

{{/* Head of a workload down to its pod's containers: dict root, kind, component, part (its values). */}}
{{- define "argo-cd.workload" -}}
{{- $name := printf "%s-%s" (include "lab.fullname" .root) .component }}
{{- $object := dict "root" .root "name" $name "component" .component }}
apiVersion: apps/v1
kind: {{ .kind | default "Deployment" }}
metadata:
  name: {{ $name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "lab.labels" $object | nindent 4 }}
spec:
  replicas: {{ .part.replicas | default 1 }}
  {{- if eq (.kind | default "Deployment") "StatefulSet" }}
  serviceName: {{ $name }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "lab.selector" $object | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "lab.labels" $object | nindent 8 }}
      annotations:
        {{- include "argo-cd.checksums" .root | nindent 8 }}
    spec:
      {{- if not (eq .component "redis") }}
      serviceAccountName: {{ $name }}
      {{- end }}
      nodeSelector:
        kubernetes.io/os: linux
      {{- with .root.Values.global.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with include "lab.spread" (dict "constraints" .part.topologySpreadConstraints "labels" (include "lab.selector" $object)) }}
      {{- . | nindent 6 }}
      {{- end }}
{{- end }}

{{/* A component's budget, metrics Service and ServiceMonitor: dict root, component, part (its values). */}}
{{- define "argo-cd.around" -}}
{{- $name := printf "%s-%s" (include "lab.fullname" .root) .component }}
{{- $object := dict "root" .root "name" $name "component" .component }}
{{- if (.part.pdb | default dict).enabled }}
---
{{ include "lab.pdb" (dict "root" .root "name" $name "object" $object "maxUnavailable" .part.pdb.maxUnavailable "labels" (include "lab.selector" $object)) }}
{{- end }}
{{- if .part.metrics.enabled }}
{{- $metrics := dict "root" .root "name" (printf "%s-metrics" $name) "component" .component }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $metrics.name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "lab.labels" $metrics | nindent 4 }}
spec:
  ports:
    - {name: http-metrics, port: 8080, targetPort: metrics}
  selector:
    {{- include "lab.selector" $object | nindent 4 }}
{{- if and .part.metrics.serviceMonitor.enabled (.root.Capabilities.APIVersions.Has "monitoring.coreos.com/v1") }}
---
{{ include "lab.servicemonitor" (dict "root" .root "name" $name "object" $object "labels" .part.metrics.serviceMonitor.additionalLabels "port" "http-metrics" "selector" (include "lab.selector" $metrics)) }}
{{- end }}
{{- end }}
{{- end }}

{{/* A Service for a component: dict root, component, ports (YAML text). */}}
{{- define "argo-cd.service" -}}
{{- $name := printf "%s-%s" (include "lab.fullname" .root) .component }}
{{- $object := dict "root" .root "name" $name "component" .component }}
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "lab.labels" $object | nindent 4 }}
spec:
  ports:
    {{- toYaml .ports | nindent 4 }}
  selector:
    {{- include "lab.selector" $object | nindent 4 }}
{{- end }}
