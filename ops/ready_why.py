"""Why an add-on does not do its work: its workloads, its pods, and the last lines that they wrote."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ops import scrub
from ops.kubectl import ClusterError, Kubectl

Object = Mapping[str, Any]

KINDS = ("deployments", "statefulsets", "daemonsets")
COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

PODS, LINES = 2, 10
"""Of how many pods the log is shown, and how many lines."""

HEAD, TAIL = 240, 360
"""How many characters of a line, from its start and its end."""


class Trouble(NamedTuple):
    """A container that does not do its work. `previous`: what it wrote is in the log before the last restart."""

    container: str
    what: str
    previous: bool


def workloads(cluster: Kubectl, namespace: str, selector: str = "") -> list[str]:
    """What is wrong with a namespace's Deployments, StatefulSets and DaemonSets."""
    query = {"labelSelector": selector} if selector else {}
    found = [
        workload(one, kind)
        for kind in KINDS
        for one in cluster.items(f"/apis/apps/v1/namespaces/{namespace}/{kind}", **query)
    ]
    return [one for one in found if one]


def workload(found: Object, kind: str) -> str:
    """What is wrong with a workload; empty when nothing is."""
    spec, status = found.get("spec") or {}, found.get("status") or {}
    title = f"{kind.removesuffix('s')} {found['metadata']['name']}"
    if status.get("observedGeneration", 0) < found["metadata"].get("generation", 0):
        return f"{title}: its change is not carried out yet"
    if kind == "daemonsets":
        wanted, there = status.get("desiredNumberScheduled", 0), status.get("numberAvailable", 0)
        if not wanted:
            selector = ((spec.get("template") or {}).get("spec") or {}).get("nodeSelector") or {}
            labels = ",".join(f"{key}={value}" for key, value in selector.items()) or "any label"
            return f"{title}: no node to run on (it wants {labels}, and its tolerations)"
    else:
        wanted = spec.get("replicas", 1)
        there = status.get("availableReplicas", 0)
        if not wanted:
            return f"{title}: scaled to 0"
    if there >= wanted:
        return ""
    said = [
        one.get("message", "")
        for one in status.get("conditions") or []
        if (one.get("type"), one.get("status")) in (("ReplicaFailure", "True"), ("Progressing", "False"))
    ]
    return f"{title}: {there} of {wanted} pods available{''.join(f'; {one}' for one in said if one)}"


def pod(found: Object) -> Trouble | None:
    """What is wrong with a pod, and which container's log tells; None when nothing is."""
    status = found.get("status") or {}
    if status.get("phase") == "Succeeded":
        return None
    for one in status.get("conditions") or []:
        if one.get("type") == "PodScheduled" and one.get("status") == "False":
            return Trouble("", f"cannot be placed: {one.get('message') or one.get('reason')}", False)
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    for one in containers:
        trouble = _container(one)
        if trouble:
            return trouble
    return None if containers else Trouble("", f"is {status.get('phase') or 'unknown'}, no container started", False)


def _container(found: Object) -> Trouble | None:
    name, state = str(found["name"]), found.get("state") or {}
    last = (found.get("lastState") or {}).get("terminated")
    ended = f", ended with code {last.get('exitCode')} ({last.get('reason')})" if last else ""
    if waiting := state.get("waiting"):
        said = f": {waiting['message']}" if waiting.get("message") else ""
        return Trouble(name, f"{waiting.get('reason')}{said}{ended}", bool(last))
    if terminated := state.get("terminated"):
        if terminated.get("exitCode") == 0:
            return None
        return Trouble(name, f"ended with code {terminated.get('exitCode')} ({terminated.get('reason')})", False)
    if not found.get("ready"):
        return Trouble(name, f"runs, but is not ready{ended}", False)
    return None


def explain(cluster: Kubectl, namespace: str, always: bool) -> Iterator[str]:
    """Lines for people about the workloads of a namespace; with `always` a healthy controller's log as well."""
    try:
        yield from workloads(cluster, namespace)
        pods = cluster.items(f"/api/v1/namespaces/{namespace}/pods")
        troubled = [(one, trouble) for one in pods if (trouble := pod(one))]
        for one, trouble in troubled[:PODS]:
            who = f"pod {one['metadata']['name']}"
            yield f"{who}{f', container {trouble.container}' if trouble.container else ''}: {trouble.what}"
            if trouble.container:
                yield from _log(cluster, one, trouble.container, trouble.previous)
        if len(troubled) > PODS:
            yield f"and {len(troubled) - PODS} more pods"
        if always and not troubled and pods:
            one = controller(pods)
            container = one["spec"]["containers"][0]["name"]
            yield f"pod {one['metadata']['name']} runs; the last that it wrote:"
            yield from _log(cluster, one, container, previous=False)
    except ClusterError as error:
        yield f"its pods cannot be looked at: {error}"


def controller(pods: Sequence[Object]) -> Object:
    """The pod that does an add-on's work: the one labelled so, else the first."""
    label = "app.kubernetes.io/component"
    marked = [one for one in pods if (one["metadata"].get("labels") or {}).get(label) == "controller"]
    return (marked or list(pods))[0]


def _log(cluster: Kubectl, found: Object, container: str, previous: bool) -> Iterator[str]:
    metadata = found["metadata"]
    lines = cluster.log(metadata["namespace"], metadata["name"], container, LINES, previous=previous)
    if not lines:  # it has just been started again, or its former log is gone
        lines = cluster.log(metadata["namespace"], metadata["name"], container, LINES, previous=not previous)
    yield from (f"  | {line}" for line in _clean(lines) or ["(its log is empty)"])


def _clean(lines: Sequence[str]) -> list[str]:
    """Without empty lines, without secrets, and without what a terminal would act on."""
    whole = scrub.scrub("\n".join(COLOUR.sub("", line) for line in lines), scrub.known(os.environ))
    plain = ("".join(char if char.isprintable() else " " for char in line) for line in whole.splitlines())
    return [_cut(line) for line in plain if line.strip()]


def _cut(line: str) -> str:
    """At most HEAD + TAIL characters: what failed stands at the start, why (errors of an SDK nest) at the end."""
    return line if len(line) <= HEAD + TAIL else f"{line[:HEAD]} … {line[-TAIL:]}"
