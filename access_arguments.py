"""As `arguments`, for app owners: from settings to the arguments of components. Pure, no resources."""

from __future__ import annotations

from typing import Any

import pulumi

import arguments
import settings as config
from components.access import app_owner
from components.gitops import project


def app_owners(settings: config.Settings, kubeconfig: pulumi.Input[str]) -> list[app_owner.AppOwnerArgs]:
    """Every owner's namespaces. `kubeconfig`: the cluster administrator's."""
    ingress = arguments.ingress_namespace(settings) if settings.addons.ingress.enabled else None
    return [
        app_owner.AppOwnerArgs(
            organization=owner.organization,
            namespace=namespace,
            environment=settings.environment,
            quota=owner.quota,
            limits=_limits(owner),
            isolation=owner.isolation,
            ingress_namespace=ingress,
            pod_security=owner.pod_security,
            read_secrets=owner.read_secrets,
            exec=owner.exec,
            kubeconfig=kubeconfig if owner.permanent_token else None,
        )
        for owner in settings.app_owners
        for namespace in owner.namespaces
    ]


def owner_projects(settings: config.Settings) -> dict[str, project.ProjectArgs]:
    """An AppProject per organization that has repositories, by the organization's name."""
    return {
        owner.organization: project.ProjectArgs(
            repositories=owner.argocd.repositories,
            namespaces=owner.namespaces,
            owner=project.Owner(owner.organization, owner.argocd.allowed_kinds, _group(settings, owner)),
        )
        for owner in settings.app_owners
        if owner.argocd
    }


def _limits(owner: config.AppOwner) -> dict[str, Any]:
    return owner.limits.model_dump(by_alias=True, exclude_none=True) if owner.limits else {}


def _group(settings: config.Settings, owner: config.AppOwner) -> str | None:
    github = settings.argocd.github
    return f"{github.organization}:{owner.github_team}" if github and owner.github_team else None
