"""external-dns: writes the records of Ingresses and LoadBalancer Services into the environment's zones.

On Route53 with a key that may touch these zones only, or at IONOS DNS through a webhook in the same pod.
https://github.com/kubernetes-sigs/external-dns/tree/master/charts/external-dns
https://github.com/ionos-cloud/external-dns-ionos-webhook
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components.addons import addon, charts, merge, production

CREDENTIALS_FOLDER = "/.aws"
CREDENTIALS_VOLUME = "aws-credentials"
ZONE_FILTER = "zone-id-filter"
SECURITY_CONTEXT = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "capabilities": {"drop": ["ALL"]},
}


@dataclasses.dataclass(frozen=True)
class Route53:
    """Zones by id (the filter that matters when two zones share a name), and the Secret with the key.

    `key_id` is the key's public part.
    """

    zone_ids: Sequence[pulumi.Input[str]]
    region: str
    key_id: pulumi.Input[str]
    secret: str = "aws-access-key"  # noqa: S105 (a name)


@dataclasses.dataclass(frozen=True)
class Ionos:
    """IONOS DNS through its webhook; the Secret holds the API token under `token`."""

    secret: str = "ionos-token-secret"  # noqa: S105 (a name)


@dataclasses.dataclass(frozen=True)
class ExternalDnsArgs:
    """external-dns.

    Args:
        install: namespace and adjustments.
        provider: where the zones are.
        domains: names of the zones; records outside them are left alone.
        owner_id: marks the records that belong to this stack. Two stacks that share an id on one zone
            delete each other's records under policy `sync`.
        txt_prefix: what the names of the records' marks begin with, such as "%{record_type}-edns."; "": none. Records
            that are marked under another prefix are taken for somebody else's.
        policy: sync | upsert-only | create-only. Only `sync` removes records.
        interval: time between full passes, such as "1m"; changes in the cluster are acted on at once.
    """

    install: addon.Install
    provider: Route53 | Ionos
    domains: Sequence[str]
    owner_id: str
    txt_prefix: str
    policy: str = "sync"
    interval: str = "1m"


class ExternalDns(addon.AddOn):
    """external-dns. Children: its Argo CD Application. Give the credentials' Secret in `depends_on`."""

    def __init__(self, name: str, args: ExternalDnsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        install = dataclasses.replace(args.install, values={})
        super().__init__("ExternalDns", name, charts.EXTERNAL_DNS, install, merged(args), opts)


def values(args: ExternalDnsArgs) -> dict[str, Any]:
    """The chart's values."""
    given = args.install.production
    monitor = {"serviceMonitor": given.monitoring.monitor("additionalLabels")} if given.monitoring else {}
    return {
        "fullnameOverride": "external-dns",
        "sources": ["service", "ingress"],
        "policy": args.policy,
        "registry": "txt",
        "txtOwnerId": args.owner_id,
        **({"txtPrefix": args.txt_prefix} if args.txt_prefix else {}),
        "domainFilters": list(args.domains),
        "interval": args.interval,
        "triggerLoopOnEvent": True,
        "resources": production.EXTERNAL_DNS,
        **given.priority(),
        **monitor,
        **(_route53(args.provider) if isinstance(args.provider, Route53) else _ionos(args.provider, args.domains)),
    }


def merged(args: ExternalDnsArgs) -> dict[str, Any]:
    """The chart's values with the adjustments on top: what its pod really gets, but for `values_from`.

    The chart takes `extraArgs` as a mapping or as a list; neither form of the adjustments loses the zones. It takes a
    prefix or a suffix of the marks, so a suffix of the adjustments does without this program's prefix.
    """
    adjustments = args.install.values
    set_here = values(args)
    zones = set_here.pop("extraArgs", {}).get(ZONE_FILTER, [])
    if adjustments.get("txtSuffix") and not adjustments.get("txtPrefix"):
        set_here.pop("txtPrefix", None)
    found = merge.deep(set_here, adjustments, f"the values of {charts.EXTERNAL_DNS.name}")
    if isinstance(args.provider, Route53):
        found["extraArgs"] = _filtered(found.get("extraArgs") or {}, zones)
    return found


def _filtered(extra: Mapping[str, Any] | Sequence[Any], zones: Sequence[pulumi.Input[str]]) -> Any:
    if isinstance(extra, Mapping):
        return {ZONE_FILTER: list(zones), **extra}
    if any(str(one).startswith(f"--{ZONE_FILTER}") for one in extra):
        return list(extra)
    return [*extra, *(pulumi.Output.concat(f"--{ZONE_FILTER}=", zone) for zone in zones)]


def _route53(provider: Route53) -> dict[str, Any]:
    return {
        "provider": {"name": "aws"},
        "extraArgs": {ZONE_FILTER: list(provider.zone_ids)},
        "env": [
            {"name": "AWS_DEFAULT_REGION", "value": provider.region},
            {"name": "AWS_SHARED_CREDENTIALS_FILE", "value": f"{CREDENTIALS_FOLDER}/credentials"},
        ],
        "extraVolumes": [{"name": CREDENTIALS_VOLUME, "secret": {"secretName": provider.secret}}],
        "extraVolumeMounts": [{"name": CREDENTIALS_VOLUME, "mountPath": CREDENTIALS_FOLDER, "readOnly": True}],
        # external-dns reads the file once: a new key needs a new pod.
        "podAnnotations": {"gitops-platform/aws-access-key-id": provider.key_id},
    }


def _ionos(provider: Ionos, domains: Sequence[str]) -> dict[str, Any]:
    # The webhook serves external-dns on localhost:8888 and its health on port 8080 (/healthz) by default;
    # the chart's port and probes fit that since webhook 0.7 split the two.
    token = {"secretKeyRef": {"name": provider.secret, "key": "token"}}
    return {
        "provider": {
            "name": "webhook",
            "webhook": {
                "image": {
                    "repository": charts.IONOS_WEBHOOK.repository,
                    "tag": charts.IONOS_WEBHOOK.tag,
                },
                "env": [
                    {"name": "IONOS_API_KEY", "valueFrom": token},
                    {"name": "DOMAIN_FILTER", "value": ",".join(domains)},
                ],
                # The chart has none for this container; this is what it gives external-dns itself.
                "securityContext": dict(SECURITY_CONTEXT),
                "resources": production.DNS_WEBHOOK,
            },
        },
    }
