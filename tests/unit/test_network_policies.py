"""Who reaches whom in the platform's namespaces, where the network plugin enforces NetworkPolicies.

The pods are those of the pinned charts: their labels, and their ports by name.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from components.cluster import namespaces, network_policies
from tests import network_policies as evaluator
from tests import recording

POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
PLATFORM = ["argocd", "sealed-secrets", "ingress-nginx", "external-dns", "cert-manager"]
ARGS = network_policies.NetworkPoliciesArgs(
    ingress_namespace="ingress-nginx",
    ingress_ports=[("TCP", "http"), ("TCP", "https"), ("TCP", "webhook"), ("TCP", "5432-tcp"), ("UDP", "3478-udp")],
    scrape_from=["monitoring"],
    ports=[6443],
)


def part(name: str, **ports: int) -> evaluator.Pod:
    """A part of Argo CD."""
    labels = {"app.kubernetes.io/name": f"argocd-{name}", "app.kubernetes.io/instance": "argocd"}
    return evaluator.Pod("argocd", labels, {key.replace("_", "-"): ("TCP", port) for key, port in ports.items()})


def pod(namespace: str, **ports: int) -> evaluator.Pod:
    labels = {"app.kubernetes.io/name": namespace}
    return evaluator.Pod(namespace, labels, {key.replace("_", "-"): ("TCP", port) for key, port in ports.items()})


INGRESS = {
    "http": ("TCP", 80),
    "https": ("TCP", 443),
    "webhook": ("TCP", 8443),
    "metrics": ("TCP", 10254),
    "5432-tcp": ("TCP", 5432),
    "3478-udp": ("UDP", 3478),
}
PODS: dict[str, evaluator.End] = {
    "server": part("server", server=8080, metrics=8083),
    "repo-server": part("repo-server", repo_server=8081, metrics=8084),
    "controller": part("application-controller", metrics=8082),
    "applicationset": part("applicationset-controller", metrics=8080, probe=8081, webhook=7000),
    "notifications": part("notifications-controller", metrics=9001),
    "redis": part("redis", redis=6379),
    "dex": part("dex-server", http=5556, grpc=5557, metrics=5558),
    "redis-init": part("redis-secret-init"),
    # Not of the chart as it is set up: `redis-ha.enabled`, which a team may choose.
    "redis-ha": evaluator.Pod("argocd", {"app": "redis-ha"}, {"redis": ("TCP", 6379)}),
    "solver": evaluator.Pod("argocd", {"acme.cert-manager.io/http01-solver": "true"}, {"http": ("TCP", 8089)}),
    "sealed-secrets": pod("sealed-secrets", http=8080, metrics=8081),
    "external-dns": pod("external-dns", http=7979, http_webhook=8080),
    "cert-manager": pod("cert-manager", http_metrics=9402, http_healthz=9403),
    "webhook": pod("cert-manager", https=10250, healthcheck=6080, http_metrics=9402),
    "ingress": evaluator.Pod("ingress-nginx", {"app.kubernetes.io/name": "ingress-nginx"}, INGRESS),
    "owner": evaluator.Pod("marketplace", {"app": "web"}, {"web": ("TCP", 3000)}),
    "prometheus": evaluator.Pod("monitoring", {"app.kubernetes.io/name": "prometheus"}),
    "dns": evaluator.Pod("kube-system", {"k8s-app": "kube-dns"}, {"dns": ("UDP", 53), "dns-tcp": ("TCP", 53)}),
    "konnectivity": evaluator.Pod("kube-system", {"k8s-app": "konnectivity-agent"}),
    "internet": "203.0.113.7",
    "api server": "10.0.0.4",
    "api server on a node": evaluator.Node(),
    "node's dns cache": "169.254.20.10",
    "metadata": "169.254.169.254",
    "metadata of AWS over IPv6": "fd00:ec2::254",
}

ALLOWED = [
    # Argo CD's parts call each other.
    *((who, "repo-server", "repo-server") for who in ("server", "controller", "applicationset", "notifications")),
    *((who, "redis", "redis") for who in ("server", "controller", "repo-server")),
    ("server", "dex", "http"),
    ("server", "dex", "grpc"),
    ("controller", "redis-ha", "redis"),
    ("redis-ha", "redis-ha", "redis"),
    # People and Git hosts come through the ingress, and so does a certificate's challenge.
    ("ingress", "server", "server"),
    ("ingress", "applicationset", "webhook"),
    ("ingress", "solver", "http"),
    ("ingress", "owner", "web"),
    ("ingress", "internet", 8080),
    ("internet", "ingress", "http"),
    ("internet", "ingress", "https"),
    ("internet", "ingress", "5432-tcp"),
    ("internet", "ingress", "3478-udp"),
    ("owner", "ingress", "https"),
    # The API server calls webhooks, from wherever it is.
    ("api server", "ingress", "webhook"),
    ("api server", "webhook", "https"),
    ("konnectivity", "webhook", "https"),
    ("konnectivity", "sealed-secrets", "http"),
    # Git, charts, GitHub, Route53, ACME.
    ("repo-server", "internet", 443),
    ("repo-server", "internet", 22),
    ("repo-server", "internet", 80),
    ("dex", "internet", 443),
    ("external-dns", "internet", 443),
    ("cert-manager", "internet", 443),
    # cert-manager asks for its own answer first: where the load balancer's address leads, or its name servers.
    ("cert-manager", "internet", 80),
    ("cert-manager", "ingress", "http"),
    ("cert-manager", "internet", 53),
    *(("prometheus", who, "metrics") for who in ("server", "repo-server", "controller", "applicationset", "dex")),
    ("prometheus", "sealed-secrets", "metrics"),
    ("prometheus", "external-dns", "http"),
    ("prometheus", "external-dns", "http-webhook"),
    ("prometheus", "cert-manager", "http-metrics"),
    ("prometheus", "webhook", "http-metrics"),
    ("prometheus", "ingress", "metrics"),
    *(
        (who, where, 6443)
        for where in ("api server", "api server on a node")
        for who in PODS
        if getattr(PODS[who], "namespace", "") in PLATFORM
    ),
]
DENIED = [
    ("owner", "repo-server", "repo-server"),
    ("ingress", "repo-server", "repo-server"),
    ("dex", "repo-server", "repo-server"),
    ("redis", "repo-server", "repo-server"),
    ("solver", "repo-server", "repo-server"),
    ("redis-init", "redis", "redis"),
    ("owner", "redis", "redis"),
    ("owner", "redis-ha", "redis"),
    ("owner", "dex", "http"),
    ("owner", "server", "server"),
    ("owner", "server", "metrics"),
    ("owner", "repo-server", "metrics"),
    ("ingress", "server", "metrics"),
    ("controller", "repo-server", "metrics"),
    ("repo-server", "internet", 25),
    ("konnectivity", "sealed-secrets", "metrics"),
    ("prometheus", "ingress", 10246),
    ("prometheus", "external-dns", 8888),
    ("prometheus", "webhook", "healthcheck"),
    ("prometheus", "server", "server"),
    ("prometheus", "redis", "redis"),
    ("owner", "solver", "http"),
    ("owner", "sealed-secrets", "http"),
    ("owner", "sealed-secrets", "metrics"),
    ("prometheus", "sealed-secrets", "http"),
    ("ingress", "sealed-secrets", "http"),
    ("internet", "sealed-secrets", "http"),
    ("owner", "external-dns", "http"),
    ("owner", "cert-manager", "http-metrics"),
    ("owner", "webhook", "healthcheck"),
    ("internet", "ingress", "metrics"),
    ("external-dns", "repo-server", "repo-server"),
    ("external-dns", "owner", "web"),
    ("sealed-secrets", "owner", "web"),
    ("server", "owner", "web"),
    ("cert-manager", "internet", 25),
    ("external-dns", "internet", 22),
    ("repo-server", "metadata of AWS over IPv6", 80),
    *((who, "metadata", 80) for who, end in PODS.items() if getattr(end, "namespace", "") in PLATFORM),
]


def allowed(source: str, target: str, port: int | str, protocol: str = "TCP", **changes: Any) -> bool:
    policies = network_policies.specs(PLATFORM, dataclasses.replace(ARGS, **changes))
    return evaluator.allowed(policies, PODS[source], PODS[target], port, protocol)


@pytest.mark.parametrize(("source", "target", "port"), ALLOWED, ids=str)
def test_what_is_needed_passes(source: str, target: str, port: int | str) -> None:
    assert allowed(source, target, port)


@pytest.mark.parametrize(("source", "target", "port"), DENIED, ids=str)
def test_all_else_does_not(source: str, target: str, port: int | str) -> None:
    assert not allowed(source, target, port)


@pytest.mark.parametrize("who", [name for name, end in PODS.items() if getattr(end, "namespace", "") in PLATFORM])
def test_every_pod_of_the_platform_resolves_names_wherever_the_cluster_has_its_dns(who: str) -> None:
    for server in ("dns", "node's dns cache", "internet"):
        assert allowed(who, server, 53, "UDP")
        assert allowed(who, server, 53, "TCP")


def test_without_namespaces_that_read_metrics_nobody_does() -> None:
    assert not allowed("prometheus", "server", "metrics", scrape_from=[])
    assert not allowed("owner", "server", "metrics", scrape_from=[]), "an empty list of sources stands for everybody"


def test_without_an_ingress_controller_nobody_comes_in_by_one() -> None:
    found = network_policies.specs(["argocd", "cert-manager"], dataclasses.replace(ARGS, ingress_namespace=None))
    assert not evaluator.allowed(found, PODS["ingress"], PODS["server"], "server")
    assert not evaluator.allowed(found, PODS["owner"], PODS["server"], "server")


def test_more_ports_may_be_let_out() -> None:
    assert not allowed("repo-server", "internet", 2222)
    assert allowed("repo-server", "internet", 2222, ports=[2222])
    assert allowed("controller", "api server", 16443, ports=[16443])


def test_a_policy_is_made_in_each_namespace_and_one_more_for_what_only_argo_cd_calls() -> None:
    args = namespaces.NamespacesArgs(PLATFORM, "test", network=ARGS, network_ports=[16443])
    run = recording.run(lambda: namespaces.Namespaces("namespaces", args) and None)
    made = {
        (each.inputs["metadata"]["namespace"], each.inputs["metadata"]["name"]): each for each in run.of_type(POLICY)
    }
    assert sorted(made) == sorted([*((name, "platform") for name in PLATFORM), ("argocd", "platform-internal")])
    reached = [
        port["port"] for rule in made["external-dns", "platform"].inputs["spec"]["egress"] for port in rule["ports"]
    ]
    assert {443, 6443, 16443} <= set(reached), "the API server's port is known only once the cluster is there"


def test_they_can_be_left_out() -> None:
    run = recording.run(lambda: namespaces.Namespaces("n", namespaces.NamespacesArgs(PLATFORM, "test")) and None)
    assert run.of_type(POLICY) == []
