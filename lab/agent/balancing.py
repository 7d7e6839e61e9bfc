"""Load balancers: listens on the addresses that Services got from the emulated cloud, and hands on to their pods.

Elsewhere the address sits on one node and its kube-proxy hands on. With `externalTrafficPolicy: Local` only pods on
that node get traffic. A connection goes to one pod: where that one does not take it, nobody does. And kube-proxy hears
of a pod's end later than the pod itself. Where the machine keeps ports below 1024 for root, 80 is 8080 and 443 is 8443.
"""

from __future__ import annotations

import asyncio
import collections.abc
import contextlib
import socket
import threading
import traceback

from lab import kube, layout
from lab.agent import names

NODE_SELECTOR = "cloud.ionos.com/node-selector"
CONNECT_SECONDS = 5.0
RETRY_SECONDS = 5.0
BEHIND_SECONDS = 1.0
"""How late changes arrive: kube-proxy writes its rules once a second by default."""
CHUNK = 65536

Address = tuple[str, int]
Targets = tuple[Address, ...]
Wanted = dict[Address, Targets]


def wanted(
    lab: layout.Lab,
    services: collections.abc.Iterable[kube.Object],
    pods: collections.abc.Sequence[kube.Object],
    nodes: collections.abc.Iterable[kube.Object],
) -> Wanted:
    """Where to listen, and which pods then answer; a port without a ready pod is left out: connections are refused."""
    labels = {node["metadata"]["name"]: node["metadata"].get("labels") or {} for node in nodes}
    known = {pod["metadata"]["uid"]: pod for pod in pods}
    found: Wanted = {}
    for service in services:
        may_hold = sorted(name for name, each in labels.items() if _matches(_selector(service), each))
        for address in _addresses(service, lab):
            everyone = names.endpoints(service, pods)
            ready = [each for each in everyone if each.ready]
            if service["spec"].get("externalTrafficPolicy") == "Local":
                node = _holder(may_hold, {each.node for each in everyone})
                ready = [each for each in ready if each.node == node]
            for port in service["spec"].get("ports", ()):
                if port.get("protocol", "TCP") != "TCP":
                    continue
                targets = tuple(
                    (each.address, lab.usable(number))
                    for each in ready
                    if (number := names.target(port, known.get(each.uid))) is not None
                )
                if targets:
                    found[address, lab.usable(port["port"])] = targets
    return found


def _holder(nodes: collections.abc.Sequence[str], with_pods: collections.abc.Set[str]) -> str | None:
    """The one node that has the address: it stays there also while none of the node's pods is ready."""
    return next((name for name in nodes if name in with_pods), None)


def _addresses(service: kube.Object, lab: layout.Lab) -> list[str]:
    """The Service's addresses of the lab's public network; others are nobody's business here."""
    if service["spec"].get("type") != "LoadBalancer" or "deletionTimestamp" in service["metadata"]:
        return []
    given = (service.get("status", {}).get("loadBalancer") or {}).get("ingress") or ()
    return [each["ip"] for each in given if each.get("ip", "").startswith(f"{lab.public_network}.")]


def _selector(service: kube.Object) -> str:
    return (service["metadata"].get("annotations") or {}).get(NODE_SELECTOR, "")


def _matches(selector: str, labels: collections.abc.Mapping[str, str]) -> bool:
    """Whether `key=value,...` matches, as the emulated cloud understands it."""
    pairs = (part.partition("=") for part in selector.split(",") if part.strip())
    return all(labels.get(key.strip()) == value.strip() for key, _, value in pairs)


def free_port() -> int:
    """A port that is free on every address of the machine."""
    with socket.create_server(("", 0)) as probe:
        return int(probe.getsockname()[1])


class Relay:
    """One listening socket; each connection goes to the next of its targets."""

    def __init__(self, targets: Targets) -> None:
        self.targets = targets
        self._next = 0
        self._server: asyncio.Server | None = None

    async def open(self, at: Address) -> None:
        """Listen; OSError when the place is taken."""
        self._server = await asyncio.start_server(self._serve, *at, reuse_address=True)

    def close(self) -> None:
        """Stop listening; connections that are open go on."""
        if self._server:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            other = await self._connect()
            if other:
                there, back = other
                await asyncio.gather(_pump(reader, back), _pump(there, writer))
                back.close()
        writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        targets = self.targets
        self._next += 1
        try:
            return await asyncio.wait_for(asyncio.open_connection(*targets[self._next % len(targets)]), CONNECT_SECONDS)
        except OSError:
            return None


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    # The other direction may still have something to say.
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()


class Balancers:
    """Keeps relays in step with what the agent sees; `wake` after each change."""

    def __init__(self, see: collections.abc.Callable[[], Wanted]) -> None:
        """`see` gives what is wanted now."""
        self._see = see
        self._loop = asyncio.new_event_loop()
        self._wake = threading.Event()
        self._relays: dict[Address, Relay] = {}
        self._extra: Wanted = {}
        self._told: set[Address] = set()

    def start(self) -> None:
        """Listen and look in two threads of their own."""
        threading.Thread(target=self._loop.run_forever, name="relays", daemon=True).start()
        threading.Thread(target=self._run, name="balancers", daemon=True).start()

    def wake(self) -> None:
        """Something changed."""
        self._wake.set()

    def add(self, at: Address, target: Address) -> None:
        """One more relay, for a program that cannot be told which address to listen on."""
        self._extra = {**self._extra, at: (target,)}
        self._wake.set()

    def remove(self, at: Address) -> None:
        """The end of what `add` began."""
        self._extra = {each: targets for each, targets in self._extra.items() if each != at}
        self._wake.set()

    def _run(self) -> None:
        while True:
            done = False
            try:
                work = self._apply({**self._see(), **self._extra})
                done = asyncio.run_coroutine_threadsafe(work, self._loop).result()
            except Exception:
                traceback.print_exc()
            self._wake.wait(None if done else RETRY_SECONDS)
            threading.Event().wait(BEHIND_SECONDS)
            self._wake.clear()

    async def _apply(self, places: Wanted) -> bool:
        """Listen where it is wanted and nowhere else; False when a place is taken."""
        for at in [at for at in self._relays if at not in places]:
            self._relays.pop(at).close()
        done = True
        for at, targets in places.items():
            if at in self._relays:
                self._relays[at].targets = targets
                continue
            relay = Relay(targets)
            try:
                await relay.open(at)
            except OSError as error:
                done = False
                if at not in self._told:
                    print(f"cannot listen on {at[0]}:{at[1]} for a load balancer: {error}", flush=True)
                self._told.add(at)
                continue
            self._told.discard(at)
            self._relays[at] = relay
        return done
