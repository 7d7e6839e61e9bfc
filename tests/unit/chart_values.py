"""The values that the program gives to each chart, in the shapes that environments use."""

from __future__ import annotations

from typing import Any

from components.addons import (
    addon,
    cert_manager,
    external_dns,
    ingress,
    ingress_nginx,
    production,
    sealed_secrets,
    traefik,
)
from components.gitops import argocd

TOLERATION = {"key": "ingress-node", "operator": "Equal", "value": "true", "effect": "NoSchedule"}
RESOURCES = {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "500m", "memory": "384Mi"}}
INGRESS: dict[str, Any] = {
    "address": "203.0.113.9",
    "node_selector": {"nodepool": "ingress"},
    "tolerations": [TOLERATION],
    "hostname": "ingress.example.org",
    "tcp_services": {"5432": "db/postgres:5432"},
    "resources": RESOURCES,
}
MONITORING = production.Monitoring(served=True, labels={"release": "prometheus"})
HIGH = production.Production("system-cluster-critical", high=True, monitoring=MONITORING)
"""What an environment like `prd` asks for, and metrics."""


def install(namespace: str, **values: Any) -> addon.Install:
    """Destination and the user's extra values."""
    return addon.Install(namespace=namespace, values=values)


def in_production(namespace: str, given: production.Production = HIGH) -> addon.Install:
    """Destination, and `given` for its pods."""
    return addon.Install(namespace=namespace, production=given)


def argo_cd(**changes: Any) -> argocd.ArgoCdArgs:
    """Argo CD without GitHub, unless told otherwise."""
    given: dict[str, Any] = {
        "namespace": "argocd",
        "host": "argocd.example.org",
        **changes,
    }
    return argocd.ArgoCdArgs(**given)


def github(**changes: Any) -> argocd.Github:
    """Sign-in of the organization's members."""
    given: dict[str, Any] = {"client_id": "Iv1.0123", "client_secret": "CANARY", "organization": "Org", **changes}
    return argocd.Github(**given)


def route53(**changes: Any) -> external_dns.ExternalDnsArgs:
    """external-dns with two zones on Route53."""
    given: dict[str, Any] = {
        "install": install("external-dns"),
        "provider": external_dns.Route53(["Z1", "Z2"], "eu-central-1", "AKIA1"),
        "domains": ["example.org", "example.io"],
        "owner_id": "gitops-platform-sbx",
        "txt_prefix": "%{record_type}-edns.",
        **changes,
    }
    return external_dns.ExternalDnsArgs(**given)


def samples() -> dict[tuple[str, str], dict[str, Any]]:
    """(chart, variant) -> values."""
    nginx, traefik_space = install("ingress-nginx"), install("traefik")
    manager = install("cert-manager")
    return {
        ("sealed-secrets", "default"): sealed_secrets.values(
            sealed_secrets.SealedSecretsArgs(install("sealed-secrets"))
        ),
        ("ingress-nginx", "full"): ingress_nginx.values(ingress.IngressArgs(nginx, **INGRESS)),
        ("ingress-nginx", "plain"): ingress_nginx.values(ingress.IngressArgs(nginx)),
        ("traefik", "full"): traefik.values(traefik.TraefikArgs(traefik_space, nginx_class=True, **INGRESS)),
        ("traefik", "plain"): traefik.values(traefik.TraefikArgs(traefik_space)),
        ("external-dns", "route53"): external_dns.values(route53()),
        ("external-dns", "ionos"): external_dns.values(route53(provider=external_dns.Ionos())),
        ("cert-manager", "plain"): cert_manager.values(cert_manager.CertManagerArgs(manager)),
        ("argo-cd", "github"): argocd.values(argo_cd(github=github(teams=["ops"]), admin_enabled=False)),
        ("argo-cd", "plain"): argocd.values(argo_cd()),
        **{(chart, "production"): values for chart, values in with_production(HIGH).items()},
    }


def with_production(given: production.Production) -> dict[str, dict[str, Any]]:
    """Chart -> values, with everything that is optional switched on."""
    sealed = sealed_secrets.SealedSecretsArgs(in_production("sealed-secrets", given))
    dns = route53(install=in_production("external-dns", given), provider=external_dns.Ionos())
    return {
        "sealed-secrets": sealed_secrets.values(sealed),
        "ingress-nginx": ingress_nginx.values(ingress.IngressArgs(in_production("ingress-nginx", given))),
        "traefik": traefik.values(traefik.TraefikArgs(in_production("traefik", given))),
        "external-dns": external_dns.values(dns),
        "cert-manager": cert_manager.values(cert_manager.CertManagerArgs(in_production("cert-manager", given))),
        "argo-cd": argocd.values(argo_cd(github=github(), production=given)),
    }
