"""What `availability: high` and `monitoring: true` give: two replicas on two nodes, no lost request, metrics."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import engine as engines
import pytest
import reach
import traffic
import workload

from lab import kube

pytestmark = pytest.mark.timeout(1200)
SPACE = "production"
PLATFORM = ("argocd", "sealed-secrets", "traefik", "external-dns", "cert-manager")
TWICE = {
    "argocd": ("argocd-server", "argocd-repo-server"),
    "cert-manager": ("cert-manager", "cert-manager-webhook", "cert-manager-cainjector"),
}
MONITORED = {
    "argocd": {
        "argocd-application-controller", "argocd-applicationset-controller", "argocd-repo-server", "argocd-server",
    },
    "sealed-secrets": {"sealed-secrets"},
    "traefik": {"traefik"},
    "external-dns": {"external-dns"},
    "cert-manager": {"cert-manager"},
}  # fmt: skip
METRICS = {
    "argocd": {f"{name}-metrics" for name in MONITORED["argocd"]},
    "sealed-secrets": {"sealed-secrets-metrics"},
    "traefik": {"traefik-metrics"},
    "external-dns": {"external-dns"},
    "cert-manager": {"cert-manager"},
}
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MONITOR_CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "servicemonitors.monitoring.coreos.com"},
    "spec": {
        "group": "monitoring.coreos.com",
        "scope": "Namespaced",
        "names": {"kind": "ServiceMonitor", "plural": "servicemonitors", "singular": "servicemonitor"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}
UNKNOWN_KIND = "the cluster does not know the kind yet"


def in_production(config: dict[str, Any]) -> None:
    config["gitops-platform:availability"] = "high"
    config["gitops-platform:monitoring"] = True
    config["gitops-platform:monitoringLabels"] = {"release": "prometheus"}
    # The default has to be two.
    del config["gitops-platform:cluster"]["ingressPool"]["nodeCount"]
    config["gitops-platform:addons"]["ingress"] = {"controller": "traefik"}
    config["gitops-platform:addons"]["certManager"]["issuer"]["waitReady"] = False


@pytest.fixture(scope="module")
def first(engine: engines.Engine) -> Iterator[engines.Run]:
    """The first `up`, in a cluster that knows no ServiceMonitors; the stack is gone at the end."""
    with engine.changed_config(in_production):
        try:
            yield engine.up()
        finally:
            destroyed = engine.pulumi("destroy --yes --skip-preview")
    assert destroyed.code == 0, destroyed.text


@pytest.fixture(scope="module")
def environment(engine: engines.Engine, first: engines.Run) -> engines.Engine:
    """The stack, up."""
    return engine


def pods(cluster: kube.KubeClient, namespace: str) -> list[dict[str, Any]]:
    return cluster.list(f"/api/v1/namespaces/{namespace}/pods")


def deployment(cluster: kube.KubeClient, namespace: str, name: str) -> dict[str, Any]:
    return cluster.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")


def nodes_of(cluster: kube.KubeClient, namespace: str, name: str) -> list[str]:
    """The nodes of a Deployment's pods that are there to stay."""
    labels = deployment(cluster, namespace, name)["spec"]["selector"]["matchLabels"]
    return sorted(
        pod["spec"]["nodeName"]
        for pod in pods(cluster, namespace)
        if labels.items() <= pod["metadata"]["labels"].items() and "deletionTimestamp" not in pod["metadata"]
    )


def names(cluster: kube.KubeClient, kind: str, namespace: str) -> set[str]:
    return {each["metadata"]["name"] for each in cluster.list(kind.format(namespace))}


SERVICES = "/api/v1/namespaces/{}/services"
MONITORS = "/apis/monitoring.coreos.com/v1/namespaces/{}/servicemonitors"


def test_up_waits_for_no_service_monitor_where_the_cluster_knows_none(
    first: engines.Run, environment: engines.Engine
) -> None:
    assert UNKNOWN_KIND in first.text
    assert "`pulumi up` again" in first.text, "it says how they come"
    for namespace, wanted in METRICS.items():
        assert wanted <= names(environment.cluster, SERVICES, namespace), "their Services are there all the same"


def test_every_container_asks_for_what_it_needs_and_its_pod_goes_before_others(environment: engines.Engine) -> None:
    for namespace in PLATFORM:
        found = pods(environment.cluster, namespace)
        assert found, namespace
        for pod in found:
            name, spec = pod["metadata"]["name"], pod["spec"]
            assert spec["priorityClassName"] == "system-cluster-critical", name
            assert spec["priority"] == 2_000_000_000, f"{name}: the API server knows the class, in this namespace too"
            for container in (*spec["containers"], *spec.get("initContainers", ())):
                given = container["resources"]
                assert {"cpu", "memory"} <= given["requests"].keys(), f"{name}/{container['name']}"
                assert given["limits"].keys() == {"memory"}, f"{name}/{container['name']}"
            assert pod["status"]["qosClass"] == "Burstable", name


def test_two_replicas_are_on_two_nodes_and_a_drain_takes_one_at_a_time(environment: engines.Engine) -> None:
    cluster = environment.cluster
    for namespace, workloads in TWICE.items():
        for name in workloads:
            assert len(set(nodes_of(cluster, namespace, name))) == 2, f"{name}: one node must not take both along"
            budget = cluster.get(f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets/{name}")
            assert (budget["status"]["expectedPods"], budget["status"]["disruptionsAllowed"]) == (2, 1), name


def test_an_update_of_two_replicas_ends_and_leaves_them_on_two_nodes(environment: engines.Engine) -> None:
    """It needs no third node: the pods of the version before do not count, and the ingress's nodes neither."""
    cluster = environment.cluster
    restarted = environment.kubectl("rollout", "restart", "deployment/argocd-server", "-n", "argocd")
    assert restarted.code == 0, restarted.text
    where = "/apis/apps/v1/namespaces/argocd/deployments/argocd-server"

    def over() -> bool:
        found = cluster.get(where)
        state = found["status"]
        seen = state.get("observedGeneration") == found["metadata"]["generation"]
        return seen and state.get("updatedReplicas") == state.get("availableReplicas") == state.get("replicas") == 2

    engines.wait_for(over, 120, "the update ends")
    assert len(set(nodes_of(cluster, "argocd", "argocd-server"))) == 2


def test_the_ingress_is_on_two_nodes_by_default(environment: engines.Engine) -> None:
    found = environment.cluster.get("/apis/apps/v1/namespaces/traefik/daemonsets/traefik")
    assert found["status"]["numberReady"] == 2


def test_a_rollout_of_the_ingress_loses_no_request(environment: engines.Engine) -> None:
    """50 requests a second, while every pod of the ingress is replaced."""
    cluster, lab = environment.cluster, environment.lab
    workload.make(cluster, SPACE)
    plain = {"traefik.ingress.kubernetes.io/router.entrypoints": "web"}
    host = workload.ingress(cluster, SPACE, "busy", "traefik", **plain)
    where = (environment.outputs()["ingressAddresses"][0], lab.usable(80))
    engines.wait_for(lambda: reach.at(where, host, "/ping") == 200, 30, "traffic arrives")
    old = {pod["metadata"]["uid"] for pod in pods(cluster, "traefik")}
    assert len(old) == 2

    def replaced() -> bool:
        found = pods(cluster, "traefik")
        there = {pod["metadata"]["uid"] for pod in found}
        ready = [pod for pod in found if {"type": "Ready", "status": "True"}.items() <= _ready(pod).items()]
        return not there & old and len(ready) == 2

    with traffic.Traffic(where, host, "/ping", 50) as requests:
        restarted = environment.kubectl("rollout", "restart", "daemonset/traefik", "-n", "traefik")
        assert restarted.code == 0, restarted.text
        engines.wait_for(replaced, 300, "every pod is a new one")
    assert requests.lost == [], f"{len(requests.lost)} of {requests.sent}"
    assert requests.sent > 40 * requests.seconds, "the requests came as fast as they should"


def _ready(pod: dict[str, Any]) -> dict[str, Any]:
    return next((each for each in pod["status"].get("conditions", ()) if each["type"] == "Ready"), {})


def test_service_monitors_come_with_the_next_up_once_the_cluster_knows_them(environment: engines.Engine) -> None:
    cluster = environment.cluster
    cluster.create(CRDS, MONITOR_CRD)
    engines.wait_for(lambda: cluster.find("/apis/monitoring.coreos.com/v1"), 30, "the kind is served")
    done = environment.up()
    assert UNKNOWN_KIND not in done.text
    for namespace, wanted in MONITORED.items():
        assert names(cluster, MONITORS, namespace) == wanted
        services = cluster.list(SERVICES.format(namespace))
        for monitor in cluster.list(MONITORS.format(namespace)):
            name, spec = monitor["metadata"]["name"], monitor["spec"]
            assert monitor["metadata"]["labels"]["release"] == "prometheus", name
            chosen = [each for each in services if _selects(spec["selector"], each["metadata"].get("labels") or {})]
            ports = {port["name"] for each in chosen for port in each["spec"]["ports"]}
            assert {endpoint["port"] for endpoint in spec["endpoints"]} <= ports, f"{name} finds its Service"
    for application in cluster.list("/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"):
        assert application["status"]["sync"]["status"] == "Synced", application["metadata"]["name"]
    again = environment.preview()
    assert set(again["changeSummary"]) == {"same"}, json.dumps(again["changeSummary"])


def _selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    return selector["matchLabels"].items() <= labels.items()


def test_without_monitoring_metrics_go_again(engine: engines.Engine, environment: engines.Engine) -> None:
    def off(config: dict[str, Any]) -> None:
        config["gitops-platform:monitoring"] = False
        del config["gitops-platform:monitoringLabels"]

    with engine.changed_config(off):
        environment.up()
    for namespace in MONITORED:
        assert names(environment.cluster, MONITORS, namespace) == set()
    assert not METRICS["argocd"] & names(environment.cluster, SERVICES, "argocd")
