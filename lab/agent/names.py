"""Service names and endpoints: what the endpoint controller, kube-proxy and the cluster's DNS are elsewhere.

The API server refuses loopback addresses in EndpointSlices of the types IPv4 and IPv6, but takes them as names, so the
lab's slices have the address type FQDN: `kubectl get endpointslices` and controllers that read them see the pods'
addresses. Names resolve by a hosts file that is bound into the pod; Go programs read it again every 5 s.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import pathlib
import threading
import traceback

from lab import kube, layout

MANAGER = "node-agent.lab.gitops-platform"
DOMAIN = "cluster.local"
RETRY_SECONDS = 2.0
SETTLE_SECONDS = 0.05


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """One pod behind a Service."""

    pod: str
    uid: str
    node: str
    address: str
    ready: bool
    hostname: str | None


def endpoints(service: kube.Object, pods: collections.abc.Iterable[kube.Object]) -> list[Endpoint]:
    """The pods that a Service selects and that have an address, ordered by it."""
    spec, metadata = service["spec"], service["metadata"]
    selector = spec.get("selector")
    if not selector or spec.get("type") == "ExternalName":
        return []
    found = [
        _endpoint(pod, metadata["name"], bool(spec.get("publishNotReadyAddresses")))
        for pod in pods
        if pod["metadata"]["namespace"] == metadata["namespace"] and _selected(pod, selector) and _lives(pod)
    ]
    return sorted(found, key=lambda each: tuple(int(part) for part in each.address.split(".")))


def slice_of(
    service: kube.Object, found: collections.abc.Sequence[Endpoint], pods: dict[str, kube.Object]
) -> kube.Object:
    """The Service's EndpointSlice; `pods` by uid, for ports that are given by name."""
    metadata = service["metadata"]
    owner = {"apiVersion": "v1", "kind": "Service", "name": metadata["name"], "uid": metadata["uid"]}
    sample = pods.get(found[0].uid) if found else None
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{metadata['name']}-lab",
            "namespace": metadata["namespace"],
            "labels": {
                "kubernetes.io/service-name": metadata["name"],
                "endpointslice.kubernetes.io/managed-by": MANAGER,
            },
            "ownerReferences": [owner | {"controller": True}],
        },
        "addressType": "FQDN",
        "endpoints": [_entry(each, metadata["namespace"]) for each in found],
        "ports": [
            {"name": port.get("name", ""), "port": number, "protocol": port.get("protocol", "TCP")}
            for port in service["spec"].get("ports", ())
            if (number := target(port, sample)) is not None
        ],
    }


@dataclasses.dataclass(frozen=True)
class Resident:
    """A pod that gets a hosts file."""

    namespace: str
    address: str
    hostname: str


def hosts(
    resident: Resident,
    services: collections.abc.Sequence[tuple[kube.Object, collections.abc.Sequence[Endpoint]]],
    api_address: str,
    nowhere: str,
) -> str:
    """One pod's hosts file: itself, every Service by its long names, those of its namespace by the short one too.

    `localhost` is the pod's own address, since pods share the machine's network. A Service without a ready pod
    resolves to `nowhere`, where connections are refused at once, as in a cluster; a headless one does not resolve.
    """
    lines = [f"{resident.address} localhost", f"{resident.address} {resident.hostname}"]
    for service, found in services:
        metadata = service["metadata"]
        names = _forms(metadata["name"], metadata["namespace"], resident.namespace)
        if (metadata["namespace"], metadata["name"]) == ("default", "kubernetes"):
            lines.append(f"{api_address} {' '.join(names)}")
            continue
        ready = [each for each in found if each.ready]
        lines += [f"{each.address} {' '.join(names)}" for each in ready]
        if not ready and service["spec"].get("clusterIP") != "None" and service["spec"].get("type") != "ExternalName":
            lines.append(f"{nowhere} {' '.join(names)}")
        lines += [
            f"{each.address} {' '.join(f'{each.hostname}.{name}' for name in names)}" for each in ready if each.hostname
        ]
    return "\n".join(lines) + "\n"


def rewrite(path: pathlib.Path, text: str) -> bool:
    """Change a file that is bound into containers: in place, with one write, so that no reader sees half of it."""
    data = text.encode()
    try:
        with path.open("r+b", buffering=0) as file:
            old = file.read()
            if old.rstrip(b"\n") == data.rstrip(b"\n"):
                return False
            file.seek(0)
            # Padded, because cutting the file would be a second step, with the old end still there in between.
            file.write(data.ljust(len(old), b"\n"))
    except FileNotFoundError:
        path.write_bytes(data)
    return True


class Names(threading.Thread):
    """Keeps slices and hosts files in step with what the agent sees; `wake` after each change."""

    def __init__(
        self,
        lab: layout.Lab,
        client: kube.KubeClient,
        see: collections.abc.Callable[[], tuple[list[kube.Object], list[kube.Object]]],
    ) -> None:
        """`see` gives all Services and all pods."""
        super().__init__(name="names", daemon=True)
        self._lab = lab
        self._client = client
        self._see = see
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._residents: dict[str, Resident] = {}
        self._applied: dict[str, kube.Object] = {}

    def wake(self) -> None:
        """Something changed."""
        self._wake.set()

    def file(self, uid: str, resident: Resident) -> pathlib.Path:
        """A pod's hosts file, from now on kept up to date."""
        services, pods = self._see()
        with self._lock:
            self._residents[uid] = resident
            self._write([(service, endpoints(service, pods)) for service in services])
            return self._path(uid)

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        with self._lock:
            self._residents.pop(uid, None)
            self._path(uid).unlink(missing_ok=True)

    def run(self) -> None:
        """Look again after each change, for ever."""
        while True:
            self._wake.wait()
            # Changes come in bunches.
            threading.Event().wait(SETTLE_SECONDS)
            self._wake.clear()
            try:
                self._look()
            except kube.KubeError:
                threading.Event().wait(RETRY_SECONDS)
                self._wake.set()
            except Exception:
                traceback.print_exc()

    def _look(self) -> None:
        services, pods = self._see()
        known = {pod["metadata"]["uid"]: pod for pod in pods}
        found = [(service, endpoints(service, pods)) for service in services]
        with self._lock:
            self._write(found)
        uids = {service["metadata"]["uid"] for service in services}
        self._applied = {uid: each for uid, each in self._applied.items() if uid in uids}
        for service, each in found:
            if service["spec"].get("selector") and service["spec"].get("type") != "ExternalName":
                self._apply(service, slice_of(service, each, known))

    def _apply(self, service: kube.Object, wanted: kube.Object) -> None:
        uid, metadata = service["metadata"]["uid"], wanted["metadata"]
        if self._applied.get(uid) == wanted or "deletionTimestamp" in service["metadata"]:
            return
        path = f"/apis/discovery.k8s.io/v1/namespaces/{metadata['namespace']}/endpointslices/{metadata['name']}"
        try:
            self._client.patch(path, wanted, "apply", fieldManager=MANAGER, force="true")
        except kube.KubeError as error:
            if error.status not in (403, 404, 409):
                raise
            # The namespace or the Service is going away.
            return
        self._applied[uid] = wanted

    def _write(self, found: collections.abc.Sequence[tuple[kube.Object, list[Endpoint]]]) -> None:
        for uid, resident in self._residents.items():
            rewrite(self._path(uid), hosts(resident, found, self._lab.address, self._lab.nowhere))

    def _path(self, uid: str) -> pathlib.Path:
        return self._lab.folder("hosts") / uid


def _forms(name: str, namespace: str, seen_from: str) -> list[str]:
    short = [name] if namespace == seen_from else []
    return [*short, *(f"{name}.{namespace}{end}" for end in ("", ".svc", f".svc.{DOMAIN}"))]


def _selected(pod: kube.Object, selector: dict[str, str]) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, value in selector.items())


def _lives(pod: kube.Object) -> bool:
    status = pod.get("status", {})
    return bool(status.get("podIP")) and status.get("phase") not in ("Succeeded", "Failed")


def _endpoint(pod: kube.Object, service: str, unready_too: bool) -> Endpoint:
    metadata, spec, status = pod["metadata"], pod["spec"], pod["status"]
    conditions = {each["type"]: each["status"] for each in status.get("conditions", ())}
    ready = conditions.get("Ready") == "True" and "deletionTimestamp" not in metadata
    hostname = spec.get("hostname") if spec.get("subdomain") == service else None
    return Endpoint(
        metadata["name"], metadata["uid"], spec.get("nodeName", ""), status["podIP"], ready or unready_too, hostname
    )


def _entry(each: Endpoint, namespace: str) -> kube.Object:
    entry: kube.Object = {
        "addresses": [each.address],
        "conditions": {"ready": each.ready, "serving": each.ready, "terminating": False},
        "nodeName": each.node,
        "targetRef": {"kind": "Pod", "name": each.pod, "namespace": namespace, "uid": each.uid},
    }
    return entry | ({"hostname": each.hostname} if each.hostname else {})


def target(port: kube.Object, pod: kube.Object | None) -> int | None:
    """The pod's port behind a Service's port; None for a name that the pod does not know."""
    wanted = port.get("targetPort", port["port"])
    if isinstance(wanted, int):
        return wanted
    for container in (pod or {}).get("spec", {}).get("containers", ()):
        for each in container.get("ports", ()):
            if each.get("name") == wanted:
                return int(each["containerPort"])
    return None
