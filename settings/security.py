"""Section `security`: the bounds of the platform's own namespaces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import pydantic

from settings import base, checks, errors

Level = Literal["privileged", "baseline", "restricted"]
Port = Annotated[int, pydantic.Field(ge=1, le=65535)]


class NetworkPolicies(base.Section):
    """NetworkPolicies for the namespaces of Argo CD and the add-ons: closed both ways, but for what they need."""

    enabled: bool = base.field(
        True, says="Make them. They work where the cluster's network plugin enforces NetworkPolicies.", example=False
    )
    scrape_from: list[Annotated[str, pydantic.AfterValidator(checks.kubernetes_name)]] = base.field(
        ["monitoring"], says="Namespaces whose pods may read metrics.", example=["monitoring"]
    )
    ports: list[Port] = base.field(
        [],
        says="More TCP ports that Argo CD and the add-ons may reach, such as a Git server's. Known: 443, 6443, 22 for "
        "Git, and the ports in the addresses of this file and of the kubeconfig.",
        example=[2222],
    )


class Security(base.Section):
    """The standards that pods and connections in the platform's own namespaces are held to."""

    pod_security: dict[str, Level] = base.field(
        {},
        says="Pod Security Standard of a namespace whose pods do not fit `restricted`: namespace -> level.",
        example={"ingress-nginx": "baseline"},
    )
    network_policies: NetworkPolicies = base.section(
        says="NetworkPolicies of these namespaces.", example={"scrapeFrom": ["monitoring"]}
    )


def rules(security: Security, namespaces: Iterable[str]) -> Iterator[errors.Mistake]:
    """What does not go with other sections; `namespaces`: the platform's."""
    known = sorted(namespaces)
    for name in security.pod_security:
        if name not in known:
            problem = f"{checks.show(name)} is none of the platform's namespaces"
            fix = f"write one of {', '.join(known)}; an app owner's has appOwners[].podSecurity"
            yield errors.Mistake(f"security.podSecurity.{name}", problem, fix, ("addons",))
