"""An emulated IONOS Cloud in this process, with a cluster that is only a dictionary."""

from __future__ import annotations

import contextlib
import copy
import json
import pathlib
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import urllib3

from lab import kube, layout
from lab.cloud import balancers, emulator, nodes, server, store, work

Json = dict[str, Any]
PACE = 0.05


class Cluster:
    """What the cloud needs of an API server: `kube.KubeClient` without the network; merge patches only."""

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.down = False

    def find(self, path: str) -> Json | None:
        self._answer()
        return copy.deepcopy(self.objects.get(path))

    def list(self, path: str, labelSelector: str = "", fieldSelector: str = "") -> list[Json]:
        self._answer()
        found = [item for key, item in self.objects.items() if _collection(key) == path]
        for requirement in filter(None, labelSelector.split(",")):
            name, value = requirement.split("=")
            found = [item for item in found if item["metadata"].get("labels", {}).get(name) == value]
        if fieldSelector:
            wanted = fieldSelector.removeprefix("spec.nodeName=")
            found = [item for item in found if item["spec"].get("nodeName") == wanted]
        return copy.deepcopy(found)

    def create(self, path: str, body: Json) -> Json:
        self._answer()
        item = copy.deepcopy(body)
        meta = item["metadata"]
        meta.setdefault("name", meta.get("generateName", "") + uuid.uuid4().hex[:5])
        meta |= {"uid": str(uuid.uuid4()), "creationTimestamp": f"{time.time():.6f}"}
        self.objects[f"{path}/{meta['name']}"] = item
        return copy.deepcopy(item)

    def patch(self, path: str, patch: Json, kind: str = "merge") -> Json:
        self._answer()
        item = self.objects.get(path.removesuffix("/status"))
        if item is None:
            raise kube.KubeError(404, "NotFound", path)
        _merge(item, patch)
        return copy.deepcopy(item)

    def delete(self, path: str, **query: str) -> bool:
        self._answer()
        return self.objects.pop(path, None) is not None

    def service(self, name: str, **spec: Any) -> str:
        """Add a Service of type LoadBalancer; `annotations` beside its spec. Returns its path."""
        annotations = spec.pop("annotations", {})
        meta = {"name": name, "namespace": "default", "annotations": annotations}
        self.create("/api/v1/namespaces/default/services", {"metadata": meta, "spec": {"type": "LoadBalancer", **spec}})
        return f"/api/v1/namespaces/default/services/{name}"

    def _answer(self) -> None:
        if self.down:
            raise kube.KubeError(0, "Unreachable", "connection refused")


class Cloud:
    """The emulator behind real HTTP, and what it works on."""

    def __init__(self, folder: pathlib.Path, cluster: Cluster | None = None, patience: float = 20) -> None:
        self.cluster = cluster or Cluster()
        self.resets = 0
        self.lab = layout.Lab(folder, 77, dict(layout.PORTS))
        (folder / "cluster.kubeconfig").write_text(KUBECONFIG)
        self.store = store.Store(folder / "state.json")
        self.balancers = balancers.Controller(self.cluster, self.store, "127.77.200")  # type: ignore[arg-type]
        self.emulator = emulator.Emulator(
            self.store, "", "127.77.200", folder / "cluster.kubeconfig", self.balancers.addresses, PACE
        )
        registry = nodes.Registry(self.lab, self.cluster)  # type: ignore[arg-type]
        self.worker = work.Worker(self.store, registry, self.cluster._answer, self._reset, patience)
        self.emulator.ordered = self.worker.wake
        self.server = server.Server(("127.0.0.1", 0), self.emulator)
        self.url = self.emulator.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.worker.start()
        self.pool = urllib3.PoolManager()

    def close(self) -> None:
        self.worker.stop()
        self.server.shutdown()
        self.server.server_close()
        self.pool.clear()

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, str]:
        """(status, JSON or text, Location) of a request below the API's root."""
        data = None if body is None else json.dumps(body).encode()
        sent = {"Authorization": "Bearer token"} | headers
        answer = self.pool.request(method, f"{self.url}/cloudapi/v6{path}", body=data, headers=sent)
        text = answer.data.decode()
        parsed = json.loads(text) if text and answer.headers["Content-Type"] == "application/json" else text
        return answer.status, parsed, answer.headers.get("Location", "")

    def make(self, path: str, **properties: Any) -> str:
        """Create an object and wait until it is at rest; its path."""
        status, entry, _ = self.send("POST", path, {"properties": properties})
        assert status == 202, entry
        return self.settled(f"{path}/{entry['id']}")

    def settled(self, path: str) -> str:
        """Wait until an object is at rest."""
        self.until(lambda: self.send("GET", path)[1]["metadata"]["state"] not in ("BUSY", *emulator.BUSY.values()))
        return path

    def gone(self, path: str) -> None:
        self.until(lambda: self.send("GET", path)[0] == 404)

    def refused(self, method: str, path: str, **properties: Any) -> str:
        """The messages of a 422."""
        status, body, _ = self.send(method, path, {"properties": properties} if properties else None)
        assert status == 422, (status, body)
        assert body["httpStatus"] == 422
        return "\n".join(message["message"] for message in body["messages"])

    def fault(self, **order: Any) -> None:
        self.emulator.faults.order(order)

    def until(self, done: Any, seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, "the cloud did not come to rest"
            time.sleep(0.01)

    def _reset(self) -> None:
        self.resets += 1
        self.cluster.objects.clear()


@contextlib.contextmanager
def running(folder: pathlib.Path, cluster: Cluster | None = None, **settings: Any) -> Iterator[Cloud]:
    """A cloud that is closed at the end."""
    cloud = Cloud(folder, cluster, **settings)
    try:
        yield cloud
    finally:
        cloud.close()


def pool(datacenter: str, **changes: Any) -> Json:
    """Properties of a node pool."""
    return {
        "name": "ingress",
        "datacenterId": datacenter.rpartition("/")[2],
        "nodeCount": 2,
        "cpuFamily": "INTEL_SKYLAKE",
        "coresCount": 2,
        "ramSize": 4096,
        "storageSize": 20,
        "storageType": "SSD",
        "availabilityZone": "AUTO",
        "k8sVersion": "1.34.3",
        "labels": {"nodepool": "ingress"},
        "autoScaling": {},
    } | changes


KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: lab, cluster: {server: "https://127.77.0.1:6443", certificate-authority-data: Y2EK}}]
users: [{name: cluster-admin, user: {token: canary-token}}]
contexts: [{name: lab, context: {cluster: lab, user: cluster-admin}}]
current-context: lab
"""


def _collection(path: str) -> str:
    """`/api/v1/namespaces/x/pods/y` is in `/api/v1/pods` as well."""
    parts = path.split("/")[:-1]
    return "/".join(parts[:3] + parts[5:]) if len(parts) > 4 and parts[3] == "namespaces" else "/".join(parts)


def _merge(target: Json, patch: Json) -> None:
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = copy.deepcopy(value)
