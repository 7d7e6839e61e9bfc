"""An Argo CD Application that installs one chart, and waits until it is Synced and Healthy.

The values are inline (`valuesObject`); with `values_from` a file of the GitOps repository comes as a
second source and is applied first, so that what the program sets (addresses, zone ids) always holds.
https://argo-cd.readthedocs.io/en/stable/user-guide/multiple_sources/
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pulumi

from components import manifests, options
from components.addons import charts

FINALIZER = "resources-finalizer.argocd.argoproj.io/foreground"
"""Makes deletion cascade to what the Application installed; without it destroy leaves that behind. The name without
`/foreground` means the same to Argo CD (3.2 and 3.4), but the API server warns of a finalizer without a path."""

SYNCED = "jsonpath={.status.sync.status}=Synced"
HEALTHY = "jsonpath={.status.health.status}=Healthy"
READY = (
    # Hooks still run when all is Synced and Healthy: cert-manager's webhook is up when its own has ended.
    "jsonpath={.status.operationState.phase}=Succeeded",
    SYNCED,
    HEALTHY,
)


RETRY: dict[str, Any] = {
    # A chart whose webhook is not up yet fails its first sync; Argo CD gives up after 5 by default. But a deletion
    # waits for the last try, as a changed value does: with 20 tries, a minute apart, longer than `destroy` waits.
    "limit": 9,
    "backoff": {"duration": "5s", "factor": 2, "maxDuration": "30s"},
    # A values file that was mended in Git is not tried again as it was.
    "refresh": True,
}
"""How a sync that failed is tried again: for four minutes, then not until something changes."""


@dataclasses.dataclass(frozen=True)
class ValuesFrom:
    """A values file in the GitOps repository: URL, revision (branch, tag or commit) and path in it."""

    repository: str
    revision: str
    path: str


@dataclasses.dataclass(frozen=True)
class ApplicationArgs:
    """What to install, where, with which values.

    Args:
        chart: the pinned chart.
        namespace: destination; it has to exist.
        values: Helm values; may hold outputs, never secrets (they are readable in the cluster).
        mirror: chart repository URL to use instead of the chart's own.
        project: AppProject that allows the repository and the namespace.
        argocd_namespace: where Argo CD runs.
        values_from: values file applied before `values`.
        timeout: how long it may take to be Synced and Healthy, or to be gone, such as "10m".
        server_side_apply: for charts whose CRDs exceed the 256 KiB of the last-applied annotation.
    """

    chart: charts.Chart
    namespace: pulumi.Input[str]
    values: pulumi.Input[Mapping[str, Any]]
    mirror: str | None = None
    project: str = "platform"
    argocd_namespace: str = "argocd"
    values_from: ValuesFrom | None = None
    timeout: str = "10m"
    server_side_apply: bool = False


class Application(pulumi.ComponentResource):
    """One Argo CD Application.

    Children: the `argoproj.io/v1alpha1` Application, named as this component.
    """

    manifest: manifests.Manifest
    """The Application; whoever depends on it starts when it is Synced and Healthy."""

    def __init__(self, name: str, args: ApplicationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("platform:gitops:Application", name, None, opts)
        self.manifest = manifests.Manifest(
            name,
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "Application",
                "metadata": {
                    "name": name,
                    "namespace": args.argocd_namespace,
                    "labels": {"purpose": "infra"},
                    "annotations": {"pulumi.com/waitFor": wait_for(args)},
                    "finalizers": [FINALIZER],
                },
                "spec": spec(args),
            },
            opts=options.child(self, opts, create=args.timeout, delete=args.timeout),
        )
        self.register_outputs({"name": name})


def fingerprint(args: ApplicationArgs) -> pulumi.Output[str]:
    """A name for the chart's source that changes with the chart, its version, any of its values or where they are from.

    Right after a change the Application's status is still the old one, Synced and Healthy. That the status
    speaks of the new source is seen by its name, which Argo CD copies into it with the rest.
    """
    values_from = dataclasses.asdict(args.values_from) if args.values_from else None
    content = pulumi.Output.json_dumps(
        [dataclasses.asdict(args.chart), args.mirror, args.values, values_from], sort_keys=True
    )
    return content.apply(lambda text: f"values-{hashlib.sha256(text.encode()).hexdigest()[:12]}")


def wait_for(args: ApplicationArgs) -> pulumi.Output[str]:
    """The conditions, for `pulumi.com/waitFor`."""
    source = "sources[0]" if args.values_from else "source"
    return fingerprint(args).apply(
        lambda name: json.dumps([f"jsonpath={{.status.sync.comparedTo.{source}.name}}={name}", *READY])
    )


def spec(args: ApplicationArgs) -> dict[str, Any]:
    """The Application's spec."""
    helm: dict[str, Any] = {"valuesObject": args.values}
    chart = {
        "repoURL": charts.repository_url(args.chart, args.mirror),
        "chart": args.chart.name,
        "name": fingerprint(args),
        "targetRevision": args.chart.version,
        "helm": helm,
    }
    sources: dict[str, Any] = {"source": chart}
    if args.values_from:
        helm["valueFiles"] = [f"$values/{args.values_from.path}"]
        values = {
            "repoURL": args.values_from.repository,
            "targetRevision": args.values_from.revision,
            "ref": "values",
        }
        sources = {"sources": [chart, values]}
    return {
        "project": args.project,
        "destination": {"server": "https://kubernetes.default.svc", "namespace": args.namespace},
        **sources,
        "syncPolicy": {
            "automated": {"prune": True, "selfHeal": True},
            "syncOptions": [f"ServerSideApply={'true' if args.server_side_apply else 'false'}"],
            "retry": RETRY,
        },
    }
