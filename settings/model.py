"""All settings of a stack in one value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import pydantic

from settings import addons as addons_section
from settings import app_owners as app_owners_section
from settings import argocd as argocd_section
from settings import base, checks, errors, lans
from settings import cluster as cluster_section
from settings import dns as dns_section
from settings import gitops as gitops_section

SECRETS = {
    "kubeconfig": "kubeconfig of an existing cluster (cluster.provider existing)",
    "githubClientSecret": "client secret of the OAuth app (argocd.github)",
    "ionosToken": "IONOS API token, unless the environment has IONOS_TOKEN (cluster.provider ionos)",
    "ionosDnsToken": "IONOS token of external-dns's webhook (dns.provider ionos)",
    "gitopsAppKey": "private key of the GitHub App that reads the repository (gitops.githubApp)",
    "gitopsDeployKey": "SSH key that reads the repository (gitops.repository git@...)",
    "gitopsToken": "access token that reads the repository (gitops.repository https://...)",
}
"""Keys that are set with `pulumi config set --secret`, and what each is for."""


class Settings(base.Section):
    """One environment."""

    environment: Annotated[str, pydantic.AfterValidator(checks.environment)] = base.field(
        "", says="Name of the environment, part of many other names.", example="sbx", derived="the stack's name"
    )
    cluster: cluster_section.Cluster = base.field(
        says="Where it runs.", example={"provider": "ionos", "kubernetesVersion": "1.34.3"}
    )
    dns: dns_section.Dns = base.field(says="Its domains.", example={"domains": ["example.org"]})
    argocd: argocd_section.Argocd = base.section(says="Argo CD.", example={"host": "argocd.example.org"})
    addons: addons_section.Addons = base.section(says="Add-ons.", example={"ingress": {"controller": "traefik"}})
    gitops: gitops_section.Gitops = base.section(
        says="The GitOps repository.", example={"repository": "https://github.com/DOME-Marketplace/dome-gitops"}
    )
    charts: gitops_section.Charts = base.section(
        says="Where charts come from.", example={"mirror": "https://charts.example.org"}
    )
    app_owners: list[app_owners_section.AppOwner] = base.field(
        [], says="Who runs applications here.", example=[{"organization": "example", "namespaces": ["marketplace"]}]
    )
    confirm_removal: list[app_owners_section.NamespaceName] = base.field(
        [], says="Namespaces that may be deleted with all in them, once no owner has them.", example=["marketplace"]
    )
    wait_minutes: int = base.field(10, says="How long to wait for an add-on.", example=10, ge=1, le=120)

    @property
    def domain(self) -> str:
        """The environment's main domain."""
        return self.dns.domains[0].name


def rules(settings: Settings, secrets: set[str]) -> Iterator[errors.Mistake]:
    """What is wrong between several keys."""
    yield from cluster_section.rules(settings.cluster, secrets)
    yield from dns_section.rules(settings.dns, secrets)
    yield from argocd_section.rules(settings.argocd, settings.dns, secrets)
    yield from addons_section.rules(settings.addons, settings.dns, settings.gitops.repository)
    yield from gitops_section.rules(settings.gitops, secrets)
    yield from app_owners_section.rules(settings.app_owners, settings.environment, settings.argocd)


def warnings(settings: Settings, secrets: set[str]) -> Iterator[errors.Mistake]:
    """What works, but is probably not meant or will not last."""
    place, where = settings.cluster, settings.addons
    if isinstance(place, cluster_section.IonosCluster):
        if not place.api_allow_list:
            fix = "list the addresses that may: CI's and the team's"
            yield errors.Mistake("cluster.apiAllowList", "everybody reaches the API server", fix)
        attached = {key: pool.lans for key, pool in place.pools().items()}
        yield from lans.warnings(place.lans, attached)
        minor = tuple(int(part) for part in place.kubernetes_version.split(".")[:2])
        if where.cert_manager.enabled and not (1, 33) <= minor <= (1, 36):
            problem = f"cert-manager supports Kubernetes 1.33 to 1.36, not {place.kubernetes_version}"
            yield errors.Mistake("cluster.kubernetesVersion", problem, "choose a supported version")
    for inner, outer in dns_section.nested(settings.dns):
        problem = f"it lies inside of {outer}, which has a zone of its own here"
        yield errors.Mistake(f"dns.domains[{inner}]", problem, f"delegate it in {outer}'s zone, or remove it")
    if not where.ingress.enabled:
        yield errors.Mistake("addons.ingress.enabled", "Argo CD cannot be reached by its URL", "bring your own ingress")
    elif not where.cert_manager.enabled:
        problem = "nobody makes Argo CD's certificate"
        yield errors.Mistake("addons.certManager.enabled", problem, "provide the Secret of its Ingress yourself")
    yield from gitops_section.warnings(settings.gitops, secrets)
    yield from app_owners_section.warnings(settings.app_owners, settings.confirm_removal, settings.argocd)
    unused = {
        "kubeconfig": isinstance(place, cluster_section.IonosCluster),
        "ionosToken": isinstance(place, cluster_section.ExistingCluster),
        "githubClientSecret": settings.argocd.github is None,
        "ionosDnsToken": settings.dns.provider != "ionos",
        **gitops_section.unused(settings.gitops),
    }
    for key, idle in unused.items():
        if idle and key in secrets:
            yield errors.Mistake(key, f"nothing uses it ({SECRETS[key]})", f"run `pulumi config rm {key}`")
