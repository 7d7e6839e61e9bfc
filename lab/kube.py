"""A small client of the lab's own API server: plain dicts over urllib3.

The official client takes 0.5 s and 60 MiB to import, which each of the lab's processes would pay. Paths are the API
server's own (`/api/v1/namespaces/default/pods`), objects are parsed JSON.
"""

from __future__ import annotations

import base64
import collections.abc
import json
import pathlib
import ssl
import threading
import typing
import urllib.parse

import urllib3
import yaml

Object = dict[str, typing.Any]

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
WATCH_SECONDS = 240
"""How long one watch connection lives before the list is read again."""

PATCHES = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}


class KubeError(Exception):
    """An answer of the API server other than 2xx; `status` is 0 when there was no answer at all."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class KubeClient:
    """Calls one API server as the kubeconfig's current user (a bearer token).

    Safe to use from several threads. The kubeconfig is read at the first call and again after a 401 or a refused
    connection, so a client outlives an API server that was made anew.
    """

    def __init__(self, kubeconfig: pathlib.Path, metadata_only: bool = False) -> None:
        """`metadata_only`: lists and watches give each object's metadata and nothing else."""
        self._path = kubeconfig
        self._metadata_only = metadata_only
        self._lock = threading.Lock()
        self._connection: tuple[str, dict[str, str], urllib3.PoolManager] | None = None

    def get(self, path: str) -> Object:
        """One object; KubeError with status 404 when it is not there."""
        return self.request("GET", path)

    def find(self, path: str) -> Object | None:
        """One object, or None."""
        try:
            return self.get(path)
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    def list(self, path: str, **query: str) -> list[Object]:
        """The items of a collection; `labelSelector=…` and `fieldSelector=…` as in the API."""
        return self.request("GET", path, query=query)["items"] or []

    def create(self, path: str, body: Object) -> Object:
        """Make an object in a collection; status 409 when it exists."""
        return self.request("POST", path, body)

    def replace(self, path: str, body: Object) -> Object:
        """Write an object whole; status 409 when its resourceVersion is not the current one."""
        return self.request("PUT", path, body)

    def patch(self, path: str, body: typing.Any, kind: str = "merge", **query: str) -> Object:
        """Change an object (`kind`: one of PATCHES); `apply` needs `fieldManager=…`."""
        return self.request("PATCH", path, body, PATCHES[kind], query)

    def delete(self, path: str, **query: str) -> bool:
        """Ask for an object's deletion; False when it was not there."""
        try:
            self.request("DELETE", path, query=query)
        except KubeError as error:
            if error.status == 404:
                return False
            raise
        return True

    def watch(
        self, path: str, stop: threading.Event | None = None, **query: str
    ) -> collections.abc.Iterator[tuple[str, Object]]:
        """(ADDED | MODIFIED | DELETED, object) for ever, or until `stop`; first everything that exists.

        Whenever the connection ends (restart, reset, 410) the list is read again: what is still there comes as
        MODIFIED, what vanished meanwhile as DELETED with its last known state. Never raises KubeError: it waits.
        """
        stop = stop or threading.Event()
        known: dict[str, Object] = {}
        while not stop.is_set():
            try:
                listing = self.request("GET", path, query=query)
                yield from _differences(known, listing["items"] or [])
                version = listing["metadata"]["resourceVersion"]
                for kind, item in self._stream(path, query | {"resourceVersion": version}):
                    if stop.is_set():
                        return
                    if kind == "DELETED":
                        known.pop(item["metadata"]["uid"], None)
                    else:
                        known[item["metadata"]["uid"]] = item
                    yield kind, item
            except KubeError:
                stop.wait(1.0)

    def request(
        self,
        method: str,
        path: str,
        body: typing.Any = None,
        content_type: str = "application/json",
        query: dict[str, str] | None = None,
    ) -> Object:
        """One call; the answer's JSON. KubeError otherwise."""
        for last_try in (False, True):
            response = self._send(method, path, body, content_type, query, READ_SECONDS)
            if response.status == 401 and not last_try:
                self._forget()
                continue
            return _answer(response)
        raise AssertionError("unreachable")

    def text(self, path: str) -> str:
        """An answer that is no JSON, such as a pod's log or `/readyz`."""
        response = self._send("GET", path, None, "application/json", None, READ_SECONDS)
        if response.status >= 300:
            _answer(response)
        return response.data.decode(errors="replace")

    def _stream(self, path: str, query: dict[str, str]) -> collections.abc.Iterator[tuple[str, Object]]:
        query = query | {"watch": "true", "timeoutSeconds": str(WATCH_SECONDS), "allowWatchBookmarks": "true"}
        response = self._send("GET", path, None, "application/json", query, WATCH_SECONDS + 30, stream=True)
        if response.status >= 300:
            _answer(response)
        try:
            rest = b""
            for chunk in response.stream(amt=None, decode_content=True):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        return
                    if event["type"] != "BOOKMARK":
                        yield event["type"], event["object"]
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise KubeError(0, "Unreachable", str(error)) from None
        finally:
            response.close()
            response.release_conn()

    def _send(
        self,
        method: str,
        path: str,
        body: typing.Any,
        content_type: str,
        query: dict[str, str] | None,
        seconds: float,
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        server, headers, pool = self._connect()
        if self._metadata_only:
            shape = "PartialObjectMetadata" if stream else "PartialObjectMetadataList"
            headers = headers | {"Accept": f"application/json;as={shape};g=meta.k8s.io;v=v1"}
        url = server + path + ("?" + urllib.parse.urlencode(query) if query else "")
        try:
            return pool.request(
                method,
                url,
                body=None if body is None else json.dumps(body).encode(),
                headers=headers | {"Content-Type": content_type},
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=seconds),
                retries=False,
                preload_content=not stream,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self._forget()
            raise KubeError(0, "Unreachable", f"{server}: {error}") from None

    def _connect(self) -> tuple[str, dict[str, str], urllib3.PoolManager]:
        with self._lock:
            if self._connection is None:
                self._connection = _read(self._path)
            return self._connection

    def _forget(self) -> None:
        with self._lock:
            self._connection = None


def _read(path: pathlib.Path) -> tuple[str, dict[str, str], urllib3.PoolManager]:
    try:
        config = yaml.safe_load(path.read_text())
        context = _named(config, "contexts", config["current-context"])["context"]
        cluster = _named(config, "clusters", context["cluster"])["cluster"]
        user = _named(config, "users", context["user"])["user"]
        tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        headers = {"Authorization": f"Bearer {user['token']}", "Accept": "application/json"}
        pool = urllib3.PoolManager(maxsize=8, ssl_context=tls)
        return cluster["server"].rstrip("/"), headers, pool
    except FileNotFoundError:
        raise KubeError(0, "Unreachable", f"{path}: no such file") from None
    except (KeyError, TypeError, ValueError, StopIteration, yaml.YAMLError) as error:
        raise KubeError(0, "BadKubeconfig", f"{path} is no usable kubeconfig ({type(error).__name__})") from None


def _named(config: Object, section: str, name: str) -> Object:
    return next(entry for entry in config[section] if entry["name"] == name)


def _answer(response: urllib3.BaseHTTPResponse) -> Object:
    data = response.data
    try:
        answer = json.loads(data)
    except ValueError:
        answer = {"message": data.decode(errors="replace")[:500]}
    if response.status >= 300:
        raise KubeError(response.status, answer.get("reason", ""), answer.get("message", ""))
    return answer


def _differences(known: dict[str, Object], items: list[Object]) -> collections.abc.Iterator[tuple[str, Object]]:
    """Events that lead from `known` (uid -> object, brought up to date) to `items`."""
    now = {item["metadata"]["uid"]: item for item in items}
    gone = [known[uid] for uid in known if uid not in now]
    kinds = {uid: "MODIFIED" if uid in known else "ADDED" for uid in now}
    known.clear()
    known.update(now)
    yield from (("DELETED", item) for item in gone)
    yield from ((kinds[uid], item) for uid, item in now.items())
