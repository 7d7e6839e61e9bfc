"""What the agent says about a pod: phase, conditions, restart decisions (pure)."""

from __future__ import annotations

import collections.abc
import datetime

from lab import kube

FIRST_BACKOFF, LAST_BACKOFF = 1.0, 30.0
STEADY_SECONDS = 60.0
OWN_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready")


def now() -> str:
    """The time as the API writes it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def restarts(policy: str, exit_code: int) -> bool:
    """Whether a container that ended is started again."""
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def backoff(failures: int) -> float:
    """Seconds before the next start after so many ends in a row (1 is the first)."""
    return min(FIRST_BACKOFF * 2.0 ** max(0, min(failures, 16) - 1), LAST_BACKOFF)


def phase(
    initialized: bool, states: collections.abc.Sequence[kube.Object], policies: collections.abc.Sequence[str]
) -> str:
    """The pod's phase from its main containers' states and restart policies."""
    ends = [state.get("terminated") for state in states]
    if initialized and all(ends):
        codes = [end["exitCode"] for end in ends if end]
        if not any(restarts(policy, code) for policy, code in zip(policies, codes, strict=True)):
            return "Succeeded" if not any(codes) else "Failed"
    began = any(not _never_ran(state) for state in states)
    return "Running" if initialized and began else "Pending"


def _never_ran(state: kube.Object) -> bool:
    waiting = state.get("waiting")
    return bool(waiting) and waiting["reason"] != "CrashLoopBackOff"


def conditions(
    old: collections.abc.Sequence[kube.Object],
    initialized: bool,
    unready: collections.abc.Sequence[str],
    pod_phase: str,
) -> list[kube.Object]:
    """The agent's own conditions; one that stays as it was keeps its time. `unready`: names of unready containers."""
    done = pod_phase in ("Succeeded", "Failed")
    ready = not unready and initialized and not done
    why: tuple[str, str] | None = None
    if done:
        why = ("PodCompleted" if pod_phase == "Succeeded" else "PodFailed", "")
    elif not ready:
        why = ("ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
    wanted: dict[str, tuple[bool, tuple[str, str] | None]] = {
        "PodReadyToStartContainers": (not done, None),
        "Initialized": (initialized, None if initialized else ("ContainersNotInitialized", "")),
        "ContainersReady": (ready, why),
        "Ready": (ready, why),
    }
    before = {condition["type"]: condition for condition in old}
    return [_condition(kind, value, reason, before.get(kind)) for kind, (value, reason) in wanted.items()]


def others(old: collections.abc.Sequence[kube.Object]) -> list[kube.Object]:
    """The conditions that somebody else keeps, such as the scheduler."""
    return [condition for condition in old if condition["type"] not in OWN_CONDITIONS]


def _condition(kind: str, value: bool, why: tuple[str, str] | None, old: kube.Object | None) -> kube.Object:
    word = "True" if value else "False"
    since = old["lastTransitionTime"] if old and old["status"] == word and old.get("lastTransitionTime") else now()
    found: kube.Object = {"type": kind, "status": word, "lastProbeTime": None, "lastTransitionTime": since}
    if why:
        found["reason"] = why[0]
        if why[1]:
            found["message"] = why[1]
    return found
