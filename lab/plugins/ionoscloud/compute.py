"""Virtual datacenters and reserved IP blocks."""

from __future__ import annotations

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
