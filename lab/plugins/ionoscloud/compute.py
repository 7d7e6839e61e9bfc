"""Virtual datacenters, their LANs, and reserved IP blocks."""

from __future__ import annotations

import collections.abc

from lab.plugins import base, values
from lab.plugins.ionoscloud import client, element


class _Requested(element.Element):
    """An object whose changes are followed by their requests."""

    def ready(self, call: base.Call, inputs: base.Properties, id: str, location: str) -> bool:
        return element.request_done(call, location)

    def update(self, call: base.Call, state: base.State, inputs: base.Properties) -> base.Properties:
        """PATCH what changed."""
        old, new = values.plain(state.inputs), values.plain(inputs)
        changed = [name for name in self.inputs if name in new and old.get(name) != new[name]]
        path = self.path(inputs, state.id)
        try:
            location = call.client.change(call, "PATCH", path, self.to_api(inputs, changed or ["name"]))[1]
        except client.ApiError as error:
            raise base.PluginError(f"error while updating {self.what}: {error}") from None
        self.wait(call, inputs, state.id, location)
        return self.outputs({**state.outputs, **inputs}, call.client.get(call, path))


class Datacenter(_Requested):
    """A virtual datacenter."""

    what = "data center"
    inputs = {
        "name": "name",
        "location": "location",
        "description": "description",
        "secAuthProtection": "secAuthProtection",
    }
    computed = {
        "version": "version",
        "features": "features",
        "cpuArchitectures": "cpuArchitecture",
        "ipv6CidrBlock": "ipv6CidrBlock",
    }
    chosen = ("description", "secAuthProtection")
    replace_on = ("location",)

    def path(self, inputs: base.Properties, id: str = "") -> str:
        return f"/datacenters/{id}".rstrip("/")


class IPBlock(_Requested):
    """Reserved public addresses."""

    what = "ip block"
    inputs = {"name": "name", "location": "location", "size": "size"}
    computed = {"ips": "ips", "ipConsumers": "ipConsumers"}
    replace_on = ("location", "size")

    def path(self, inputs: base.Properties, id: str = "") -> str:
        return f"/ipblocks/{id}".rstrip("/")


class Lan(_Requested):
    """A network in a datacenter; its id is its number there."""

    what = "LAN"
    inputs = {
        "name": "name",
        "public": "public",
        "pcc": "pcc",
        "ipv6CidrBlock": "ipv6CidrBlock",
        "ipFailovers": "ipFailover",
    }
    computed = {"ipv4CidrBlock": "ipv4CidrBlock"}
    chosen = ("ipv6CidrBlock", "ipFailovers")
    replace_on = ("datacenterId", "location")

    def path(self, inputs: base.Properties, id: str = "") -> str:
        return f"/datacenters/{values.plain(inputs['datacenterId'])}/lans/{id}".rstrip("/")

    def to_api(self, inputs: base.Properties, names: collections.abc.Iterable[str] | None = None) -> element.Json:
        """Always whether it is public, and at its creation an IPv6 block, empty without one."""
        made = {"ipv6CidrBlock": ""} if names is None else {}
        return {**made, "public": False, **super().to_api(inputs, names and [*names, "public"])}

    def ready(self, call: base.Call, inputs: base.Properties, id: str, location: str) -> bool:
        if not super().ready(call, inputs, id, location):
            return False
        return call.client.get(call, self.path(inputs, id))["metadata"]["state"] == "AVAILABLE"

    def read(self, call: base.Call, state: base.State) -> base.State | None:
        """An import's id is `<datacenter id>/<LAN's number>`."""
        if state.outputs:
            return super().read(call, state)
        datacenter, _, lan = state.id.partition("/")
        if not lan or "/" in lan:
            raise base.PluginError(f"invalid import identifier: expected <datacenter-id>/<lan-id>, got: {state.id}")
        return super().read(call, base.State(lan, {**state.inputs, "datacenterId": datacenter}, {}))

    def delete(self, call: base.Call, state: base.State) -> None:
        """Wait until no interface is left in it, ask, and wait until it is gone."""
        path = self.path(state.inputs, state.id)

        def empty() -> bool:
            nics = call.client.find(call, f"{path}/nics")
            return nics is None or not nics["items"]

        def asked() -> bool:
            try:
                call.client.change(call, "DELETE", path)
            except client.ApiError as error:
                if error.status == 403 and "is delete-protected by" in str(error):
                    return False
                if error.status != 404:
                    raise base.PluginError(f"error while deleting {self.what}: {error}") from None
            return True

        call.wait(empty, "nics are still in the LAN", self.limit)
        call.wait(asked, "the LAN is delete-protected", self.limit)
        call.wait(lambda: call.client.find(call, path) is None, "the LAN is being deleted", self.limit)
