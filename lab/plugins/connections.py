"""The engine's connections to a plugin's server.

One attached server has many: of several runs, and within one run one per provider resource (the provider of
an old and of a new cluster, say). What belongs to a connection is found by its peer, "ipv4:127.0.0.1:50123".
"""

from __future__ import annotations

import collections
import contextlib
import os
import threading
import time
import typing

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from lab.plugins import base, engine

SEVERITY = {
    "debug": engine_pb2.DEBUG,
    "info": engine_pb2.INFO,
    "warning": engine_pb2.WARNING,
    "error": engine_pb2.ERROR,
}


LOOKS = 3
"""The kernel's table can lack a connection for a moment, while others come and go."""

IDLE_SECONDS = 1.0
"""After this, whose connection it is is looked up again (some 20 ms): the port may be another process's by now."""


class Refused(base.PluginError):
    """Somebody else's connection."""


class Connection:
    """What is known about one connection of an engine."""

    def __init__(self, engine: str = "") -> None:
        self.client: typing.Any = None
        self.seen = time.monotonic()
        self.cancelled = threading.Event()
        self._calls: set[base.Call] = set()
        self._lock = threading.Lock()
        self._engine = engine
        self._channel: grpc.Channel | None = None

    def cancel(self) -> None:
        """End every wait of this connection, now and later."""
        with self._lock:
            self.cancelled.set()
            calls = list(self._calls)
        for call in calls:
            call.cancelled.set()

    def add(self, call: base.Call) -> None:
        """Take note of a running call, so that it can be cancelled."""
        with self._lock:
            self._calls.add(call)
            if self.cancelled.is_set():
                call.cancelled.set()

    def remove(self, call: base.Call) -> None:
        with self._lock:
            self._calls.discard(call)
            self.seen = time.monotonic()

    def idle(self) -> bool:
        """Whether nothing has been asked for so long that another process may have its port by now."""
        with self._lock:
            return not self._calls and time.monotonic() - self.seen > IDLE_SECONDS

    def log(self, urn: str, severity: str, message: str, ephemeral: bool) -> None:
        """Show a message in the engine's display; an engine that is gone is no error."""
        if not self._engine or not (message or ephemeral):
            return
        with self._lock:
            if self._channel is None:
                self._channel = grpc.insecure_channel(self._engine)
        request = engine_pb2.LogRequest(severity=SEVERITY[severity], message=message, urn=urn, ephemeral=ephemeral)
        with contextlib.suppress(grpc.RpcError, ValueError):
            engine_pb2_grpc.EngineStub(self._channel).Log(request, timeout=5)

    def close(self) -> None:
        with self._lock:
            if self._channel is not None:
                self._channel.close()


class Connections:
    """The connections of a server by peer; the longest unused ones are forgotten (nobody tells when one closes).

    `port`: that of the server.
    """

    def __init__(self, port: int, kept: int = 256) -> None:
        self._port = port
        self._kept = kept
        self._by_peer: collections.OrderedDict[str, Connection] = collections.OrderedDict()
        self._lock = threading.Lock()

    def open(self, peer: str, engine: str) -> Connection:
        """A new connection (a handshake); a former one from the same port is forgotten. Refused: not this user's."""
        _admit(peer, self._port)
        with self._lock:
            dropped = [self._by_peer.pop(peer)] if peer in self._by_peer else []
            connection = self._by_peer[peer] = Connection(engine)
            while len(self._by_peer) > self._kept:
                dropped.append(self._by_peer.popitem(last=False)[1])
        for old in dropped:
            old.close()
        return connection

    def get(self, peer: str, engine: str = "") -> Connection:
        """The connection of a peer; a new one where there was no handshake (older engines)."""
        with self._lock:
            known = self._by_peer.get(peer)
            if known:
                self._by_peer.move_to_end(peer)
        if known is None:
            return self.open(peer, engine)
        if known.idle():
            _admit(peer, self._port)
        return known


def _admit(peer: str, port: int) -> None:
    # Every user of the machine can connect to a port, and a kubeconfig may name a command to run.
    looks = (engine.owner(peer, port) for _ in range(LOOKS))
    if next((found for found in looks if found is not None), None) != os.getuid():
        raise Refused("this plugin serves the user only whose lab it is")
