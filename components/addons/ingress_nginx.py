"""ingress-nginx on the ingress nodes, as the environments run it today. Retired: Traefik succeeds it.

A DaemonSet with `externalTrafficPolicy: Local` keeps clients' source addresses.
https://github.com/kubernetes/ingress-nginx/tree/main/charts/ingress-nginx
"""

from __future__ import annotations

from typing import Any

import pulumi

from components.addons import addon, charts, ingress, production

CLASS = "nginx"

PORTS = ("http", "https", "webhook")
"""The chart's names of the pods' ports for clients and for the API server."""

CONFIG = {
    "large-client-header-buffers": "8 32k",
    # nginx has ignored these two since 1.19.7 in favour of the line above; the environments carry them.
    "http2-max-field-size": "32k",
    "http2-max-header-size": "32k",
    "proxy-body-size": "10m",
}

RETIRED = (
    "ingress-nginx is retired: since March 2026 it gets no fixes, security fixes included. "
    "Plan the change to Traefik: set gitops-platform:addons.ingress.controller to traefik; "
    "with nginxClass: true Traefik goes on serving Ingresses of class nginx."
)


class IngressNginx(addon.AddOn):
    """The ingress-nginx controller. Children: its Argo CD Application."""

    ingress_class = CLASS

    def __init__(self, name: str, args: ingress.IngressArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("IngressNginx", name, charts.INGRESS_NGINX, args.install, values(args), opts)
        pulumi.log.warn(RETIRED, self)


def values(args: ingress.IngressArgs) -> dict[str, Any]:
    """The chart's values.

    nginx itself stops listening as soon as it is told to end; its own `wait-shutdown` waits for open requests only.
    """
    given = args.install.production
    service: dict[str, Any] = {
        "externalTrafficPolicy": "Local",
        "annotations": ingress.service_annotations(args),
    }
    if args.address:
        service["loadBalancerIP"] = args.address
    controller: dict[str, Any] = {
        "kind": "DaemonSet",
        "updateStrategy": ingress.ROLLOUT,
        "nodeSelector": {"kubernetes.io/os": "linux", **args.node_selector},
        "tolerations": [dict(toleration) for toleration in args.tolerations],
        "config": dict(CONFIG),
        "ingressClassResource": {"name": CLASS, "default": True},
        "service": service,
        "extraArgs": {"shutdown-grace-period": production.GRACE_SECONDS},
        "resources": dict(args.resources) or production.INGRESS_NGINX,
        "admissionWebhooks": {
            "createSecretJob": {"resources": production.ADMISSION_JOB},
            "patchWebhookJob": {"resources": production.ADMISSION_JOB},
            **({"patch": given.priority()} if given.priority_class else {}),
        },
        **given.priority(),
    }
    if given.monitoring:
        controller["metrics"] = {"enabled": True, "serviceMonitor": given.monitoring.monitor("additionalLabels")}
    result: dict[str, Any] = {"fullnameOverride": "ingress-nginx", "controller": controller}
    if args.tcp_services:
        result["tcp"] = dict(args.tcp_services)
    return result
