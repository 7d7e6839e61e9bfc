"""What all resources of the plugin have in common: property names, drift, and how a change is waited for."""

from __future__ import annotations

import collections.abc
import typing

from lab.plugins import base, differ, values
from lab.plugins.ionoscloud import client

Json = dict[str, typing.Any]

IMMUTABLE = "attribute is immutable, therefore not allowed in update requests"
FAILED = ("FAILED", "FAILED_SUSPENDED", "FAILED_UPDATING", "FAILED_DESTROYING")


class Element(base.Resource):
    """A resource that is one object of the API.

    The tables map Pulumi's property names to the API's.
    """

    what: str
    """As messages call it."""
    inputs: collections.abc.Mapping[str, str]
    """Inputs that are properties of the object."""
    computed: collections.abc.Mapping[str, str] = {}
    """Further outputs."""
    chosen: collections.abc.Collection[str] = ()
    """Inputs for which the API chooses a value when none is given; leaving them out changes nothing."""
    unordered: collections.abc.Mapping[str, str] = {}
    """Inputs that are sets of objects -> the field to sort them by."""
    defaults: collections.abc.Mapping[str, typing.Any] = {}
    immutable: collections.abc.Mapping[str, str] = {}
    """Inputs that cannot change unless `allowReplace` -> the name in the message."""
    limit: float = 3600.0
    """Seconds that an operation may take if the program sets no time limit."""

    def path(self, inputs: base.Properties, id: str = "") -> str:
        """Path of the object, or of its collection."""
        raise NotImplementedError

    def validate(self, inputs: base.Properties) -> dict[str, str]:
        """Property -> what is wrong with it; called with unknowns inside."""
        return {}

    def ready(self, call: base.Call, inputs: base.Properties, id: str, location: str) -> bool:
        """Whether an accepted change is through; PluginError when it failed."""
        raise NotImplementedError

    def check(self, call: base.Call, olds: base.Properties, news: base.Properties) -> base.Properties:
        """Defaults and a name; sets in one order."""
        inputs = base.autoname(call, olds, {**self.defaults, **news})
        for name, key in self.unordered.items():
            items = inputs.get(name)
            if isinstance(items, list) and not values.contains(items, values.UNKNOWN):
                inputs[name] = sorted(items, key=lambda item: str(values.plain(item).get(key)))
        reasons = self.validate(values.plain(inputs))
        if reasons:
            raise base.Invalid(reasons)
        return inputs

    def diff(self, call: base.Call, state: base.State, inputs: base.Properties) -> differ.Diff:
        """An error at preview already, if an immutable input changes."""
        old, new = _without_empty(state.inputs), _without_empty(inputs)
        kept = {name: old[name] for name in self.chosen if name in old and name not in new}
        if _is_patch_downgrade(old.get("k8sVersion"), new.get("k8sVersion")):
            kept["k8sVersion"] = old["k8sVersion"]  # maintenance raised it meanwhile; the real plugin ignores that, too
        new = {**new, **kept}
        replaceable = new.get("allowReplace") is True
        diff = differ.compare(old, new, [*self.replace_on, *(self.immutable if replaceable else ())])
        for path in diff.changes:
            if not replaceable and path[0] in self.immutable:
                raise base.PluginError(f"{self.immutable[str(path[0])]} {IMMUTABLE}")
        diff.delete_before_replace = bool(diff.replace) and old.get("name") == new.get("name")
        return diff

    def create(self, call: base.Call, inputs: base.Properties) -> base.Created:
        """Interrupted or failed while the API works on it, it stays in state and the next run goes on."""
        body = {"properties": self.to_api(inputs)}
        try:
            entry, location = call.client.change(call, "POST", self.path(inputs), body)
        except client.ApiError as error:
            raise base.PluginError(f"error creating {self.what}: {error}") from None
        id = entry["id"]
        try:
            self.wait(call, inputs, id, location)
            entry = call.client.get(call, self.path(inputs, id))
        except base.PluginError as error:
            raise base.InitFailed(id, self.outputs(inputs, entry), [str(error)]) from None
        return base.Created(id, self.outputs(inputs, entry))

    def read(self, call: base.Call, state: base.State) -> base.State | None:
        """The object as it is. On an import there are no inputs: they are all taken from the object."""
        entry = call.client.find(call, self.path(state.inputs, state.id))
        if entry is None:
            return None
        inputs = self.actual(state.inputs, entry)
        outputs = self.outputs({**state.outputs, **inputs}, entry)
        self.healthy(entry, inputs, outputs)
        return base.State(entry["id"], inputs, outputs)

    def healthy(self, entry: Json, inputs: base.Properties, outputs: base.Properties) -> None:
        """InitFailed for an object that is not ready for use."""

    def delete(self, call: base.Call, state: base.State) -> None:
        """Ask for it and wait."""
        try:
            location = call.client.change(call, "DELETE", self.path(state.inputs, state.id))[1]
        except client.ApiError as error:
            if error.status == 404:
                return
            raise base.PluginError(f"error while deleting {self.what}: {error}") from None
        call.wait(lambda: request_done(call, location), f"{self.what} is being deleted", self.limit)

    def wait(self, call: base.Call, inputs: base.Properties, id: str, location: str) -> None:
        """Return when an accepted change is through."""
        call.wait(lambda: self.ready(call, inputs, id, location), f"{self.what} is not ready yet", self.limit)

    def to_api(self, inputs: base.Properties, names: collections.abc.Iterable[str] | None = None) -> Json:
        """The API's properties for (some) inputs."""
        given = values.plain(inputs)
        return {
            self.inputs[name]: given[name] for name in names or self.inputs if name in given and name in self.inputs
        }

    def outputs(self, inputs: base.Properties, entry: Json) -> base.Properties:
        """All outputs: inputs, over them what the API has."""
        properties = entry["properties"]
        found = {
            name: properties[key]
            for name, key in {**self.inputs, **self.computed}.items()
            if properties.get(key) not in (None, {}, []) or (name in inputs and key in properties)
        }
        return {**inputs, **{name: value for name, value in found.items() if value is not None}}

    def actual(self, inputs: base.Properties, entry: Json) -> base.Properties:
        """What the inputs would have to be for the object as it is; on an import (no inputs yet) all of them.

        What nobody asked for but somebody set counts as well, so that the next run takes it away.
        """
        properties, result = entry["properties"], {**self.defaults, **inputs}
        for name, key in self.inputs.items():
            value = properties.get(key)
            if name in self.unordered and value:
                value = sorted(value, key=lambda item: str(item.get(self.unordered[name])))
            if value in (None, {}, [], ""):
                if result.get(name) not in (None, {}, [], ""):
                    del result[name]
            elif name in inputs or "name" not in inputs or name not in self.chosen:
                result[name] = _tidy(value)
        return result


def failed(what: str, entry: Json) -> None:
    """PluginError for an object whose last operation failed."""
    state = entry["metadata"]["state"]
    if state in FAILED:
        raise base.PluginError(f"error while checking if {what} is ready {entry['id']}, state {state}")


def request_done(call: base.Call, location: str) -> bool:
    """Whether an accepted request is through; PluginError when it failed."""
    status, message = call.client.request_state(call, location)
    if status == "FAILED":
        raise base.PluginError(f"request failed: {message} ({location})")
    return status == "DONE"


def _tidy(value: typing.Any) -> typing.Any:
    """Objects of a list without the fields that are null or empty lists."""
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return [{key: field for key, field in item.items() if field not in (None, [])} for item in value]
    return value


def _without_empty(inputs: base.Properties) -> base.Properties:
    """Inputs as plain values; an empty list or map is the same as none."""
    return {name: value for name, value in values.plain(inputs).items() if value not in ([], {})}


def _is_patch_downgrade(old: typing.Any, new: typing.Any) -> bool:
    if not (isinstance(old, str) and isinstance(new, str)):
        return False
    olds, news = old.split("."), new.split(".")
    if len(olds) < 3 or len(news) < 3 or olds[:2] != news[:2] or not (olds[2].isdigit() and news[2].isdigit()):
        return False
    return int(olds[2]) > int(news[2])
