"""One container from its first start to its end: process or pretence, restarts, probes, what is reported of it."""

from __future__ import annotations

import os
import pathlib
import shutil
import time
import uuid

from lab import kube
from lab.agent import balancing, environment, images, places, probes, sandbox, status

CONFIG_RETRY_SECONDS = 2.0
LOG_LIMIT = 20 * 1024 * 1024
TERMINATION_TAIL = 600


class Container:
    """Driven by its pod's thread: `step` again and again, `terminate` once. role: init, sidecar or main."""

    def __init__(self, spec: kube.Object, role: str, pod_policy: str, place: places.Place) -> None:
        self.spec = spec
        self.role = role
        self.name: str = spec["name"]
        self.policy = _policy(role, pod_policy)
        self.image = images.find(spec["image"])
        self.state: kube.Object = {"waiting": {"reason": "ContainerCreating"}}
        self.last_state: kube.Object = {}
        self.restart_count = 0
        self._place = place
        self._process: sandbox.Process | None = None
        self._prober: probes.Prober | None = None
        self._root: sandbox.Root | None = None
        self._variables: dict[str, str] = {}
        self._id = ""
        self._began = 0.0
        self._failures = 0
        self._not_before = 0.0
        self._kill_at: float | None = None
        self._log_checked = 0.0
        self._relay: balancing.Address | None = None

    @property
    def real(self) -> bool:
        """Whether a process runs right now."""
        return self._process is not None

    @property
    def running(self) -> bool:
        """Whether it is reported as running."""
        return "running" in self.state

    @property
    def done(self) -> bool:
        """Whether it ended for good."""
        ended = self.state.get("terminated")
        return bool(ended) and not status.restarts(self.policy, ended["exitCode"])

    @property
    def succeeded(self) -> bool:
        """Whether it ended for good, and well."""
        return self.done and self.state["terminated"]["exitCode"] == 0

    @property
    def started(self) -> bool:
        """Whether it runs and its startup probe is content: what the next init container waits for."""
        return self.running and (self._prober is None or self._prober.started)

    @property
    def ready(self) -> bool:
        """Ready in the API's sense; an init container is when it succeeded."""
        if self.role == "init":
            return self.succeeded
        return self.running and self._kill_at is None and (self._prober is None or self._prober.ready)

    @property
    def log(self) -> pathlib.Path:
        """The current log file."""
        return self._place.logs / self.name / f"{self.restart_count}.log"

    def report(self) -> kube.Object:
        """Its entry in the pod's status."""
        found = {
            "name": self.name,
            "image": self.spec["image"],
            "imageID": f"lab://{self.spec['image']}",
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restart_count,
            "state": self.state,
            "lastState": self.last_state,
        }
        return found | ({"containerID": f"lab://{self._id}"} if self._id else {})

    def restore(self, old: kube.Object) -> None:
        """Go on from what an earlier run of the agent reported; its processes ended with it."""
        self.restart_count = int(old.get("restartCount", 0))
        self.last_state = old.get("lastState", {})
        state = old.get("state", {})
        if "terminated" in state:
            self.state = state
            self._id = str(old.get("containerID", "")).removeprefix("lab://")
            self.restart_count += 0 if self.done else 1
        elif "running" in state and self.image:
            at = state["running"].get("startedAt") or status.now()
            self.state = _terminated(137, "ContainerStatusUnknown", "the lab's node agent was restarted", at)
            if not self.done:
                self.last_state = self.state
                self.restart_count += 1

    def step(self, pod: kube.Object) -> None:
        """Look at the process, end it if its probes say so, start it if it is time."""
        now = time.monotonic()
        if self._process is None:
            if not self.done and not self.running and now >= self._not_before:
                self._start(pod)
            return
        code = self._process.poll()
        if code is not None:
            self._ended(code)
        elif self._kill_at is not None:
            if now >= self._kill_at:
                self._process.kill()
        elif self._prober and (kind := self._prober.unhealthy):
            self._place.say("Unhealthy", self._prober.failure, "Warning")
            self._place.say("Killing", f"Container {self.name} failed {kind} probe, will be restarted", "Normal")
            self.terminate(float(pod["spec"].get("terminationGracePeriodSeconds", 30)))
        elif now - self._log_checked > 10:
            self._log_checked = now
            _limit(self.log)

    def terminate(self, grace: float) -> None:
        """Ask the process to end, and see to it after `grace` seconds; a later call can only shorten the time."""
        if self._process is None:
            if self.running:
                self.state = _terminated(0, "Completed", "", self.state["running"]["startedAt"])
            return
        if self._prober:
            self._prober.stop()
        limit = time.monotonic() + grace
        if self._kill_at is None:
            self._process.terminate()
        self._kill_at = limit if self._kill_at is None else min(self._kill_at, limit)

    def kill(self) -> None:
        """End the process now and wait for it."""
        if self._prober:
            self._prober.stop()
        if self._process:
            self._process.kill()
            self._process.wait(5)
            self._process = None
            self._end_relay()
            self.state = _terminated(137, "Error", "", self.state["running"]["startedAt"])

    def _start(self, pod: kube.Object) -> None:
        try:
            self._variables = self._environment(pod)
            log = self.log
            log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            (log.parent / f"{self.restart_count - 2}.log").unlink(missing_ok=True)
            if self.image is None:
                self._pretend(log)
                return
            argv = self._argv(self.image)
            self._root = places.root(self._place, self.spec, self.image, self._variables)
            self._process = sandbox.Process(self._root, self.spec.get("workingDir"), argv, self._variables, log)
        except environment.Missing as error:
            self._wait("CreateContainerConfigError", str(error))
            return
        except places.NoTool as error:
            self._wait("ErrImagePull", str(error))
            return
        except (OSError, ValueError, kube.KubeError) as error:
            self._wait("RunContainerError", str(error))
            return
        self._run()
        self._prober = probes.Prober(self.spec, self._place.address, self._execute, self._place.changed)
        self._prober.start()

    def _run(self) -> None:
        self._id = uuid.uuid4().hex
        self._began = time.monotonic()
        self.state = {"running": {"startedAt": status.now()}}

    def _pretend(self, log: pathlib.Path) -> None:
        log.write_text(f"The lab has no program for the image {self.spec['image']}: it only says that this runs.\n")
        self._run()
        if self.policy != "Always":
            self.state = _terminated(0, "Completed", "", self.state["running"]["startedAt"])

    def _ended(self, code: int) -> None:
        if self._prober:
            self._prober.stop()
        self._process = self._prober = None
        self._kill_at = None
        self._end_relay()
        steady = time.monotonic() - self._began > status.STEADY_SECONDS
        self._failures = 1 if steady else self._failures + 1
        message = ""
        if code and self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            message = _end_of(self.log)
        reason = "Completed" if code == 0 else "Error"
        self.state = _terminated(code, reason, message, self.state["running"]["startedAt"])
        if self.done:
            return
        self.last_state = self.state
        self.restart_count += 1
        seconds = status.backoff(self._failures)
        self._not_before = time.monotonic() + seconds
        text = f"back-off {seconds:g}s restarting failed container={self.name}"
        self.state = {"waiting": {"reason": "CrashLoopBackOff", "message": text}}
        self._place.say("BackOff", f"{text} (exit code {code})", "Warning")

    def _wait(self, reason: str, message: str) -> None:
        self.state = {"waiting": {"reason": reason, "message": message}}
        self._not_before = time.monotonic() + CONFIG_RETRY_SECONDS
        self._place.say("Failed", f"Error: {message}", "Warning")

    def _environment(self, pod: kube.Object) -> dict[str, str]:
        base = {"PATH": images.SEARCH_PATH, "HOSTNAME": self._place.hostname}
        if self.image:
            base |= {"HOME": self.image.home, **dict(self.image.environment)}
            base |= {name: self._place.egress[name] for name in self.image.egress}
        return environment.build(self.spec, pod, base | self._place.base_environment, self._place.lookup)

    def _argv(self, image: images.Image) -> tuple[str, ...]:
        argv = images.argv(image, self.spec.get("command", ()), self.spec.get("args", ()))
        if not argv:
            raise ValueError("no command specified")
        expanded = tuple(environment.expand(word, self._variables) for word in argv)
        adapted = image.adapt(expanded, self._place.lab, self._place.address)
        return self._with_own_port(adapted, image.own_port) if image.own_port else adapted

    def _with_own_port(self, argv: tuple[str, ...], own_port: tuple[str, int]) -> tuple[str, ...]:
        """Give the program a port that nobody else has, and relay to it from the pod's address."""
        free = balancing.free_port()
        words, asked = images.with_port(argv, own_port, free)
        self._relay = (self._place.address, asked)
        self._place.balancers.add(self._relay, ("127.0.0.1", free))
        return words

    def _end_relay(self) -> None:
        if self._relay:
            self._place.balancers.remove(self._relay)
            self._relay = None

    def _execute(self, command: list[str], seconds: float) -> tuple[bool, str]:
        root = self._root
        if root is None:
            return False, "the container does not run"
        # A name of its own: the container's log is no place for probes.
        output = self._place.folder / f"probe-{self.name}-{uuid.uuid4().hex[:8]}"
        try:
            process = sandbox.Process(root, self.spec.get("workingDir"), command, self._variables, output)
            code = process.wait(seconds)
            if code is None:
                process.kill()
                process.wait(5)
                return False, f"command timed out after {seconds:g} s"
            return code == 0, output.read_text(errors="replace")[-500:]
        finally:
            output.unlink(missing_ok=True)


def _policy(role: str, pod_policy: str) -> str:
    if role == "sidecar":
        return "Always"
    if role == "init":
        return "Never" if pod_policy == "Never" else "OnFailure"
    return pod_policy


def _terminated(code: int, reason: str, message: str, began: str) -> kube.Object:
    found = {"exitCode": code, "reason": reason, "startedAt": began, "finishedAt": status.now()}
    return {"terminated": found | ({"message": message} if message else {})}


def _end_of(log: pathlib.Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TERMINATION_TAIL))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""


def _limit(log: pathlib.Path) -> None:
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        shutil.copyfile(log, log.with_suffix(".old"))
        os.truncate(log, 0)
