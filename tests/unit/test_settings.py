"""What good settings become: defaults, forms of writing, warnings; and what a stack file can never do."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

import settings
from ops import stackfiles
from settings import model
from tests.unit.test_settings_rules import EXISTING, GOOD, merged

PROJECT = pathlib.Path(__file__).resolve().parents[2]


def parse(raw: dict[str, Any], stack: str = "sbx", secrets: tuple[str, ...] = ()) -> settings.Settings:
    return settings.parse(merged(GOOD, raw), stack, secrets)


def test_two_keys_are_enough() -> None:
    found = settings.parse(GOOD, "sbx")
    assert isinstance(found.cluster, settings.IonosCluster)
    assert (found.environment, found.domain, found.cluster.name) == ("sbx", "example.org", "gitops-sbx")
    assert found.argocd.host == "argocd.example.org"
    assert found.argocd.admin_enabled, "without GitHub somebody must be able to sign in"
    issuer = found.addons.cert_manager.issuer
    assert (issuer.name, issuer.solver) == ("letsencrypt-sbx-issuer", "dns01")
    assert found.cluster.ingress_pool.taint, "pods that do not belong there must stay away"
    assert found.cluster.default_pool.cpu_family == "INTEL_SKYLAKE"


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("staging", "https://acme-staging-v02.api.letsencrypt.org/directory"),
        ("production", "https://acme-v02.api.letsencrypt.org/directory"),
        ("https://acme.example/dir", "https://acme.example/dir"),
    ],
)
def test_the_acme_server_is_a_name_or_a_url(server: str, url: str) -> None:
    assert parse({"addons": {"certManager": {"server": server}}}).addons.cert_manager.server_url == url


@pytest.mark.parametrize(("stack", "server", "protect"), [("prd", "production", True), ("dev", "staging", False)])
def test_only_production_is_protected_and_gets_trusted_certificates(stack: str, server: str, protect: bool) -> None:
    found = parse({}, stack)
    assert isinstance(found.cluster, settings.IonosCluster)
    assert found.addons.cert_manager.server == server, "Let's Encrypt's limits are for what is real"
    assert found.cluster.protect is protect


def test_the_environment_can_differ_from_the_stack() -> None:
    assert parse({"environment": "prd"}, "my-stack").addons.cert_manager.issuer.name == "letsencrypt-prd-issuer"


def test_github_sign_in_switches_admin_off() -> None:
    github = {"github": {"clientId": "Iv1.01234567", "organization": "DOME-Marketplace"}}
    found = parse({"argocd": github}, secrets=("githubClientSecret",))
    assert not found.argocd.admin_enabled, "a shared password beside sign-in is a hole"
    assert parse({"argocd": {**github, "adminEnabled": True}}, secrets=("githubClientSecret",)).argocd.admin_enabled


def test_with_ionos_dns_the_issuer_defaults_to_http01() -> None:
    found = parse({"dns": {"provider": "ionos"}}, secrets=("ionosDnsToken",))
    assert found.addons.cert_manager.issuer.solver == "http01", "cert-manager has no dns01 solver for it"


def test_shared_cores_have_no_cpu_family() -> None:
    found = parse({"cluster": {"defaultPool": {"serverType": "VCPU"}}})
    assert isinstance(found.cluster, settings.IonosCluster)
    assert found.cluster.default_pool.cpu_family is None


def test_an_add_on_waits_as_long_as_the_stack_says_unless_it_says_itself() -> None:
    found = parse({"waitMinutes": "20", "addons": {"ingress": {"timeoutMinutes": 5}}}).addons
    assert (found.sealed_secrets.timeout_minutes, found.ingress.timeout_minutes) == (20, 5)


def test_domains_are_names_or_names_with_a_zone() -> None:
    found = parse({"dns": {"domains": ["a.org", {"name": "b.org", "zoneId": "Z12345"}]}}).dns.domains
    assert [(one.name, one.zone_id) for one in found] == [("a.org", None), ("b.org", "Z12345")]


def test_a_key_without_a_value_is_as_good_as_left_out() -> None:
    found = parse({"addons": None, "gitops": "", "cluster": {"apiAllowList": None, "defaultPool": None}})
    assert found == settings.parse(GOOD, "sbx"), "a key whose lines are all commented out is common"


def test_a_null_in_chart_values_is_kept() -> None:
    found = parse({"addons": {"ingress": {"values": {"controller": {"service": None}}}}})
    assert found.addons.ingress.values == {"controller": {"service": None}}, "for Helm a null removes a default"


def test_sections_may_come_as_json_as_the_engine_hands_them_over() -> None:
    raw = {key: json.dumps(value) for key, value in GOOD.items()}
    assert settings.parse(raw, "sbx") == settings.parse(GOOD, "sbx")


def test_parsing_leaves_its_input_alone() -> None:
    raw = json.loads(json.dumps(GOOD))
    settings.parse(raw, "sbx")
    assert raw == GOOD, "a report made from the file afterwards would show defaults that nobody wrote"


def test_an_existing_cluster_takes_a_secret_instead_of_a_path() -> None:
    cluster = {"provider": "existing", "name": "factory"}
    found = settings.parse({**GOOD, "cluster": cluster}, "sbx", ("kubeconfig",))
    assert isinstance(found.cluster, settings.ExistingCluster)
    assert found.cluster.kubeconfig_path is None


@pytest.mark.parametrize(
    ("raw", "secrets", "path"),
    [
        ({}, (), "cluster.apiAllowList"),
        ({"cluster": {"apiAllowList": ["203.0.113.9", "0.0.0.0/0"]}}, (), "cluster.apiAllowList"),
        ({"cluster": {"kubernetesVersion": "1.30.1"}}, (), "cluster.kubernetesVersion"),
        ({"dns": {"domains": ["example.org", "sub.example.org"]}}, (), "dns.domains[1]"),
        ({"addons": {"ingress": {"enabled": False}}}, (), "addons.ingress.enabled"),
        ({"addons": {"certManager": {"enabled": False}}}, (), "addons.certManager.enabled"),
        ({"addons": {"externalDns": {"txtPrefix": ""}}}, (), "addons.externalDns.txtPrefix"),
        ({"addons": {"externalDns": {"txtPrefix": "%{record_type}-"}}}, (), "addons.externalDns.txtPrefix"),
        (
            {"addons": {"ingress": {"controller": "traefik", "tcpServices": {"5432": "db/postgres:5432"}}}},
            (),
            "addons.ingress.tcpServices.5432",
        ),
        (
            {"addons": {"ingress": {"values": {"controller": {"allowSnippetAnnotations": True}}}}},
            (),
            "addons.ingress.values.controller.allowSnippetAnnotations",
        ),
        ({"addons": {"certManager": {"email": "ops@example.com"}}}, (), "addons.certManager.email"),
        ({"addons": {"certManager": {"email": "ops@mail.example.org"}}}, (), "addons.certManager.email"),
        ({"addons": {"certManager": {"email": "ops@team.local"}}}, (), "addons.certManager.email"),
        ({"dns": {"domains": ["a.test"]}}, (), "dns.domains[0]"),
        ({"dns": {"domains": ["a.org", "2.0.192.in-addr.arpa"]}}, (), "dns.domains[1]"),
        ({"dns": {"domains": ["cluster.internal"]}}, (), "dns.domains[0]"),
        ({}, ("githubClientSecret",), "githubClientSecret"),
        ({}, ("ionosDnsToken",), "ionosDnsToken"),
        ({}, ("kubeconfig",), "kubeconfig"),
    ],
)
def test_what_works_but_is_probably_not_meant_is_warned_about(
    raw: dict[str, Any], secrets: tuple[str, ...], path: str
) -> None:
    found = settings.warnings(parse(raw, secrets=secrets), set(secrets))
    assert path in [one.path for one in found]


SNIPPETS = {"allowSnippetAnnotations": True, "config": {"annotations-risk-level": "Critical"}}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"addons": {"externalDns": {"txtPrefix": "%{record_type}.x."}}},
        {"addons": {"externalDns": {"txtPrefix": "", "values": {"txtPrefix": "%{record_type}."}}}},
        {"addons": {"ingress": {"tcpServices": {"5432": "db/postgres:5432"}}}},
        {
            "addons": {"ingress": {"controller": "traefik", "tcpServices": {"8443": "db/postgres:5432"}}},
            "appOwners": [{"organization": "db", "namespaces": ["db"]}],
        },
        {"addons": {"ingress": {"values": {"controller": SNIPPETS}}}},
    ],
    ids=["defaults", "prefix", "prefix among the values", "nginx's route", "an owner's namespace", "snippets"],
)
def test_nothing_is_warned_about_where_all_is_well(more: dict[str, Any]) -> None:
    raw = {"cluster": {"apiAllowList": ["203.0.113.0/24"]}, **more}
    assert list(settings.warnings(parse(raw, secrets=("ionosToken",)), {"ionosToken"})) == [], "noise is not read"


@pytest.mark.parametrize("server", ["https://acme.corp/directory", "production"])
def test_what_lets_encrypt_refuses_is_said_for_lets_encrypt_only(server: str) -> None:
    raw = {"dns": {"domains": ["a.corp"]}, "addons": {"certManager": {"server": server, "email": "ops@a.corp"}}}
    said = [one for one in settings.warnings(parse(raw), set()) if "Let's Encrypt" in one.problem]
    assert len(said) == (2 if server == "production" else 0)


def test_a_good_e_mail_is_not_warned_about() -> None:
    raw = {"addons": {"certManager": {"email": "ops@dome-marketplace.org"}}}
    assert "addons.certManager.email" not in [one.path for one in settings.warnings(parse(raw), set())]


def test_a_slash_at_the_end_of_a_repository_is_no_other_repository() -> None:
    raw = {"gitops": {"repository": "https://git.org/o/r/"}, "charts": {"mirror": "oci://harbor.org/charts/"}}
    found = parse(raw)
    assert (found.gitops.repository, found.charts.mirror) == ("https://git.org/o/r", "oci://harbor.org/charts")


@pytest.mark.parametrize("group", ["Platform Team", "Argo CD Admins", "a@b.org", "4d3c-11ee"])
def test_a_group_of_a_provider_may_have_spaces(group: str) -> None:
    assert parse({"argocd": {"rbac": {"admins": [group]}}}).argocd.rbac.admins == [group]


def test_a_token_for_ionos_is_idle_beside_an_existing_cluster() -> None:
    found = settings.parse({**EXISTING, "dns": GOOD["dns"]}, "sbx", ("ionosToken",))
    assert [one.path for one in settings.warnings(found, {"ionosToken"})][-1] == "ionosToken"


@pytest.mark.parametrize("stack", stackfiles.names(PROJECT))
def test_every_committed_stack_file_is_good(stack: str) -> None:
    found = stackfiles.read(PROJECT / f"Pulumi.{stack}.yaml", stackfiles.project(PROJECT))
    assert found.mistakes == []
    assert settings.parse(found.raw, stack, found.encrypted).environment == stack


def test_every_setting_is_described_and_its_example_is_good() -> None:
    def walk(schema: dict[str, Any], path: str) -> None:
        for key, one in schema.get("properties", {}).items():
            assert one.get("description"), f"{path}.{key} says nothing about itself"
            assert one.get("examples"), f"{path}.{key} shows no example"

    schema = settings.Settings.model_json_schema()
    walk(schema, "")
    for name, definition in schema["$defs"].items():
        walk(definition, name)
    for name, field in model.Settings.model_fields.items():
        parse({field.alias or name: field.examples[0]} if field.examples else {})


WORDS = """
provider name cluster dns domains zoneId argocd github host addons ingress values valuesFrom path certManager issuer
defaultPool extraPools autoscaling min max nodeCount publicIps labels environment waitMinutes x
"""
KEYS = st.sampled_from(WORDS.split()) | st.text(max_size=4)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@hypothesis.given(st.dictionaries(KEYS, ANYTHING, max_size=5), st.text(max_size=6), st.sets(KEYS, max_size=2))
@hypothesis.settings(max_examples=60, deadline=None)
def test_no_stack_file_raises_anything_but_its_mistakes(raw: dict[str, Any], stack: str, secrets: set[str]) -> None:
    assert all(one.path for one in mistakes(raw, stack, secrets)), "a mistake without a place cannot be mended"


@hypothesis.given(
    st.sampled_from(["cluster", "dns", "argocd", "addons", "gitops", "charts"]), st.dictionaries(KEYS, ANYTHING)
)
@hypothesis.settings(max_examples=60, deadline=None)
def test_one_broken_section_raises_nothing_but_its_mistakes(section: str, content: dict[str, Any]) -> None:
    provider = {"provider": "ionos", "kubernetesVersion": "1.34.3"} if section == "cluster" else {}
    found = mistakes({**GOOD, section: {**provider, **content}}, "sbx", set())
    assert all(one.path for one in found), "a mistake without a place cannot be mended"


def mistakes(raw: dict[str, Any], stack: str, secrets: set[str]) -> tuple[settings.Mistake, ...]:
    try:
        settings.parse(raw, stack, secrets)
    except settings.SettingsError as error:
        return error.mistakes
    return ()
