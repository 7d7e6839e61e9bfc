"""One pod from being bound to a node to being gone: a thread that fills its volumes, drives its containers, reports."""

from __future__ import annotations

import collections.abc
import dataclasses
import os
import pathlib
import shutil
import threading
import time
import traceback

from lab import kube, layout
from lab.agent import balancing, containers, egress, environment, events, names, places, sources, status, volumes

POLL_SECONDS = 0.25
RETRY_SECONDS = 5.0
VOLUME_SECONDS = 60.0


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """What every pod of the agent shares."""

    lab: layout.Lab
    client: kube.KubeClient
    events: events.Events
    bwrap: pathlib.Path | None
    find_tool: collections.abc.Callable[[str], pathlib.Path | None]
    names: names.Names
    balancers: balancing.Balancers


class Pod(threading.Thread):
    """Runs one pod; told of changes by `update`, `refresh` and `gone`."""

    def __init__(self, around: Surroundings, pod: kube.Object, address: str) -> None:
        metadata = pod["metadata"]
        super().__init__(name=f"pod {metadata['namespace']}/{metadata['name']}", daemon=True)
        self._around = around
        self._pod = pod
        self._address = address
        self._path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        self._wake = threading.Event()
        self._gone = threading.Event()
        self._stale = threading.Event()
        self._sources = sources.Sources(around.client, pod)
        self._published: kube.Object | None = None
        self._silent = False
        self._folder = around.lab.folder("pods", metadata["uid"])
        self._logs = logs(around.lab, metadata)
        self._place = self._make_place()
        self.references = volumes.references(pod)
        policy = pod["spec"].get("restartPolicy", "Always")
        self.init = [
            containers.Container(spec, _role(spec), policy, self._place)
            for spec in pod["spec"].get("initContainers", ())
        ]
        self.main = [containers.Container(spec, "main", policy, self._place) for spec in pod["spec"]["containers"]]
        if self.init:
            for container in self.main:
                container.state = {"waiting": {"reason": "PodInitializing"}}

    @property
    def node(self) -> str:
        """The node that it is bound to."""
        return str(self._pod["spec"].get("nodeName", ""))

    def update(self, pod: kube.Object) -> None:
        """The API server's newest version of the pod."""
        self._pod = pod
        self._wake.set()

    def refresh(self) -> None:
        """A Secret or ConfigMap that it shows in a volume changed."""
        self._stale.set()
        self._wake.set()

    def silence(self) -> None:
        """The agent stops: the pod stays as it was reported, for the next agent to take up."""
        self._silent = True

    def gone(self) -> None:
        """The pod, or its node, is no more: end everything without a word to the API server."""
        self._gone.set()
        self._wake.set()

    def run(self) -> None:
        """The pod's life."""
        try:
            self._restore()
            while not self._gone.is_set():
                try:
                    self._live()
                    return
                except Exception:
                    # Whatever it was, the pod must not be stuck for it.
                    traceback.print_exc()
                    self._around.events.say(self._pod, "Failed", "the lab's node agent failed: see .lab/log/agent.log")
                    self._kill()
                    self._gone.wait(RETRY_SECONDS)
        finally:
            self._kill()
            shutil.rmtree(self._folder, ignore_errors=True)
            self._around.names.forget(self._pod["metadata"]["uid"])

    def _live(self) -> None:
        if self._pod.get("status", {}).get("phase") not in ("Succeeded", "Failed") and self._fill_volumes():
            self._drive()
        while not self._gone.is_set():
            if "deletionTimestamp" in self._pod["metadata"]:
                self._end()
                return
            self._sleep(None)

    def _kill(self) -> None:
        for container in (*self.main, *self.init):
            container.kill()

    def container(self, name: str) -> containers.Container | None:
        """One of its containers."""
        return next((each for each in (*self.main, *self.init) if each.name == name), None)

    def _make_place(self) -> places.Place:
        metadata, spec = self._pod["metadata"], self._pod["spec"]
        etc = self._folder / "etc"
        etc.mkdir(exist_ok=True)
        user, group = os.getuid(), os.getgid()
        (etc / "passwd").write_text(f"lab:x:{user}:{group}:lab:/root:/bin/sh\n")
        (etc / "group").write_text(f"lab:x:{group}:\n")
        (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
        (etc / "resolv.conf").write_text(egress.resolv_conf(self._around.lab))
        (etc / egress.TRUST_FILE).write_text(egress.trust(self._around.lab))
        folders = {each["name"]: self._folder / "volumes" / each["name"] for each in spec.get("volumes", ())}
        for folder in folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        lab = self._around.lab
        hostname = spec.get("hostname") or metadata["name"]
        resident = names.Resident(metadata["namespace"], self._address, hostname)
        return places.Place(
            folder=self._folder,
            logs=self._logs,
            etc=etc,
            hosts=self._around.names.file(metadata["uid"], resident),
            volumes=folders,
            address=self._address,
            hostname=hostname,
            base_environment=egress.EVERYBODY
            | {
                "KUBERNETES_SERVICE_HOST": lab.address,
                "KUBERNETES_SERVICE_PORT": str(lab.ports["apiserver"]),
                "KUBERNETES_SERVICE_PORT_HTTPS": str(lab.ports["apiserver"]),
            },
            egress=egress.variables(lab),
            lab=lab,
            balancers=self._around.balancers,
            bwrap=self._around.bwrap,
            find_tool=self._around.find_tool,
            lookup=self._sources.lookup,
            say=lambda reason, message, kind: self._around.events.say(self._pod, reason, message, kind),
            changed=self._wake.set,
        )

    def _restore(self) -> None:
        old = self._pod.get("status", {})
        reported = (*old.get("initContainerStatuses", ()), *old.get("containerStatuses", ()))
        for entry in reported:
            if container := self.container(entry["name"]):
                container.restore(entry)

    def _view(self) -> kube.Object:
        """The pod as the downward API shows it: with its addresses, which the API server may not have yet."""
        known = self._pod.get("status", {}) | {"podIP": self._address, "hostIP": self._around.lab.address}
        return self._pod | {"status": known}

    def _fill_volumes(self) -> bool:
        """Fill the volumes for the first time, waiting for what is missing; False when the pod goes before."""
        while not self._leaving():
            try:
                self._write_volumes()
                return True
            except (environment.Missing, kube.KubeError, OSError) as error:
                self._around.events.say(self._pod, "FailedMount", f"MountVolume.SetUp failed: {error}")
                self._publish()
                self._sleep(RETRY_SECONDS)
        return False

    def _write_volumes(self) -> None:
        self._stale.clear()
        for volume in self._pod["spec"].get("volumes", ()):
            if volumes.is_written(volume):
                wanted = volumes.files(volume, self._view(), self._sources.lookup, self._sources.token)
                volumes.write(self._place.volumes[volume["name"]], wanted)

    def _drive(self) -> None:
        """Step the containers until the pod leaves or everything ended for good."""
        looked = time.monotonic()
        while not self._leaving():
            self._step()
            if self._stale.is_set() or time.monotonic() - looked > VOLUME_SECONDS:
                looked = time.monotonic()
                try:
                    self._write_volumes()
                except (environment.Missing, kube.KubeError, OSError) as error:
                    self._around.events.say(self._pod, "FailedMount", f"MountVolume.SetUp failed: {error}")
            published = self._publish()
            if published and self._phase() in ("Succeeded", "Failed"):
                for container in self.init:
                    container.kill()
                return
            everyone = (*self.init, *self.main)
            moving = any(each.real or not (each.running or each.done) for each in everyone)
            self._sleep(POLL_SECONDS if moving else VOLUME_SECONDS if published else 1.0)

    def _step(self) -> None:
        view = self._view()
        for container in self.init:
            container.step(view)
            if container.role == "init" and not container.succeeded:
                return
            if container.role == "sidecar" and not container.started and not container.restart_count:
                return
        for container in self.main:
            container.step(view)

    def _end(self) -> None:
        """Deletion: stop the containers, sidecars last, report, and let the API server forget the pod."""
        grace = float(self._pod["metadata"].get("deletionGracePeriodSeconds", 30))
        for group in (self.main, list(reversed(self.init))):
            for container in group:
                container.terminate(grace)
            while any(container.real for container in group) and not self._gone.is_set():
                for container in group:
                    if container.real:
                        container.policy = "Never"
                        container.step(self._pod)
                self._wake.wait(0.05)
                self._wake.clear()
        while not self._gone.is_set():
            self._publish()
            try:
                options = {"gracePeriodSeconds": 0, "preconditions": {"uid": self._pod["metadata"]["uid"]}}
                self._around.client.request("DELETE", self._path, options)
            except kube.KubeError as error:
                if error.status not in (404, 409):
                    self._sleep(1.0)
                    continue
            # A finalizer may keep the object; its last status is there for whoever waits for it.
            self._gone.wait(RETRY_SECONDS)
            return

    def _inits_done(self) -> bool:
        return all(each.succeeded if each.role == "init" else each.started or each.restart_count for each in self.init)

    def _phase(self) -> str:
        if any(each.role == "init" and each.done and not each.succeeded for each in self.init):
            return "Failed"
        states, policies = [each.state for each in self.main], [each.policy for each in self.main]
        return status.phase(self._inits_done(), states, policies)

    def _publish(self) -> bool:
        """Report what changed; False when the API server could not be told."""
        known = self._pod.get("status", {})
        before = self._published or known
        phase = self._phase()
        unready = [each.name for each in (*self.init, *self.main) if each.role != "init" and not each.ready]
        own = status.conditions(before.get("conditions", ()), self._inits_done(), unready, phase)
        new = {
            "phase": phase,
            "conditions": own + status.others(known.get("conditions", ())),
            "hostIP": self._around.lab.address,
            "hostIPs": [{"ip": self._around.lab.address}],
            "podIP": self._address,
            "podIPs": [{"ip": self._address}],
            "startTime": before.get("startTime") or status.now(),
            "containerStatuses": [each.report() for each in self.main],
            "initContainerStatuses": [each.report() for each in self.init],
        }
        if new == self._published or self._silent:
            return True
        try:
            body = {"metadata": {"uid": self._pod["metadata"]["uid"]}, "status": new}
            self._around.client.patch(f"{self._path}/status", body)
        except kube.KubeError as error:
            return error.status in (404, 409)
        self._published = new
        return True

    def _leaving(self) -> bool:
        return self._gone.is_set() or "deletionTimestamp" in self._pod["metadata"]

    def _sleep(self, seconds: float | None) -> None:
        self._wake.wait(seconds)
        self._wake.clear()


def _role(spec: kube.Object) -> str:
    return "sidecar" if spec.get("restartPolicy") == "Always" else "init"


def logs(lab: layout.Lab, metadata: kube.Object) -> pathlib.Path:
    """The folder of a pod's logs; it stays when the pod is gone."""
    return lab.folder("log", "pods", f"{metadata['namespace']}_{metadata['name']}_{metadata['uid']}")
