"""cert-manager: gets and renews certificates for Ingresses.

Argo CD never deletes CRDs with an Application, so they (and everybody's certificates) outlive a destroy on
a cluster that is not ours; with our own clusters they go.
https://cert-manager.io/docs/installation/continuous-deployment-and-gitops/
https://github.com/cert-manager/cert-manager/tree/master/deploy/charts/cert-manager
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pulumi

from components.addons import addon, charts, production


@dataclasses.dataclass(frozen=True)
class CertManagerArgs:
    """cert-manager: namespace and adjustments."""

    install: addon.Install


class CertManager(addon.AddOn):
    """cert-manager with its CRDs, webhook and CA injector. Children: its Argo CD Application."""

    def __init__(self, name: str, args: CertManagerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        # 146 KB per issuer CRD would double in the last-applied annotation, and grows with each release.
        super().__init__(
            "CertManager",
            name,
            charts.CERT_MANAGER,
            args.install,
            values(args),
            opts,
            server_side_apply=True,
        )


def values(args: CertManagerArgs) -> dict[str, Any]:
    """The chart's values. Secrets of ClusterIssuers are looked for in cert-manager's own namespace."""
    given = args.install.production
    result: dict[str, Any] = {
        "fullnameOverride": "cert-manager",
        "crds": {"enabled": True, "keep": True},
        "clusterResourceNamespace": args.install.namespace,
        # The chart's default is kube-system, where the add-ons' project may not write.
        "global": {"leaderElection": {"namespace": args.install.namespace}, **given.priority()},
        **_part("controller", given),
        "webhook": _part("webhook", given),
        "cainjector": _part("cainjector", given),
        "startupapicheck": {"resources": production.CERT_MANAGER["startupapicheck"]},
    }
    if given.monitoring:
        result["prometheus"] = {"enabled": True, "servicemonitor": given.monitoring.monitor("labels")}
    return result


def _part(component: str, given: production.Production) -> dict[str, Any]:
    # Its pods are told apart by this label alone: their names in other labels follow the release's.
    labels = {"app.kubernetes.io/component": component}
    return {
        "resources": production.CERT_MANAGER[component],
        **given.replicas("replicaCount", "podDisruptionBudget", labels),
    }
