"""All settings of a stack in one value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import pydantic

from settings import addons as addons_section
from settings import app_owners as app_owners_section
from settings import argocd as argocd_section
from settings import base, checks, errors, lans, ownership, snippets, tcp_services
from settings import cluster as cluster_section
from settings import dns as dns_section
from settings import gitops as gitops_section
from settings import production as production_section
from settings import security as security_section

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
    security: security_section.Security = base.section(
        says="How strictly the platform's own namespaces are held.",
        example={"podSecurity": {"ingress-nginx": "baseline"}},
    )
    app_owners: list[app_owners_section.AppOwner] = base.field(
        [], says="Who runs applications here.", example=[{"organization": "example", "namespaces": ["marketplace"]}]
    )
    confirm_removal: list[app_owners_section.NamespaceName] = base.field(
        [], says="Namespaces that may be deleted with all in them, once no owner has them.", example=["marketplace"]
    )
    wait_minutes: int = base.field(10, says="How long to wait for an add-on.", example=10, ge=1, le=120)
    availability: Literal["single", "high"] = base.field(
        "single",
        says="`high`: two of each part that can be two, on different nodes.",
        example="high",
        derived="high in environment prd, else single",
    )
    priority_class: Annotated[str, pydantic.AfterValidator(production_section.priority_class)] = base.field(
        "system-cluster-critical", says="PriorityClass of the platform's own pods, or none.", example="none"
    )
    monitoring: bool = base.field(
        False, says="Metrics Services, and ServiceMonitors as soon as the cluster knows that kind.", example=True
    )
    monitoring_labels: cluster_section.Labels = base.field(
        {}, says="Labels of the ServiceMonitors, by which a Prometheus finds them.", example={"release": "prometheus"}
    )

    @property
    def domain(self) -> str:
        """The environment's main domain."""
        return self.dns.domains[0].name

    @property
    def platform_namespaces(self) -> list[str]:
        """The namespaces of Argo CD and of every add-on that is on."""
        addons = self.addons
        wanted = {
            "argocd": True,
            "sealed-secrets": addons.sealed_secrets.enabled,
            addons.ingress.controller: addons.ingress.enabled,
            "external-dns": addons.external_dns.enabled,
            "cert-manager": addons.cert_manager.enabled,
        }
        return [name for name, on in wanted.items() if on]


def rules(settings: Settings, secrets: set[str]) -> Iterator[errors.Mistake]:
    """What is wrong between several keys."""
    yield from cluster_section.rules(settings.cluster, secrets)
    yield from dns_section.rules(settings.dns, secrets)
    yield from argocd_section.rules(settings.argocd, settings.dns, secrets)
    yield from addons_section.rules(settings.addons, settings.dns, settings.gitops.repository)
    yield from gitops_section.rules(settings.gitops, secrets)
    yield from security_section.rules(settings.security, settings.platform_namespaces)
    yield from app_owners_section.rules(settings.app_owners, settings.environment, settings.argocd)


def warnings(settings: Settings, secrets: set[str]) -> Iterator[errors.Mistake]:
    """What works, but is probably not meant or will not last."""
    place, where = settings.cluster, settings.addons
    if isinstance(place, cluster_section.IonosCluster):
        if not place.api_allow_list or any(one.endswith("/0") for one in place.api_allow_list):
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
    if where.ingress.enabled:
        made = {where.ingress.controller, *(name for owner in settings.app_owners for name in owner.namespaces)}
        yield from tcp_services.strangers(where.ingress.tcp_services, where.ingress.controller, made)
        if where.ingress.controller == "ingress-nginx":
            yield from snippets.warnings(where.ingress.values)
    if where.external_dns.enabled and not {"txtPrefix", "txtSuffix"} & set(where.external_dns.values):
        yield from ownership.at_the_apex(where.external_dns.txt_prefix)
    yield from production_section.warnings(settings)
    yield from addons_section.warnings(where, settings.dns)
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
