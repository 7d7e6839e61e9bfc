"""Section `argocd`: Argo CD's address and who may do what in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import pydantic

from settings import base, checks, dns, errors


class Github(base.Section):
    """Sign-in with GitHub, through Dex. The client's secret is the secret key `githubClientSecret`."""

    client_id: str = base.field(
        says="Client id of the OAuth app.", example="Iv1.0123456789abcdef", pattern=r"^[A-Za-z0-9._-]{8,64}$"
    )
    organization: Annotated[str, pydantic.AfterValidator(checks.github_name)] = base.field(
        says="Whose members may sign in.", example="DOME-Marketplace"
    )
    teams: list[Annotated[str, pydantic.AfterValidator(checks.github_team)]] = base.field(
        [], says="Only these teams, as in their addresses on GitHub; empty: all members.", example=["devops"]
    )


class Rbac(base.Section):
    """Rights in Argo CD."""

    default_role: Annotated[str, pydantic.AfterValidator(checks.role)] = base.field(
        "role:readonly", says='Role of everybody who signs in; "" for none.', example="role:readonly"
    )
    admins: list[Annotated[str, pydantic.AfterValidator(checks.subject)]] = base.field(
        [],
        says="E-mail addresses, `organization:team` and other providers' groups (spaces are fine) with all rights.",
        example=["DOME-Marketplace:devops"],
    )


class Argocd(base.Section):
    """Argo CD, which deploys everything else."""

    host: dns.DomainName = base.field(
        "", says="Its host name.", example="argocd.example.org", derived="argocd.<first domain>"
    )
    github: Github | None = base.field(
        None,
        says="Sign-in with GitHub.",
        example={"clientId": "Iv1.0123456789abcdef", "organization": "DOME-Marketplace"},
    )
    rbac: Rbac = base.section(says="Rights.", example={"admins": ["DOME-Marketplace:devops"]})
    admin_enabled: bool = base.field(
        False, says="Keep the built-in user `admin`.", example=True, derived="true without sign-in by GitHub"
    )
    values: dict[str, Any] = base.field(
        {}, says="Values for the chart, merged last.", example={"server": {"replicas": 2}}
    )


def rules(argocd: Argocd, domains: dns.Dns, secrets: set[str]) -> Iterator[errors.Mistake]:
    """What is wrong between several keys of the section, or with the domains."""
    if not dns.within(argocd.host, domains):
        names = ", ".join(domain.name for domain in domains.domains)
        problem = f"{argocd.host} is in none of the environment's domains ({names})"
        fix = f"write argocd.{domains.domains[0].name}, or add the domain"
        yield errors.Mistake("argocd.host", problem, fix, ("dns.domains",))
    if argocd.github is not None and "githubClientSecret" not in secrets:
        fix = "run `pulumi config set --secret githubClientSecret`"
        yield errors.Mistake("githubClientSecret", "argocd.github needs this secret", fix)
    if argocd.github is not None:
        yield from _admins(argocd.rbac.admins, argocd.github.organization)
    if argocd.github is None and not argocd.admin_enabled:
        problem = "without GitHub and without admin nobody can sign in"
        fix = "write argocd.github, or argocd.adminEnabled: true"
        yield errors.Mistake("argocd.adminEnabled", problem, fix, ("argocd.github",))


def _admins(admins: Sequence[str], organization: str) -> Iterator[errors.Mistake]:
    """Groups of the organization that nobody is ever in: Argo CD compares names as Dex gives them."""
    for place, admin in enumerate(admins):
        prefix, _, team = admin.partition(":")
        if " " in admin and not team:
            problem = f"{admin} would never match: no name on GitHub has a space"
            fix = f"write {organization}:{checks.team_slug(admin)} for a team, or an e-mail address"
            yield errors.Mistake(f"argocd.rbac.admins[{place}]", problem, fix, ("argocd.github",))
        if team and prefix.lower() == organization.lower():
            good = f"{organization}:{checks.team_slug(team)}"
            if admin != good:
                problem = f"{admin} would never match: Argo CD compares upper and lower case, and teams are in lower"
                yield errors.Mistake(f"argocd.rbac.admins[{place}]", problem, f"write {good}", ("argocd.github",))
