"""Ties the agent together: what it sees of the API server, and which pods it runs because of it."""

from __future__ import annotations

import collections.abc
import pathlib
import shutil
import threading
import time
import traceback

from lab import kube, layout, toolchain
from lab.agent import addresses, balancing, egress, events, kubelet, names, nodes, pods

FIRST_RETRY_SECONDS = 0.5
CLEARED_SECONDS = 1.0
KEPT_LOG_FOLDERS = 200


class Agent:
    """Runs every pod bound to a Node with the lab's label, from `start` to `stop`."""

    def __init__(self, lab: layout.Lab) -> None:
        self._lab = lab
        self._client = kube.KubeClient(lab.kubeconfig)
        self._metadata_client = kube.KubeClient(lab.kubeconfig, metadata_only=True)
        self._lock = threading.RLock()
        self._pods: dict[str, kube.Object] = {}
        self._services: dict[str, kube.Object] = {}
        self._nodes: dict[str, kube.Object] = {}
        self._running: dict[str, pods.Pod] = {}
        self._names = names.Names(lab, self._client, self._see)
        self._balancers = balancing.Balancers(self._see_balancers)
        self._heart = nodes.Heart(lab, self._client, self._see_nodes)
        self._server = kubelet.serve(lab, self._find_log)
        self._around = pods.Surroundings(
            lab=lab,
            client=self._client,
            events=events.Events(self._client),
            bwrap=toolchain.find("bwrap"),
            find_tool=_Tools().find,
            names=self._names,
            balancers=self._balancers,
        )
        self._addresses = addresses.Addresses(*lab.pod_network)

    def start(self) -> None:
        """Start watching; returns once the API server has been heard of."""
        existing = self._first_list()
        used = {
            pod["metadata"]["uid"]: pod["status"]["podIP"] for pod in existing if pod.get("status", {}).get("podIP")
        }
        self._addresses = addresses.Addresses(*self._lab.pod_network, used)
        self._clear_folders({pod["metadata"]["uid"] for pod in existing})
        threading.Thread(target=self._server.serve_forever, name="kubelet", daemon=True).start()
        egress.wait_for_trust(self._lab)
        self._names.start()
        self._balancers.start()
        self._heart.start()
        threading.Thread(target=self._notice_clearing, name="clearing", daemon=True).start()
        self._watch("/api/v1/services", self._client, self._service)
        self._watch("/api/v1/nodes", self._client, self._node, labelSelector=f"{nodes.LABEL}=true")
        self._watch("/api/v1/pods", self._client, self._pod)
        self._watch("/api/v1/secrets", self._metadata_client, self._data("Secret"))
        self._watch("/api/v1/configmaps", self._metadata_client, self._data("ConfigMap"))

    def stop(self, seconds: float = 3.0) -> None:
        """End every process, gently first; the pods stay in the API server."""
        with self._lock:
            running = list(self._running.values())
        for pod in running:
            pod.silence()
            for container in (*pod.main, *pod.init):
                container.policy = "Never"
                container.terminate(seconds)
        end = time.monotonic() + seconds
        while any(each.real for pod in running for each in (*pod.main, *pod.init)) and time.monotonic() < end:
            time.sleep(0.05)
        for pod in running:
            pod.gone()
        self._server.server_close()

    def _notice_clearing(self) -> None:
        """End all pods once their cluster was thrown away: no API server is there any more to say so."""
        while True:
            time.sleep(CLEARED_SECONDS)
            if not (self._lab.home / "etcd").exists():
                with self._lock:
                    for running in self._running.values():
                        running.gone()
                    for known in (self._running, self._pods, self._services, self._nodes):
                        known.clear()
                self._wake()

    def _first_list(self) -> list[kube.Object]:
        while True:
            try:
                return self._client.list("/api/v1/pods")
            except kube.KubeError as error:
                print(f"waiting for the API server: {error}", flush=True)
                time.sleep(FIRST_RETRY_SECONDS)

    def _clear_folders(self, uids: set[str]) -> None:
        for folder in self._lab.folder("pods").iterdir():
            if folder.name not in uids:
                shutil.rmtree(folder, ignore_errors=True)
        for file in self._lab.folder("hosts").iterdir():
            file.unlink()
        logs = sorted(self._lab.folder("log", "pods").iterdir(), key=lambda path: path.stat().st_mtime)
        for folder in logs[:-KEPT_LOG_FOLDERS]:
            shutil.rmtree(folder, ignore_errors=True)

    def _watch(
        self,
        path: str,
        client: kube.KubeClient,
        handle: collections.abc.Callable[[str, kube.Object], None],
        **query: str,
    ) -> None:
        def watch() -> None:
            for kind, item in client.watch(path, None, **query):
                try:
                    handle(kind, item)
                except Exception:
                    # One object that the agent cannot digest must not keep it from the others.
                    traceback.print_exc()

        threading.Thread(target=watch, name=f"watch {path}", daemon=True).start()

    def _pod(self, kind: str, pod: kube.Object) -> None:
        uid = pod["metadata"]["uid"]
        with self._lock:
            if kind == "DELETED":
                self._pods.pop(uid, None)
                if running := self._running.pop(uid, None):
                    running.gone()
                self._addresses.give_back(uid)
            else:
                pod["metadata"].pop("managedFields", None)
                self._pods[uid] = pod
                self._attend(pod)
        self._wake()

    def _attend(self, pod: kube.Object) -> None:
        uid = pod["metadata"]["uid"]
        if running := self._running.get(uid):
            running.update(pod)
        elif pod["spec"].get("nodeName") in self._nodes:
            running = pods.Pod(self._around, pod, self._addresses.take(uid))
            self._running[uid] = running
            running.start()

    def _node(self, kind: str, node: kube.Object) -> None:
        name = node["metadata"]["name"]
        with self._lock:
            if kind == "DELETED":
                self._nodes.pop(name, None)
                for uid in [uid for uid, pod in self._running.items() if pod.node == name]:
                    self._running.pop(uid).gone()
                return
            new = name not in self._nodes or self._nodes[name]["metadata"]["uid"] != node["metadata"]["uid"]
            self._nodes[name] = node
            if new:
                for pod in list(self._pods.values()):
                    if pod["spec"].get("nodeName") == name:
                        self._attend(pod)
        if new:
            self._heart.beat()
            self._wake()

    def _service(self, kind: str, service: kube.Object) -> None:
        with self._lock:
            if kind == "DELETED":
                self._services.pop(service["metadata"]["uid"], None)
            else:
                self._services[service["metadata"]["uid"]] = service
        self._wake()

    def _data(self, what: str) -> collections.abc.Callable[[str, kube.Object], None]:
        def changed(kind: str, item: kube.Object) -> None:
            metadata = item["metadata"]
            with self._lock:
                for uid, running in self._running.items():
                    same = self._pods.get(uid, {}).get("metadata", {}).get("namespace") == metadata["namespace"]
                    if same and (what, metadata["name"]) in running.references:
                        running.refresh()

        return changed

    def _see(self) -> tuple[list[kube.Object], list[kube.Object]]:
        with self._lock:
            return list(self._services.values()), list(self._pods.values())

    def _wake(self) -> None:
        self._names.wake()
        self._balancers.wake()

    def _see_balancers(self) -> balancing.Wanted:
        services, pods = self._see()
        return balancing.wanted(self._lab, services, pods, self._see_nodes())

    def _see_nodes(self) -> list[kube.Object]:
        with self._lock:
            return list(self._nodes.values())

    def _find_log(self, namespace: str, pod: str, container: str, previous: bool) -> kubelet.Log | None:
        with self._lock:
            found = next(
                (
                    (each["metadata"], self._running.get(uid))
                    for uid, each in self._pods.items()
                    if (each["metadata"]["namespace"], each["metadata"]["name"]) == (namespace, pod)
                ),
                None,
            )
        if not found:
            return None
        running = found[1].container(container) if found[1] else None
        files = (pods.logs(self._lab, found[0]) / container).glob("*.log")
        runs = sorted(files, key=lambda path: int(path.stem))
        if previous:
            runs = runs[:-1]
        if not runs:
            return None
        path = runs[-1]
        return kubelet.Log(path, lambda: running is not None and running.running and running.log == path)


class _Tools:
    """Remembers where the tools are: looking asks them for their versions, which takes a moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, pathlib.Path] = {}

    def find(self, name: str) -> pathlib.Path | None:
        """The tool, or None as long as it is not built."""
        with self._lock:
            known = self._found.get(name)
            if known is None or not known.exists():
                known = toolchain.find(name)
            if known:
                self._found[name] = known
            return known
