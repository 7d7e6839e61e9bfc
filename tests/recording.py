"""Run the program, or one component, against a recording engine: no plugin, no cloud, milliseconds.

Pulumi's plain `Mocks` sees neither parents nor dependencies, protection or secret markers; the monitor
does, so this subclass of the SDK's keeps each registration as the engine would get it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import pathlib
import runpy
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi.runtime
import pulumi.runtime.settings
from google.protobuf import json_format
from pulumi.runtime import mocks, stack

PROJECT = pathlib.Path(__file__).resolve().parent.parent
SIGNATURE, SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"

KUBECONFIG = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "mock",
        "contexts": [{"name": "mock", "context": {"cluster": "mock", "user": "mock"}}],
        "clusters": [{"name": "mock", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "mock", "user": {"token": "mock-token"}}],
    }
)


@dataclasses.dataclass(frozen=True)
class Registration:
    """One resource as it was registered; `inputs` without markers, `secrets` the dotted paths that had one."""

    urn: str
    type: str
    name: str
    parent: str
    inputs: dict[str, Any]
    secrets: frozenset[str]
    dependencies: frozenset[str]
    provider: str
    protect: bool
    ignore_changes: tuple[str, ...]
    timeouts: dict[str, str]


@dataclasses.dataclass
class Recording:
    """What a run registered, exported and asked."""

    resources: list[Registration] = dataclasses.field(default_factory=list)
    outputs: dict[str, Any] = dataclasses.field(default_factory=dict)
    secret_outputs: frozenset[str] = frozenset()
    warnings: list[str] = dataclasses.field(default_factory=list)

    def of_type(self, type_token: str) -> list[Registration]:
        """All resources of a type, such as `aws:iam/user:User`."""
        return [resource for resource in self.resources if resource.type == type_token]

    def one(self, type_token: str, name: str | None = None) -> Registration:
        """The only resource of that type (and name)."""
        found = [r for r in self.of_type(type_token) if name is None or r.name == name]
        assert len(found) == 1, f"{len(found)} of {type_token} {name or ''}: {[r.name for r in self.resources]}"
        return found[0]


class _Answers(mocks.Mocks):
    """Plausible outputs where the program reads one."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        state = dict(args.inputs)
        match args.typ:
            case "ionoscloud:compute/iPBlock:IPBlock":
                state["ips"] = [f"203.0.113.{n + 1}" for n in range(int(args.inputs.get("size", 1)))]
            case "ionoscloud:compute/lan:Lan":
                state |= {"ipv4CidrBlock": None if args.inputs.get("public") else "10.7.5.0/24"}
                return "5", state
            case "aws:route53/zone:Zone":
                zone = f"Z{abs(hash(args.name)) % 10**12:012d}"
                state |= {"zoneId": zone, "nameServers": ["ns-1.example.net", "ns-2.example.net"]}
                return zone, state
            case "aws:iam/accessKey:AccessKey":
                state |= {"secret": f"SECRET-OF-{args.name}"}
                return f"AKIA{args.name.upper()}", state
            case "tls:index/privateKey:PrivateKey":
                state |= {"privateKeyPem": "PRIVATE KEY PEM"}
            case "tls:index/selfSignedCert:SelfSignedCert":
                state |= {"certPem": "CERTIFICATE PEM"}
            case "kubernetes:core/v1:Secret" if args.inputs.get("type") == "kubernetes.io/service-account-token":
                state |= {"data": {"token": "Zm9yZXZlcg=="}}
        return f"{args.name}-id", state

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:  # type: ignore[override]
        match args.token:
            case "ionoscloud:k8s/getCluster:getCluster":
                return {"id": args.args.get("id"), "kubeConfig": KUBECONFIG, "k8sVersion": "1.34.3", "name": "mock"}
            case "aws:route53/getZone:getZone":
                return self._zone(args.args)
            case "aws:index/getCallerIdentity:getCallerIdentity":
                return {"accountId": "123456789012"}
        return {}

    def __init__(self, zones: dict[str, Any]) -> None:
        self.zones = {key: zone if isinstance(zone, dict) else {"name": zone} for key, zone in zones.items()}

    def _zone(self, args: dict[str, Any]) -> Any:
        """As the real plugin answers; its errors as check failures, the only ones that the mocks know."""
        if "zoneId" in args:
            found = {key: zone for key, zone in self.zones.items() if key == args["zoneId"]}
            problem = "couldn't find resource"
        else:
            found = {key: zone for key, zone in self.zones.items()
                     if zone["name"] == args["name"] and not zone.get("privateZone")}  # fmt: skip
            several = "multiple Route 53 Hosted Zones matched; use additional constraints"
            problem = several if found else "no matching Route 53 Hosted Zone found"
        failing = [zone["error"] for zone in found.values() if "error" in zone]
        if len(found) != 1 or failing:
            return {}, [("", next(iter(failing), problem))]
        ((key, zone),) = found.items()
        return {"zoneId": key, "nameServers": ["ns-9.example.net"], "privateZone": False, **zone}


class _Monitor(mocks.MockMonitor):
    def __init__(self, answers: _Answers, recording: Recording) -> None:
        super().__init__(answers)
        self.recording = recording

    def RegisterResource(self, request: Any) -> Any:
        response = super().RegisterResource(request)
        if request.type == "pulumi:pulumi:Stack":
            return response
        raw = json_format.MessageToDict(request.object)
        secrets: set[str] = set()
        inputs = _plain(raw, "", secrets)
        timeouts = {k: getattr(request.customTimeouts, k) for k in ("create", "update", "delete")}
        self.recording.resources.append(
            Registration(
                urn=response.urn,
                type=request.type,
                name=request.name,
                parent=request.parent,
                inputs=inputs,
                secrets=frozenset(secrets),
                dependencies=frozenset(request.dependencies),
                provider=request.provider or dict(request.providers).get("", ""),
                protect=bool(request.protect),
                ignore_changes=tuple(request.ignoreChanges),
                timeouts={k: v for k, v in timeouts.items() if v},
            )
        )
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:
        if "::pulumi:pulumi:Stack::" in request.urn:
            secrets: set[str] = set()
            raw = json_format.MessageToDict(request.outputs)
            self.recording.outputs = _plain(raw, "", secrets)
            self.recording.secret_outputs = frozenset(secrets)
        return super().RegisterResourceOutputs(request)


def run(
    program: Callable[[], None],
    *,
    stack_name: str = "test",
    config: dict[str, str] | None = None,
    secret_keys: tuple[str, ...] = (),
    zones: dict[str, Any] | None = None,
    preview: bool = False,
) -> Recording:
    """Run a program and wait until everything it started has ended; errors are raised here."""
    recording = Recording()
    answers = _Answers(zones or {})
    # A fresh loop per run: the SDK keeps its pending calls on the one that is current.
    outside, loop = asyncio.get_event_loop(), asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        mocks.set_mocks(
            answers, project="gitops-platform", stack=stack_name, preview=preview,
            monitor=_Monitor(answers, recording), logger=logging.getLogger("recording"),
        )  # fmt: skip
        # What a run that failed left behind would be waited for on its closed loop.
        pulumi.runtime.settings.SETTINGS.rpc_manager.clear()
        pulumi.runtime.settings.SETTINGS.outputs.clear()
        pulumi.runtime.settings.set_root_resource(None)  # set_mocks made a stack; run_in_stack makes the real one
        pulumi.runtime.set_all_config(config or {}, list(secret_keys))
        handler = _Warnings(recording)
        log = logging.getLogger("recording")
        log.handlers, log.propagate = [handler], False

        async def whole() -> None:
            await stack.run_in_stack(program)

        loop.run_until_complete(whole())
    finally:
        _end(loop)
        loop.close()
        asyncio.set_event_loop(outside)  # for whoever uses the SDK next in this test
    return recording


def _end(loop: asyncio.AbstractEventLoop) -> None:
    """Let what the SDK left waiting, for good after an error, come to its end: Python complains of it otherwise."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))


def run_main(stack_name: str, config: dict[str, str], secret_keys: tuple[str, ...] = (), **more: Any) -> Recording:
    """Run `__main__.py` as the engine does."""

    def program() -> None:
        runpy.run_path(str(PROJECT / "__main__.py"), run_name="__main__")

    return run(program, stack_name=stack_name, config=config, secret_keys=secret_keys, **more)


class _Warnings(logging.Handler):
    def __init__(self, recording: Recording) -> None:
        super().__init__(logging.WARNING)
        self.recording = recording

    def emit(self, record: logging.LogRecord) -> None:
        self.recording.warnings.append(record.getMessage())


def _plain(value: Any, path: str, secrets: set[str]) -> Any:
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            secrets.add(path)
            return _plain(value["value"], path, secrets)
        return {key: _plain(item, f"{path}.{key}".lstrip("."), secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, f"{path}[{place}]", secrets) for place, item in enumerate(value)]
    return value
