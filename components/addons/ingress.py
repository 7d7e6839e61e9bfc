"""What the ingress controllers share: the reserved address, the node pool, the ports."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components.addons import addon

NODE_SELECTOR_ANNOTATION = "cloud.ionos.com/node-selector"
"""IONOS puts the Service's address on a node with these labels; other clouds ignore it."""
HOSTNAME_ANNOTATION = "external-dns.alpha.kubernetes.io/hostname"

ROLLOUT: Mapping[str, Any] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
"""A new pod is ready before the old one on its node goes. A DaemonSet's own default takes the old one away first: with
one ingress node nobody is served for up to 300 s, ingress-nginx's time for open connections."""


@dataclasses.dataclass(frozen=True)
class IngressArgs:
    """An ingress controller.

    Args:
        install: namespace and adjustments.
        address: the load balancer's reserved address; "" or None leaves the choice to the cloud.
        node_selector: labels of the nodes that carry traffic; empty: any node.
        tolerations: Kubernetes tolerations for those nodes' taints.
        hostname: name for the load balancer's own DNS record, for external-dns; None: no record.
        tcp_services: outside port -> "namespace/service:port", passed through as TCP.
        resources: the controller's Kubernetes resources; empty: those in `production`.
    """

    install: addon.Install
    address: pulumi.Input[str] | None = None
    node_selector: Mapping[str, str] = dataclasses.field(default_factory=dict)
    tolerations: Sequence[Mapping[str, str]] = ()
    hostname: str | None = None
    tcp_services: Mapping[str, str] = dataclasses.field(default_factory=dict)
    resources: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def service_annotations(args: IngressArgs) -> dict[str, str]:
    """Annotations of the LoadBalancer Service."""
    annotations: dict[str, str] = {}
    if args.node_selector:
        labels = ",".join(f"{key}={value}" for key, value in sorted(args.node_selector.items()))
        annotations[NODE_SELECTOR_ANNOTATION] = labels
    if args.hostname:
        annotations[HOSTNAME_ANNOTATION] = args.hostname
    return annotations
