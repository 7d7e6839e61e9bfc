"""Argo CD's syncs that hold up a deletion: it waits for the sync that runs, with all its retries."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ops.kubectl import Kubectl
from ops.stack import OpsError

APPLICATIONS = "/apis/argoproj.io/v1alpha1/applications"
PROVIDER = "pulumi:providers:kubernetes"
TERMINATING = {"status": {"operationState": {"phase": "Terminating"}}}
"""What `argocd app terminate-op` writes: Argo CD ends the sync, its hooks too, and tries it no more."""


class Sync(NamedTuple):
    """A sync of an Application that is being deleted, and what Argo CD says of it."""

    namespace: str
    application: str
    said: str


def holding(cluster: Kubectl) -> list[Sync]:
    """Syncs that run, or wait for their next try, while their Application is to be deleted. Raises `ClusterError`."""
    found: list[Sync] = []
    for one in cluster.items(APPLICATIONS):
        state = (one.get("status") or {}).get("operationState") or {}
        going = one.get("operation") is not None and state.get("phase") == "Running"
        if going and one["metadata"].get("deletionTimestamp"):
            said = " ".join(str(state.get("message") or "it runs").split())
            found.append(Sync(one["metadata"]["namespace"], one["metadata"]["name"], said[:300]))
    return found


def end(cluster: Kubectl, sync: Sync) -> None:
    """End one. Raises `ClusterError`."""
    cluster.patch(
        "applications.argoproj.io", sync.application, TERMINATING, "gitops-platform-ops", namespace=sync.namespace
    )


def clusters(state: Mapping[str, Any]) -> list[Kubectl]:
    """The clusters of a state that was exported with its secrets."""
    resources = state["deployment"].get("resources") or []
    found = [(one.get("inputs") or {}).get("kubeconfig") for one in resources if one["type"] == PROVIDER]
    texts = [json.loads(one["plaintext"]) if isinstance(one, dict) and "plaintext" in one else one for one in found]
    return [Kubectl(one) for one in texts if isinstance(one, str)]


def in_state(
    plain: Callable[[], dict[str, Any]], state: Mapping[str, Any], say: Callable[[str], None]
) -> list[tuple[Kubectl, Sync]]:
    """What holds up a deletion in a state's clusters; a cluster that cannot be asked is told of and left out."""
    if not any(one["type"] == PROVIDER for one in state["deployment"].get("resources") or []):
        return []
    found: list[tuple[Kubectl, Sync]] = []
    for cluster in clusters(plain()):
        try:
            found += [(cluster, sync) for sync in holding(cluster)]
        except OpsError as error:  # a lost cluster is no obstacle to the rest
            say(f"warning: Argo CD's syncs could not be looked at: {error}")
    return found
