"""Traefik on the ingress nodes: the successor of ingress-nginx.

A DaemonSet with `externalTrafficPolicy: Local` keeps clients' source addresses. Ingresses of class `traefik` are
served over HTTPS, plain HTTP leads there; an Ingress with the annotations in PLAIN_HTTP is served over HTTP.
With `nginx_class` it also serves Ingresses of class `nginx` and understands most of their annotations, so that
applications can move one at a time; as with ingress-nginx, those with TLS are redirected and the others are not.
https://github.com/traefik/traefik-helm-chart/tree/master/traefik
https://doc.traefik.io/traefik/reference/install-configuration/providers/kubernetes/kubernetes-ingress-nginx/
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import pulumi

from components import manifests, options
from components.addons import addon, charts, ingress, production

CLASS = "traefik"
NGINX_CLASS = "nginx"

WEB, WEBSECURE = "web", "websecure"
"""The chart's entry points for HTTP and HTTPS."""
OWN_PORTS = ("traefik", "metrics")
"""The chart's ports that are not for clients."""
PLAIN_HTTP = {"traefik.ingress.kubernetes.io/router.entrypoints": WEB}
"""Annotations of an Ingress of class `traefik` that is to be answered over plain HTTP, as ACME challenges are."""
REDIRECTION = {
    "entryPoint": {
        "to": WEBSECURE,
        "scheme": "https",
        "permanent": True,
        # Below every router's (the length of its rule): what is served over HTTP on purpose goes before it.
        "priority": 1,
    }
}

SHIFT, LAST_PORT = 20000, 65535
GRACEFUL = {
    "transport": {"lifeCycle": {"requestAcceptGraceTimeout": f"{production.GRACE_SECONDS}s", "graceTimeOut": "30s"}}
}
"""Of an entry point whose pod was told to end: it takes connections for a while, then answers what it has."""

HEADER_BYTES = 8 * 32 * 1024
"""The same as ingress-nginx's eight buffers of 32 KiB; Traefik itself would allow 1 MiB."""


@dataclasses.dataclass(frozen=True)
class TraefikArgs(ingress.IngressArgs):
    """An ingress controller (see `ingress.IngressArgs`); `nginx_class`: serve class `nginx` as well."""

    nginx_class: bool = False


class Traefik(addon.AddOn):
    """The Traefik ingress controller. Children: its Argo CD Application."""

    ingress_class = CLASS

    def __init__(self, name: str, args: TraefikArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Traefik", name, charts.TRAEFIK, args.install, values(args), opts)


class TcpRoutes(pulumi.ComponentResource):
    """The routes of `tcp_services`. Give Traefik, whose CRD they need, and the namespaces in `depends_on`.

    Not part of Traefik's chart: the add-ons' AppProject would have to allow every namespace that has such a Service.

    Children: a `traefik.io/v1alpha1` IngressRouteTCP for each port, in the namespace of its Service.
    """

    def __init__(self, name: str, tcp_services: Mapping[str, str], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("platform:addons:TcpRoutes", name, None, opts)
        for port, target in tcp_services.items():
            manifests.Manifest(entry_point(port), tcp_route(port, target), opts=options.child(self, opts))
        self.register_outputs({})


def values(args: TraefikArgs) -> dict[str, Any]:
    """The chart's values."""
    given = args.install.production
    service: dict[str, Any] = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
    if args.address:
        service["loadBalancerIP"] = args.address
    providers: dict[str, Any] = {
        "kubernetesIngress": {"enabled": True, "publishedService": {"enabled": True}},
        # A TCP route lies beside its Service (see TcpRoutes), so that nobody's route reaches into another namespace.
        "kubernetesCRD": {"enabled": True, "allowCrossNamespace": False},
    }
    objects: list[Mapping[str, Any]] = []
    if args.nginx_class:
        providers["kubernetesIngressNGINX"] = {
            "enabled": True,
            "ingressClass": NGINX_CLASS,
            "publishService": {"enabled": True},
        }
        objects.append(_nginx_class())
    result: dict[str, Any] = {
        "fullnameOverride": "traefik",
        "deployment": {"kind": "DaemonSet"},
        "updateStrategy": ingress.ROLLOUT,
        "ingressClass": {"enabled": True, "name": CLASS, "isDefaultClass": True},
        "providers": providers,
        "service": {"annotations": ingress.service_annotations(args), "spec": service},
        "ports": {
            WEB: {"http": {"maxHeaderBytes": HEADER_BYTES, "redirections": REDIRECTION}, **GRACEFUL},
            WEBSECURE: {"asDefault": True, "http": {"maxHeaderBytes": HEADER_BYTES}, **GRACEFUL},
            **{
                entry_point(port): {
                    "port": inside,
                    "exposedPort": int(port),
                    "expose": {"default": True},
                    "protocol": "TCP",
                    **GRACEFUL,
                }
                for port, inside in pod_ports(args.tcp_services).items()
            },
        },
        "nodeSelector": {"kubernetes.io/os": "linux", **args.node_selector},
        "tolerations": [dict(toleration) for toleration in args.tolerations],
        "global": {"checkNewVersion": False},
        "readinessProbe": {"initialDelaySeconds": production.WARM_UP_SECONDS},
        "resources": dict(args.resources) or production.TRAEFIK,
        **given.priority(),
    }
    if given.monitoring:
        result["metrics"] = _metrics(given.monitoring)
    if objects:
        result["extraObjects"] = objects
    return result


def _metrics(monitoring: production.Monitoring) -> dict[str, Any]:
    # Argo CD renders with what the cluster served when it last looked: too early, and the chart would refuse to render.
    monitor = {"disableAPICheck": True, "serviceMonitor": monitoring.monitor("additionalLabels")}
    return {"prometheus": {"service": {"enabled": True}, **monitor}}


def entry_point(port: str) -> str:
    """Name of the entry point for a port of `tcp_services`, and of the pods' port."""
    return f"tcp-{port}"


def pod_ports(ports: Iterable[str]) -> dict[str, int]:
    """Outside port -> the port of Traefik's pod behind it.

    Not the same: below 1024 it would need a privilege that the pod drops; 8000, 8080, 8443 and 9100 are the pod's own.
    Seen with 3.7.11: an entry point whose port is taken ends Traefik, and with it the whole ingress.
    """
    found: dict[str, int] = {}
    for port in sorted(ports, key=int):
        number = int(port) + SHIFT
        if number > LAST_PORT:
            number = int(port)
            while number in found.values():
                number -= 1
        found[port] = number
    return found


def tcp_route(port: str, target: str) -> dict[str, Any]:
    """The IngressRouteTCP of an outside port, in the namespace of its Service."""
    namespace, _, service = target.partition("/")
    name, _, service_port = service.rpartition(":")
    return {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "IngressRouteTCP",
        "metadata": {"name": entry_point(port), "namespace": namespace, "labels": {"purpose": "infra"}},
        "spec": {
            "entryPoints": [entry_point(port)],
            "routes": [{"match": "HostSNI(`*`)", "services": [{"name": name, "port": _number(service_port)}]}],
        },
    }


def _number(port: str) -> int | str:
    return int(port) if port.isdecimal() else port


def _nginx_class() -> Mapping[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": NGINX_CLASS},
        "spec": {"controller": "k8s.io/ingress-nginx"},
    }
