"""The engine's side of the provider protocol, as far as tests need it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from lab.plugins import base, values


@dataclass
class Init:
    """A resource that exists but failed to become ready."""

    id: str
    outputs: dict[str, Any]
    reasons: list[str]
    inputs: dict[str, Any]


class Failed(Exception):
    """A request's error; `code` as in gRPC, `init` when the resource is there all the same."""

    def __init__(self, error: grpc.RpcError) -> None:
        super().__init__(error.details())
        self.code: grpc.StatusCode = error.code()
        self.init: Init | None = None
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                detail = provider_pb2.ErrorResourceInitFailed()
                status_pb2.Status.FromString(value).details[0].Unpack(detail)
                self.init = Init(
                    detail.id,
                    values.from_struct(detail.properties),
                    list(detail.reasons),
                    values.from_struct(detail.inputs),
                )


@dataclass
class Resource:
    """What the engine's state holds of a resource."""

    urn: str
    id: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]


class Plugin:
    """One connection to a plugin."""

    def __init__(self, port: int, **config: Any) -> None:
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)])
        self.stub = provider_pb2_grpc.ResourceProviderStub(self.channel)
        self.stub.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address=""))
        if config:
            self.ask("Configure", provider_pb2.ConfigureRequest(args=values.to_struct(config), acceptSecrets=True))

    def ask(self, method: str, request: Any) -> Any:
        """One request; raises Failed."""
        try:
            return getattr(self.stub, method)(request)
        except grpc.RpcError as error:
            raise Failed(error) from None

    def cancel(self) -> None:
        self.ask("Cancel", empty_pb2.Empty())

    def check(self, type: str, name: str, news: dict[str, Any], olds: dict[str, Any] | None = None) -> dict[str, Any]:
        """The checked inputs; raises AssertionError for inputs that were refused."""
        request = provider_pb2.CheckRequest(
            urn=urn(type, name), news=values.to_struct(news), olds=values.to_struct(olds or {})
        )
        response = self.ask("Check", request)
        assert not response.failures, [failure.reason for failure in response.failures]
        return values.from_struct(response.inputs)

    def create(
        self, type: str, name: str, inputs: dict[str, Any], timeout: float = 0, preview: bool = False
    ) -> Resource:
        """Check and create."""
        checked = self.check(type, name, inputs)
        request = provider_pb2.CreateRequest(
            urn=urn(type, name), properties=values.to_struct(checked), timeout=timeout, preview=preview
        )
        response = self.ask("Create", request)
        return Resource(urn(type, name), response.id, checked, values.from_struct(response.properties))

    def diff(self, resource: Resource, inputs: dict[str, Any], ignore: tuple[str, ...] = ()) -> Any:
        """The plugin's answer for changed inputs (checked first)."""
        type, name = resource.urn.split("::")[2:]
        checked = self.check(type, name, inputs, resource.inputs)
        request = provider_pb2.DiffRequest(
            id=resource.id,
            urn=resource.urn,
            olds=values.to_struct(resource.outputs),
            old_inputs=values.to_struct(resource.inputs),
            news=values.to_struct(checked),
            ignoreChanges=ignore,
        )
        return self.ask("Diff", request)

    def update(
        self,
        resource: Resource,
        inputs: dict[str, Any],
        timeout: float = 0,
        preview: bool = False,
        ignore: tuple[str, ...] = (),
    ) -> Resource:
        """Check and update."""
        type, name = resource.urn.split("::")[2:]
        checked = self.check(type, name, inputs, resource.inputs)
        request = provider_pb2.UpdateRequest(
            id=resource.id,
            urn=resource.urn,
            olds=values.to_struct(resource.outputs),
            old_inputs=values.to_struct(resource.inputs),
            news=values.to_struct(checked),
            timeout=timeout,
            preview=preview,
            ignoreChanges=ignore,
        )
        outputs = values.from_struct(self.ask("Update", request).properties)
        return Resource(resource.urn, resource.id, checked, outputs)

    def read(self, resource: Resource) -> Resource | None:
        """What a refresh makes of it; None: gone."""
        request = provider_pb2.ReadRequest(
            id=resource.id,
            urn=resource.urn,
            properties=values.to_struct(resource.outputs),
            inputs=values.to_struct(resource.inputs),
        )
        response = self.ask("Read", request)
        if not response.id:
            return None
        inputs, outputs = values.from_struct(response.inputs), values.from_struct(response.properties)
        return Resource(resource.urn, response.id, inputs, outputs)

    def delete(self, resource: Resource, timeout: float = 0) -> None:
        request = provider_pb2.DeleteRequest(
            id=resource.id,
            urn=resource.urn,
            properties=values.to_struct(resource.outputs),
            old_inputs=values.to_struct(resource.inputs),
            timeout=timeout,
        )
        self.ask("Delete", request)


def urn(type: str, name: str) -> str:
    return f"urn:pulumi:test::project::{type}::{name}"


@contextlib.contextmanager
def serving(provider: base.Provider) -> Iterator[int]:
    """The port at which a provider is served meanwhile."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = base.serve(provider, "127.0.0.1", port)
    try:
        yield port
    finally:
        server.stop(grace=0).wait()
