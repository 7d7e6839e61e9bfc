"""What every plugin stand-in is built on: property values, differences, the provider protocol."""

from __future__ import annotations

import importlib.metadata
import os
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import grpc
import hypothesis
import pytest
from google.protobuf import empty_pb2
from hypothesis import strategies as st
from pulumi.runtime.proto import plugin_pb2, provider_pb2, status_pb2

from lab.plugins import base, connections, differ, engine, server, values
from tests import plugin_client

TYPE = "fake:module:Thing"

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.just(values.UNKNOWN)
    | st.builds(values.Reference, st.text(min_size=1, max_size=5), st.text(max_size=5))
)
keys = st.text(max_size=3)
marked = st.recursive(
    leaves,
    lambda inner: (
        st.builds(values.Secret, inner) | st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=6,
)
properties_of_resources = st.dictionaries(keys, marked, max_size=3)


@hypothesis.settings(max_examples=50, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
@hypothesis.given(properties_of_resources)
def test_values_survive_the_wire(properties: dict[str, Any]) -> None:
    assert values.from_struct(values.to_struct(properties)) == properties


@hypothesis.settings(max_examples=50, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
@hypothesis.given(properties_of_resources)
def test_plain_values_hold_no_secret_mark_and_comparing_them_finds_none_either(properties: dict[str, Any]) -> None:
    bare = values.plain(properties)
    assert not values.contains(bare, values.Secret)
    if not values.contains(bare, values.UNKNOWN):
        assert differ.compare(properties, bare).changes == {}


def test_a_number_without_fraction_is_an_int() -> None:
    assert repr(values.from_struct(values.to_struct({"port": 80.0, "share": 0.5}))) == "{'port': 80, 'share': 0.5}"


def test_unknowns_of_every_type_and_unknown_outputs_are_unknown() -> None:
    marks = {str(number): mark for number, mark in enumerate(sorted(values.UNKNOWN_MARKS))}
    output = {values.SIGNATURE_KEY: values.OUTPUT}
    known = {values.SIGNATURE_KEY: values.OUTPUT, "value": 1, "secret": True}
    struct = values.to_struct({**marks, "output": values.Opaque(output), "known": values.Opaque(known)})
    found = values.from_struct(struct)
    assert found.pop("known") == values.Secret(1)
    assert set(found.values()) == {values.UNKNOWN}


def test_assets_pass_through_untouched() -> None:
    asset = {values.SIGNATURE_KEY: "c44067f5952c0a294b673a41bacd8c17", "text": "hello"}
    assert values.from_struct(values.to_struct({"a": values.Opaque(asset)})) == {"a": values.Opaque(asset)}


def test_a_secret_does_not_show_in_its_repr() -> None:
    assert "CANARY" not in repr(values.Secret({"a": "CANARY"})), "log lines and tracebacks print reprs"


def test_secret_marks_are_copied_to_the_same_place_and_to_a_whole_list() -> None:
    model = {"a": {"b": values.Secret("x"), "c": 1}, "list": [1, values.Secret(2)]}
    marked = values.mark_like({"a": {"b": "new", "c": 2, "d": 3}, "list": [5, 6]}, model)
    assert marked == {"a": {"b": values.Secret("new"), "c": 2, "d": 3}, "list": values.Secret([5, 6])}


def test_differences_are_told_by_path() -> None:
    old = {"a": 1, "gone": 1, "spec": {"ports": [{"port": 1}, {"port": 2}]}, "labels": {"x.y/z": "1"}, "flag": True}
    new = {"a": 1, "new": 1, "spec": {"ports": [{"port": 3}]}, "labels": {"x.y/z": "2"}, "flag": 1, "absent": None}
    changes = {differ.path_text(path): kind for path, kind in differ.compare(old, new).changes.items()}
    assert changes == {
        "gone": "delete",
        "new": "add",
        "spec.ports[0].port": "update",
        "spec.ports[1]": "delete",
        'labels["x.y/z"]': "update",
        "flag": "update",
    }


def test_only_a_change_of_the_named_properties_replaces() -> None:
    old = {"name": "a", "spec": {"zone": "x", "size": 1}}
    assert differ.compare(old, {"name": "a", "spec": {"zone": "x", "size": 2}}, ["name", "spec.zone"]).replace == set()
    assert differ.compare(old, {"name": "a", "spec": {"zone": "y"}}, ["name", "spec.zone"]).replace == {
        ("spec", "zone")
    }
    assert differ.compare(old, {"name": "a"}, ["spec.zone"]).replace == {("spec",)}, (
        "the parent went, and the zone with it"
    )


def test_what_is_not_known_counts_as_changed() -> None:
    assert differ.compare({"a": "x"}, {"a": values.Secret(values.UNKNOWN)}).changes == {("a",): "update"}


class Context:
    """What gRPC hands to a request."""

    def __init__(self, peer: str = "ipv4:127.0.0.1:1000") -> None:
        self._peer = peer
        self.code: grpc.StatusCode | None = None
        self.details = ""
        self.trailing: Any = None
        self.ended: list[Any] = []

    def peer(self) -> str:
        return self._peer

    def add_callback(self, callback: Any) -> bool:
        self.ended.append(callback)
        return True

    def abort(self, code: grpc.StatusCode, details: str) -> None:
        self.code, self.details = code, details
        raise Aborted

    def abort_with_status(self, status: Any) -> None:
        self.trailing = dict(status.trailing_metadata)
        self.abort(status.code, status.details)


class Aborted(Exception):
    pass


class Thing(base.Resource):
    replace_on = ("zone",)
    secret_outputs = ("password",)

    def check(self, call: base.Call, olds: base.Properties, news: base.Properties) -> base.Properties:
        if "bad" in news:
            raise base.Invalid({"bad": "is not wanted"})
        return base.autoname(call, olds, news)

    def create(self, call: base.Call, inputs: base.Properties) -> base.Created:
        if inputs.get("fail") == "init":
            raise base.InitFailed("id", {"password": "CANARY"}, ["not ready", "because"])
        if inputs.get("fail") == "plain":
            raise base.PluginError("no quota")
        if inputs.get("fail") == "bug":
            raise KeyError("x")
        if inputs.get("fail") == "wait":
            call.wait(lambda: False, "it never comes", default=30)
        return base.Created("id", {**inputs, "password": "CANARY", "client": call.client, "timeout": call.timeout})


class Fake(base.Provider):
    name, package = "fake", "pulumi"
    resources = {TYPE: Thing()}
    functions = {"fake:module:get": lambda call, args: {"seen": args, "client": call.client}}

    def configure(self, call: base.Call, config: base.Properties) -> Any:
        return config["cluster"]


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> server.Servicer:
    monkeypatch.setattr(engine, "owner", lambda _peer, _port: os.getuid())
    return server.Servicer(Fake(), 7001)


def configured(plugin: server.Servicer, cluster: str, peer: str) -> Context:
    plugin.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address=""), Context(peer))
    plugin.Configure(
        provider_pb2.ConfigureRequest(args=values.to_struct({"cluster": values.Secret(cluster)})), Context(peer)
    )
    return Context(peer)


def create(plugin: server.Servicer, context: Context, **inputs: Any) -> Any:
    request = provider_pb2.CreateRequest(
        urn=f"urn:pulumi:s::p::parent:x:Y${TYPE}::thing", properties=values.to_struct(inputs), timeout=7
    )
    return plugin.Create(request, context)


def test_each_connection_has_its_own_configuration(plugin: server.Servicer) -> None:
    old, new = configured(plugin, "old", "ipv4:127.0.0.1:1"), configured(plugin, "new", "ipv4:127.0.0.1:2")
    found = [values.from_struct(create(plugin, context).properties)["client"] for context in (old, new, old)]
    assert found == ["old", "new", "old"], "one update talks to the old and to the new cluster"


def test_time_limits_reach_the_resource_and_its_secrets_are_marked(plugin: server.Servicer) -> None:
    response = create(plugin, configured(plugin, "c", "p"))
    outputs = values.from_struct(response.properties)
    assert outputs["timeout"] == 7
    assert outputs["password"] == values.Secret("CANARY")


def test_a_resource_that_did_not_come_up_is_reported_with_its_state(plugin: server.Servicer) -> None:
    context = configured(plugin, "c", "p")
    with pytest.raises(Aborted):
        create(plugin, context, fail="init")
    detail = provider_pb2.ErrorResourceInitFailed()
    status_pb2.Status.FromString(context.trailing["grpc-status-details-bin"]).details[0].Unpack(detail)
    assert (detail.id, list(detail.reasons)) == ("id", ["not ready", "because"])
    assert values.from_struct(detail.properties) == {"password": values.Secret("CANARY")}


@pytest.mark.parametrize(
    ("fail", "code"), [("plain", grpc.StatusCode.FAILED_PRECONDITION), ("bug", grpc.StatusCode.INTERNAL)]
)
def test_an_error_that_is_understood_leaves_no_pending_operation(plugin: server.Servicer, fail: str, code: Any) -> None:
    context = configured(plugin, "c", "p")
    with pytest.raises(Aborted):
        create(plugin, context, fail=fail)
    assert context.code is code, "the engine takes INTERNAL for `the resource's state is unknown`"


@pytest.mark.parametrize("how", ["cancel", "engine killed"])
def test_an_interrupted_run_ends_its_waits_and_no_others(plugin: server.Servicer, how: str) -> None:
    context = configured(plugin, "c", "ipv4:127.0.0.1:1")

    def interrupt() -> None:
        if how == "cancel":
            plugin.Cancel(empty_pb2.Empty(), Context("ipv4:127.0.0.1:1"))
        else:
            for callback in context.ended:
                callback()

    threading.Timer(0.2, interrupt).start()
    started = time.monotonic()
    with pytest.raises(Aborted):
        create(plugin, context, fail="wait")
    assert context.code is grpc.StatusCode.CANCELLED
    assert time.monotonic() - started < 5
    again = configured(plugin, "d", "ipv4:127.0.0.1:1")
    call_ends = threading.Timer(0.3, lambda: plugin.Cancel(empty_pb2.Empty(), again))
    call_ends.start()
    started = time.monotonic()
    with pytest.raises(Aborted):
        create(plugin, again, fail="wait")
    assert time.monotonic() - started >= 0.25, "a later connection from the same port was not cancelled"


def test_refused_inputs_are_failures_and_not_errors(plugin: server.Servicer) -> None:
    request = provider_pb2.CheckRequest(urn=f"urn:pulumi:s::p::{TYPE}::n", news=values.to_struct({"bad": 1}))
    response = plugin.Check(request, configured(plugin, "c", "p"))
    assert [(failure.property, failure.reason) for failure in response.failures] == [("bad", "is not wanted")]


def test_a_name_once_given_is_kept(plugin: server.Servicer) -> None:
    context = configured(plugin, "c", "p")
    request = provider_pb2.CheckRequest(urn=f"urn:pulumi:s::p::{TYPE}::n", news=values.to_struct({"size": None}))
    first = values.from_struct(plugin.Check(request, context).inputs)
    assert first["name"].startswith("n-")
    assert "size" not in first, "an absent input arrives as null"
    request.olds.CopyFrom(values.to_struct(first))
    assert values.from_struct(plugin.Check(request, context).inputs) == first


def test_a_diff_names_paths_and_replacements(plugin: server.Servicer) -> None:
    request = provider_pb2.DiffRequest(
        id="id",
        urn=f"urn:pulumi:s::p::{TYPE}::n",
        old_inputs=values.to_struct({"zone": "a", "tags": {"x": "1"}}),
        news=values.to_struct({"zone": "b", "tags": {"x": "2"}}),
    )
    diff = plugin.Diff(request, configured(plugin, "c", "p"))
    kinds = {path: change.kind for path, change in diff.detailedDiff.items()}
    assert kinds == {"zone": provider_pb2.PropertyDiff.UPDATE_REPLACE, "tags.x": provider_pb2.PropertyDiff.UPDATE}
    assert list(diff.replaces) == ["zone"]
    request.news.CopyFrom(request.old_inputs)
    assert plugin.Diff(request, configured(plugin, "c", "p")).changes == provider_pb2.DiffResponse.DIFF_NONE


def test_functions_get_the_connection_and_unknown_ones_are_named(plugin: server.Servicer) -> None:
    context = configured(plugin, "c", "p")
    request = provider_pb2.InvokeRequest(tok="fake:module:get", args=values.to_struct({"a": 1}))
    assert values.from_struct(getattr(plugin.Invoke(request, context), "return")) == {"seen": {"a": 1}, "client": "c"}
    request.tok = "fake:module:other"
    with pytest.raises(Aborted):
        plugin.Invoke(request, context)
    assert "fake:module:other" in context.details


def test_another_users_process_is_refused_whatever_it_asks(
    plugin: server.Servicer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = configured(plugin, "c", "ipv4:127.0.0.1:2")
    monkeypatch.setattr(engine, "owner", lambda _peer, _port: os.getuid() + 1)
    theirs = Context("ipv4:127.0.0.1:3")
    asked = [
        (plugin.Handshake, provider_pb2.ProviderHandshakeRequest(engine_address="")),
        (plugin.Configure, provider_pb2.ConfigureRequest(args=values.to_struct({"cluster": "c"}))),
        (plugin.Create, provider_pb2.CreateRequest(urn=f"urn:pulumi:s::p::{TYPE}::thing")),
        (plugin.Attach, plugin_pb2.PluginAttach(address="127.0.0.1:1")),
    ]
    for method, request in asked:
        theirs.code = None
        with pytest.raises(Aborted):
            method(request, theirs)
        assert theirs.code is grpc.StatusCode.PERMISSION_DENIED, "a kubeconfig can name a command to run"
    assert create(plugin, ours).id == "id", "one that is at work is not looked up again"
    monkeypatch.setattr(connections, "IDLE_SECONDS", -1)
    with pytest.raises(Aborted):
        create(plugin, ours)
    monkeypatch.setattr(engine, "owner", lambda _peer, _port: None)
    with pytest.raises(Aborted):
        create(plugin, theirs)


def test_a_served_plugin_looks_up_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    with plugin_client.serving(Fake()) as port:
        assert plugin_client.Plugin(port, cluster="c").check(TYPE, "n", {"name": "a"}) == {"name": "a"}
        monkeypatch.setattr(os, "getuid", lambda: 123456)
        with pytest.raises(grpc.RpcError, match="serves the user only whose lab it is"):
            plugin_client.Plugin(port)


def test_the_plugin_has_the_version_of_its_sdk(plugin: server.Servicer) -> None:
    assert plugin.GetPluginInfo(empty_pb2.Empty(), Context()).version == importlib.metadata.version("pulumi")


def test_settings_that_are_no_strings_arrive_as_json() -> None:
    assert base.config_value({"flag": "true", "list": "[1]"}, "flag") is True
    assert base.config_value({"list": "[1]"}, "list") == [1]
    assert base.config_value({}, "flag", False) is False
    with pytest.raises(base.PluginError, match="flag"):
        base.config_value({"flag": "{"}, "flag")


def test_the_environment_of_the_engine_is_that_of_the_process_at_the_other_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        program = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1]))).recv(1)"
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(listener.getsockname()[1])], env={"MARK": "engine"}
        )
        try:
            connection, (address, port) = listener.accept()
            with connection:
                assert engine.environment(f"ipv4:{address}:{port}")["MARK"] == "engine"
                here = listener.getsockname()[1]
                assert engine.owner(f"ipv4:{address}:{port}", here) == os.getuid()
                assert engine.owner(f"ipv4:{address}:{port}", here + 1) is None, "a connection to somewhere else"
        finally:
            process.wait(10)
    assert engine.environment("unix:") == {}
    assert engine.environment("ipv4:127.0.0.1:1") == {}
