"""What the platform's pods are given: sizes, priority, second replicas, metrics; and which settings say so."""

from __future__ import annotations

import decimal
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import settings
from components.addons import last_run, production
from lab.agent import environment
from preflight import monitoring
from settings import production as production_settings
from tests.charts import containers
from tests.unit import chart_values
from tests.unit.test_settings_rules import EXISTING, GOOD, merged, mistakes

SIZES = [
    *production.ARGO_CD.values(), production.COPY, production.SEALED_SECRETS, production.EXTERNAL_DNS,
    production.DNS_WEBHOOK, *production.CERT_MANAGER.values(), production.INGRESS_NGINX, production.ADMISSION_JOB,
    production.TRAEFIK,
]  # fmt: skip
CHARTS = ("argo-cd", "sealed-secrets", "ingress-nginx", "traefik", "external-dns", "cert-manager")


def found(values: Any, key: str) -> list[Any]:
    """Everything under this key, wherever it is."""
    if isinstance(values, dict):
        return ([values[key]] if key in values else []) + [
            one for child in values.values() for one in found(child, key)
        ]
    return [one for child in values for one in found(child, key)] if isinstance(values, list) else []


def parse(raw: dict[str, Any], stack: str = "sbx") -> settings.Settings:
    return settings.parse(merged(GOOD if "cluster" not in raw else {"dns": GOOD["dns"]}, raw), stack)


# --- sizes


@pytest.mark.parametrize("size", SIZES)
def test_no_container_asks_for_more_memory_than_it_may_use(size: dict[str, Any]) -> None:
    amounts = environment.quantity(size["requests"]["memory"]), environment.quantity(size["limits"]["memory"])
    assert decimal.Decimal(0) < amounts[0] <= amounts[1]
    assert "cpu" not in size["limits"], "a limit of CPU slows down while processors are idle"


# --- priority


@pytest.mark.parametrize("chart", CHARTS)
def test_every_chart_is_told_the_priority_class(chart: str) -> None:
    values = chart_values.with_production(production.Production("important"))[chart]
    assert set(found(values, "priorityClassName")) == {"important"}
    without = chart_values.with_production(production.Production())[chart]
    assert found(without, "priorityClassName") == [], "a cluster may keep the system's classes to itself"


def test_the_priority_class_is_the_systems_unless_a_stack_says_another_or_none() -> None:
    assert parse({}).priority_class == "system-cluster-critical"
    assert parse({"priorityClass": "platform"}).priority_class == "platform"
    assert parse({"priorityClass": "none"}).priority_class == production_settings.NONE
    refused = mistakes({"priorityClass": "Very Important"})["priorityClass"]
    assert "is no name of a PriorityClass" in refused.problem


# --- availability


@pytest.mark.parametrize("chart", CHARTS)
def test_with_one_replica_there_is_neither_budget_nor_constraint(chart: str) -> None:
    values = chart_values.with_production(production.Production())[chart]
    for key in ("pdb", "podDisruptionBudget", "topologySpreadConstraints"):
        assert found(values, key) == [], "a budget of the only replica would hold up every drain"
    assert {*found(values, "replicas"), *found(values, "replicaCount")} <= {1}


def test_a_budget_lets_a_drain_go_on_when_somebody_takes_the_second_replica_away() -> None:
    values = chart_values.with_production(chart_values.HIGH)
    budgets = found(values, "pdb") + found(values, "podDisruptionBudget")
    assert budgets == [{"enabled": True, "maxUnavailable": 1}] * 5


def test_pods_are_spread_over_the_nodes_that_they_may_go_to_version_by_version() -> None:
    for constraint in found(chart_values.with_production(chart_values.HIGH), "topologySpreadConstraints"):
        (one,) = constraint
        assert (one["topologyKey"], one["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "DoNotSchedule")
        assert one["nodeTaintsPolicy"] == "Honor", "the ingress's nodes are none of theirs"
        assert one["matchLabelKeys"] == ["pod-template-hash"], "or an update of two replicas needs a third node"


@pytest.mark.parametrize(("stack", "availability", "nodes"), [("prd", "high", 2), ("dev", "single", 1)])
def test_production_is_highly_available_by_default(stack: str, availability: str, nodes: int) -> None:
    chosen = parse({}, stack)
    assert chosen.availability == availability
    assert isinstance(chosen.cluster, settings.IonosCluster)
    assert chosen.cluster.ingress_pool.node_count == nodes


def test_what_a_stack_says_about_availability_holds() -> None:
    assert parse({"availability": "single"}, "prd").availability == "single"
    chosen = parse({"availability": "high"}).cluster
    assert isinstance(chosen, settings.IonosCluster)
    assert chosen.ingress_pool.node_count == 2
    assert "availability" in mistakes({"availability": "higher"})
    assert parse({**EXISTING, "availability": "high"}).availability == "high", "its nodes are somebody else's"


@pytest.mark.parametrize(
    ("pools", "warned"),
    [
        ({}, []),
        ({"ingressPool": {"nodeCount": 1}}, ["cluster.ingressPool"]),
        ({"ingressPool": {"nodeCount": 2, "autoscaling": {"min": 1, "max": 3}}}, ["cluster.ingressPool"]),
        ({"defaultPool": {"nodeCount": 1}}, ["cluster.defaultPool"]),
        ({"defaultPool": {"nodeCount": 1}, "extraPools": {"more": {}}}, []),
    ],
)
def test_high_availability_on_a_single_node_is_warned_of(pools: dict[str, Any], warned: list[str]) -> None:
    chosen = parse({"cluster": {**GOOD["cluster"], **pools}, "availability": "high"})
    assert [one.path for one in settings.warnings(chosen, set()) if "availability" in one.problem] == warned


# --- monitoring


@pytest.mark.parametrize("chart", CHARTS)
def test_service_monitors_are_asked_for_only_where_the_cluster_knows_them(chart: str) -> None:
    def monitors(given: production.Monitoring | None) -> list[Any]:
        values = chart_values.with_production(production.Production(monitoring=given))[chart]
        return found(values, "serviceMonitor") + found(values, "servicemonitor")

    assert monitors(None) == [], "nobody asked for metrics"
    assert {one["enabled"] for one in monitors(production.Monitoring())} == {False}
    labels = {"release": "prometheus"}
    for one in monitors(production.Monitoring(served=True, labels=labels)):
        assert one["enabled"] is True
        assert labels in one.values(), "or that Prometheus does not find it"


def test_labels_without_monitoring_are_warned_of() -> None:
    chosen = parse({"monitoringLabels": {"release": "prometheus"}})
    assert [one.path for one in settings.warnings(chosen, set()) if one.path == "monitoringLabels"]
    assert not chosen.monitoring


class _Api(http.server.BaseHTTPRequestHandler):
    answer = (200, b"")
    lost = 0
    """How many answers get lost on the way."""

    def do_GET(self) -> None:
        if _Api.lost:
            _Api.lost -= 1
            return
        status, body = self.answer if self.path == monitoring.PATH else (418, b"")
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


@pytest.fixture
def api() -> Iterator[http.server.HTTPServer]:
    server = http.server.HTTPServer(("127.0.0.1", 0), _Api)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
    yield server
    server.shutdown()
    server.server_close()


def kubeconfig(port: int) -> str:
    return json.dumps({
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "it", "user": {"token": "canary-token"}}],
    })  # fmt: skip


def kinds(*names: str) -> bytes:
    return json.dumps({"kind": "APIResourceList", "resources": [{"kind": name} for name in names]}).encode()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((200, kinds("ServiceMonitor", "PodMonitor")), None),
        ((200, kinds("PodMonitor")), "does not know the kind yet"),
        ((404, b"{}"), "does not know the kind yet"),
        ((403, b"{}"), "does not say which kinds it knows (403)"),
        ((200, b"<html>"), "no list of kinds"),
        ((200, b"[]"), "no list of kinds"),
    ],
)
def test_the_cluster_says_whether_it_knows_service_monitors(
    api: http.server.HTTPServer, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, bytes], reason: str | None
) -> None:
    monkeypatch.setattr(_Api, "answer", answer)
    said = monitoring.missing(kubeconfig(api.server_port))
    assert said is None if reason is None else said is not None and reason in said and ": " in said
    assert "canary-token" not in str(said)


def test_an_answer_that_got_lost_is_asked_for_again(
    api: http.server.HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitoring, "PAUSES", (0.0,))
    monkeypatch.setattr(_Api, "answer", (200, kinds("ServiceMonitor")))
    monkeypatch.setattr(_Api, "lost", 1)
    assert monitoring.missing(kubeconfig(api.server_port)) is None, "or `up` would take them away"


def test_a_cluster_that_cannot_be_asked_gets_no_service_monitors_and_a_reason(
    api: http.server.HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitoring, "PAUSES", (0.0,))
    api.shutdown()
    api.server_close()
    assert "cannot be asked (ConnectionRefusedError)" in str(monitoring.missing(kubeconfig(api.server_port)))
    assert "no kubeconfig" in str(monitoring.missing("{}"))


# --- the last run


def test_the_last_run_is_given_what_external_dns_is_given() -> None:
    hook = last_run.objects("external-dns", chart_values.with_production(chart_values.HIGH)["external-dns"])[-1]
    assert containers.without_amounts([hook]) == []
    pod = hook["spec"]["template"]["spec"]
    assert pod["priorityClassName"] == "system-cluster-critical"
    assert pod["containers"][0]["resources"] == production.EXTERNAL_DNS
    assert pod["initContainers"][0]["resources"] == production.DNS_WEBHOOK
