"""external-dns's last run, at destroy: it removes every record that bears this stack's mark.

Deleting an Ingress is one thing, external-dns removing its record another, up to an `interval` later; and records of
Ingresses that Pulumi knows nothing of would stay, pointing at addresses that are soon somebody else's. So, when
every add-on is gone and before Argo CD and the DNS credentials go, external-dns runs once more with nothing to
look at: what nobody asks for, policy `sync` removes, and of records it touches only those with its owner's mark.

It is a Helm hook of Argo CD's release, the one part that lives as long as the add-ons together and whose end waits
for a Job. https://helm.sh/docs/topics/charts_hooks/ Where a zone stays the hook comes before the release's removal, so
that a run that failed is repeated until it is done. Where all zones go, and with them whatever is left, it comes
after: Helm tells of a failure, but the release is gone, and the next destroy does not try again.

Seen in the lab: before the removal the Job takes 2 s of a destroy; where it comes after, the whole release is gone
in 4 s.

Seen with external-dns 0.21: its option `--source` takes `empty`, and then there is no such source. So it is told
to look for Ingresses in its own namespace, with a label that none has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

from components.addons import charts

NAME = "external-dns-last-run"
IMAGE = "registry.k8s.io/external-dns/external-dns"
DEFAULT_PROVIDER = "aws"
"""The chart's own."""
NOTHING = "gitops-platform/asks-for=nothing"
"""A label that no Ingress has."""
SECONDS, RETRIES = 120, 2
"""How long all tries together may take: listing a large zone is slow, and Route53 throttles."""
BRIEF_SECONDS = 60
"""The same for the one try in zones that go anyway."""

KEPT = {
    "registry": "registry",
    "txtOwnerId": "txt-owner-id",
    "txtPrefix": "txt-prefix",
    "txtSuffix": "txt-suffix",
    "domainFilters": "domain-filter",
    "excludeDomains": "exclude-domains",
    "managedRecordTypes": "managed-record-types",
}
"""The chart's values that say which records are meant -> external-dns's options."""

SAFE = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def objects(
    namespace: pulumi.Input[str], values: Mapping[str, Any], *, zones_stay: bool = True
) -> list[dict[str, Any]]:
    """The Job, and what lets it read Ingresses of its namespace.

    `values`: external-dns's chart values, whose zones, mark and credentials it shares. `zones_stay`: whether any zone
    outlives the environment.
    """
    hook = "pre-delete" if zones_stay else "post-delete"
    limits = {
        "activeDeadlineSeconds": SECONDS if zones_stay else BRIEF_SECONDS,
        "backoffLimit": RETRIES if zones_stay else 0,
    }
    api = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": ["get", "list", "watch"]}]
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": namespace}
    role = {"apiGroup": api, "kind": "Role", "name": NAME}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", **_metadata(namespace, hook, -2)},
        {"apiVersion": f"{api}/v1", "kind": "Role", **_metadata(namespace, hook, -2), "rules": rules},
        {
            "apiVersion": f"{api}/v1",
            "kind": "RoleBinding",
            **_metadata(namespace, hook, -1),
            "roleRef": role,
            "subjects": [subject],
        },
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            **_metadata(namespace, hook, 0),
            "spec": {**limits, "template": {"spec": _pod(namespace, values)}},
        },
    ]


def _metadata(namespace: pulumi.Input[str], hook: str, weight: int) -> dict[str, Any]:
    annotations = {
        "helm.sh/hook": hook,
        "helm.sh/hook-weight": str(weight),
        # One that failed stays, with its log, until the next try.
        "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
    }
    labels = {"purpose": "infra"}
    return {"metadata": {"name": NAME, "namespace": namespace, "labels": labels, "annotations": annotations}}


def _pod(namespace: pulumi.Input[str], values: Mapping[str, Any]) -> dict[str, Any]:
    provider = values.get("provider") or {}
    name = provider.get("name") or DEFAULT_PROVIDER
    container = {
        "name": "external-dns",
        "image": _image(values),
        "args": list(_arguments(namespace, values, name)),
        "env": values.get("env", []),
        "volumeMounts": values.get("extraVolumeMounts", []),
        "securityContext": SAFE,
        "resources": values.get("resources", {}),
    }
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "serviceAccountName": NAME,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": values.get("extraVolumes", []),
        **{
            key: values[key]
            for key in ("imagePullSecrets", "nodeSelector", "priorityClassName", "tolerations")
            if values.get(key)
        },
    }
    if name == "webhook":
        pod["initContainers"] = [_webhook(provider.get("webhook") or {})]
    return pod


def _arguments(namespace: pulumi.Input[str], values: Mapping[str, Any], provider: str) -> Iterator[pulumi.Input[str]]:
    yield from ("--once", "--policy=sync", "--source=ingress", f"--label-filter={NOTHING}")
    yield from _option("namespace", namespace)
    yield "--metrics-address=localhost:7979"  # its port is opened even for one run
    yield f"--provider={provider}"
    for key, option in KEPT.items():
        yield from _option(option, values.get(key))
    extra = values.get("extraArgs") or {}
    if not isinstance(extra, Mapping):
        yield from extra
        return
    for option, value in extra.items():
        # As the chart writes a switch: seen with 0.21, `--dry-run=false` is refused.
        yield from [f"--{option}" if value else f"--no-{option}"] if isinstance(value, bool) else _option(option, value)


def _option(name: str, value: Any) -> Iterator[pulumi.Input[str]]:
    for one in value if isinstance(value, list | tuple) else [value]:
        if isinstance(one, pulumi.Output):
            yield pulumi.Output.concat(f"--{name}=", one)
        elif one not in (None, ""):
            yield f"--{name}={one}"


def _image(values: Mapping[str, Any]) -> str:
    image = values.get("image") or {}
    return f"{image.get('repository') or IMAGE}:{image.get('tag') or f'v{charts.EXTERNAL_DNS.app_version}'}"


def _webhook(webhook: Mapping[str, Any]) -> dict[str, Any]:
    """The provider's other half, as a sidecar: it ends with the run, which starts when it is healthy."""
    image, own = webhook.get("image") or {}, charts.IONOS_WEBHOOK
    return {
        "name": "webhook",
        "image": f"{image.get('repository') or own.repository}:{image.get('tag') or own.tag}",
        "restartPolicy": "Always",
        "env": webhook.get("env", []),
        "args": webhook.get("args", []),
        "startupProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 2},
        "securityContext": SAFE,
        "resources": webhook.get("resources", {}),
    }
