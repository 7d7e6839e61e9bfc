"""Load balancers of the node agent: where they listen, which pods answer, and that bytes arrive."""

from __future__ import annotations

import asyncio
import pathlib
from typing import Any

import pytest

from lab import layout
from lab.agent import balancing

LAB = layout.Lab(pathlib.Path("nowhere"), 77, {})
ADDRESS = "127.77.200.1"


def service(policy: str = "Cluster", address: str | None = ADDRESS, selector: str = "pool=ingress") -> dict[str, Any]:
    ingress = [{"ip": address}] if address else []
    return {
        "metadata": {
            "name": "web", "namespace": "shop", "uid": "s", "annotations": {balancing.NODE_SELECTOR: selector},
        },
        "spec": {
            "type": "LoadBalancer",
            "selector": {"app": "web"},
            "externalTrafficPolicy": policy,
            "ports": [
                {"name": "http", "port": 80, "targetPort": "http"},
                {"name": "alt", "port": 9000, "targetPort": 9001},
                {"name": "quic", "port": 443, "protocol": "UDP", "targetPort": 443},
            ],
        },
        "status": {"loadBalancer": {"ingress": ingress}},
    }  # fmt: skip


def pod(name: str, address: str, node: str, ready: bool = True, port: int = 8000) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "shop", "uid": name, "labels": {"app": "web"}},
        "spec": {"nodeName": node, "containers": [{"ports": [{"name": "http", "containerPort": port}]}]},
        "status": {
            "phase": "Running", "podIP": address, "conditions": [{"type": "Ready", "status": str(ready)}],
        },
    }  # fmt: skip


NODES = [
    {"metadata": {"name": "in", "labels": {"pool": "ingress"}}},
    {"metadata": {"name": "other", "labels": {"pool": "default"}}},
]
PODS = [pod("a", "127.77.1.1", "in"), pod("b", "127.77.1.2", "other"), pod("c", "127.77.1.3", "in", ready=False)]


@pytest.fixture(autouse=True)
def _root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "_may_use_low_ports", lambda _address: True)


def test_every_ready_pod_answers_on_the_services_address_by_the_pods_own_port() -> None:
    assert balancing.wanted(LAB, [service()], PODS, NODES) == {
        (ADDRESS, 80): (("127.77.1.1", 8000), ("127.77.1.2", 8000)),
        (ADDRESS, 9000): (("127.77.1.1", 9001), ("127.77.1.2", 9001)),
    }, "UDP is left out, the unready pod too"


def test_local_traffic_stays_on_the_one_node_that_has_the_address() -> None:
    found = balancing.wanted(LAB, [service("Local")], PODS, NODES)
    assert found[ADDRESS, 80] == (("127.77.1.1", 8000),)
    assert balancing.wanted(LAB, [service("Local", selector="pool=none")], PODS, NODES) == {}
    anywhere = balancing.wanted(LAB, [service("Local", selector="")], PODS, NODES)
    assert anywhere[ADDRESS, 80] == (("127.77.1.1", 8000),), "an address is on one node, not on all that may have it"


def test_local_traffic_does_not_move_to_another_node_while_a_pod_is_not_ready() -> None:
    nodes = [*NODES, {"metadata": {"name": "in-2", "labels": {"pool": "ingress"}}}]
    pods = [pod("c", "127.77.1.3", "in", ready=False), pod("d", "127.77.1.4", "in-2")]
    assert balancing.wanted(LAB, [service("Local")], pods, nodes) == {}, "the cloud does not look at pods"


@pytest.mark.parametrize(
    "changed",
    [
        service(address=None),
        service(address="203.0.113.1"),
        service() | {"spec": {**service()["spec"], "type": "ClusterIP"}},
        service() | {"metadata": {**service()["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}},
    ],
    ids=["no address yet", "an address of others", "no load balancer", "going away"],
)
def test_nothing_listens_for(changed: dict[str, Any]) -> None:
    assert balancing.wanted(LAB, [changed], PODS, NODES) == {}


def test_without_a_ready_pod_connections_are_refused_because_nobody_listens() -> None:
    assert balancing.wanted(LAB, [service()], [PODS[2]], NODES) == {}


def test_low_ports_are_shifted_on_both_sides_where_the_machine_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "_may_use_low_ports", lambda _address: False)
    found = balancing.wanted(LAB, [service()], [pod("a", "127.77.1.1", "in", port=80)], NODES)
    assert found[ADDRESS, 8080] == (("127.77.1.1", 8080),)


async def _echo(prefix: bytes) -> tuple[asyncio.Server, int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(prefix + await reader.read())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def _say(port: int, text: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def test_a_relay_hands_on_both_ways_and_takes_turns() -> None:
    async def scenario() -> list[bytes]:
        (one, first), (two, second) = await _echo(b"1:"), await _echo(b"2:")
        port, dead = balancing.free_port(), balancing.free_port()
        relay = balancing.Relay((("127.0.0.1", first), ("127.0.0.1", second)))
        await relay.open(("127.0.0.1", port))
        answers = [await _say(port, b"x" * 200_000) for _ in range(4)]
        relay.targets = (("127.0.0.1", dead), ("127.0.0.1", first))
        answers += [await _say(port, b"y") for _ in range(2)]
        for server in (one, two):
            server.close()
        relay.close()
        return answers

    answers = asyncio.run(scenario())
    assert {answer[:2] for answer in answers[:4]} == {b"1:", b"2:"}, "all living targets get their turn"
    assert all(len(answer) == 200_002 for answer in answers[:4]), "everything arrives, also after a half-close"
    assert sorted(answers[4:]) == [b"", b"1:y"], "a connection to a dead target is lost, as with kube-proxy"
