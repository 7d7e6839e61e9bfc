"""When an object of a built-in kind counts as ready, from objects already read. Pure functions.

Each answers with a Verdict; `AWAITED` says which kinds are waited for and for how long.
"""

from __future__ import annotations

import collections.abc
import dataclasses

from lab.plugins.kubernetes import model

ALL = "*"
Related = collections.abc.Callable[[str, str], list[model.Object]]
"""(kind, name) -> the object of that name in the same namespace, if it is there; for EndpointSlice: a Service's.

The name `ALL` stands for all of that kind in the namespace."""

INGRESS = ("networking.k8s.io", "Ingress")


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether it is ready; if not, what to tell and what is wrong. `failed`: it never will be."""

    ready: bool
    message: str = ""
    errors: tuple[str, ...] = ()
    failed: bool = False


READY = Verdict(True)


def _status(obj: model.Object, name: str, default: int = 0) -> int:
    return int(model.dig(obj, "status", name) or default)


def _observed(obj: model.Object) -> bool:
    return _status(obj, "observedGeneration") >= (model.dig(obj, "metadata", "generation") or 0)


def _conditions(obj: model.Object) -> dict[str, model.Object]:
    return {item.get("type", ""): item for item in model.dig(obj, "status", "conditions") or []}


def _true(obj: model.Object, condition: str) -> bool:
    return _conditions(obj).get(condition, {}).get("status") == "True"


def _told(condition: model.Object) -> str:
    return f"[{condition.get('reason') or condition.get('type')}] {condition.get('message') or ''}".strip()


def _replicas(obj: model.Object) -> int:
    wanted = model.dig(obj, "spec", "replicas")
    return 1 if wanted is None else int(wanted)


def deployment(obj: model.Object, related: Related) -> Verdict:
    """Rolled out: the newest revision's pods are there and available."""
    wanted, updated, ready = _replicas(obj), _status(obj, "updatedReplicas"), _status(obj, "readyReplicas")
    progressing = _conditions(obj).get("Progressing", {})
    rolled_out = (
        _observed(obj)
        and _true(obj, "Available")
        and (not progressing or progressing.get("status") == "True")
        and updated >= wanted
        and _status(obj, "availableReplicas") >= wanted
        and not _status(obj, "unavailableReplicas")
    )
    if rolled_out:
        return READY
    errors = [
        _told(item)
        for name, item in _conditions(obj).items()
        if name in ("Available", "Progressing") and item.get("status") == "False"
    ]
    if ready < wanted:
        errors.append("Minimum number of live Pods was not attained")
    message = f"Waiting for app ReplicaSet to be available ({min(ready, updated)}/{wanted} Pods available)"
    return Verdict(False, message, tuple(errors))


def stateful_set(obj: model.Object, related: Related) -> Verdict:
    """All replicas are of the newest revision and ready."""
    wanted, ready = _replicas(obj), _status(obj, "readyReplicas")
    partition = model.dig(obj, "spec", "updateStrategy", "rollingUpdate", "partition")
    on_delete = model.dig(obj, "spec", "updateStrategy", "type") == "OnDelete"
    current, newest = model.dig(obj, "status", "currentRevision"), model.dig(obj, "status", "updateRevision")
    settled = bool(partition) or on_delete or current == newest
    if _observed(obj) and ready >= wanted and _status(obj, "replicas") >= wanted and settled:
        return READY
    errors = [] if settled else [f"{_status(obj, 'updatedReplicas')} out of {wanted} replicas have been updated"]
    if ready < wanted:
        errors.append(f"{ready} out of {wanted} replicas succeeded readiness checks")
    return Verdict(False, f"Waiting for StatefulSet to be ready ({ready}/{wanted})", tuple(errors))


def daemon_set(obj: model.Object, related: Related) -> Verdict:
    """A pod of the newest revision is available on every node that wants one."""
    wanted, available = _status(obj, "desiredNumberScheduled"), _status(obj, "numberAvailable")
    if _observed(obj) and _status(obj, "updatedNumberScheduled") >= wanted and available >= wanted:
        return READY
    message = f"{available} out of {wanted} Pods are available"
    return Verdict(False, f"Waiting for DaemonSet: {message}", (message,))


def pod(obj: model.Object, related: Related) -> Verdict:
    """Ready, or run to its end with success."""
    if model.dig(obj, "status", "phase") == "Succeeded" or _true(obj, "Ready"):
        return READY
    errors = pod_errors(obj)
    return Verdict(False, errors[0] if errors else "Waiting for Pod to be ready", tuple(errors))


def pod_errors(obj: model.Object) -> list[str]:
    """What keeps a pod from being ready."""
    name, errors = model.dig(obj, "metadata", "name"), []
    scheduled = _conditions(obj).get("PodScheduled", {})
    if scheduled.get("status") == "False":
        errors.append(f"[Pod {name}]: {_told(scheduled)}")
    for group in ("initContainerStatuses", "containerStatuses"):
        for item in model.dig(obj, "status", group) or []:
            state = item.get("state") or {}
            for kind in ("waiting", "terminated"):
                told = state.get(kind) or {}
                if told.get("reason") not in (None, "ContainerCreating", "PodInitializing", "Completed"):
                    text = told.get("message") or f"exit code {told.get('exitCode')}"
                    errors.append(f"[Pod {name}]: container {item.get('name')}: [{told['reason']}] {text}")
    return errors


def job(obj: model.Object, related: Related) -> Verdict:
    """Complete; Failed ends the wait at once."""
    conditions = _conditions(obj)
    if _true(obj, "Complete") or _true(obj, "SuccessCriteriaMet"):
        return READY
    if _true(obj, "Failed"):
        return Verdict(False, "Job failed", (f"Job failed: {_told(conditions['Failed'])}",), failed=True)
    active, succeeded = _status(obj, "active"), _status(obj, "succeeded")
    return Verdict(False, f"Waiting for Job to succeed (Active: {active} | Succeeded: {succeeded})")


def service(obj: model.Object, related: Related) -> Verdict:
    """Its selector finds a ready pod, and a LoadBalancer has an address."""
    spec = obj.get("spec") or {}
    errors = []
    needs_pods = spec.get("selector") and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None"
    if needs_pods and not _has_endpoints(related, model.dig(obj, "metadata", "name")):
        errors.append("Service does not target any Pods. Selected Pods may not be ready, or its selector may be wrong")
    if spec.get("type") == "LoadBalancer" and not model.dig(obj, "status", "loadBalancer", "ingress"):
        errors.append("Service was not allocated an IP address; does your cluster support load balancers?")
    return Verdict(False, errors[0], tuple(errors)) if errors else READY


def _has_endpoints(related: Related, name: str) -> bool:
    slices = [item for found in related("EndpointSlice", name) for item in found.get("endpoints") or []]
    if any(model.dig(item, "conditions", "ready") is not False for item in slices):
        return True
    return any(subset.get("addresses") for item in related("Endpoints", name) for subset in item.get("subsets") or [])


def address(obj: model.Object, related: Related | None = None) -> Verdict:
    """An Ingress has an address. That is all a refresh asks for; see `ingress.py` for what creation does."""
    if model.dig(obj, "status", "loadBalancer", "ingress"):
        return READY
    told = "Ingress .status.loadBalancer field was not updated with a hostname/IP address"
    return Verdict(False, "[2/3] Waiting for update of .status.loadBalancer with hostname/IP", (told,))


def token_secret(obj: model.Object, related: Related) -> Verdict:
    """A service account's token was filled in; other Secrets are ready at once."""
    waiting = obj.get("type") == "kubernetes.io/service-account-token" and not obj.get("data")
    return Verdict(False, "Waiting for the service account's token") if waiting else READY


def volume(obj: model.Object, related: Related) -> Verdict:
    phase = model.dig(obj, "status", "phase")
    return READY if phase in ("Available", "Bound") else Verdict(False, f"PersistentVolume is {phase}")


def claim(obj: model.Object, related: Related) -> Verdict:
    """Bound, or waiting for its first consumer where its storage class says so."""
    phase = model.dig(obj, "status", "phase")
    classes = related("StorageClass", model.dig(obj, "spec", "storageClassName") or "")
    lazy = bool(classes) and classes[0].get("volumeBindingMode") == "WaitForFirstConsumer"
    return (
        READY
        if phase == "Bound" or (lazy and phase == "Pending")
        else Verdict(False, f"PersistentVolumeClaim is {phase}")
    )


def quota(obj: model.Object, related: Related) -> Verdict:
    hard = model.dig(obj, "spec", "hard")
    return READY if model.dig(obj, "status", "hard") == hard else Verdict(False, "Waiting for the quota to be counted")


def replication_controller(obj: model.Object, related: Related) -> Verdict:
    ready, wanted = _status(obj, "availableReplicas"), _replicas(obj)
    return READY if ready == wanted else Verdict(False, f"{ready} out of {wanted} Pods are available")


Rule = collections.abc.Callable[[model.Object, Related], Verdict]

AWAITED: dict[tuple[str, str], tuple[Rule, float | None]] = {
    ("apps", "Deployment"): (deployment, None),
    ("apps", "StatefulSet"): (stateful_set, None),
    ("apps", "DaemonSet"): (daemon_set, None),
    ("batch", "Job"): (job, None),
    INGRESS: (address, None),
    ("", "Pod"): (pod, None),
    ("", "Service"): (service, None),
    ("", "ReplicationController"): (replication_controller, None),
    ("", "Secret"): (token_secret, 5),
    ("", "PersistentVolume"): (volume, 300),
    ("", "PersistentVolumeClaim"): (claim, 300),
    ("", "ResourceQuota"): (quota, 60),
}
"""(group, kind) -> its rule, and the seconds it is waited for when custom timeouts do not count."""

READ_TOO = {
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("batch", "Job"),
    ("networking.k8s.io", "Ingress"),
    ("", "Pod"),
    ("", "Service"),
}
"""Kinds for which a refresh also reports that they are not ready."""


def rule(obj: model.Object) -> tuple[Rule, float | None] | None:
    """The rule of an object's kind, None where nothing is waited for."""
    return AWAITED.get(key(obj))


def key(obj: model.Object) -> tuple[str, str]:
    return str(obj.get("apiVersion", "")).rpartition("/")[0], str(obj.get("kind", ""))
