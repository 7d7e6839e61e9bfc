"""Addresses: of an ingress, whose load balancer may have a name instead, and of Services that wait for theirs. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from ops.ready_checks import Finding

Object = Mapping[str, Any]

_ASKED_BY = (
    "metallb.io/loadBalancerIPs", "metallb.universe.tf/loadBalancerIPs", "kube-vip.io/loadbalancerIPs",
    "lbipam.cilium.io/ips", "io.cilium/lb-ipam-ips",
)  # fmt: skip
"""Annotations that ask for addresses, beside `loadBalancerIP`."""


def given(found: Object) -> list[str]:
    """Addresses and host names in the status of a Service or an Ingress."""
    status = ((found.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return [str(one.get("ip") or one.get("hostname")) for one in status if one.get("ip") or one.get("hostname")]


def is_name(text: str) -> bool:
    """Whether it is a host name, not an address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return True
    return False


def asked(service: Object) -> list[str]:
    """The addresses that a Service asks for."""
    annotations = service["metadata"].get("annotations") or {}
    listed = [annotations.get(name) for name in _ASKED_BY]
    found = [(service.get("spec") or {}).get("loadBalancerIP"), *listed]
    return [part.strip() for one in found if one for part in str(one).split(",") if part.strip()]


def load_balancer(service: Object, services: Sequence[Object], events: Sequence[Object], addon: str) -> Finding:
    """A Service of type LoadBalancer: it has an address, else who holds it, and what the cloud said last."""
    name, found = title(service), given(service)
    check, space = f"load balancer {name}", service["metadata"]["namespace"]
    if found:
        return Finding(check, True, ", ".join(found), addon=addon, namespace=space)
    wanted = asked(service)
    holders = [(address, one) for address in wanted for one in services if one is not service and address in given(one)]
    said = [str(one.get("message") or "") for one in events if one.get("type") == "Warning"][-2:]
    step = f"kubectl describe service -n {space} {service['metadata']['name']}"
    if not holders:
        what = f"it waits for {', '.join(wanted)}" if wanted else "it has no address yet"
        return Finding(check, False, what, tuple(said), step, addon, space)
    address, holder = holders[0]
    where = f"-n {holder['metadata']['namespace']} {holder['metadata']['name']}"
    return Finding(
        check,
        False,
        f"it waits for {address}, which Service {title(holder)} holds",
        tuple(said),
        f"if nothing needs that Service any more (its Application is gone): `kubectl delete service {where}`; {step}",
        addon,
        space,
    )


def title(found: Object) -> str:
    """Namespace and name."""
    return f"{found['metadata']['namespace']}/{found['metadata']['name']}"
