"""How people reach Argo CD: its Ingress, and the certificate for its name.

Both are apart from Argo CD's own release, since their lives differ. Argo CD has to outlive the add-ons, but
these two need them to come and to go: cert-manager takes its finalizer off an unfinished challenge, or the
namespace could never be deleted. The record need not go in time: external-dns's last run removes it, or it goes
with its zone. They wait side by side: cert-manager asks for the certificate of this name whether or not
the Ingress has its address yet, and answers an http01 challenge by an Ingress of its own.
https://argo-cd.readthedocs.io/en/stable/operator-manual/ingress/
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pulumi

from components import manifests, options

SERVICE, PORT = "argocd-server", "http"
TLS_SECRET = "argocd-server-tls"  # noqa: S105 (a name)

# Whether it holds an IP address or, as some load balancers give it, a host name. Left to itself the plugin also looks
# for Endpoints of each path, and where a cluster has EndpointSlices only it looks for a minute.
ADDRESS = {"pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress[0]}"}

# The deletion of the object ends when everything it owns is gone, down to the last challenge.
FOREGROUND = {"pulumi.com/deletionPropagationPolicy": "foreground"}


@dataclasses.dataclass(frozen=True)
class AccessArgs:
    """Argo CD's address.

    Args:
        namespace: Argo CD's.
        host: its DNS name.
        ingress_class: class of the Ingress.
        issuer: ClusterIssuer of the certificate; None: no TLS at the ingress.
        wait: wait for the Ingress's address and for the certificate (needs controllers that really run).
        timeout: how long each may take, such as "10m".
    """

    namespace: pulumi.Input[str]
    host: str
    ingress_class: str
    issuer: str | None
    wait: bool = True
    timeout: str = "10m"


class Access(pulumi.ComponentResource):
    """Argo CD's way in. Give the ingress controller, external-dns and the issuers in `depends_on`.

    Children: `networking.k8s.io/v1` Ingress and, with an issuer, `cert-manager.io/v1` Certificate.
    """

    ingress: manifests.Manifest
    certificate: manifests.Manifest | None

    def __init__(self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("platform:gitops:Access", name, None, opts)
        addressed = ADDRESS if args.wait else {"pulumi.com/skipAwait": "true"}
        self.ingress = manifests.Manifest(
            name,
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "Ingress",
                "metadata": _metadata(args, SERVICE, addressed),
                "spec": ingress_spec(args),
            },
            opts=options.child(self, opts, create=args.timeout),
        )
        self.certificate = None
        if args.issuer:
            ready = {"pulumi.com/waitFor": "condition=Ready"} if args.wait else {}
            self.certificate = manifests.Manifest(
                name,
                {
                    "apiVersion": "cert-manager.io/v1",
                    "kind": "Certificate",
                    "metadata": _metadata(args, TLS_SECRET, ready),
                    "spec": certificate_spec(args, args.issuer),
                },
                opts=options.child(self, opts, create=args.timeout),
            )
        self.register_outputs({"host": args.host})


def ingress_spec(args: AccessArgs) -> dict[str, Any]:
    """The Ingress's spec; TLS ends here, Argo CD's server speaks plain HTTP behind it."""
    backend = {"service": {"name": SERVICE, "port": {"name": PORT}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    spec: dict[str, Any] = {
        "ingressClassName": args.ingress_class,
        "rules": [{"host": args.host, "http": {"paths": paths}}],
    }
    if args.issuer:
        spec["tls"] = [{"hosts": [args.host], "secretName": TLS_SECRET}]
    return spec


def certificate_spec(args: AccessArgs, issuer: str) -> dict[str, Any]:
    """The Certificate's spec."""
    return {
        "secretName": TLS_SECRET,
        "dnsNames": [args.host],
        "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": issuer},
    }


def _metadata(args: AccessArgs, name: str, annotations: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": args.namespace,
        "labels": {"purpose": "infra"},
        "annotations": {**FOREGROUND, **annotations},
    }
