"""From settings to the bounds of the platform's namespaces: Pod Security, and which ports are let through."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

import arguments
import namespace_arguments
import settings as config
from components.addons import addon as addons
from components.addons import ingress, ingress_nginx, traefik
from components.cluster import namespaces
from components.gitops import argocd
from tests import recording

GOOD: dict[str, Any] = {
    "cluster": {"provider": "ionos", "kubernetesVersion": "1.34.3"},
    "dns": {"domains": ["example.org"]},
}
LABEL = "pod-security.kubernetes.io"


def parsed(**sections: Any) -> config.Settings:
    secrets = {"gitopsDeployKey"} if "git@" in str(sections.get("gitops")) else set()
    return config.parse({**GOOD, **sections}, "test", secrets)


def a_kubeconfig(server: str) -> str:
    return recording.KUBECONFIG.replace("https://127.0.0.1:1", server)


def made(settings: config.Settings, server: str = "https://192.0.2.1:16443") -> recording.Recording:
    def program() -> None:
        secret = pulumi.Output.secret(a_kubeconfig(server))
        namespaces.Namespaces("namespaces", namespace_arguments.platform(settings, secret))

    return recording.run(program)


def test_every_namespace_is_restricted_but_for_those_that_are_named() -> None:
    run = made(parsed(security={"podSecurity": {"ingress-nginx": "baseline"}}))
    labels = {each.name: each.inputs["metadata"]["labels"] for each in run.of_type("kubernetes:core/v1:Namespace")}
    assert set(labels) == {"argocd", "sealed-secrets", "ingress-nginx", "external-dns", "cert-manager"}
    enforced = {name: given[f"{LABEL}/enforce"] for name, given in labels.items()}
    assert enforced == {**dict.fromkeys(labels, "restricted"), "ingress-nginx": "baseline"}
    for given in labels.values():
        assert given[f"{LABEL}/warn"] == given[f"{LABEL}/audit"] == "restricted", "a loosened one tells what is missing"
        assert given[f"{LABEL}/enforce-version"] == "v1.34", "a newer cluster must not refuse what ran before"
        assert f"{LABEL}/warn-version" not in given, "what a newer one would refuse is warned of"


def test_the_api_servers_port_is_let_through_and_shown() -> None:
    run = made(parsed())
    policies = run.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy")
    assert len(policies) == 6
    for policy in policies:
        ports = {port["port"] for rule in policy.inputs["spec"]["egress"] for port in rule.get("ports", ())}
        assert {443, 6443, 16443} <= ports, policy.name
        assert not policy.secrets, "it comes from the kubeconfig, and hides nothing"


def test_an_api_server_without_a_port_in_its_address_is_at_443() -> None:
    run = made(parsed(), "https://k8s.example.org")
    policy = run.one("kubernetes:networking.k8s.io/v1:NetworkPolicy", "external-dns")
    ports = {port["port"] for rule in policy.inputs["spec"]["egress"] for port in rule.get("ports", ())}
    assert ports == {53, 5353, 443, 6443}


def test_policies_can_be_switched_off() -> None:
    run = made(parsed(security={"networkPolicies": {"enabled": False}}))
    assert run.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy") == []
    assert len(run.of_type("kubernetes:core/v1:Namespace")) == 5


def test_ports_in_the_stack_files_addresses_are_let_through() -> None:
    settings = parsed(
        gitops={"repository": "https://git.example.org:3000/o/r"},
        charts={"mirror": "https://charts.example.org:8443"},
        addons={"certManager": {"server": "https://ca.example.org:9000/acme"}},
        appOwners=[
            {"organization": "o", "namespaces": ["n"], "argocd": {"repositories": ["ssh://git@g.example.org:2222/o/*"]}}
        ],
        security={"networkPolicies": {"ports": [7999]}},
    )
    assert namespace_arguments.address_ports(settings) == {3000, 8443, 9000, 2222}
    args = namespace_arguments.platform(settings, pulumi.Output.from_input(a_kubeconfig("https://192.0.2.1")))
    assert args.network is not None
    assert args.network.ports == [2222, 3000, 6443, 7999, 8443, 9000]


@pytest.mark.parametrize("repository", ["https://github.com/o/r", "git@github.com:o/r"])
def test_addresses_without_a_port_add_none(repository: str) -> None:
    assert namespace_arguments.address_ports(parsed(gitops={"repository": repository})) == set()


def test_every_entry_point_of_traefik_is_reached_by_the_world_but_its_own() -> None:
    more = {"mqtt": {"port": 8883}, "game": {"port": 9987, "protocol": "UDP"}, "metrics": {"port": 9101},
            "websecure": {"http3": {"enabled": True}}}  # fmt: skip
    given = {"controller": "traefik", "tcpServices": {"5432": "a/b:5432"}, "values": {"ports": more}}
    wanted = parsed(addons={"ingress": given}).addons.ingress
    ports = namespace_arguments.ingress_ports(parsed(addons={"ingress": given}))
    args = traefik.TraefikArgs(addons.Install("traefik"), tcp_services=wanted.tcp_services)
    of_chart = set(traefik.values(args)["ports"])
    assert {("TCP", name) for name in of_chart} <= set(ports), "each of them is one of the pods' ports by this name"
    more_ports = {("TCP", "mqtt"), ("UDP", "game"), ("UDP", "websecure-http3")}
    assert set(ports) - {("TCP", name) for name in of_chart} == more_ports


def test_every_port_of_ingress_nginx_is_reached_by_the_world() -> None:
    given = {"tcpServices": {"5432": "a/b:5432"}, "values": {"udp": {"3478": "a/turn:3478"}}}
    ports = namespace_arguments.ingress_ports(parsed(addons={"ingress": given}))
    assert ports == [("TCP", "http"), ("TCP", "https"), ("TCP", "webhook"), ("TCP", "5432-tcp"), ("UDP", "3478-udp")]
    values = ingress_nginx.values(ingress.IngressArgs(addons.Install("i"), tcp_services={"5432": "a/b:5432"}))
    assert set(values["tcp"]) == {"5432"}, "of which the chart makes the port 5432-tcp"


@pytest.mark.parametrize("enabled", [True, False])
def test_argo_cds_chart_makes_its_own_policies_only_where_these_are_off(enabled: bool) -> None:
    settings = parsed(security={"networkPolicies": {"enabled": enabled}})
    secrets = config.Secrets(None, None, None, None)
    values = argocd.values(arguments.argo_cd(settings, secrets, "argocd"))
    assert values["global"]["networkPolicy"] == {"create": not enabled}, "policies add up: the chart's open more"
