"""Section `addons`: what runs on every cluster beside Argo CD, and with which values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pydantic

from settings import addresses, app_owners, base, checks, dns, errors, ownership, tcp_services

LETS_ENCRYPT = {
    "production": "https://acme-v02.api.letsencrypt.org/directory",
    "staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
}
FORBIDDEN_MAIL = ("example.com", "example.net", "example.org")
NOT_PUBLIC = (
    "in-addr.arpa", "ip6.arpa", "home.arpa", "local", "localhost", "localdomain", "test", "invalid", "example",
    "internal", "intranet", "private", "corp", "home", "lan", "onion", "alt",
)  # fmt: skip
"""Reverse zones, names that are set apart (RFC 6761, RFC 8375, ICANN's `internal`), and those that companies use."""
Minutes = Annotated[int, pydantic.Field(ge=1, le=120)]


class ValuesFrom(base.Section):
    """Values that live in the GitOps repository (`gitops.repository`)."""

    path: Annotated[str, pydantic.AfterValidator(checks.repository_path)] = base.field(
        says="File of the chart's own values, from the repository's root. A wrapper chart's does not fit: there they "
        "lie below the dependency's name.",
        example="platform/sealed-secrets.yaml",
    )


class Addon(base.Section):
    """What every add-on can be told."""

    enabled: bool = base.field(True, says="Install it.", example=True)
    values: dict[str, Any] = base.field(
        {}, says="Values for its chart, merged last; a list of objects is added to.", example={"replicaCount": 2}
    )
    values_from: ValuesFrom | None = base.field(
        None, says="More values, read from the GitOps repository.", example={"path": "platform/sealed-secrets.yaml"}
    )
    timeout_minutes: Minutes = base.field(
        10, says="How long to wait until it is healthy.", example=10, derived="waitMinutes"
    )


class SealedSecrets(Addon):
    """Opens the sealed secrets of the GitOps repository."""


class ResourceAmounts(base.Section):
    """CPU and memory."""

    cpu: Annotated[str, pydantic.AfterValidator(checks.quantity)] | None = base.field(None, says="CPU.", example="100m")
    memory: Annotated[str, pydantic.AfterValidator(checks.memory)] | None = base.field(
        None, says="Memory.", example="256Mi"
    )


class Resources(base.Section):
    """What each of the ingress's pods asks for and may use."""

    requests: ResourceAmounts | None = base.field(None, says="Asked for.", example={"cpu": "100m", "memory": "256Mi"})
    limits: ResourceAmounts | None = base.field(None, says="At most.", example={"cpu": "500m", "memory": "384Mi"})


class Ingress(Addon):
    """Brings traffic in."""

    controller: Literal["ingress-nginx", "traefik"] = base.field(
        "ingress-nginx", says="ingress-nginx is retired since March 2026; traefik follows it.", example="traefik"
    )
    nginx_class: bool = base.field(
        False, says="With traefik: serve Ingresses of class `nginx` too, and most of their annotations.", example=True
    )
    tcp_services: dict[str, str] = base.field(
        {}, says="TCP ports to pass through: port -> namespace/service:port.", example={"5432": "marketplace/db:5432"}
    )
    resources: Resources | None = base.field(
        None, says="CPU and memory of its pods.", example={"requests": {"cpu": "100m", "memory": "256Mi"}}
    )


class ExternalDns(Addon):
    """Writes DNS records for the Ingresses."""

    policy: Literal["sync", "upsert-only", "create-only"] = base.field(
        "sync", says="sync also removes records of Ingresses that are gone.", example="sync"
    )
    interval: Annotated[str, pydantic.AfterValidator(checks.interval)] = base.field(
        "1m", says="How often it looks.", example="1m"
    )
    txt_owner_id: Annotated[str, pydantic.AfterValidator(ownership.txt_owner_id)] | None = base.field(
        None,
        says="Whose records are whose. Once records are there it stays: those of another owner are left alone.",
        example="ionos-dns",
        derived="gitops-platform-<stack>",
    )
    txt_prefix: Annotated[str, pydantic.AfterValidator(ownership.txt_prefix)] = base.field(
        ownership.TXT_PREFIX,
        says="What the names of its ownership records begin with. Once records are there it stays.",
        example="",
    )


class Issuer(base.Section):
    """The ClusterIssuer that certificates are made by."""

    name: Annotated[str, pydantic.AfterValidator(checks.kubernetes_name)] = base.field(
        "", says="Its name.", example="letsencrypt-sbx-issuer", derived="letsencrypt-<environment>-issuer"
    )
    solver: Literal["dns01", "http01"] = base.field(
        "dns01",
        says="Prove a domain by a DNS record (Route53 only) or through the ingress.",
        example="http01",
        derived="dns01, or http01 with dns.provider ionos",
    )
    wait_ready: bool = base.field(
        True,
        says="Wait until the issuers are Ready; false for a cluster that cannot reach the ACME server yet.",
        example=True,
    )


def _acme_server(value: str) -> str:
    if "://" not in value:
        names = " nor ".join(LETS_ENCRYPT)
        fix = f"write {' or '.join(LETS_ENCRYPT)}, or an ACME server's URL"
        if value not in LETS_ENCRYPT:
            raise base.refuse(f"{checks.show(value)} is no URL, and neither {names}", fix)
        return value
    return addresses.web_address(value)


class CertManager(Addon):
    """Makes and renews certificates."""

    email: Annotated[str, pydantic.AfterValidator(checks.email)] | None = base.field(
        None,
        says="Where the certificate authority writes to when something expires.",
        example="ops@dome-marketplace.org",
    )
    server: Annotated[str, pydantic.AfterValidator(_acme_server)] = base.field(
        "staging",
        says="Let's Encrypt's `staging` (untrusted, generous limits) or `production`, or an ACME server's URL.",
        example="staging",
        derived="production in environment prd, else staging",
    )
    issuer: Issuer = base.section(says="The issuer.", example={"solver": "http01"})

    @property
    def server_url(self) -> str:
        """The ACME directory."""
        return LETS_ENCRYPT.get(self.server, self.server)


class Addons(base.Section):
    """Every add-on has `enabled`, `values`, `valuesFrom` and `timeoutMinutes`; some have more."""

    sealed_secrets: SealedSecrets = base.section(says="sealed-secrets.", example={"enabled": True})
    ingress: Ingress = base.section(says="The ingress controller.", example={"controller": "traefik"})
    external_dns: ExternalDns = base.section(says="external-dns.", example={"policy": "sync"})
    cert_manager: CertManager = base.section(says="cert-manager.", example={"server": "staging"})

    def each(self) -> dict[str, Addon]:
        """Every add-on by its key."""
        return {
            "sealedSecrets": self.sealed_secrets,
            "ingress": self.ingress,
            "externalDns": self.external_dns,
            "certManager": self.cert_manager,
        }


def rules(addons: Addons, domains: dns.Dns, repository: str | None) -> Iterator[errors.Mistake]:
    """What is wrong between several keys of the section, or with other sections."""
    for key, addon in addons.each().items():
        if addon.values_from is not None and repository is None:
            fix = "write gitops.repository, such as https://github.com/DOME-Marketplace/dome-gitops"
            problem = "there is no repository to read values from"
            yield errors.Mistake(f"addons.{key}.valuesFrom", problem, fix, ("gitops.repository",))
    manager = addons.cert_manager
    if manager.enabled and manager.issuer.solver == "dns01" and domains.provider == "ionos":
        problem = "cert-manager has no dns01 solver for dns.provider ionos"
        yield errors.Mistake("addons.certManager.issuer.solver", problem, "write http01", ("dns.provider",))
    if manager.enabled and manager.issuer.solver == "http01" and not addons.ingress.enabled:
        problem = "http01 needs the ingress, which is off"
        fix = "write addons.ingress.enabled: true, or solver: dns01 (Route53 only)"
        yield errors.Mistake("addons.certManager.issuer.solver", problem, fix, ("addons.ingress",))
    if addons.ingress.nginx_class and addons.ingress.controller != "traefik":
        problem = f"{addons.ingress.controller} serves class nginx anyway"
        rests_on = ("addons.ingress.controller",)
        yield errors.Mistake("addons.ingress.nginxClass", problem, "remove it, or write controller: traefik", rests_on)
    yield from tcp_services.rules(addons.ingress.tcp_services, addons.ingress.controller)
    yield from _resources(addons.ingress.resources)
    yield from ownership.rules(addons.external_dns.values)


def _resources(wanted: Resources | None) -> Iterator[errors.Mistake]:
    """Requests over their limit: the API server makes no such pod, and says so to the ReplicaSet only."""
    if wanted is None or wanted.requests is None or wanted.limits is None:
        return
    for what in ("cpu", "memory"):
        least, most = getattr(wanted.requests, what), getattr(wanted.limits, what)
        if least is not None and most is not None and app_owners.amount(least) > app_owners.amount(most):
            path, limit = f"addons.ingress.resources.requests.{what}", f"addons.ingress.resources.limits.{what}"
            yield errors.Mistake(path, f"{least} is more than {limit}, {most}", f"write at most {most}", (limit,))


def warnings(addons: Addons, domains: dns.Dns) -> Iterator[errors.Mistake]:
    """What Let's Encrypt refuses: it takes names of public domains only."""
    manager = addons.cert_manager
    if not manager.enabled or manager.server not in LETS_ENCRYPT:
        return
    path = "addons.certManager.email"
    host = (manager.email or "").rpartition("@")[2].lower()
    if host in FORBIDDEN_MAIL or host.endswith(tuple(f".{name}" for name in FORBIDDEN_MAIL)):
        yield errors.Mistake(path, f"Let's Encrypt refuses addresses at {host}", "write the team's own, or remove it")
    elif found := manager.email and _not_public(host):
        yield errors.Mistake(
            path, f"Let's Encrypt refuses addresses below .{found}", "write a public one, or remove it"
        )
    for place, domain in enumerate(domains.domains):
        if found := _not_public(domain.name):
            problem = f"Let's Encrypt issues nothing below .{found}"
            fix = "choose a public domain, or an ACME server of your own in addons.certManager.server"
            yield errors.Mistake(f"dns.domains[{place}]", problem, fix)


def _not_public(host: str) -> str | None:
    """The part of a name below which there are no public ones."""
    return next((name for name in NOT_PUBLIC if f".{host}".endswith(f".{name}")), None)
