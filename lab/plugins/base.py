"""What a provider plugin is made of: a `Provider` with `Resource`s and functions; `serve` runs it.

A plugin module has `provider() -> base.Provider`:

    class Zone(base.Resource):
        replace_on = ("name",)                          # a change of these makes a new resource
        secret_outputs = ("key",)

        def create(self, call, inputs):                 # never called in a preview (see preview_outputs)
            zone = call.client.create_zone(Name=inputs["name"])
            call.wait(lambda: call.client.ready(zone), "zone is being made")
            return base.Created(zone["Id"], {**inputs, "zoneId": zone["Id"]})

        def read(self, call, state):  ...               # -> base.State, or None when it is gone
        def update(self, call, state, inputs):  ...     # -> outputs
        def delete(self, call, state):  ...             # gone already is fine

    class Aws(base.Provider):
        name, package = "aws", "pulumi_aws"
        resources = {"aws:route53/zone:Zone": Zone()}
        functions = {"aws:route53/getZone:getZone": get_zone}   # get_zone(call, args) -> dict

        def configure(self, call, config):              # -> `call.client` of every later call
            return boto3.Session(region_name=config.get("region"))

Property names are the wire's (camelCase). Values are those of `lab.plugins.values`; a plugin that leaves
`accepts_secrets` False sees plain values only, and the engine marks outputs secret whose equally named
inputs were. `Resource` and `Provider` objects are shared by threads: keep no state in them.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import importlib.metadata
import json
import secrets
import threading
import time
import typing

from lab.plugins import differ, values

Properties = dict[str, values.Value]


class PluginError(Exception):
    """Something failed, nothing was changed (or: what is in state is still right); the message is shown as it is."""


class Cancelled(PluginError):
    """The run was interrupted; a wait gave up."""


class TimedOut(PluginError):
    """A wait reached the resource's time limit."""


class Invalid(PluginError):
    """Inputs that cannot work; `reasons` is property -> what is wrong. Raised by `check`."""

    def __init__(self, reasons: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in reasons.items()))
        self.reasons = reasons


class InitFailed(PluginError):
    """The resource exists but did not come up: it stays in state with these errors.

    The next `up` calls `update` on it. `inputs` is needed from `read` only.
    """

    def __init__(self, id: str, outputs: Properties, reasons: list[str], inputs: Properties | None = None) -> None:
        super().__init__("; ".join(reasons))
        self.id, self.outputs, self.reasons, self.inputs = id, outputs, reasons, inputs


@dataclasses.dataclass
class State:
    """A resource as the state file has it, or as `read` found it."""

    id: str
    inputs: Properties
    outputs: Properties


@dataclasses.dataclass
class Created:
    """A new resource: its provider id and all its outputs (inputs included)."""

    id: str
    outputs: Properties


@dataclasses.dataclass(eq=False)
class Call:
    """One request of the engine."""

    client: typing.Any = None
    """What `Provider.configure` returned for this connection."""
    urn: str = ""
    name: str = ""
    type: str = ""
    preview: bool = False
    timeout: float = 0
    """Seconds from the resource's custom timeouts; 0: none given."""
    seed: bytes = b""
    """The engine's random seed for names; may be empty."""
    ignore_changes: tuple[str, ...] = ()
    """Property paths whose changes the user wants ignored (the engine has put the old inputs there already)."""
    environment: collections.abc.Callable[[], collections.abc.Mapping[str, str]] = dict
    """The environment of the engine, which a real plugin would have inherited (takes some 20 ms)."""
    cancelled: threading.Event = dataclasses.field(default_factory=threading.Event)
    """Set when the run is interrupted or the engine is gone."""
    abandoned: threading.Event = dataclasses.field(default_factory=threading.Event)
    """Set as well when the engine is gone (killed): a real plugin would die with it, halfway through."""
    log: collections.abc.Callable[[str, str, bool], None] = lambda severity, message, ephemeral: None

    def abandon(self) -> None:
        """End the waits of this call: nobody is there to hear of it any more."""
        self.abandoned.set()
        self.cancelled.set()

    def info(self, message: str) -> None:
        """A line that stays in the engine's display."""
        self.log("info", message, False)

    def warn(self, message: str) -> None:
        """A warning of this resource in the engine's display."""
        self.log("warning", message, False)

    def status(self, message: str) -> None:
        """What the resource is doing now, shown beside it while it lasts."""
        self.log("info", message, True)

    def sleep(self, seconds: float) -> None:
        """Sleep; raises Cancelled as soon as the run is interrupted."""
        if self.cancelled.wait(max(seconds, 0)):
            raise Cancelled("the operation was cancelled")

    def wait(
        self, done: collections.abc.Callable[[], typing.Any], doing: str, default: float = 600, interval: float = 0.25
    ) -> typing.Any:
        """Ask `done` until its answer is truthy and return that.

        The limit is the resource's time-out, else `default` seconds; then TimedOut "timed out: <doing>".
        The interval grows from `interval` to at most ten times that.
        """
        end, pause = time.monotonic() + (self.timeout or default), interval
        while True:
            answer = done()
            if answer:
                return answer
            if time.monotonic() >= end:
                raise TimedOut(f"timed out: {doing}")
            self.status(doing)
            self.sleep(min(pause, end - time.monotonic()))
            pause = min(pause * 1.3, interval * 10)


class Resource:
    """One resource type. `create`, `read`, `update` and `delete` are to be written; the rest has defaults."""

    replace_on: collections.abc.Collection[str] = ()
    """Inputs (top-level or dotted) whose change needs a new resource."""
    delete_before_replace: bool = False
    secret_outputs: collections.abc.Collection[str] = ()
    """Outputs that are always secret."""

    def check(self, call: Call, olds: Properties, news: Properties) -> Properties:
        """The inputs with defaults (see `autoname`) filled in; Invalid when they cannot work.

        Unknowns may be inside.
        """
        return news

    def diff(self, call: Call, state: State, inputs: Properties) -> differ.Diff:
        """What would change from `state.inputs` to `inputs`."""
        diff = differ.compare(state.inputs, inputs, self.replace_on)
        diff.delete_before_replace = self.delete_before_replace
        return diff

    def preview_outputs(self, call: Call, state: State | None, inputs: Properties) -> Properties:
        """Outputs shown at preview: known ones only, all others are taken as unknown on create.

        `state` is None for a create. The default: the inputs, over the old outputs of an update.
        """
        return {**(state.outputs if state else {}), **inputs}

    def create(self, call: Call, inputs: Properties) -> Created:
        """Make it. InitFailed when it exists but is not well; any other error means there is nothing."""
        raise NotImplementedError

    def read(self, call: Call, state: State) -> State | None:
        """What is there now, None when it is gone. On an import `state` has an id and nothing else."""
        raise NotImplementedError

    def update(self, call: Call, state: State, inputs: Properties) -> Properties:
        """Change it in place; returns all outputs."""
        raise NotImplementedError

    def delete(self, call: Call, state: State) -> None:
        """Remove it and wait until it is gone; fine when it was gone before."""
        raise NotImplementedError


Function = collections.abc.Callable[[Call, Properties], Properties]


class Provider:
    """A plugin: `name` as in resource types, `package` the SDK's distribution, whose version it reports."""

    name: str = ""
    package: str = ""
    accepts_secrets: bool = False
    resources: collections.abc.Mapping[str, Resource] = {}
    functions: collections.abc.Mapping[str, Function] = {}
    replace_on: collections.abc.Collection[str] = ()
    """Configuration whose change replaces the provider and everything it made."""

    def version(self) -> str:
        return importlib.metadata.version(self.package)

    def resource(self, type: str) -> Resource | None:
        """The resource type of a token, None when there is none."""
        return self.resources.get(type)

    def function(self, token: str) -> Function | None:
        """The function of a token, None when there is none."""
        return self.functions.get(token)

    def check_config(self, call: Call, olds: Properties, news: Properties) -> Properties:
        """The provider's configuration with defaults filled in; Invalid when it cannot work."""
        return news

    def diff_config(self, call: Call, olds: Properties, news: Properties) -> differ.Diff:
        """What a change of the provider's configuration means. Unknowns may be inside."""
        return differ.compare(olds, news, self.replace_on)

    def configure(self, call: Call, config: Properties) -> typing.Any:
        """Called once per connection; the result is `call.client` from then on. `config` is plain, nulls left out."""
        return None


def autoname(call: Call, olds: Properties, news: Properties, property: str = "name", length: int = 7) -> Properties:
    """`news` with `<resource>-<length hex digits>` as its name if it has none; a name once given is kept."""
    if property in news:
        return news
    return {**news, property: olds.get(property) or f"{call.name}-{random_suffix(call, length)}"}


def random_suffix(call: Call, length: int) -> str:
    """Hex digits for a name: from the engine's seed if it gave one (an update plan), else random."""
    return (call.seed.hex() if len(call.seed) * 2 >= length else secrets.token_hex(length))[:length]


def config_value(config: Properties, key: str, default: typing.Any = None) -> typing.Any:
    """A setting of a provider that is no string; SDKs send these as JSON text."""
    value = config.get(key, default)
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise PluginError(f"provider setting {key} is not valid JSON") from None


def serve(provider: Provider, address: str, port: int) -> typing.Any:
    """Start serving in threads of their own; returns the gRPC server (`.stop(grace)`, `.wait_for_termination()`).

    Raises OSError when the port is taken.
    """
    from lab.plugins import server

    return server.start(provider, address, port)
