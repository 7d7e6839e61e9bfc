#!/usr/bin/env bash
# What other tools may read of an environment; run it where `pulumi stack output` works.
set -euo pipefail

outputs=$(pulumi stack output --json)
test "$(jq -r .apiVersion <<< "$outputs")" = gitops-platform/v1
jq -r .argocd.url <<< "$outputs"
jq -r '.addons | to_entries[] | "\(.key) \(.value.chart) \(.value.version)"' <<< "$outputs"
jq -r '.dns.zones[] | "\(.name): \(.nameServers | join(" "))"' <<< "$outputs"
jq -r .sealing.certificate <<< "$outputs" > sealing.pem

(umask 077 && pulumi stack output kubeconfig --show-secrets > kubeconfig-platform.yaml)
kubectl --kubeconfig kubeconfig-platform.yaml get namespaces -o name
