"""Managed Kubernetes clusters and their node pools."""

from __future__ import annotations

import ipaddress
import re
import typing

from lab.plugins import base, values
from lab.plugins.ionoscloud import client, element

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class _Managed(element.Element):
    """An object whose changes are followed by its own state: ACTIVE, or gone."""

    def ready(self, call: base.Call, inputs: base.Properties, id: str, location: str) -> bool:
        entry = call.client.get(call, self.path(inputs, id))
        element.failed(self.what, entry)
        return entry["metadata"]["state"] == "ACTIVE"

    def read(self, call: base.Call, state: base.State) -> base.State | None:
        """An import waits for an operation under way (such as the creation of which a killed run knew nothing)."""
        if not state.outputs and self._settle(call, self.path(state.inputs, state.id)) is None:
            return None
        return super().read(call, state)

    def healthy(self, entry: element.Json, inputs: base.Properties, outputs: base.Properties) -> None:
        state = entry["metadata"]["state"]
        if state in ("BUSY", "DEPLOYING", *element.FAILED):
            raise base.InitFailed(entry["id"], outputs, [f"{self.what} {entry['id']} is {state}"], inputs)

    def update(self, call: base.Call, state: base.State, inputs: base.Properties) -> base.Properties:
        """PUT, once an operation that an earlier run began has ended."""
        path = self.path(inputs, state.id)
        body = {"properties": self.changes(values.plain(state.inputs), values.plain(inputs))}
        self._settle(call, path)
        try:
            call.client.change(call, "PUT", path, body)
        except client.ApiError as error:
            raise base.PluginError(f"error while updating {self.what}: {error}") from None
        try:
            self.wait(call, inputs, state.id, "")
        except base.PluginError as error:
            raise base.InitFailed(state.id, {**state.outputs, **inputs}, [str(error)]) from None
        return self.outputs({**state.outputs, **inputs}, call.client.get(call, path))

    def changes(self, old: base.Properties, new: base.Properties) -> element.Json:
        """The properties of an update request."""
        raise NotImplementedError

    def delete(self, call: base.Call, state: base.State) -> None:
        """The API refuses while it still works on the object: wait for that, ask, wait until it is gone."""
        path = self.path(state.inputs, state.id)
        if self._settle(call, path) not in (None, "DESTROYING"):
            try:
                call.client.change(call, "DELETE", path)
            except client.ApiError as error:
                if error.status != 404:
                    raise base.PluginError(f"error while deleting {self.what}: {error}") from None
        call.wait(lambda: self._gone(call, path), f"{self.what} is being deleted", self.limit)

    def _settle(self, call: base.Call, path: str) -> str | None:
        """The object's state, once no creation or update is under way; None when it is gone."""

        def settled() -> str:
            entry = call.client.find(call, path)
            state = entry["metadata"]["state"] if entry else "gone"
            return "" if state in ("BUSY", "DEPLOYING", "UPDATING") else state

        state = call.wait(settled, f"{self.what} is busy", self.limit)
        return None if state == "gone" else state

    def _gone(self, call: base.Call, path: str) -> bool:
        entry = call.client.find(call, path)
        if entry is not None and entry["metadata"]["state"] in element.FAILED:
            state = entry["metadata"]["state"]
            raise base.PluginError(f"error while checking if {self.what} is deleted, ID: {entry['id']}, state: {state}")
        return entry is None


class Cluster(_Managed):
    """A managed control plane."""

    what = "k8s cluster"
    inputs = {
        "name": "name",
        "k8sVersion": "k8sVersion",
        "maintenanceWindow": "maintenanceWindow",
        "public": "public",
        "location": "location",
        "natGatewayIp": "natGatewayIp",
        "nodeSubnet": "nodeSubnet",
        "apiSubnetAllowLists": "apiSubnetAllowList",
        "s3Buckets": "s3Buckets",
    }
    computed = {"viableNodePoolVersions": "viableNodePoolVersions"}
    chosen = ("k8sVersion", "maintenanceWindow", "nodeSubnet")
    defaults = {"public": True, "allowReplace": False}
    immutable = {
        "public": "public",
        "location": "location",
        "natGatewayIp": "nat_gateway_ip",
        "nodeSubnet": "node_subnet",
    }

    def path(self, inputs: base.Properties, id: str = "") -> str:
        return f"/k8s/{id}".rstrip("/")

    def validate(self, inputs: base.Properties) -> dict[str, str]:
        address, subnet = inputs.get("natGatewayIp"), inputs.get("nodeSubnet")
        reasons = {}
        if isinstance(address, str) and not _parses(ipaddress.IPv4Address, address):
            reasons["natGatewayIp"] = f'expected "nat_gateway_ip" to contain a valid IPv4 address, got: {address}'
        if isinstance(subnet, str) and not _parses(ipaddress.ip_network, subnet):
            reasons["nodeSubnet"] = f'expected "node_subnet" to be a valid CIDR value, got {subnet}'
        return reasons

    def changes(self, old: base.Properties, new: base.Properties) -> element.Json:
        changed = [name for name in ("k8sVersion", "maintenanceWindow") if name in new and old.get(name) != new[name]]
        request = self.to_api(new, ["name", *changed])
        for name in ("apiSubnetAllowLists", "s3Buckets"):
            if old.get(name) != new.get(name):
                request[self.inputs[name]] = new.get(name) or []
        return request


class NodePool(_Managed):
    """Worker nodes of one kind."""

    what = "k8s node pool"
    limit = 3 * 3600.0
    inputs = {
        name: name
        for name in (
            "name",
            "datacenterId",
            "k8sVersion",
            "nodeCount",
            "cpuFamily",
            "serverType",
            "coresCount",
            "ramSize",
            "availabilityZone",
            "storageType",
            "storageSize",
            "maintenanceWindow",
            "autoScaling",
            "lans",
            "labels",
            "annotations",
            "taints",
            "publicIps",
        )
    }
    chosen = ("maintenanceWindow", "serverType")
    unordered = {"taints": "key", "lans": "id"}
    defaults = {"serverType": "DedicatedCore", "allowReplace": False}
    replace_on = ("datacenterId", "k8sClusterId", "location")
    immutable = {
        "name": "name",
        "cpuFamily": "cpu_family",
        "availabilityZone": "availability_zone",
        "coresCount": "cores_count",
        "ramSize": "ram_size",
        "storageSize": "storage_size",
        "storageType": "storage_type",
    }

    def path(self, inputs: base.Properties, id: str = "") -> str:
        return f"/k8s/{values.plain(inputs['k8sClusterId'])}/nodepools/{id}".rstrip("/")

    def read(self, call: base.Call, state: base.State) -> base.State | None:
        """An import's id is `<cluster id>/<pool id>`."""
        if state.outputs:
            return super().read(call, state)
        cluster, _, pool = state.id.partition("/")
        if not pool or "/" in pool:
            raise base.PluginError(
                "invalid import identifier: expected <k8s-cluster-id>/<k8s-nodepool-id>, got: " + state.id
            )
        return super().read(call, base.State(pool, {**state.inputs, "k8sClusterId": cluster}, {}))

    def check(self, call: base.Call, olds: base.Properties, news: base.Properties) -> base.Properties:
        inputs = super().check(call, olds, news)
        if isinstance(inputs.get("lans"), list):
            inputs["lans"] = [{"dhcp": True, **lan} if isinstance(lan, dict) else lan for lan in inputs["lans"]]
        return inputs

    def actual(self, inputs: base.Properties, entry: element.Json) -> base.Properties:
        result = super().actual(inputs, entry)
        if inputs.get("lans") and not entry["properties"].get("lans"):
            result["lans"] = inputs["lans"]  # the real plugin takes an empty list for "nothing said"
        if not (entry["properties"].get("autoScaling") or {}).get("minNodeCount"):
            result.pop("autoScaling", None)
        return result

    def validate(self, inputs: base.Properties) -> dict[str, str]:
        reasons = {}
        for name in ("datacenterId", "k8sClusterId"):
            value = inputs.get(name)
            if value is not values.UNKNOWN and not UUID.fullmatch(str(value)):
                reasons[name] = f"expected {name} to be a valid UUID, got {value}"
        for name, options in (
            ("serverType", ("DedicatedCore", "VCPU")),
            ("availabilityZone", ("AUTO", "ZONE_1", "ZONE_2")),
        ):
            value = inputs.get(name)
            if isinstance(value, str) and value not in options:
                reasons[name] = f"expected {name} to be one of {list(options)}, got {value}"
        for name, value in (
            (inputs.get("autoScaling") or {}).items() if isinstance(inputs.get("autoScaling"), dict) else ()
        ):
            if isinstance(value, int) and value < 1:
                reasons[f"autoScaling.{name}"] = f"expected {name} to be at least (1), got {value}"
        return reasons

    def to_api(self, inputs: base.Properties, names: typing.Any = None) -> element.Json:
        """The checks are the real plugin's own, before it asks the API."""
        given = values.plain(inputs)
        scaling, count = given.get("autoScaling") or {}, given["nodeCount"]
        least, most = scaling.get("minNodeCount"), scaling.get("maxNodeCount")
        problem = "error creating k8s node pool: "
        if least and least == most:
            raise base.PluginError(problem + "max_node_count cannot be equal to min_node_count")
        if least and most < least:
            raise base.PluginError(problem + "max_node_count cannot be lower than min_node_count")
        if least and count < least:
            raise base.PluginError(problem + "node_count cannot be lower than min_node_count")
        if given.get("publicIps") and len(given["publicIps"]) < count + 1:
            raise base.PluginError(f"the number of public IPs must be at least {count + 1}")
        request = super().to_api(inputs, names) | {"autoScaling": scaling}
        return request | ({"lans": _lans(request["lans"])} if "lans" in request else {})

    def changes(self, old: base.Properties, new: base.Properties) -> element.Json:
        """Always the node count and version, whether they changed or not."""
        request = self.to_api(new, ["nodeCount", "k8sVersion"])
        empty = {"labels": {}, "annotations": {}, "taints": [], "publicIps": [], "lans": []}
        for name in ("maintenanceWindow", "serverType", *empty):
            if old.get(name) != new.get(name) and (name in new or name in empty):
                request[name] = new.get(name, empty.get(name))
        return request | ({"lans": _lans(request["lans"])} if "lans" in request else {})

    def outputs(self, inputs: base.Properties, entry: element.Json) -> base.Properties:
        """Without limits of autoscaling that are zero: that is how the API says "off"."""
        result = super().outputs(inputs, entry)
        if not (entry["properties"].get("autoScaling") or {}).get("minNodeCount"):
            result.pop("autoScaling", None)
        return result


def _lans(given: typing.Any) -> list[element.Json]:
    """LANs as the plugin sends them: always with routes."""
    return [{**lan, "routes": lan.get("routes") or []} for lan in given]


def _parses(parse: typing.Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True
