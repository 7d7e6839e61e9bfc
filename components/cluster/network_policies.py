"""NetworkPolicies for the platform's own namespaces: closed both ways, but for what their pods need. Pure.

Ports are named as the charts name their containers' ports: a name stands for a port of the pods that have it, and for
nothing in others. What the world reaches has no `from`: the API server calls webhooks from outside of the pods'
network, and the load balancer hands on clients' own addresses. The API server itself has no selector: in one cluster
it is at a node's address, in another one on the internet, and an `ipBlock` stands for the nodes with some network
plugins and not with others. So it is let through by its port.
https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Spec = dict[str, Any]
Rule = dict[str, Any]

NAME, INTERNAL = "platform", "platform-internal"

INNER_PARTS = ("argocd-repo-server", "argocd-redis", "argocd-dex-server")
"""Parts of Argo CD that only other parts of it call: the first answers to whoever reaches it."""
CALLERS = (
    "argocd-server",
    "argocd-application-controller",
    "argocd-applicationset-controller",
    "argocd-notifications-controller",
    "argocd-repo-server",
)
SOLVER_PORT = 8089
"""Where cert-manager's pods answer http01 challenges, in the namespace of the certificate."""

OWN: Rule = {"podSelector": {}}
# To everywhere: where a node caches DNS it answers from a link-local address. 5353: where OpenShift's DNS listens.
DNS: Rule = {"ports": [{"protocol": protocol, "port": port} for port in (53, 5353) for protocol in ("UDP", "TCP")]}
# Link-local addresses and one of AWS are where machines in clouds ask for their credentials.
OUTSIDE = [
    {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}},
    {"ipBlock": {"cidr": "::/0", "except": ["fe80::/10", "fd00:ec2::/32"]}},
]


@dataclasses.dataclass(frozen=True)
class NetworkPoliciesArgs:
    """What the policies have to know.

    Args:
        ingress_namespace: the ingress controller's; None: there is none.
        ingress_ports: (protocol, name) of each of its pods' ports that the world may reach.
        scrape_from: namespaces whose pods may read metrics.
        ports: TCP ports that may be reached anywhere beside 443: those of API servers, of Git and chart
            repositories, of the ACME server.
    """

    ingress_namespace: str | None
    ingress_ports: Sequence[tuple[str, str]] = ()
    scrape_from: Sequence[str] = ()
    ports: Sequence[int] = ()


def names(namespaces: Sequence[str], args: NetworkPoliciesArgs) -> list[tuple[str, str]]:
    """(namespace, name) of each policy; these do not depend on `args.ports`."""
    return list(specs(namespaces, args))


def specs(namespaces: Sequence[str], args: NetworkPoliciesArgs) -> dict[tuple[str, str], Spec]:
    """(namespace, name) -> the policy's spec, for those of the namespaces that something is known of."""
    builders: dict[str, Callable[[NetworkPoliciesArgs], Mapping[str, Spec]]] = {
        "argocd": _argocd,
        "sealed-secrets": _sealed_secrets,
        "external-dns": _external_dns,
        "cert-manager": _cert_manager,
    }
    if args.ingress_namespace:
        builders[args.ingress_namespace] = _ingress
    return {
        (namespace, name): spec
        for namespace in namespaces
        if namespace in builders
        for name, spec in builders[namespace](args).items()
    }


def _argocd(args: NetworkPoliciesArgs) -> Mapping[str, Spec]:
    """What is added to Argo CD, by a team's values or beside it, is reached by its namespace."""
    callers = {"podSelector": {"matchExpressions": [_labelled("In", CALLERS)]}}
    entrance = _from_namespaces([args.ingress_namespace] if args.ingress_namespace else [])
    return {
        NAME: _spec(
            [_labelled("NotIn", INNER_PARTS)],
            [{"from": [OWN]}, *_let_in(entrance, "server", "webhook", SOLVER_PORT), *_scraped(args, "metrics")],
            [{"to": [OWN]}, DNS, _reaching(args)],
        ),
        INTERNAL: _spec(
            [_labelled("In", INNER_PARTS)],
            [*_let_in([callers], "repo-server", "redis", "http", "grpc"), *_scraped(args, "metrics")],
            [{"to": [OWN]}, DNS, _reaching(args, 22), {"to": OUTSIDE, "ports": _tcp(80)}],
        ),
    }


def _sealed_secrets(args: NetworkPoliciesArgs) -> Mapping[str, Spec]:
    """Its API unseals for everybody. `kubeseal` comes through the API server, and in some clusters by a pod there."""
    proxy = _from_namespaces(["kube-system"])
    return {NAME: _spec([], [*_let_in(proxy, "http"), *_scraped(args, "metrics")], [DNS, _reaching(args)])}


def _external_dns(args: NetworkPoliciesArgs) -> Mapping[str, Spec]:
    return {NAME: _spec([], _scraped(args, "http", "http-webhook"), [DNS, _reaching(args)])}


def _cert_manager(args: NetworkPoliciesArgs) -> Mapping[str, Spec]:
    """Before it has an http01 challenge looked at it asks for the answer itself, over plain HTTP."""
    entrance = [{"to": _from_namespaces([args.ingress_namespace])}] if args.ingress_namespace else []
    return {
        NAME: _spec(
            [],
            [{"ports": _tcp("https")}, *_scraped(args, "http-metrics")],
            [DNS, _reaching(args), {"to": OUTSIDE, "ports": _tcp(80)}, *entrance],
        )
    }


def _ingress(args: NetworkPoliciesArgs) -> Mapping[str, Spec]:
    """Where Ingresses lead to is their owners' choice, but for the machines' own addresses."""
    ports = [{"protocol": protocol, "port": name} for protocol, name in args.ingress_ports]
    return {
        NAME: _spec(
            [],
            [{"ports": ports}, *_scraped(args, "metrics")],
            [{"to": [{"namespaceSelector": {}}, *OUTSIDE]}, DNS, _reaching(args)],
        )
    }


def _spec(selector: Sequence[Rule], ingress: Sequence[Rule], egress: Sequence[Rule]) -> Spec:
    return {
        "podSelector": {"matchExpressions": list(selector)} if selector else {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": list(ingress),
        "egress": list(egress),
    }


def _scraped(args: NetworkPoliciesArgs, *ports: str) -> list[Rule]:
    return _let_in(_from_namespaces(args.scrape_from), *ports)


def _let_in(peers: Sequence[Rule], *ports: int | str) -> list[Rule]:
    # A rule with an empty `from` would let in everybody.
    return [{"from": list(peers), "ports": _tcp(*ports)}] if peers else []


def _reaching(args: NetworkPoliciesArgs, *more: int) -> Rule:
    return {"ports": _tcp(*sorted({443, *args.ports, *more}))}


def _from_namespaces(wanted: Sequence[str]) -> list[Rule]:
    if not wanted:
        return []
    expression = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": list(wanted)}
    return [{"namespaceSelector": {"matchExpressions": [expression]}}]


def _labelled(operator: str, parts: Sequence[str]) -> Rule:
    return {"key": "app.kubernetes.io/name", "operator": operator, "values": list(parts)}


def _tcp(*ports: int | str) -> list[Rule]:
    return [{"protocol": "TCP", "port": port} for port in ports]
