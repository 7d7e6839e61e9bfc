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
from collections.abc import Mapping
from typing import Any

import pulumi

from components.addons import addon, charts, ingress

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


def values(args: TraefikArgs) -> dict[str, Any]:
    """The chart's values."""
    service: dict[str, Any] = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
    if args.address:
        service["loadBalancerIP"] = args.address
    providers: dict[str, Any] = {
        "kubernetesIngress": {"enabled": True, "publishedService": {"enabled": True}},
        # TCP routes name Services in other namespaces.
        "kubernetesCRD": {"enabled": True, "allowCrossNamespace": bool(args.tcp_services)},
    }
    objects = [_tcp_route(port, target) for port, target in args.tcp_services.items()]
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
        "ingressClass": {"enabled": True, "name": CLASS, "isDefaultClass": True},
        "providers": providers,
        "service": {"annotations": ingress.service_annotations(args), "spec": service},
        "ports": {
            WEB: {"http": {"maxHeaderBytes": HEADER_BYTES, "redirections": REDIRECTION}},
            WEBSECURE: {"asDefault": True, "http": {"maxHeaderBytes": HEADER_BYTES}},
            **{entry_point(port): _tcp_port(port) for port in args.tcp_services},
        },
        "nodeSelector": {"kubernetes.io/os": "linux", **args.node_selector},
        "tolerations": [dict(toleration) for toleration in args.tolerations],
        "global": {"checkNewVersion": False},
    }
    if args.resources:
        result["resources"] = dict(args.resources)
    if objects:
        result["extraObjects"] = objects
    return result


def entry_point(port: str) -> str:
    """Name of the entry point for a port of `tcp_services`, and of the pods' port."""
    return f"tcp-{port}"


def _tcp_port(port: str) -> dict[str, Any]:
    return {
        "port": int(port),
        "exposedPort": int(port),
        "expose": {"default": True},
        "protocol": "TCP",
    }


def _tcp_route(port: str, target: str) -> Mapping[str, Any]:
    namespace, _, service = target.partition("/")
    name, _, service_port = service.rpartition(":")
    return {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "IngressRouteTCP",
        "metadata": {"name": entry_point(port)},
        "spec": {
            "entryPoints": [entry_point(port)],
            "routes": [
                {
                    "match": "HostSNI(`*`)",
                    "services": [{"name": name, "namespace": namespace, "port": _number(service_port)}],
                }
            ],
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
