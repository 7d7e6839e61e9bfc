"""The contract with other tools: every stack output, exported here and nowhere else.

`apiVersion` names the contract's version; a key is removed or changes its meaning only with a new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

import settings as config
from components import cluster
from components.access import app_owner
from components.addons import addon, sealed_secrets
from components.cluster import existing
from components.dns import route53
from components.gitops import argocd, root

API_VERSION = "gitops-platform/v1"


def export(
    settings: config.Settings,
    target: cluster.Cluster,
    zones: route53.Route53 | None,
    argo: argocd.ArgoCd,
    certificate: pulumi.Output[str] | None,
    issuers: Sequence[str],
    addons: Mapping[str, addon.AddOn],
    owners: Sequence[app_owner.AppOwner],
) -> None:
    """Export the contract; kubeconfigs are secrets whatever they were before.

    `addons` by name, which is also the name of the add-on's namespace: taken from here, it is known at
    preview already.
    """
    served = [{"name": z.name, "zoneId": z.id, "nameServers": z.name_servers} for z in zones.zones] if zones else []
    contract: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "environment": settings.environment,
        "domain": settings.domain,
        "cluster": {
            "name": target.cluster_name,
            "id": target.id,
            "kubernetesVersion": target.kubernetes_version,
            "provider": settings.cluster.provider,
            "datacenterId": target.datacenter_id,
            "lans": _lans(target),
        },
        "kubeconfig": pulumi.Output.secret(target.kubeconfig),
        "ingressAddresses": target.ingress_addresses,
        "dns": {
            "zoneId": served[0]["zoneId"] if served else None,
            "nameServers": served[0]["nameServers"] if served else [],
            "zones": served,
        },
        "argocd": {"url": argo.url, "namespace": "argocd"},
        "gitops": {
            "repository": settings.gitops.repository,
            "revision": settings.gitops.revision,
            "path": settings.gitops.path,
            "application": root.NAME if settings.gitops.hand_over else None,
        },
        "sealing": {
            "certificate": certificate,
            "controllerNamespace": sealed_secrets.NAMESPACE,
            "controllerName": sealed_secrets.CONTROLLER,
        },
        "clusterIssuers": list(issuers),
        "addons": {
            name: {"chart": part.chart.name, "version": part.chart.version, "namespace": name}
            for name, part in addons.items()
        },
        "appOwners": {owner.args.namespace: _app_owner(owner.args) for owner in owners},
        # Only of those whose settings ask for a token that never expires.
        "appOwnerKubeconfigs": {
            owner.args.namespace: owner.kubeconfig for owner in owners if owner.kubeconfig is not None
        },
    }
    for key, value in contract.items():
        pulumi.export(key, value)


def _lans(target: cluster.Cluster) -> dict[str, Any]:
    if isinstance(target, existing.ExistingCluster):
        return {}
    return {name: {"id": lan.id, "cidr": lan.cidr} for name, lan in target.lans.items()}


def _app_owner(owner: app_owner.AppOwnerArgs) -> dict[str, Any]:
    return {
        "organization": owner.organization,
        "serviceAccount": owner.service_account,
        "user": owner.user,
        "context": owner.context,
        "readSecrets": owner.read_secrets,
        "exec": owner.exec,
        "permanentToken": owner.kubeconfig is not None,
    }
