"""The work behind the emulated cloud's answers: it brings every object to the end of what was ordered.

What is to be done is written in the store, so a new emulator finishes what a killed one had begun. Every step can be
done twice.
"""

from __future__ import annotations

import collections.abc
import logging
import threading
import time
import typing

from lab.cloud import nodes
from lab.cloud import store as stores

Json = dict[str, typing.Any]

LOG = logging.getLogger("lab.cloud")
PATIENCE_SECONDS = 180
"""How long a step that fails is tried again before its object is FAILED."""

FAILED = {"create": "FAILED", "update": "FAILED_UPDATING", "delete": "FAILED_DESTROYING"}


class Worker:
    """Finishes ordered work, each object in a thread of its own.

    `ready` makes the control plane answer, or raises; `reset` throws it away with everything in it (a deleted cluster
    leaves nothing, and nobody answers any more).
    """

    def __init__(
        self,
        store: stores.Store,
        registry: nodes.Registry,
        ready: collections.abc.Callable[[], object],
        reset: collections.abc.Callable[[], None],
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._store, self._registry, self._ready, self._reset = store, registry, ready, reset
        self._patience = patience
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._running: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)

    def start(self) -> None:
        """Begin, with the nodes of all pools at rest: those that are missing are registered again."""
        self._thread.start()
        threading.Thread(target=self._restore, name="restore", daemon=True).start()

    def wake(self) -> None:
        """There is something to do."""
        self._wake.set()

    def stop(self) -> None:
        """Start nothing more; steps under way are left to the end of the process."""
        self._stopped.set()
        self._wake.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            with self._store.hold():
                due = [(entry["due"], entry) for entry in self._store.all() if entry["due"] is not None]
            waiting = []
            for moment, entry in due:
                if entry["id"] in self._running:
                    continue
                if moment > time.time():
                    waiting.append(moment)
                    continue
                self._running.add(entry["id"])
                threading.Thread(target=self._finish, args=(entry,), daemon=True).start()
            self._wake.wait(max(min(waiting) - time.time(), 0) if waiting else None)
            self._wake.clear()

    def _finish(self, entry: Json) -> None:
        work, kind, since = entry["work"], entry["kind"], entry["since"]
        try:
            if entry["end"] is None:
                self._do(entry, work, kind)
            with self._store.change():
                if entry["since"] != since:
                    return  # something else was ordered meanwhile
                if entry["end"] is None and work == "delete":
                    self._store.remove(entry["id"])
                resting = "ACTIVE" if kind in ("k8s", "nodepool") else "AVAILABLE"
                entry["metadata"]["state"] = entry["end"] or resting
                entry["due"] = entry["end"] = None
            LOG.info("%s %s: %s done", kind, entry["properties"]["name"], work)
        except Exception as error:
            LOG.warning("%s %s: %s failed: %s", kind, entry["properties"]["name"], work, error)
            with self._store.change():
                if time.time() - entry["since"] > self._patience:
                    entry["metadata"]["state"], entry["due"] = FAILED[work], None
                else:
                    entry["due"] = time.time() + 1.0
        finally:
            self._running.discard(entry["id"])
            self._wake.set()

    def _do(self, entry: Json, work: str, kind: str) -> None:
        if kind == "nodepool":
            if work == "delete":
                self._registry.remove(entry["id"])
            else:
                self._registry.bring(entry, self._location(entry))
        elif kind == "k8s":
            if work == "delete":
                self._reset()
            else:
                self._ready()

    def _location(self, pool: Json) -> str:
        home = self._store.find("datacenter", pool["properties"]["datacenterId"])
        return home["properties"]["location"] if home else ""

    def _restore(self) -> None:
        pools = [pool for pool in self._store.all("nodepool") if pool["due"] is None]
        end = time.time() + self._patience
        while pools and not self._stopped.is_set() and time.time() < end:
            try:
                self._registry.bring(pools[0], self._location(pools[0]))
                pools.pop(0)
            except Exception as error:
                LOG.info("nodes are not restored yet: %s", error)
                self._stopped.wait(2.0)
