"""What keeps the platform's own pods running beside everybody else's: sizes, priority, second replicas, metrics.

One place for all charts. Every container asks for CPU and memory, or its pod is the first to be evicted where memory
runs short. Memory has a limit, so that a leak ends one container and not its node's others. CPU has none: a limit
slows a container down while processors are idle, and what is asked for is kept by weight anyway.

Sizes are for an environment of up to some 200 Applications.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pulumi

Resources = Mapping[str, Any]


def size(cpu: str, memory: str, limit: str) -> dict[str, Any]:
    """A container's `resources`: CPU and memory that it asks for, and the memory that it may use at most."""
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": limit}}


ARGO_CD = {
    "controller": size("250m", "512Mi", "2Gi"),
    "repoServer": size("100m", "256Mi", "1Gi"),
    "server": size("50m", "128Mi", "512Mi"),
    "applicationSet": size("50m", "128Mi", "512Mi"),
    "redis": size("50m", "64Mi", "512Mi"),
    "dex": size("10m", "64Mi", "128Mi"),
    "redisSecretInit": size("10m", "64Mi", "256Mi"),
}
"""By the chart's name for the part."""
COPY = size("10m", "32Mi", "128Mi")
"""Argo CD's init containers, which copy a program into a volume."""

SEALED_SECRETS = size("50m", "64Mi", "256Mi")
EXTERNAL_DNS = size("25m", "64Mi", "256Mi")
DNS_WEBHOOK = size("10m", "32Mi", "128Mi")
CERT_MANAGER = {
    "controller": size("25m", "128Mi", "512Mi"),
    "webhook": size("10m", "32Mi", "128Mi"),
    "cainjector": size("10m", "128Mi", "512Mi"),
    "startupapicheck": size("10m", "32Mi", "128Mi"),
}
INGRESS_NGINX = size("100m", "256Mi", "1Gi")
ADMISSION_JOB = size("10m", "32Mi", "128Mi")
TRAEFIK = size("100m", "128Mi", "512Mi")

DISRUPTION = {"maxUnavailable": 1}
"""Of two replicas one stays when nodes are drained; of one that somebody asked for, none: the drain goes on."""

GRACE_SECONDS = 10
"""How long an ingress's pod still takes connections after it was told to end: kube-proxy hears of that later."""
WARM_UP_SECONDS = 10
"""After how long an ingress's new pod gets traffic: it says that it is ready before it has read its Ingresses."""


@dataclasses.dataclass(frozen=True)
class Monitoring:
    """Metrics: `served` says whether the cluster knows ServiceMonitors; `labels` are theirs."""

    served: pulumi.Input[bool] = False
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def monitor(self, labels: str) -> dict[str, Any]:
        """A chart's switch for its ServiceMonitor; `labels`: what the chart calls the labels."""
        return {"enabled": self.served, **({labels: dict(self.labels)} if self.labels else {})}


@dataclasses.dataclass(frozen=True)
class Production:
    """What the platform's pods are given.

    Args:
        priority_class: name of their PriorityClass; empty: none.
        high: two replicas of what can have two.
        monitoring: metrics Services and ServiceMonitors; None: neither.
    """

    priority_class: str = ""
    high: bool = False
    monitoring: Monitoring | None = None

    def priority(self) -> dict[str, Any]:
        """`priorityClassName`, where there is one."""
        return {"priorityClassName": self.priority_class} if self.priority_class else {}

    def replicas(self, key: str, budget: str, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
        """One replica, or two on different nodes with a PodDisruptionBudget.

        `key` and `budget`: what the chart calls them. `labels`: the pods', unless the chart adds them by itself.
        """
        if not self.high:
            return {key: 1}
        return {
            key: 2,
            budget: {"enabled": True, **DISRUPTION},
            "topologySpreadConstraints": [spread(labels)],
        }


def spread(labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Pods on as many nodes as there are.

    Nodes that no pod may go to do not count, and neither do the pods of the version before: without these two an
    update waits for ever for a node where nothing runs, such as one of the ingress's.
    """
    constraint: dict[str, Any] = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "nodeTaintsPolicy": "Honor",
        "matchLabelKeys": ["pod-template-hash"],
    }
    return {**constraint, **({"labelSelector": {"matchLabels": dict(labels)}} if labels else {})}
