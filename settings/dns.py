"""Section `dns`: the environment's domains and who serves them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pydantic

from settings import base, checks, errors

DomainName = Annotated[str, pydantic.AfterValidator(checks.domain)]


class Domain(base.Section):
    """A domain with a zone of its own."""

    name: DomainName = base.field(says="The domain.", example="example.org")
    zone_id: Annotated[str, pydantic.AfterValidator(checks.zone_id)] | None = base.field(
        None, says="The Route53 zone that exists; without it one is made.", example="Z0123456789ABCDEFGHIJ"
    )


def _short(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class Dns(base.Section):
    """Domains of the environment; the first is its main one."""

    provider: Literal["route53", "ionos"] = base.field(
        "route53", says="AWS Route53, or IONOS DNS through external-dns's webhook.", example="route53"
    )
    region: Annotated[str, pydantic.AfterValidator(checks.region)] = base.field(
        "eu-central-1", says="AWS region that API calls go to.", example="eu-central-1"
    )
    domains: list[Annotated[Domain, pydantic.BeforeValidator(_short, json_schema_input_type=DomainName | Domain)]] = (
        base.field(
            says="Names, or a name with its zone's id. The first is the main one.",
            example=["example.org", {"name": "example.com", "zoneId": "Z0123456789ABCDEFGHIJ"}],
            min_length=1,
        )
    )


def rules(dns: Dns, secrets: set[str]) -> Iterator[errors.Mistake]:
    """What is wrong between several keys of the section."""
    if dns.provider == "ionos" and "ionosDnsToken" not in secrets:
        fix = "run `pulumi config set --secret ionosDnsToken`"
        yield errors.Mistake("ionosDnsToken", "dns.provider ionos needs this secret", fix, ("dns.provider",))
    names: dict[str, int] = {}
    zones: dict[str, int] = {}
    for place, domain in enumerate(dns.domains):
        if domain.name in names:
            problem = f"{domain.name} stands at dns.domains[{names[domain.name]}] too"
            yield errors.Mistake(f"dns.domains[{place}].name", problem, "remove one of them")
        names.setdefault(domain.name, place)
        if domain.zone_id is None:
            continue
        path = f"dns.domains[{place}].zoneId"
        if dns.provider == "ionos":
            yield errors.Mistake(path, "IONOS DNS finds its zones by name", "remove it", ("dns.provider",))
        elif domain.zone_id in zones:
            problem = f"dns.domains[{zones[domain.zone_id]}] has the same zone"
            yield errors.Mistake(path, problem, "write each domain's own zone; hosts below a domain belong to it")
        zones.setdefault(domain.zone_id, place)


def within(host: str, dns: Dns) -> bool:
    """Whether a host is one of the domains or below one."""
    return any(host == domain.name or host.endswith(f".{domain.name}") for domain in dns.domains)


def nested(dns: Dns) -> Iterator[tuple[int, str]]:
    """Domains that lie inside another one's zone: their place and the outer domain's name."""
    for place, inner in enumerate(dns.domains):
        for outer in dns.domains:
            if inner.name.endswith(f".{outer.name}"):
                yield place, outer.name
