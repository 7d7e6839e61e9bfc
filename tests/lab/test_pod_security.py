"""The bounds of the platform's namespaces as the real API server takes them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from components.addons import addon as addons
from components.addons import external_dns, last_run
from components.cluster import namespaces, network_policies
from lab.plugins.kubernetes import cluster

ARGS = namespaces.NamespacesArgs([], "lab")
DRY = {"dryRun": "All", "fieldValidation": "Strict"}
PROVIDERS = {
    "route53": external_dns.Route53(["Z0123456789"], "eu-central-1", "AKIAEXAMPLE"),
    "ionos": external_dns.Ionos(),
}


@pytest.fixture(params=["restricted", "loosened"])
def namespace(request: pytest.FixtureRequest, api: cluster.Cluster) -> Iterator[str]:
    """A namespace with the labels that the program gives its own."""
    name = f"{request.param}-{os.urandom(3).hex()}"
    given = {} if request.param == "restricted" else {name: "privileged"}
    args = namespaces.NamespacesArgs([], "lab", pod_security=given)
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": namespaces.labels(name, args)}})
    api.request("POST", f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": last_run.NAME}})
    yield name
    api.request("DELETE", f"/api/v1/namespaces/{name}")


def dry_run(api: cluster.Cluster, namespace: str, spec: dict[str, Any]) -> None:
    """Whether the API server would take a pod; cluster.ApiError where not."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
    api.request("POST", f"/api/v1/namespaces/{namespace}/pods", pod, DRY)


def test_a_pod_that_could_harm_its_node_is_refused_unless_the_namespace_is_loosened(
    api: cluster.Cluster, namespace: str
) -> None:
    spec = {
        "serviceAccountName": last_run.NAME,
        "hostNetwork": True,
        "containers": [{"name": "c", "image": "example.org/i"}],
    }
    if namespace.startswith("loosened"):
        dry_run(api, namespace, spec)
        return
    with pytest.raises(cluster.ApiError, match="violates PodSecurity"):
        dry_run(api, namespace, spec)


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)
def test_the_last_runs_pod_fits(
    api: cluster.Cluster, namespace: str, provider: external_dns.Route53 | external_dns.Ionos
) -> None:
    args = external_dns.ExternalDnsArgs(
        addons.Install(namespace), provider, ["example.org"], "owner", "%{record_type}-edns."
    )
    *_, job = last_run.objects(namespace, external_dns.merged(args))
    dry_run(api, namespace, job["spec"]["template"]["spec"])


def test_every_policy_is_one_that_the_api_server_takes_whole(api: cluster.Cluster, namespace: str) -> None:
    platform = ["argocd", "sealed-secrets", "traefik", "external-dns", "cert-manager"]
    ports = [("TCP", "web"), ("TCP", "tcp-5432"), ("UDP", "websecure-http3")]
    args = network_policies.NetworkPoliciesArgs("traefik", ports, ["monitoring"], [6443])
    found = network_policies.specs(platform, args)
    assert len(found) == 6
    path = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies"
    for name, spec in found.items():
        given = {"metadata": {"name": "-".join(name), "namespace": namespace}, "spec": spec}
        assert api.request("POST", path, given, DRY)["spec"] == spec, "nothing was dropped or added"
