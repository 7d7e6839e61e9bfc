"""Networks of an IONOS cluster's datacenter, and which of them a node pool is attached to."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import pydantic

from settings import base, checks, errors

NUMBER = re.compile(r"[1-9][0-9]{0,8}")
"""How IONOS numbers the LANs of a datacenter."""


def lan_name(value: str) -> str:
    """A name that no LAN's number can be taken for."""
    if value.isdigit():
        raise base.refuse(f"{value} is how IONOS numbers a LAN, not a name", "write a name, such as databases")
    return checks.ionos_name(value)


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _short(value: Any) -> Any:
    return {"lan": value} if isinstance(value, str | int) and not isinstance(value, bool) else value


LanName = Annotated[str, pydantic.AfterValidator(lan_name)]
LanReference = Annotated[str, pydantic.BeforeValidator(_text, json_schema_input_type=str | int)]


class Lan(base.Section):
    """A network in the cluster's datacenter, made by this program."""

    public: bool = base.field(
        False, says="Connected to the internet. Node pools are attached to private LANs only.", example=False
    )


class Route(base.Section):
    """Where the nodes send what is meant for a network behind the LAN."""

    network: Annotated[str, pydantic.AfterValidator(checks.address_range)] = base.field(
        says="The network behind the LAN, as a CIDR range.", example="10.20.0.0/16"
    )
    gateway_ip: Annotated[str, pydantic.AfterValidator(checks.address)] = base.field(
        says="Address of the gateway in the LAN.", example="10.7.222.1"
    )


class PoolLan(base.Section):
    """A LAN that every node of the pool gets an interface in."""

    lan: LanReference = base.field(
        says="Name of a LAN in `cluster.lans`, or the number of one that exists in the datacenter.", example=2
    )
    dhcp: bool = base.field(True, says="The nodes get their address in the LAN by DHCP.", example=True)
    routes: list[Route] = base.field(
        [],
        says="Networks that the nodes reach through the LAN.",
        example=[{"network": "10.20.0.0/16", "gatewayIp": "10.7.222.1"}],
    )


PoolLans = list[Annotated[PoolLan, pydantic.BeforeValidator(_short, json_schema_input_type=LanReference | PoolLan)]]


def rules(path: str, attached: PoolLans, lans: Mapping[str, Lan]) -> Iterator[errors.Mistake]:
    """What is wrong with the LANs of a pool, whose key path is `path`."""
    seen: dict[str, str] = {}
    for place, one in enumerate(attached):
        at = f"{path}.lans[{place}]"
        if one.lan in seen:
            yield errors.Mistake(at, f"{one.lan} stands at {seen[one.lan]} too", "remove one of them")
        seen.setdefault(one.lan, at)
        yield from _exists(at, one.lan, lans)
        for number, route in enumerate(one.routes):
            network, gateway = ipaddress.ip_network(route.network), ipaddress.ip_address(route.gateway_ip)
            if network.version != gateway.version:
                problem = f"{gateway} is IPv{gateway.version}, and {network} is IPv{network.version}"
                fix = f"write an IPv{network.version} address"
                yield errors.Mistake(f"{at}.routes[{number}].gatewayIp", problem, fix)


def _exists(at: str, name: str, lans: Mapping[str, Lan]) -> Iterator[errors.Mistake]:
    depends = ("cluster.lans",)
    if name in lans:
        if lans[name].public:
            problem = f"{name} is a public LAN, and IONOS attaches node pools to private ones only"
            yield errors.Mistake(at, problem, f"remove it, or write cluster.lans.{name}.public: false", depends)
    elif name.isdigit() and not NUMBER.fullmatch(name):
        yield errors.Mistake(at, f"{name} is no LAN's number", "write the one that IONOS shows, such as 2")
    elif not name.isdigit():
        known = ", ".join(lans) or "none"
        problem = f"cluster.lans has no {checks.show(name)} (there are: {known})"
        fix = f"add it there as `{name}: {{}}`, or write the number of a LAN that exists in the datacenter"
        yield errors.Mistake(at, problem, fix, depends)


def warnings(lans: Mapping[str, Lan], attached: Mapping[str, PoolLans]) -> Iterator[errors.Mistake]:
    """What works, but is probably not meant. `attached`: by the pool's key path below `cluster`."""
    used = {one.lan for each in attached.values() for one in each}
    for name, lan in lans.items():
        if name not in used and not lan.public:
            problem = "no node pool is attached to it, so no pod reaches what is in it"
            yield errors.Mistake(f"cluster.lans.{name}", problem, f"write lans: [{name}] at the pools that need it")
    for name in sorted(used & lans.keys()):
        without = [key for key, each in attached.items() if name not in {one.lan for one in each}]
        if without and len(without) < len(attached):
            problem = f"pods on the nodes of {', '.join(without)} do not reach it"
            fix = f"write lans: [{name}] there too, or keep what needs it off these nodes"
            yield errors.Mistake(f"cluster.lans.{name}", problem, fix)
