"""Datacenters and reserved IP blocks: what a request makes of them."""

from __future__ import annotations

import typing

from lab.cloud import answers, catalogue, checks
from lab.cloud import store as stores

Json = dict[str, typing.Any]

FIRST_RESERVED, LAST_RESERVED = 1, 199
"""Last bytes that reserved addresses have; load balancers without a reserved one take from those above."""


def new_datacenter(properties: Json) -> Json:
    """Complete properties of a new datacenter."""
    _refuse(checks.required(properties, "name", "location") or checks.location(properties))
    return {
        "name": properties["name"],
        "description": properties.get("description") or "",
        "location": properties["location"],
        "version": 1,
        "features": ["SSD", "MULTIPLE_CPU", "SSD_STORAGE_ZONING"],
        "secAuthProtection": bool(properties.get("secAuthProtection")),
        "cpuArchitecture": catalogue.architectures(properties["location"]),
        "ipv6CidrBlock": None,
        "defaultSecurityGroupId": None,
    }


def changed_datacenter(old: Json, properties: Json) -> Json:
    """Properties after a PATCH or PUT."""
    _refuse(checks.immutable(properties, old, ("location",)))
    new = {key: properties[key] for key in ("name", "description", "secAuthProtection") if key in properties}
    return old | new | {"version": old["version"] + 1}


def keep_datacenter(entry: Json, store: stores.Store) -> None:
    """ApiError when something still lives in the datacenter."""
    pools = [pool for pool in store.all("nodepool") if pool["properties"]["datacenterId"] == entry["id"]]
    if pools:
        names = ", ".join(pool["properties"]["name"] for pool in pools)
        raise answers.ApiError(422, f"The data center cannot be deleted: it has Kubernetes node pools ({names})")


def new_ipblock(properties: Json, network: str, used: set[str]) -> Json:
    """Complete properties of a new block: free addresses of `network` (a /24 without its last byte)."""
    _refuse(
        checks.required(properties, "location", "size")
        or checks.location(properties) + checks.integer(properties, "size", 1)
    )
    free = [
        address
        for address in (f"{network}.{byte}" for byte in range(FIRST_RESERVED, LAST_RESERVED + 1))
        if address not in used
    ]
    if len(free) < properties["size"]:
        raise answers.ApiError(422, f"Cannot reserve {properties['size']} addresses: {len(free)} are left")
    return {
        "ips": free[: properties["size"]],
        "location": properties["location"],
        "size": properties["size"],
        "name": properties.get("name") or "",
        "ipConsumers": [],
    }


def changed_ipblock(old: Json, properties: Json) -> Json:
    """Properties after a PATCH or PUT."""
    _refuse(checks.immutable(properties, old, ("location", "size", "ips")))
    return old | {key: properties[key] for key in ("name",) if key in properties}


def keep_ipblock(entry: Json, store: stores.Store, balancing: set[str]) -> None:
    """ApiError when an address of the block is in use (`balancing`: those of load balancers)."""
    used = balancing.union(*(pool["properties"]["publicIps"] for pool in store.all("nodepool")))
    taken = sorted(used & set(entry["properties"]["ips"]))
    if taken:
        raise answers.ApiError(422, f"The IP block cannot be released: {', '.join(taken)} is in use")


def reserved(store: stores.Store, location: str | None = None) -> set[str]:
    """All addresses of all blocks (of one location)."""
    return {
        address
        for block in store.all("ipblock")
        if location in (None, block["properties"]["location"])
        for address in block["properties"]["ips"]
    }


def _refuse(errors: list[str]) -> None:
    if errors:
        raise answers.ApiError(422, *errors)
