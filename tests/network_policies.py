"""What a network plugin that enforces NetworkPolicies lets through, decided from their specs."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Policies = Mapping[tuple[str, str], Mapping[str, Any]]
"""(namespace, name) -> spec."""


@dataclasses.dataclass(frozen=True)
class Pod:
    """A pod: its labels, and its containers' ports as name -> (protocol, number)."""

    namespace: str
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    ports: Mapping[str, tuple[str, int]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Node:
    """A machine of the cluster. Some network plugins count its address to no `ipBlock`; here it is so."""


End = Pod | Node | str
"""A pod, a node, or an address outside of the cluster."""


def allowed(policies: Policies, source: End, target: End, port: int | str, protocol: str = "TCP") -> bool:
    """Whether a connection passes the source's way out and the target's way in.

    `port`: a number, or the name of one of the target's ports. Namespaces have no label but their names.
    """
    if isinstance(port, str):
        assert isinstance(target, Pod), "others have no names for their ports"
        protocol, port = target.ports[port]
    out = _passes(_of(policies, source, "Egress"), "egress", "to", target, target, port, protocol)
    into = _passes(_of(policies, target, "Ingress"), "ingress", "from", source, target, port, protocol)
    return out and into


def _of(policies: Policies, end: End, direction: str) -> list[tuple[str, Mapping[str, Any]]]:
    if not isinstance(end, Pod):
        return []
    return [
        (namespace, spec)
        for (namespace, _), spec in policies.items()
        if namespace == end.namespace and direction in spec["policyTypes"] and _selects(spec["podSelector"], end.labels)
    ]


def _passes(
    found: Sequence[tuple[str, Mapping[str, Any]]],
    rules: str,
    peers: str,
    other: End,
    target: End,
    port: int,
    protocol: str,
) -> bool:
    """Without a policy all passes; of several one rule of one is enough."""
    return not found or any(
        _peer(rule.get(peers), namespace, other) and _port(rule.get("ports"), target, port, protocol)
        for namespace, spec in found
        for rule in spec[rules]
    )


def _peer(peers: Iterable[Mapping[str, Any]] | None, namespace: str, other: End) -> bool:
    if not peers:
        return True
    for peer in peers:
        if "ipBlock" in peer:
            if isinstance(other, str) and _inside(other, peer["ipBlock"]):
                return True
        elif isinstance(other, Pod):
            spaces = peer.get("namespaceSelector")
            here = other.namespace == namespace
            named = here if spaces is None else _selects(spaces, {"kubernetes.io/metadata.name": other.namespace})
            if named and _selects(peer.get("podSelector", {}), other.labels):
                return True
    return False


def _inside(address: str, block: Mapping[str, Any]) -> bool:
    at = ipaddress.ip_address(address)
    return at in ipaddress.ip_network(block["cidr"]) and not any(
        at in ipaddress.ip_network(excluded) for excluded in block.get("except", ())
    )


def _port(ports: Iterable[Mapping[str, Any]] | None, target: End, port: int, protocol: str) -> bool:
    if not ports:
        return True
    named = target.ports if isinstance(target, Pod) else {}
    return any(
        wanted["protocol"] == protocol
        and (
            named.get(wanted["port"]) == (protocol, port) if isinstance(wanted["port"], str) else wanted["port"] == port
        )
        for wanted in ports
    )


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    exact = selector.get("matchLabels", {})
    return all(labels.get(key) == value for key, value in exact.items()) and all(
        (labels.get(each["key"]) in each["values"]) == (each["operator"] == "In")
        for each in selector.get("matchExpressions", ())
    )
