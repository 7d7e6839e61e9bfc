"""ClusterIssuers: Let's Encrypt by dns01 on Route53 and by http01 through the ingress, and self-signed.

One of the two Let's Encrypt issuers has the name that Ingresses use; the other has its solver's name added. dns01
proves names in the environment's zones only, so the issuer that Ingresses use falls back on http01 for others.
cert-manager takes the solver whose zone fits before one without a selector.
https://cert-manager.io/docs/configuration/acme/
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pulumi

from components import manifests, options

SELF_SIGNED = "selfsigned-issuer"


@dataclasses.dataclass(frozen=True)
class Zone:
    """A Route53 zone: its name and id."""

    name: str
    id: pulumi.Input[str]


@dataclasses.dataclass(frozen=True)
class ClusterIssuersArgs:
    """The issuers.

    Args:
        issuer: name of the issuer that Ingresses use, such as "letsencrypt-sbx-issuer".
        solver: how that one proves control of a name: dns01 | http01.
        email: where Let's Encrypt writes when something is wrong; None: nowhere.
        server: directory URL of the ACME server.
        ingress_class: class through which http01 challenges are answered.
        http01_fallback: let the issuer that Ingresses use prove names outside the zones by http01, through an ingress
            controller of the environment's own.
        ingress_annotations: annotations that the Ingress of a challenge needs there.
        zones: Route53 zones for dns01; empty: no dns01 issuer.
        region: AWS region, part of the request signature.
        secret: Secret in cert-manager's namespace with the Route53 key (`keyId`, `key`).
        wait_ready: wait for the issuers' Ready condition (needs an ACME server that can be reached).
        timeout: how long that may take, such as "5m".
    """

    issuer: str
    solver: Literal["dns01", "http01"]
    email: str | None
    server: str
    ingress_class: str
    http01_fallback: bool = False
    ingress_annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)
    zones: Sequence[Zone] = ()
    region: str = "eu-central-1"
    secret: str = "aws-access-key"  # noqa: S105 (a name)
    wait_ready: bool = True
    timeout: str = "5m"


class ClusterIssuers(pulumi.ComponentResource):
    """The cluster's issuers. Give cert-manager and the Route53 key's Secret in `depends_on`.

    Children: a `cert-manager.io/v1` ClusterIssuer for each name in `specs()`.
    """

    default: str
    """Name of the issuer that Ingresses use."""
    names: Sequence[str]
    """All of them; the default is the first."""
    manifests: Mapping[str, manifests.Manifest]

    def __init__(self, name: str, args: ClusterIssuersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("platform:addons:ClusterIssuers", name, None, opts)
        annotations = {"pulumi.com/waitFor": "condition=Ready"} if args.wait_ready else {}
        self.default = args.issuer
        self.manifests = {
            issuer: manifests.Manifest(
                issuer,
                {
                    "apiVersion": "cert-manager.io/v1",
                    "kind": "ClusterIssuer",
                    "metadata": {"name": issuer, "labels": {"purpose": "infra"}, "annotations": annotations},
                    "spec": spec,
                },
                opts=options.child(self, opts, create=args.timeout),
            )
            for issuer, spec in specs(args).items()
        }
        self.names = list(self.manifests)
        self.register_outputs({"default": self.default, "names": self.names})


def specs(args: ClusterIssuersArgs) -> dict[str, dict[str, Any]]:
    """Issuer name -> spec; the issuer that Ingresses use is the first.

    Raises:
        ValueError: dns01 is asked for without a zone.
    """
    solvers: dict[str, list[dict[str, Any]]] = {}
    solvers["http01"] = [{"http01": {"ingress": _ingress(args)}}]
    if args.zones:
        solvers["dns01"] = [_dns01(zone, args) for zone in args.zones]
    if args.solver not in solvers:
        raise ValueError("an issuer that proves by dns01 needs at least one Route53 zone")
    default = solvers.pop(args.solver)
    fallback = solvers.get("http01", []) if args.http01_fallback else []
    result = {args.issuer: _acme(args.issuer, [*default, *fallback], args)}
    for solver, configured in solvers.items():
        name = f"{args.issuer}-{solver}"
        result[name] = _acme(name, configured, args)
    result.setdefault(SELF_SIGNED, {"selfSigned": {}})
    return result


def _acme(name: str, solvers: Sequence[Mapping[str, Any]], args: ClusterIssuersArgs) -> dict[str, Any]:
    acme: dict[str, Any] = {
        "server": args.server,
        "privateKeySecretRef": {"name": f"{name}-account-key"},
        "solvers": list(solvers),
    }
    if args.email:
        acme["email"] = args.email
    return {"acme": acme}


def _ingress(args: ClusterIssuersArgs) -> dict[str, Any]:
    template = {"ingressTemplate": {"metadata": {"annotations": dict(args.ingress_annotations)}}}
    return {"ingressClassName": args.ingress_class, **(template if args.ingress_annotations else {})}


def _dns01(zone: Zone, args: ClusterIssuersArgs) -> dict[str, Any]:
    return {
        "selector": {"dnsZones": [zone.name]},
        "dns01": {
            "route53": {
                "hostedZoneID": zone.id,
                "region": args.region,
                "accessKeyIDSecretRef": {"name": args.secret, "key": "keyId"},
                "secretAccessKeySecretRef": {"name": args.secret, "key": "key"},
            }
        },
    }
