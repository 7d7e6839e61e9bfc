"""Certificates: those that wait, and those that another ACME server issued than their issuer has now. Pure.

cert-manager issues nothing again when an issuer's server changes: https://github.com/cert-manager/cert-manager/issues/4223
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ops import ready_checks, ready_steps
from ops.ready_checks import Finding

Object = Mapping[str, Any]

_REVISION = "cert-manager.io/certificate-revision"


class Issuance(NamedTuple):
    """What cert-manager made of Certificates, in any namespaces, each object with its `kind`."""

    requests: Sequence[Object] = ()
    orders: Sequence[Object] = ()
    challenges: Sequence[Object] = ()
    events: Sequence[Object] = ()


def title(found: Object) -> str:
    """Namespace and name."""
    return f"{found['metadata']['namespace']}/{found['metadata']['name']}"


def renewal(found: Object) -> str:
    """The command that has a Certificate issued again at once."""
    return ready_steps.renewal(found["metadata"]["namespace"], found["metadata"]["name"])


def issuing(found: Object) -> bool:
    """Whether it is being issued just now."""
    conditions = (found.get("status") or {}).get("conditions") or []
    return any((one.get("type"), one.get("status")) == ("Issuing", "True") for one in conditions)


def issuer(found: Object) -> str:
    """The name of its ClusterIssuer; nothing if it names another kind."""
    wanted = (found.get("spec") or {}).get("issuerRef") or {}
    return str(wanted.get("name") or "") if wanted.get("kind") in (None, "ClusterIssuer") else ""


def former_server(found: Object, made: Issuance, server: str) -> str:
    """Which ACME server issued it, if that is another than `server` (a directory's URL); else nothing.

    The Order of its last request says so: cert-manager keeps it.
    """
    last = _last(found, made)
    orders = _owned(made.orders, last) if last else []
    url = next((str((one.get("status") or {}).get("url") or "") for one in orders), "")
    host = urllib.parse.urlsplit(url).netloc
    return host if server and host and host != urllib.parse.urlsplit(server).netloc else ""


def _last(found: Object, made: Issuance) -> Object | None:
    """Its last CertificateRequest: earlier ones stay, also those that failed."""
    return max(_owned(made.requests, found), key=_revision, default=None)


def _revision(request: Object) -> int:
    text = str((request["metadata"].get("annotations") or {}).get(_REVISION) or "0")
    return int(text) if text.isdecimal() else 0


def _owned(objects: Sequence[Object], owner: Object) -> list[Object]:
    """Those of its namespace that belong to it."""
    space, name = owner["metadata"]["namespace"], owner["metadata"]["name"]
    return [
        one
        for one in objects
        if one["metadata"].get("namespace") == space
        and any(each.get("name") == name for each in one["metadata"].get("ownerReferences") or [])
    ]


def moved(finding: Finding, found: Object, host: str, server: str) -> Finding:
    """The finding of a Certificate that is there, but of the server `host`, which its issuer had before."""
    going = issuing(found)
    return Finding(
        finding.check,
        False,
        f"{title(found)}: issued by {host}, and its issuer's server is {server} now"
        + (": it is being issued again" if going else ""),
        next=f"cert-manager issues nothing again when a server changes; this does: `{renewal(found)}`",
        addon=finding.addon,
        namespace=finding.namespace,
        hopeless=not going,
    )


def reasons(found: Object, made: Issuance) -> list[str]:
    """What its last request, its orders and challenges say, and events of orders, where alone some reasons stand."""
    last = _last(found, made)
    requests = [last] if last else []
    orders = [one for request in requests for one in _owned(made.orders, request)]
    challenges = [one for order in orders for one in _owned(made.challenges, order)]
    said = list(ready_checks.steps_say([*challenges, *orders, *requests]))
    for order in orders:
        messages = [
            str(one.get("message") or "") for one in made.events if one.get("type") == "Warning" and _about(one, order)
        ]
        said += [f"Order {order['metadata']['name']}: {messages[-1]}"] if messages else []
    return list(dict.fromkeys(ready_checks.short(one) for one in said))


def is_open(order: Object) -> bool:
    """Whether an Order is not over."""
    return (order.get("status") or {}).get("state") not in ("valid", "invalid", "expired", "errored")


def _about(event: Object, found: Object) -> bool:
    involved = event.get("involvedObject") or {}
    return (involved.get("namespace"), involved.get("name")) == (
        found["metadata"]["namespace"],
        found["metadata"]["name"],
    )


def outside(names: Sequence[str], zones: Sequence[str]) -> list[str]:
    """Those names that are in none of the zones; none if no zone is known."""
    if not zones:
        return []
    return [name for name in names if not any(f".{name}".endswith(f".{zone}") for zone in zones)]
