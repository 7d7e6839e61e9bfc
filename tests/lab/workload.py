"""An application that answers through the ingress: a Service `app` in a namespace, whose pod says `OK` to /ping."""

from __future__ import annotations

from lab import kube

DOMAIN = "lab.example.org"
APEX = "apex"


def make(cluster: kube.KubeClient, space: str) -> None:
    """The namespace with pod and Service."""
    cluster.create("/api/v1/namespaces", {"metadata": {"name": space}})
    deploy(cluster, space)


def deploy(cluster: kube.KubeClient, space: str) -> None:
    """Pod and Service, in a namespace that is there."""
    container = {
        "name": "app",
        "image": "docker.io/traefik:v3",
        "args": ["--ping=true", "--entryPoints.traefik.address=$(POD_IP):8080"],
        "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "readinessProbe": {"httpGet": {"path": "/ping", "port": 8080}, "periodSeconds": 1},
    }
    pod = {"metadata": {"name": "app", "labels": {"app": "app"}}, "spec": {"containers": [container]}}
    service = {"selector": {"app": "app"}, "ports": [{"name": "http", "port": 8080}]}
    cluster.create(f"/api/v1/namespaces/{space}/pods", pod)
    cluster.create(f"/api/v1/namespaces/{space}/services", {"metadata": {"name": "app"}, "spec": service})


def ingresses(space: str, name: str = "") -> str:
    """The path of one Ingress, or of all."""
    return f"/apis/networking.k8s.io/v1/namespaces/{space}/ingresses/{name}".rstrip("/")


def ingress(
    cluster: kube.KubeClient,
    space: str,
    name: str,
    ingress_class: str,
    *,
    tls: str | None = None,
    domain: str = DOMAIN,
    **annotations: str,
) -> str:
    """An Ingress for `<name>.<domain>`, or with the name APEX for the domain itself; returns the host.

    `tls`: its Secret; empty: the ingress's own certificate.
    """
    host = f"{name}.{domain}" if name != APEX else domain
    backend = {"service": {"name": "app", "port": {"number": 8080}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    entry = {"hosts": [host], **({"secretName": tls} if tls else {})}
    spec = {"ingressClassName": ingress_class, "rules": [rule], "tls": [] if tls is None else [entry]}
    cluster.create(ingresses(space), {"metadata": {"name": name, "annotations": annotations}, "spec": spec})
    return host
