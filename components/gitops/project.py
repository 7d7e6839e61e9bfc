"""The AppProject `platform`, in which the add-ons live.

It allows the add-ons' chart repositories and infrastructure namespaces and nothing else, so that an
Application of somebody else that names this project cannot reach further.
https://argo-cd.readthedocs.io/en/stable/operator-manual/declarative-setup/#projects
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pulumi

from components import manifests, options


@dataclasses.dataclass(frozen=True)
class ProjectArgs:
    """Repositories (URLs) and namespaces that the project's Applications may use."""

    repositories: Sequence[str]
    namespaces: Sequence[str]
    argocd_namespace: str = "argocd"


class Project(pulumi.ComponentResource):
    """The AppProject for the platform's add-ons.

    Children: the `argoproj.io/v1alpha1` AppProject, named as this component.
    """

    manifest: manifests.Manifest

    def __init__(self, name: str, args: ProjectArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("platform:gitops:Project", name, None, opts)
        self.manifest = manifests.Manifest(
            name,
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "AppProject",
                "metadata": {"name": name, "namespace": args.argocd_namespace, "labels": {"purpose": "infra"}},
                "spec": spec(args),
            },
            opts=options.child(self, opts),
        )
        self.register_outputs({"name": name})


def spec(args: ProjectArgs) -> dict[str, Any]:
    """The AppProject's spec. Add-ons bring CRDs, ClusterRoles and webhooks: cluster kinds are open."""
    return {
        "description": "Add-ons that the platform team owns",
        "sourceRepos": sorted(set(args.repositories)),
        "destinations": [
            {"server": "https://kubernetes.default.svc", "namespace": namespace} for namespace in args.namespaces
        ],
        "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
    }
