"""LANs of a datacenter: what a request makes of them, and the node pools that are attached."""

from __future__ import annotations

import ipaddress
import typing
import uuid

from lab.cloud import answers, checks
from lab.cloud import store as stores

Json = dict[str, typing.Any]

CHANGEABLE = ("name", "public", "pcc", "ipv6CidrBlock", "ipFailover")
MOST = 250
"""As many networks `10.7.<number>.0/24` as there can be; the real cloud chooses them from more."""


def number(store: stores.Store, datacenter: str) -> int:
    """The number of the next LAN: the first one that is free."""
    taken = {entry["id"] for entry in store.all("lan", datacenter)}
    free = next((one for one in range(1, MOST) if f"{datacenter}/{one}" not in taken), None)
    if free is None:
        raise answers.ApiError(422, "The data center has as many LANs as it can")
    return free


def new(properties: Json, number: int) -> Json:
    """Complete properties of a new LAN."""
    return _complete({}, properties, number)


def changed(entry: Json, properties: Json, store: stores.Store) -> Json:
    """Properties after a PATCH or PUT."""
    if properties.get("public") and _attached(entry, store):
        raise answers.ApiError(422, "A LAN that Kubernetes node pools are attached to cannot be public")
    return _complete(entry["properties"], properties, int(answers.shown_id(entry)))


def keep(entry: Json, store: stores.Store) -> None:
    """ApiError while node pools are attached."""
    if _attached(entry, store):
        message = f"Access Denied: Lan {answers.shown_id(entry)} is delete-protected by k8s"
        raise answers.ApiError(403, message, code="452")


def nics(entry: Json, store: stores.Store) -> list[Json]:
    """The interfaces of the attached pools' nodes, as references: `{id, type, server}`."""
    return [
        {"id": str(uuid.uuid5(uuid.UUID(node["id"]), entry["id"])), "type": "nic", "server": node["id"]}
        for pool in _attached(entry, store)
        for node in pool["nodes"]
    ]


def problems(properties: Json, datacenter: str, store: stores.Store) -> list[str]:
    """What is wrong with the LANs of a node pool."""
    lans = {answers.shown_id(entry): entry["properties"] for entry in store.all("lan", datacenter)}
    found: list[str] = []
    seen: set[str] = set()
    for one in properties.get("lans") or []:
        name = str(one.get("id"))
        if not isinstance(one.get("id"), int) or isinstance(one["id"], bool):
            found.append(f"lans.id: '{name}' must be a number")
        elif name not in lans:
            found.append(f"lans.id: LAN {name} does not exist in data center {datacenter}")
        elif lans[name]["public"]:
            found.append(f"lans.id: LAN {name} is public, only private LANs can be attached to node pools")
        if name in seen:
            found.append(f"lans.id: LAN {name} is listed twice")
        seen.add(name)
        if not isinstance(one.get("dhcp", True), bool):
            found.append("lans.dhcp must be a boolean")
        found += [message for route in one.get("routes") or [] for message in _route(route)]
    return found


def complete(attached: list[Json]) -> list[Json]:
    """A pool's LANs as they are answered: with every property."""
    return [
        {
            "id": one["id"],
            "dhcp": one.get("dhcp", True),
            "routes": [
                {"network": route["network"], "gatewayIp": route["gatewayIp"]} for route in one.get("routes") or []
            ],
        }
        for one in attached
    ]


def _complete(old: Json, properties: Json, number: int) -> Json:
    given = {"name": "", "public": False, "pcc": None, "ipv6CidrBlock": None, "ipFailover": [], **old}
    given |= {key: properties[key] for key in CHANGEABLE if key in properties}
    if not isinstance(given["public"], bool):
        raise answers.ApiError(422, "Attribute 'public' must be a boolean")
    given["ipv6CidrBlock"] = given["ipv6CidrBlock"] or None  # the plugin sends an empty text for "none"
    if given["ipv6CidrBlock"]:
        raise answers.ApiError(422, "ipv6CidrBlock cannot be set: the data center has no IPv6 block")
    return given | {"ipv4CidrBlock": None if given["public"] else f"10.7.{number}.0/24"}


def _attached(entry: Json, store: stores.Store) -> list[Json]:
    number = int(answers.shown_id(entry))
    return [
        pool
        for pool in store.all("nodepool")
        if pool["properties"]["datacenterId"] == entry["parent"]
        and number in {one["id"] for one in pool["properties"]["lans"]}
    ]


def _route(route: Json) -> list[str]:
    found = checks.required(route, "network", "gatewayIp")
    if found:
        return found
    try:
        network, gateway = ipaddress.ip_network(route["network"]), ipaddress.ip_address(route["gatewayIp"])
    except ValueError as error:
        return [f"lans.routes: {error}"]
    return [] if network.version == gateway.version else ["lans.routes: network and gatewayIp differ in IP version"]
