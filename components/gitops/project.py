"""AppProjects: which repositories and namespaces Applications may use, and who may see and sync them.

`platform` is for the add-ons; an app owner has one of its own. Each allows what it is for and nothing else,
so that an Application of somebody else that names the project cannot reach further.
https://argo-cd.readthedocs.io/en/stable/operator-manual/declarative-setup/#projects
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components import manifests, options

KEPT = {
    "": ("ResourceQuota", "LimitRange"),
    "rbac.authorization.k8s.io": ("Role", "RoleBinding"),
    "argoproj.io": ("Application", "ApplicationSet", "AppProject"),
}
"""Kinds that no owner deploys: what bounds a namespace, and what gives rights. Argo CD is an administrator and
would bind whatever Role an owner's repository asks for."""
TEAM = "team"


@dataclasses.dataclass(frozen=True)
class Owner:
    """Limits of an app owner's project.

    Args:
        name: the organization.
        kinds: the only kinds it may deploy, as "group/Kind" or "Kind"; empty: all that belong to a namespace.
        group: who may see and sync its Applications, as Argo CD names groups of GitHub ("organization:team").
    """

    name: str
    kinds: Sequence[str] = ()
    group: str | None = None


@dataclasses.dataclass(frozen=True)
class ProjectArgs:
    """Repositories (URLs) and namespaces that the project's Applications may use; `owner` None: the platform's."""

    repositories: Sequence[str]
    namespaces: Sequence[str]
    argocd_namespace: str = "argocd"
    owner: Owner | None = None


class Project(pulumi.ComponentResource):
    """An AppProject.

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
                "spec": spec(name, args),
            },
            opts=options.child(self, opts),
        )
        self.register_outputs({"name": name})


def create(wanted: Mapping[str, ProjectArgs], opts: pulumi.ResourceOptions) -> list[Project]:
    """A project per name."""
    return [Project(name, args, opts) for name, args in wanted.items()]


def spec(name: str, args: ProjectArgs) -> dict[str, Any]:
    """The AppProject's spec."""
    return {
        "sourceRepos": sorted(set(args.repositories)),
        "destinations": [
            {"server": "https://kubernetes.default.svc", "namespace": namespace} for namespace in args.namespaces
        ],
        **(_owners(name, args.owner) if args.owner else _platforms()),
    }


def _platforms() -> dict[str, Any]:
    # Add-ons bring CRDs, ClusterRoles and webhooks.
    return {
        "description": "Add-ons that the platform team owns",
        "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
    }


def _owners(name: str, owner: Owner) -> dict[str, Any]:
    limits: dict[str, Any] = {
        "description": f"Applications of {owner.name}",
        # Not even its namespaces: an Application could take their labels off, Pod Security's among them.
        "clusterResourceWhitelist": [],
        "namespaceResourceBlacklist": [
            {"group": group, "kind": kind} for group, kinds in KEPT.items() for kind in kinds
        ],
    }
    if owner.kinds:
        kinds = [kind.rpartition("/") for kind in owner.kinds]
        limits["namespaceResourceWhitelist"] = [{"group": group, "kind": kind} for group, _, kind in kinds]
    if owner.group:
        # A role of the project instead of lines in Argo CD's own policy: it comes and goes with the project, and
        # Argo CD refuses one that speaks of anything outside of it.
        rights = (("applications", "get"), ("applications", "sync"), ("logs", "get"))
        role = f"proj:{name}:{TEAM}"
        limits["roles"] = [
            {
                "name": TEAM,
                "description": "Sees and syncs the Applications of this project",
                "groups": [owner.group],
                "policies": [f"p, {role}, {resource}, {action}, {name}/*, allow" for resource, action in rights],
            }
        ]
    return limits
