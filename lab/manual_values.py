"""What a person writes into files for `lab.manual`: Helm values, issuers, an Ingress."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

DOMAIN = "lab.example.org"
HOST, ISSUER = f"argocd.{DOMAIN}", "letsencrypt-lab-issuer"
SECRET = "aws-access-key"  # noqa: S105 (a name)


def ingress(address: str) -> Object:
    """Values: on the ingress node, at the reserved address."""
    controller = {
        "kind": "DaemonSet",
        "nodeSelector": {"nodepool": "ingress"},
        "tolerations": [{"key": "ingress-node", "value": "true", "effect": "NoSchedule"}],
        "service": {
            "externalTrafficPolicy": "Local",
            "loadBalancerIP": address,
            "annotations": {"cloud.ionos.com/node-selector": "nodepool=ingress"},
        },
    }
    return {"fullnameOverride": "ingress-nginx", "controller": controller}


def external_dns() -> Object:
    """Values: Route53, with the credentials file of the Secret."""
    return {
        "fullnameOverride": "external-dns",
        "provider": {"name": "aws"},
        "policy": "sync",
        "txtOwnerId": "ionos-dns",
        "domainFilters": [DOMAIN],
        "env": [
            {"name": "AWS_DEFAULT_REGION", "value": "eu-central-1"},
            {"name": "AWS_SHARED_CREDENTIALS_FILE", "value": "/.aws/credentials"},
        ],
        "extraVolumes": [{"name": "aws", "secret": {"secretName": SECRET}}],
        "extraVolumeMounts": [{"name": "aws", "mountPath": "/.aws", "readOnly": True}],
    }


def cert_manager() -> Object:
    """Values."""
    return {"fullnameOverride": "cert-manager", "crds": {"enabled": True}}


def issuers(directory: str, zone: str) -> list[Object]:
    """ClusterIssuers: self-signed, and ACME by dns01 through the zone."""
    route53 = {
        "region": "eu-central-1",
        "hostedZoneID": zone,
        "accessKeyIDSecretRef": {"name": SECRET, "key": "keyId"},
        "secretAccessKeySecretRef": {"name": SECRET, "key": "key"},
    }
    acme_spec = {
        "server": directory,
        "privateKeySecretRef": {"name": f"{ISSUER}-account-key"},
        "solvers": [{"selector": {"dnsZones": [DOMAIN]}, "dns01": {"route53": route53}}],
    }
    specs: dict[str, Object] = {"selfsigned-issuer": {"selfSigned": {}}, ISSUER: {"acme": acme_spec}}
    kind = {"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer"}
    return [{**kind, "metadata": {"name": name}, "spec": spec} for name, spec in specs.items()]


def access() -> Object:
    """Argo CD's Ingress; its annotation makes cert-manager issue the certificate."""
    backend = {"service": {"name": "argocd-server", "port": {"name": "http"}}}
    metadata = {
        "name": "argocd-server",
        "namespace": "argocd",
        "annotations": {"cert-manager.io/cluster-issuer": ISSUER},
    }
    spec = {
        "ingressClassName": "nginx",
        "rules": [{"host": HOST, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}],
        "tls": [{"hosts": [HOST], "secretName": "argocd-server-tls"}],
    }
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": spec}
