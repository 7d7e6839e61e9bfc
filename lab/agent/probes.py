"""Startup, readiness and liveness probes.

Timing is the kubelet's with two lab manners: what only waits to become true is asked every second from its first time
on, so that a pod is ready soon after it can be; and a busy little machine gets at least 5 s and 3 failures before a
container is killed.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import http.client
import socket
import ssl
import threading
import time

from lab import kube

QUICK_SECONDS = 1.0
LIVENESS_TIMEOUT = 5.0
LIVENESS_FAILURES = 3


@dataclasses.dataclass(frozen=True)
class Timing:
    """Seconds and counts of one probe as the lab applies them."""

    delay: float
    period: float
    timeout: float
    failures: int
    successes: int


def timing(probe: kube.Object, kind: str) -> Timing:
    """The probe's timing with the API's defaults and the lab's manners; `kind`: startup, readiness or liveness."""
    delay = float(probe.get("initialDelaySeconds", 0))
    period = float(probe.get("periodSeconds", 10))
    timeout = float(probe.get("timeoutSeconds", 1))
    failures = int(probe.get("failureThreshold", 3))
    successes = int(probe.get("successThreshold", 1))
    if kind == "liveness":
        return Timing(delay, period, max(timeout, LIVENESS_TIMEOUT), max(failures, LIVENESS_FAILURES), 1)
    if kind == "startup":
        # The same patience in seconds, asked more often.
        failures = max(failures, round(failures * period / QUICK_SECONDS))
        period = min(period, QUICK_SECONDS)
    return Timing(delay, period, max(timeout, 2.0), failures, successes)


@dataclasses.dataclass
class Verdict:
    """What a row of answers amounts to: None until there is enough to say."""

    timing: Timing
    value: bool | None = None
    good: int = 0
    bad: int = 0

    def add(self, success: bool) -> None:
        """Count one answer."""
        self.good, self.bad = (self.good + 1, 0) if success else (0, self.bad + 1)
        if self.good >= self.timing.successes:
            self.value = True
        elif self.bad >= self.timing.failures:
            self.value = False


Execute = collections.abc.Callable[[list[str], float], tuple[bool, str]]
"""Runs a command in the container, for at most so many seconds: (success, output)."""


def ask(probe: kube.Object, container: kube.Object, address: str, seconds: float, execute: Execute) -> tuple[bool, str]:
    """Put the question once: (success, what was wrong)."""
    try:
        if "exec" in probe:
            return execute(probe["exec"]["command"], seconds)
        if "httpGet" in probe:
            return _http(probe["httpGet"], container, address, seconds)
        # A gRPC health check is asked as a connection only.
        target = probe.get("tcpSocket") or probe.get("grpc") or {}
        with socket.create_connection((target.get("host") or address, port(container, target["port"])), seconds):
            return True, ""
    except (OSError, http.client.HTTPException, KeyError) as error:
        return False, str(error) or type(error).__name__


def port(container: kube.Object, wanted: int | str) -> int:
    """A port by number or by the name that the container gives it."""
    if isinstance(wanted, int) or wanted.isdigit():
        return int(wanted)
    for each in container.get("ports", ()):
        if each.get("name") == wanted:
            return int(each["containerPort"])
    raise KeyError(f"the container has no port named {wanted}")


def _http(target: kube.Object, container: kube.Object, address: str, seconds: float) -> tuple[bool, str]:
    host, number = target.get("host") or address, port(container, target["port"])
    if target.get("scheme") == "HTTPS":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, number, timeout=seconds, context=_unverified()
        )
    else:
        connection = http.client.HTTPConnection(host, number, timeout=seconds)
    try:
        headers = {"User-Agent": "kube-probe/lab", "Connection": "close"}
        headers |= {each["name"]: each["value"] for each in target.get("httpHeaders", ())}
        connection.request("GET", target.get("path") or "/", headers=headers)
        status = connection.getresponse().status
    finally:
        connection.close()
    return 200 <= status < 400, f"HTTP probe failed with statuscode: {status}"


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Prober(threading.Thread):
    """Asks one container's probes from its start to its end; `changed` is called after each change of a verdict."""

    def __init__(
        self, container: kube.Object, address: str, execute: Execute, changed: collections.abc.Callable[[], None]
    ) -> None:
        super().__init__(name=f"probes of {container['name']}", daemon=True)
        self._container = container
        self._address = address
        self._execute = execute
        self._changed = changed
        self._stop_event = threading.Event()
        self._verdicts = {
            kind: Verdict(timing(container[f"{kind}Probe"], kind))
            for kind in ("startup", "readiness", "liveness")
            if f"{kind}Probe" in container
        }
        self.failure = ""
        """What the last failed probe said."""

    @property
    def started(self) -> bool:
        """Whether the startup probe, if there is one, has succeeded."""
        return "startup" not in self._verdicts or self._verdicts["startup"].value is True

    @property
    def ready(self) -> bool:
        """Whether the container may be called ready."""
        return self.started and ("readiness" not in self._verdicts or self._verdicts["readiness"].value is True)

    @property
    def unhealthy(self) -> str | None:
        """The kind of probe that wants the container killed, or None."""
        return next((kind for kind in ("startup", "liveness") if self._value(kind) is False), None)

    def stop(self) -> None:
        """Ask no more."""
        self._stop_event.set()

    def run(self) -> None:
        """Ask each probe when it is due."""
        begin = time.monotonic()
        due = {kind: begin + verdict.timing.delay for kind, verdict in self._verdicts.items()}
        while due and not self._stop_event.is_set():
            kinds = ["startup"] if not self.started else [kind for kind in due if kind != "startup"]
            if not kinds:
                return
            kind = min(kinds, key=lambda each: due[each])
            if self._stop_event.wait(max(0.0, due[kind] - time.monotonic())):
                return
            self._ask(kind)
            verdict = self._verdicts[kind]
            waiting = kind != "liveness" and verdict.value is not True
            period = min(verdict.timing.period, QUICK_SECONDS) if waiting else verdict.timing.period
            due[kind] = time.monotonic() + period

    def _ask(self, kind: str) -> None:
        verdict, before = self._verdicts[kind], self._verdicts[kind].value
        probe = self._container[f"{kind}Probe"]
        success, text = ask(probe, self._container, self._address, verdict.timing.timeout, self._execute)
        if self._stop_event.is_set():
            return
        if not success:
            self.failure = f"{kind.capitalize()} probe failed: {text.strip()[:500]}"
        verdict.add(success)
        if verdict.value != before:
            self._changed()

    def _value(self, kind: str) -> bool | None:
        return self._verdicts[kind].value if kind in self._verdicts else None
