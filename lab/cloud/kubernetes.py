"""Managed clusters and node pools: what a request makes of them."""

from __future__ import annotations

import typing
import uuid

from lab.cloud import answers, catalogue, checks, compute, lans
from lab.cloud import store as stores

Json = dict[str, typing.Any]

WINDOW = {"dayOfTheWeek": "Sunday", "time": "03:00:00Z"}
"""What the API chooses when a request names no maintenance window."""

POOL_REQUIRED = (
    "name", "datacenterId", "nodeCount", "coresCount", "ramSize", "storageSize", "storageType", "availabilityZone",
)  # fmt: skip

SETTLED = ("ACTIVE", "FAILED", "FAILED_UPDATING", "FAILED_DESTROYING")


def new_cluster(properties: Json, store: stores.Store) -> Json:
    """Complete properties of a new cluster."""
    public = properties.get("public") is not False
    needed = ("name",) if public else ("name", "location", "natGatewayIp")
    _refuse(
        checks.required(properties, *needed),
        checks.name(properties),
        checks.location(properties),
        checks.window(properties),
        checks.allow_list(properties),
        checks.version(properties, list(catalogue.VERSIONS)),
    )
    if store.all("k8s"):
        raise answers.ApiError(422, "A lab has one control plane, and a cluster has it already: delete that one first")
    return _versions(
        {
            "name": properties["name"],
            "k8sVersion": properties.get("k8sVersion") or catalogue.DEFAULT_VERSION,
            "maintenanceWindow": properties.get("maintenanceWindow") or WINDOW,
            "public": public,
            "location": properties.get("location"),
            "natGatewayIp": properties.get("natGatewayIp"),
            "nodeSubnet": properties.get("nodeSubnet"),
            "apiSubnetAllowList": properties.get("apiSubnetAllowList") or [],
            "s3Buckets": properties.get("s3Buckets") or [],
        }
    )


def changed_cluster(entry: Json, properties: Json) -> Json:
    """Properties after a PUT; what it does not name stays."""
    _settled(entry)
    old = entry["properties"]
    _refuse(
        checks.required(properties, "name"),
        checks.name(properties),
        checks.window(properties),
        checks.allow_list(properties),
        checks.immutable(properties, old, checks.CLUSTER_IMMUTABLE),
        checks.version(properties, catalogue.upgrades(old["k8sVersion"]), old["k8sVersion"]),
    )
    names = ("name", "k8sVersion", "maintenanceWindow", "apiSubnetAllowList", "s3Buckets")
    return _versions(old | {name: properties[name] for name in names if properties.get(name) is not None})


def keep_cluster(entry: Json, store: stores.Store) -> None:
    """ApiError when the cluster cannot go now."""
    _settled(entry)
    pools = store.all("nodepool", entry["id"])
    if pools:
        names = ", ".join(pool["properties"]["name"] for pool in pools)
        raise answers.ApiError(422, f"The Kubernetes cluster cannot be deleted: it has node pools ({names})")


def new_pool(properties: Json, cluster: Json, store: stores.Store) -> Json:
    """Complete properties of a new node pool."""
    if cluster["metadata"]["state"] not in ("ACTIVE", "UPDATING"):
        raise answers.ApiError(422, f"Kubernetes cluster {cluster['id']} is not ACTIVE")
    offered = cluster["properties"]["viableNodePoolVersions"]
    _refuse(
        checks.required(properties, *POOL_REQUIRED),
        checks.name(properties),
        checks.integer(properties, "coresCount", 1),
        checks.integer(properties, "ramSize", checks.LEAST_RAM_MB, checks.RAM_STEP_MB),
        checks.integer(properties, "storageSize", checks.LEAST_STORAGE_GB),
        checks.choice(properties, "storageType", ("HDD", "SSD")),
        checks.choice(properties, "availabilityZone", ("AUTO", "ZONE_1", "ZONE_2")),
        checks.choice(properties, "cpuFamily", catalogue.CPU_FAMILIES),
        checks.version(properties, offered),
        _changeable(properties, cluster, properties.get("datacenterId"), store),
    )
    if properties.get("serverType") == "VCPU" and properties.get("cpuFamily"):
        raise answers.ApiError(422, "cpuFamily cannot be set for server type VCPU")
    if store.find("datacenter", properties["datacenterId"]) is None:
        raise answers.ApiError(422, f"Data center {properties['datacenterId']} does not exist")
    scaling = properties.get("autoScaling") or {}
    return _pool_versions(
        {
            "name": properties["name"],
            "datacenterId": properties["datacenterId"],
            "nodeCount": properties["nodeCount"],
            "cpuFamily": properties.get("cpuFamily"),
            "serverType": properties.get("serverType") or "DedicatedCore",
            "coresCount": properties["coresCount"],
            "ramSize": properties["ramSize"],
            "availabilityZone": properties["availabilityZone"],
            "storageType": properties["storageType"],
            "storageSize": properties["storageSize"],
            "k8sVersion": properties.get("k8sVersion") or cluster["properties"]["k8sVersion"],
            "maintenanceWindow": properties.get("maintenanceWindow") or WINDOW,
            "autoScaling": _scaling(scaling),
            "lans": lans.complete(properties.get("lans") or []),
            "labels": properties.get("labels") or {},
            "annotations": properties.get("annotations") or {},
            "taints": properties.get("taints") or [],
            "publicIps": properties.get("publicIps") or [],
        },
        cluster,
    )


def changed_pool(entry: Json, properties: Json, cluster: Json, store: stores.Store) -> Json:
    """Properties after a PUT; what it does not name stays, `autoScaling: {}` turns autoscaling off."""
    _settled(entry)
    old = entry["properties"]
    _refuse(
        checks.required(properties, "nodeCount"),
        checks.immutable(properties, old, ("name", *checks.POOL_IMMUTABLE)),
        checks.version(properties, cluster["properties"]["viableNodePoolVersions"], old["k8sVersion"]),
        _changeable(old | properties, cluster, old["datacenterId"], store),
    )
    names = (
        "nodeCount", "serverType", "k8sVersion", "maintenanceWindow", "lans", "labels", "annotations", "taints",
        "publicIps",
    )  # fmt: skip
    new = {name: properties[name] for name in names if properties.get(name) is not None}
    if "lans" in new:
        new["lans"] = lans.complete(new["lans"])
    if properties.get("autoScaling") is not None:
        new["autoScaling"] = _scaling(properties["autoScaling"])
    return _pool_versions(old | new, cluster)


def keep_pool(entry: Json) -> None:
    """ApiError when the pool cannot go now."""
    _settled(entry)


def machines(entry: Json, others: list[Json]) -> list[Json]:
    """The pool's nodes `{id, name, publicIP}` after its count, version or addresses changed.

    Names are `<pool>-<n>` with numbers that no other pool has taken; those with the highest numbers go first.
    """
    properties = entry["properties"]
    nodes: list[Json] = entry.get("nodes", [])[: properties["nodeCount"]]
    taken = {node["name"] for pool in others for node in pool["nodes"]} | {node["name"] for node in nodes}
    number = 0
    while len(nodes) < properties["nodeCount"]:
        number += 1
        if (name := f"{properties['name']}-{number}".lower()) not in taken:
            nodes.append({"id": str(uuid.uuid4()), "name": name})
    addresses = [*properties["publicIps"], *[None] * len(nodes)]
    return [node | {"publicIP": address} for node, address in zip(nodes, addresses, strict=False)]


def _changeable(properties: Json, cluster: Json, datacenter: str | None, store: stores.Store) -> list[str]:
    home = store.find("datacenter", datacenter or "")
    reserved = compute.reserved(store, home["properties"]["location"]) if home else set[str]()
    return [
        *checks.integer(properties, "nodeCount", 1),
        *checks.choice(properties, "serverType", ("DedicatedCore", "VCPU")),
        *checks.window(properties),
        *checks.scaling(properties),
        *checks.labels(properties),
        *checks.taints(properties),
        *checks.public_ips(properties, cluster["properties"]["public"], reserved),
        *lans.problems(properties, datacenter or "", store),
    ]


def _scaling(limits: Json) -> Json:
    return {name: limits.get(name) or 0 for name in ("minNodeCount", "maxNodeCount")}


def _versions(properties: Json) -> Json:
    version = properties["k8sVersion"]
    return properties | {
        "availableUpgradeVersions": catalogue.upgrades(version),
        "viableNodePoolVersions": catalogue.pool_versions(version),
    }


def _pool_versions(properties: Json, cluster: Json) -> Json:
    viable = cluster["properties"]["viableNodePoolVersions"]
    newer = [version for version in catalogue.upgrades(properties["k8sVersion"]) if version in viable]
    return properties | {"availableUpgradeVersions": newer}


def _settled(entry: Json) -> None:
    state = entry["metadata"]["state"]
    if state not in SETTLED:
        what = "cluster" if entry["kind"] == "k8s" else "node pool"
        raise answers.ApiError(422, f"Operation cannot be executed: the Kubernetes {what} is {state}, not ACTIVE")


def _refuse(*errors: list[str]) -> None:
    found = [error for group in errors for error in group]
    if found:
        raise answers.ApiError(422, *found)
