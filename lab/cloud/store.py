"""The emulated cloud's memory: everything that exists, kept in one file so that a restart goes on where it was."""

from __future__ import annotations

import collections.abc
import contextlib
import json
import os
import pathlib
import threading
import typing
import uuid

from lab import layout
from lab.cloud import answers

Json = dict[str, typing.Any]

REQUESTS_KEPT = 500


class Store:
    """Objects and requests of the cloud.

    An object: `{id, kind, parent?, metadata, properties, work, since, due, end, nodes?}`. `work` is what was ordered
    last (create | update | delete), `since` when, `due` the time (seconds since the epoch) at which it may finish, or
    None when the object is at rest; `parent` is a pool's cluster or a LAN's datacenter; `end` is a state that a fault
    ordered it to end in; `nodes` are a pool's machines.
    A request: `{id, target}`.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._objects: dict[str, Json] = {}
        self._requests: dict[str, Json] = {}
        self._load()

    @contextlib.contextmanager
    def change(self) -> collections.abc.Iterator[None]:
        """Hold the store; what changed is on disk when the block ends without an exception."""
        with self._lock:
            yield
            self._save()

    @contextlib.contextmanager
    def hold(self) -> collections.abc.Iterator[None]:
        """Hold the store to read it; nothing changes meanwhile."""
        with self._lock:
            yield

    def add(
        self, kind: str, state: str, properties: Json, due: float | None, key: str | None = None, **more: typing.Any
    ) -> Json:
        """A new object; inside `change()`. `key`: its id, unique among all objects; None: a new one."""
        entry = {
            "id": key or str(uuid.uuid4()),
            "kind": kind,
            "metadata": answers.metadata(state),
            "properties": properties,
            "due": due,
            **more,
        }
        self._objects[entry["id"]] = entry
        return entry

    def find(self, kind: str, key: str) -> Json | None:
        """The stored object itself, or None."""
        with self._lock:
            entry = self._objects.get(key)
            return entry if entry is not None and entry["kind"] == kind else None

    def get(self, kind: str, key: str) -> Json:
        """The stored object itself; ApiError 404."""
        entry = self.find(kind, key)
        if entry is None:
            raise answers.missing()
        return entry

    def all(self, kind: str | None = None, parent: str | None = None) -> list[Json]:
        """Objects of a kind (of one cluster or datacenter), oldest first."""
        with self._lock:
            return [
                entry
                for entry in self._objects.values()
                if kind in (None, entry["kind"]) and parent in (None, entry.get("parent"))
            ]

    def remove(self, key: str) -> None:
        """Forget an object and what is in it; inside `change()`."""
        for entry in self.all(parent=key):
            self._objects.pop(entry["id"], None)
        self._objects.pop(key, None)

    def add_request(self, target: str) -> str:
        """Note that work on `target` was ordered; the request's id. Inside `change()`."""
        key = str(uuid.uuid4())
        self._requests[key] = {"id": key, "target": target}
        for old in list(self._requests)[:-REQUESTS_KEPT]:
            del self._requests[old]
        return key

    def request_status(self, key: str) -> tuple[str, str]:
        """(RUNNING | DONE | FAILED, message) of a request; ApiError 404."""
        with self._lock:
            request = self._requests.get(key)
            if request is None:
                raise answers.missing()
            target = self._objects.get(request["target"])
            if target is None or (target["due"] is None and "FAILED" not in target["metadata"]["state"]):
                return "DONE", "Request has been successfully executed"
            if target["due"] is None:
                return "FAILED", f"{target['kind']} {target['id']} is {target['metadata']['state']}"
            return "RUNNING", "Request is running"

    def _load(self) -> None:
        try:
            stored = json.loads(self._path.read_text())
            self._objects, self._requests = stored["objects"], stored["requests"]
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError) as error:
            raise layout.LabError(
                f"{self._path} is damaged ({type(error).__name__}): `make down` clears it away"
            ) from None

    def _save(self) -> None:
        temporary = self._path.with_suffix(".new")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({"objects": self._objects, "requests": self._requests}, file)
        temporary.replace(self._path)
