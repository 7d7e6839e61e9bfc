"""What keeps no environment from being ready, and somebody should know: certificates and hosts of others. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ops import ready_addresses, ready_certificates, ready_checks
from ops.ready_certificates import Issuance

Object = Mapping[str, Any]

LIMIT = 20
"""At most as many warnings of a kind."""


def certificates(
    found: Sequence[Object], made: Issuance, servers: Mapping[str, str], zones: Sequence[str]
) -> list[str]:
    """Certificates that wait, and those of a former server. `servers`: ClusterIssuer -> its ACME server."""
    said = list[str]()
    for one in found:
        where = f"certificate {ready_certificates.title(one)}"
        met, what = ready_checks.ready(one)
        if met:
            server = servers.get(ready_certificates.issuer(one), "")
            host = ready_certificates.former_server(one, made, server)
            if host and not ready_certificates.issuing(one):
                again = ready_certificates.renewal(one)
                said.append(f"{where}: issued by {host}, and its issuer's server is {server} now: `{again}`")
            continue
        names = [str(name) for name in (one.get("spec") or {}).get("dnsNames") or []]
        reasons = "; ".join([what, *ready_certificates.reasons(one, made)])
        outside = ready_certificates.outside(names, zones)
        said.append(f"{where} ({', '.join(names)}) waits: {reasons}{_outside(outside, zones)}")
    return _few(said, "certificates")


def hosts(
    found: Sequence[Object], led: Mapping[str, Sequence[str] | None], zones: Sequence[str], addon: bool
) -> list[str]:
    """Hosts of Ingresses that do not lead to them. `led`: host -> the addresses it leads to; None: not known.

    `addon`: external-dns writes records here.
    """
    said = list[str]()
    for one in found:
        at = ready_addresses.given(one)
        # A load balancer with a name: a record may be an alias of it, or have its addresses.
        behind = {*at, *(each for name in at for each in led.get(name) or ())}
        for host in hosts_of(one):
            there = led.get(host)
            if not at or there is None or set(there) & behind:
                continue
            where = f"Ingress {ready_certificates.title(one)}: {host}"
            if outside := ready_certificates.outside([host], zones):
                leads = f" leads to {', '.join(there)}, not" if there else ""
                said.append(f"{where}{leads or ' does not lead'} to {', '.join(at)}{_outside(outside, zones)}")
            elif there and addon:
                said.append(
                    f"{where} leads to {', '.join(there)}, not to {', '.join(at)}: a record that is not external-dns's "
                    "own (no TXT record of this stack beside it) is left alone; remove that, or an older one is cached"
                )
            elif addon:
                said.append(f"{where} has no record yet: external-dns's log says whether it is refused")
    return _few(said, "hosts")


def hosts_of(ingress: Object) -> list[str]:
    """The hosts of an Ingress, without wildcards."""
    rules = (ingress.get("spec") or {}).get("rules") or []
    found = [str(one.get("host") or "") for one in rules]
    return [host for host in dict.fromkeys(found) if host and "*" not in host]


def _outside(names: Sequence[str], zones: Sequence[str]) -> str:
    if not names:
        return ""
    return (
        f": {', '.join(names)} is in none of the environment's zones ({', '.join(zones)}), so its record is yours to "
        "write, to the ingress's address, and http01 cannot prove it before; or add its zone to dns.domains"
    )


def _few(said: list[str], what: str) -> list[str]:
    more = len(said) - LIMIT
    return said if more <= 0 else [*said[:LIMIT], f"and {more} more {what}"]
