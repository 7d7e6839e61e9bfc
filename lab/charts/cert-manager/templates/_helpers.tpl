{{/* A Deployment of cert-manager, and its budget: dict root, suffix, component, part (its values), args, ports. */}}
{{- define "cert-manager.deployment" -}}
{{- $root := .root }}
{{- $values := $root.Values }}
{{- $name := printf "%s%s" (include "lab.fullname" $root) .suffix }}
{{- $object := dict "root" $root "name" .app "component" .component }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "lab.labels" $object | nindent 4 }}
spec:
  replicas: {{ .part.replicaCount }}
  # Argo CD hears of a Deployment's state but not of a CRD's: what comes last has to be the Deployment.
  minReadySeconds: 10
  selector:
    matchLabels:
      {{- include "lab.selector" $object | nindent 6 }}
      app.kubernetes.io/component: {{ .component }}
  template:
    metadata:
      labels:
        {{- include "lab.labels" $object | nindent 8 }}
    spec:
      serviceAccountName: {{ $name }}
      {{- include "lab.placement" (merge (dict "priorityClassName" $values.global.priorityClassName) $values) | nindent 6 }}
      {{- with include "lab.spread" (dict "constraints" .part.topologySpreadConstraints "labels" "") }}
      {{- . | nindent 6 }}
      {{- end }}
      containers:
        - name: cert-manager-{{ .component }}
          image: {{ $values.imageRegistry }}/{{ $values.imageNamespace }}/cert-manager-{{ .component }}:{{ $root.Chart.AppVersion }}
          securityContext: {{ include "lab.restricted" . }}
          args:
            {{- .args | trim | nindent 12 }}
          env:
            {{- include "lab.env" $root | nindent 12 }}
            {{- if eq .component "controller" }}
            {{- with $values.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
            {{- end }}
          ports:
            {{- .ports | trim | nindent 12 }}
          {{- with .probe }}
          readinessProbe:
            tcpSocket: {port: {{ . }}}
            periodSeconds: 2
          {{- end }}
          {{- if eq .component "controller" }}
          {{- with $values.volumeMounts }}
          volumeMounts:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- end }}
          {{- with .part.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
      {{- if eq .component "controller" }}
      {{- with $values.volumes }}
      volumes:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- end }}
{{- if .part.podDisruptionBudget.enabled }}
---
{{ include "lab.pdb" (dict "root" $root "name" $name "object" $object "maxUnavailable" .part.podDisruptionBudget.maxUnavailable "labels" (printf "%s\napp.kubernetes.io/component: %s" (include "lab.selector" $object) .component)) }}
{{- end }}
{{- end }}
