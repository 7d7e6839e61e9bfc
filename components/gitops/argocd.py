"""Argo CD itself: the one chart that Pulumi installs and upgrades; Argo CD installs the rest.

https://github.com/argoproj/argo-helm/tree/main/charts/argo-cd
https://argo-cd.readthedocs.io/en/stable/operator-manual/
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components import manifests, options
from components.addons import charts, merge, production
from components.gitops import health

RELEASE = "argocd"
GITHUB_SECRET = "github-secret"  # noqa: S105 (a name)
GITHUB_KEY = "clientSecret"


@dataclasses.dataclass(frozen=True)
class Github:
    """Sign-in with GitHub: OAuth application, the organization allowed in, optionally only these teams."""

    client_id: str
    client_secret: pulumi.Input[str]
    organization: str
    teams: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class ArgoCdArgs:
    """Argo CD.

    Args:
        namespace: where it goes; it has to exist.
        host: its DNS name, such as "argocd.example.org".
        github: sign-in with GitHub; None: no single sign-on.
        default_role: what everybody who is signed in may do, such as "role:readonly".
        admins: e-mail addresses or "organization:team" that are administrators.
        admin_enabled: whether the built-in `admin` may sign in.
        last: objects for the chart to carry along, Helm hooks that act when Argo CD goes (see `last_run`).
        network_policies: let the chart make its NetworkPolicies. They open the server's ports, and every part's
            metrics, to everybody, whatever other policies are there.
        values: extra Helm values, merged last (see `merge.deep`).
        mirror: chart repository URL to use instead of the chart's own.
        timeout_minutes: limit for install, upgrade and removal.
        production: priority, replicas and metrics of its pods.
    """

    namespace: pulumi.Input[str]
    host: str
    github: Github | None = None
    default_role: str = "role:readonly"
    admins: Sequence[str] = ()
    admin_enabled: bool = True
    last: Sequence[Mapping[str, Any]] = ()
    network_policies: bool = True
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    mirror: str | None = None
    timeout_minutes: int = 10
    production: production.Production = dataclasses.field(default_factory=production.Production)


class ArgoCd(pulumi.ComponentResource):
    """Argo CD. Whoever depends on `release` starts when all its pods are ready.

    Children: Secret `github-secret` (with GitHub sign-in; before the release, since Dex reads it at its
    start), `helm.v3.Release` named `argocd`.
    """

    url: str
    chart: charts.Chart
    namespace: pulumi.Output[str]
    release: pulumi.CustomResource

    def __init__(self, name: str, args: ArgoCdArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("platform:gitops:ArgoCd", name, None, opts)
        before = [self._github_secret(name, args, args.github, opts)] if args.github else []
        limit = f"{args.timeout_minutes}m"
        self.release = pulumi.CustomResource(
            # `pulumi_kubernetes.helm.v3.Release`, without its import: see `components.manifests`.
            "kubernetes:helm.sh/v3:Release",
            name,
            {
                "name": RELEASE,
                "namespace": args.namespace,
                "createNamespace": False,
                **charts.release_source(charts.ARGO_CD, args.mirror),
                "values": values(args),
                "timeout": args.timeout_minutes * 60,
                # Not atomic: a failed install stays to be looked at, and the next run upgrades it.
                "cleanupOnFail": True,
                "maxHistory": 3,
            },
            opts=options.child(self, opts, depends_on=before, create=limit, delete=limit),
        )
        self.url = f"https://{args.host}"
        self.chart = charts.ARGO_CD
        self.namespace = pulumi.Output.from_input(args.namespace)
        self.register_outputs({"url": self.url, "version": self.chart.version})

    def _github_secret(
        self, name: str, args: ArgoCdArgs, github: Github, opts: pulumi.ResourceOptions | None
    ) -> manifests.Manifest:
        return manifests.Manifest(
            f"{name}-github",
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {
                    "name": GITHUB_SECRET,
                    "namespace": args.namespace,
                    # Argo CD resolves `$name:key` only in Secrets with this label.
                    "labels": {"app.kubernetes.io/part-of": "argocd"},
                },
                "stringData": {GITHUB_KEY: pulumi.Output.secret(github.client_secret)},
            },
            opts=options.child(self, opts),
        )


def values(args: ArgoCdArgs) -> dict[str, Any]:
    """The chart's values. They end up in Pulumi's state: no secret may ever be among them."""
    chosen = merge.deep(
        {
            "fullnameOverride": "argocd",
            # Kept CRDs would outlive a destroy. Pulumi removes its Applications before the release.
            "crds": {"install": True, "keep": False},
            # The chart makes `url` of it, and what else names Argo CD.
            "global": {
                "domain": args.host,
                "networkPolicy": {"create": args.network_policies},
                **args.production.priority(),
            },
            "configs": {
                "cm": _config(args),
                # TLS ends at the ingress.
                "params": {"server.insecure": True},
                "rbac": _rbac(args),
            },
            "notifications": {"enabled": False},
            **_parts(args),
            "extraObjects": [],
        },
        args.values,
        f"the values of {charts.ARGO_CD.name}",
    )
    objects = [*args.last, *chosen.pop("extraObjects", [])]
    return {**chosen, "extraObjects": objects} if objects else chosen


def _parts(args: ArgoCdArgs) -> dict[str, Any]:
    """Each part's size, replicas and metrics.

    Two replicas of what people and the application controller ask. The controller itself would only share the work
    out, the ApplicationSet controller and Dex have nobody who waits for them, and Redis needs three nodes for it.
    """
    given = args.production
    with_dex = args.github is not None
    names = [part for part in production.ARGO_CD if with_dex or part != "dex"]
    parts: dict[str, dict[str, Any]] = {name: {"resources": production.ARGO_CD[name]} for name in names}
    for name in ("repoServer", "server"):
        parts[name] |= given.replicas("replicas", "pdb")
    for name in ("controller", "applicationSet"):
        parts[name]["replicas"] = 1
    parts["repoServer"]["copyutil"] = {"resources": production.COPY}
    parts.setdefault("dex", {})["enabled"] = with_dex
    if with_dex:
        parts["dex"]["initImage"] = {"resources": production.COPY}
    if given.monitoring:
        metrics = {"enabled": True, "serviceMonitor": given.monitoring.monitor("additionalLabels")}
        for name in ("controller", "repoServer", "applicationSet", "server", *(["dex"] if with_dex else [])):
            parts[name]["metrics"] = metrics
    return parts


def _config(args: ArgoCdArgs) -> dict[str, Any]:
    config: dict[str, Any] = {
        "admin.enabled": args.admin_enabled,
        **health.CUSTOMIZATIONS,
    }
    if args.github:
        config["dex.config"] = dex_config(args.github)
    return config


def dex_config(github: Github) -> str:
    """Dex's configuration (JSON, which is YAML). The secret is a reference that Argo CD resolves."""
    organization: dict[str, Any] = {"name": github.organization}
    if github.teams:
        organization["teams"] = list(github.teams)
    connector = {
        "type": "github",
        "id": "github",
        "name": "GitHub",
        "config": {
            "clientID": github.client_id,
            "clientSecret": f"${GITHUB_SECRET}:{GITHUB_KEY}",
            "orgs": [organization],
            "teamNameField": "slug",
        },
    }
    return json.dumps({"connectors": [connector]}, indent=2)


def _rbac(args: ArgoCdArgs) -> dict[str, Any]:
    return {
        "policy.default": args.default_role,
        "policy.csv": "".join(f"g, {subject}, role:admin\n" for subject in args.admins),
        "scopes": "[groups, email]",
    }
