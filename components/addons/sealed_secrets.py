"""sealed-secrets: opens what the GitOps repository holds sealed.

Namespace and controller are both named `sealed-secrets`, so that the `kubeseal` calls people have written
down keep working. The key is provisioned beforehand (`sealing_key.py`).
https://github.com/bitnami/sealed-secrets/tree/main/helm/sealed-secrets
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pulumi

from components.addons import addon, charts, production

NAMESPACE = "sealed-secrets"
CONTROLLER = "sealed-secrets"


@dataclasses.dataclass(frozen=True)
class SealedSecretsArgs:
    """The controller's arguments; everything particular is fixed by what `kubeseal` users expect."""

    install: addon.Install


class SealedSecrets(addon.AddOn):
    """The sealed-secrets controller.

    Children: its Argo CD Application. Give the sealing key's Secret in `depends_on`: the controller reads
    keys at its start only.
    """

    def __init__(self, name: str, args: SealedSecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("SealedSecrets", name, charts.SEALED_SECRETS, args.install, values(args), opts)


def values(args: SealedSecretsArgs) -> dict[str, Any]:
    """The chart's values. Renewal is off: a key that only this cluster knows would be lost with it.

    By default the chart lets everybody who signs in to the cluster ask the controller through the API server, not
    only for the certificate but to open and seal again (CVE-2026-22728). An administrator may without that.
    """
    given = args.install.production
    result: dict[str, Any] = {
        "fullnameOverride": CONTROLLER,
        "keyrenewperiod": "0",
        "rbac": {"serviceProxier": {"bind": False}},
        "resources": production.SEALED_SECRETS,
        **given.priority(),
    }
    if given.monitoring:
        result["metrics"] = {"serviceMonitor": given.monitoring.monitor("labels")}
    return result
