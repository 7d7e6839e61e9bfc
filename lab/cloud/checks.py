"""What the emulated API refuses: pure functions that list the mistakes of a request's properties."""

from __future__ import annotations

import ipaddress
import re
import typing

from lab.cloud import catalogue

Json = dict[str, typing.Any]

NAME = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ?")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")

CLUSTER_IMMUTABLE = ("public", "location", "natGatewayIp", "nodeSubnet")
POOL_IMMUTABLE = (
    "datacenterId", "cpuFamily", "coresCount", "ramSize", "storageSize", "storageType", "availabilityZone",
)  # fmt: skip
LEAST_RAM_MB, RAM_STEP_MB, LEAST_STORAGE_GB, MOST_TAINTS = 2048, 1024, 10, 50


def required(properties: Json, *names: str) -> list[str]:
    """Attributes that are absent, null or empty."""
    return [f"Attribute '{name}' is required" for name in names if properties.get(name) in (None, "")]


def immutable(properties: Json, old: Json, names: tuple[str, ...]) -> list[str]:
    """Attributes that a request sends with another value than the object has."""
    return [
        f"Attribute '{name}' is immutable, therefore not allowed in update requests"
        for name in names
        if properties.get(name) is not None and properties[name] != old.get(name)
    ]


def location(properties: Json) -> list[str]:
    """A place that does not exist."""
    value = properties.get("location")
    return [] if value in (None, *catalogue.LOCATIONS) else [f"Location '{value}' does not exist"]


def integer(properties: Json, name: str, least: int, step: int = 1) -> list[str]:
    """A number that is none, too small, or no multiple of `step`."""
    value = properties.get(name)
    if value is None:
        return []
    if not isinstance(value, int) or isinstance(value, bool):
        return [f"Attribute '{name}' must be a number"]
    if value < least:
        return [f"Attribute '{name}' must be at least {least}, is {value}"]
    return [] if value % step == 0 else [f"Attribute '{name}' must be a multiple of {step}, is {value}"]


def choice(properties: Json, name: str, values: tuple[str, ...]) -> list[str]:
    """A value that is not one of `values`."""
    value = properties.get(name)
    return [] if value in (None, *values) else [f"Attribute '{name}' must be one of {', '.join(values)}, is '{value}'"]


def name(properties: Json) -> list[str]:
    """A Kubernetes name that is too long or has other characters."""
    value = properties.get("name")
    good = value is None or (isinstance(value, str) and NAME.fullmatch(value))
    return [] if good else ["Attribute 'name' must have at most 63 characters: letters, digits, '-', '_', '.'"]


def window(properties: Json) -> list[str]:
    """A maintenance window that is none."""
    value = properties.get("maintenanceWindow")
    if value is None:
        return []
    day, time = value.get("dayOfTheWeek"), value.get("time")
    errors = [] if day in DAYS else [f"Maintenance window: '{day}' is no day of the week"]
    return errors if TIME.fullmatch(str(time)) else [*errors, f"Maintenance window: '{time}' is no time (hh:mm:ssZ)"]


def allow_list(properties: Json) -> list[str]:
    """Entries that are no network and no address."""
    return [
        f"apiSubnetAllowList: '{entry}' is not a valid CIDR or IP address"
        for entry in properties.get("apiSubnetAllowList") or []
        if not _network(entry)
    ]


def version(properties: Json, offered: list[str], old: str | None = None) -> list[str]:
    """A version that is not offered, or older than `old`."""
    value = properties.get("k8sVersion")
    if value is None or value == old:
        return []
    if value not in catalogue.VERSIONS:
        return [f"Kubernetes version '{value}' is not supported"]
    if old and catalogue.parts(value) < catalogue.parts(old):
        return [f"Downgrade of the Kubernetes version from {old} to {value} is not supported"]
    return [] if value in offered else [f"Kubernetes version '{value}' is not viable here, use {', '.join(offered)}"]


def scaling(properties: Json) -> list[str]:
    """Autoscaling limits that contradict each other or the node count; none, {} and 0/0 mean off."""
    limits = properties.get("autoScaling") or {}
    least, most = limits.get("minNodeCount") or 0, limits.get("maxNodeCount") or 0
    count = properties.get("nodeCount")
    if not least and not most:
        return []
    if least < 1 or most <= least:
        return [f"autoScaling: maxNodeCount ({most}) must be greater than minNodeCount ({least}), both at least 1"]
    if isinstance(count, int) and not least <= count <= most:
        return [f"nodeCount ({count}) must be between minNodeCount ({least}) and maxNodeCount ({most})"]
    return []


def labels(properties: Json) -> list[str]:
    """Labels that Kubernetes would refuse."""
    return [
        f"Label '{key}: {value}' is not valid"
        for key, value in (properties.get("labels") or {}).items()
        if not (LABEL_KEY.fullmatch(key) and NAME.fullmatch(str(value)))
    ]


def taints(properties: Json) -> list[str]:
    """Taints that Kubernetes would refuse, or too many."""
    given = properties.get("taints") or []
    errors = [
        f"Taint '{taint.get('key')}={taint.get('value', '')}:{taint.get('effect')}' is not valid"
        for taint in given
        if not (
            LABEL_KEY.fullmatch(str(taint.get("key")))
            and NAME.fullmatch(str(taint.get("value") or ""))
            and taint.get("effect") in EFFECTS
        )
    ]
    return errors if len(given) <= MOST_TAINTS else [*errors, f"A node pool has at most {MOST_TAINTS} taints"]


def public_ips(properties: Json, public: bool, reserved: set[str]) -> list[str]:
    """Fixed addresses that are too few, not reserved, or on a private cluster."""
    addresses = properties.get("publicIps") or []
    if not addresses:
        return []
    if not public:
        return ["publicIps cannot be set on a private cluster"]
    nodes = (properties.get("autoScaling") or {}).get("maxNodeCount") or properties.get("nodeCount") or 0
    errors = [f"publicIps: '{address}' is not reserved in this location" for address in set(addresses) - reserved]
    if len(addresses) < nodes + 1:
        errors.append(f"publicIps must have at least {nodes + 1} addresses, has {len(addresses)}")
    return errors


def _network(text: typing.Any) -> bool:
    try:
        ipaddress.ip_network(str(text), strict=False)
    except ValueError:
        return False
    return True
