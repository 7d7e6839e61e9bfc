"""What the add-ons hand to their charts, and how they are registered."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import hypothesis
import pulumi
import pytest
from hypothesis import strategies

from components.addons import (
    cert_manager,
    charts,
    external_dns,
    ingress,
    ingress_nginx,
    issuers,
    last_run,
    merge,
    sealed_secrets,
    traefik,
)
from components.cluster import namespaces
from tests import recording
from tests.unit import chart_values

APPLICATION = "kubernetes:argoproj.io/v1alpha1:Application"
ISSUER = "kubernetes:cert-manager.io/v1:ClusterIssuer"

TREES = strategies.recursive(
    strategies.sampled_from([0, 1, "", "x", [], [1, 2], {}]),
    lambda children: strategies.dictionaries(strategies.sampled_from("abcd"), children, max_size=4),
    max_leaves=12,
)
# A busy machine is slow, not wrong.
unhurried = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
MAPS = strategies.dictionaries(strategies.sampled_from("abcd"), TREES, max_size=4)


def issuer_args(**changes: Any) -> issuers.ClusterIssuersArgs:
    given: dict[str, Any] = {
        "issuer": "letsencrypt-sbx-issuer",
        "solver": "dns01",
        "email": "ops@example.org",
        "server": "https://acme.example/dir",
        "ingress_class": "nginx",
        "zones": [issuers.Zone("example.org", "Z1"), issuers.Zone("example.io", "Z2")],
        **changes,
    }
    return issuers.ClusterIssuersArgs(**given)


# --- merging


def test_extra_values_win_maps_are_merged_and_lists_replaced() -> None:
    base = {"a": {"b": 1, "c": [1, 2]}, "d": "x"}
    assert merge.deep(base, {"a": {"c": [3]}, "d": {"e": 1}}) == {"a": {"b": 1, "c": [3]}, "d": {"e": 1}}


def test_a_containers_resources_are_replaced_whole() -> None:
    base = {"resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "2Gi"}}}
    given = {"resources": {"requests": {"memory": "4Gi"}}}
    assert merge.deep(base, given) == given, "4Gi asked for under a limit of 2Gi is refused by the API server"


def test_none_takes_a_value_away_so_that_the_chart_decides() -> None:
    assert merge.deep({"a": {"b": 1, "c": 2}}, {"a": {"b": None}, "z": None}) == {"a": {"c": 2}}


def test_a_list_of_objects_is_added_to_and_an_entry_of_ones_own_wins_by_name() -> None:
    base = {"env": [{"name": "KEY", "value": "1"}, {"name": "REGION", "value": "a"}]}
    over = {"env": [{"name": "REGION", "value": "b"}, {"name": "PROXY", "value": "c"}]}
    assert merge.deep(base, over)["env"] == [base["env"][0], over["env"][0], over["env"][1]]
    assert merge.deep(base, {"env": []}) == base
    assert merge.deep(base, {"env": None}) == {}, "who wants none of it says so"


@pytest.mark.parametrize(
    ("base", "over", "expected"),
    [
        (
            [{"name": "aws", "mountPath": "/.aws"}],
            [{"name": "aws", "mountPath": "/other"}],
            [{"name": "aws", "mountPath": "/.aws"}, {"name": "aws", "mountPath": "/other"}],
        ),
        ([{"key": "a", "effect": "x"}], [{"key": "a", "effect": "x"}], [{"key": "a", "effect": "x"}]),
        ([{"key": "a", "effect": "x"}], [{"key": "b"}], [{"key": "a", "effect": "x"}, {"key": "b"}]),
        (
            [{"kind": "A", "metadata": {"name": "n"}, "v": 1}, {"kind": "B", "metadata": {"name": "n"}}],
            [{"kind": "A", "metadata": {"name": "n"}, "v": 2}],
            [{"kind": "A", "metadata": {"name": "n"}, "v": 2}, {"kind": "B", "metadata": {"name": "n"}}],
        ),
        (["service", "ingress"], ["crd"], ["crd"]),
    ],
    ids=["mounts", "the same toleration", "another toleration", "objects", "plain values"],
)
def test_entries_are_told_apart_as_kubernetes_does(base: list, over: list, expected: list) -> None:
    assert merge.deep({"list": base}, {"list": over}) == {"list": expected}


@pytest.mark.parametrize(("value", "said"), [("aws", "has to be a map"), ([1], "has to be a map")])
def test_what_is_no_map_where_one_has_to_be_is_an_error_with_its_place(value: Any, said: str) -> None:
    with pytest.raises(pulumi.RunError, match=f"the values of x.provider.webhook {said}"):
        merge.deep({"provider": {"webhook": {"a": 1}}}, {"provider": {"webhook": value}}, "the values of x")
    with pytest.raises(pulumi.RunError, match="env has to be a list"):
        merge.deep({"env": []}, {"env": {"A": "b"}})


@unhurried
@hypothesis.given(MAPS, MAPS)
def test_merging_changes_neither_side_and_keeps_every_key(base: dict, over: dict) -> None:
    before = copy.deepcopy((base, over))
    try:
        merged = merge.deep(base, over)
    except pulumi.RunError:
        merged = {**base, **over}
    assert (base, over) == before, "defaults are shared between add-ons"
    assert set(merged) == set(base) | set(over)


@unhurried
@hypothesis.given(MAPS)
def test_merging_with_nothing_or_with_itself_changes_nothing(values: dict) -> None:
    assert merge.deep(values, {}) == merge.deep({}, values) == merge.deep(values, values) == values


# --- pins


def test_every_pin_is_an_exact_version_of_a_repository_without_trailing_slash() -> None:
    for chart in charts.ALL:
        assert chart.version.lstrip("v").count(".") == 2, f"{chart.name} is not pinned exactly"
        assert not chart.repository.endswith("/"), "the AppProject compares repositories as text"
    assert len({chart.name for chart in charts.ALL}) == len(charts.ALL)


def test_a_mirror_holds_every_chart() -> None:
    mirrored = {charts.repository_url(chart, "http://mirror.example/charts/") for chart in charts.ALL}
    assert mirrored == {"http://mirror.example/charts"}


def test_a_registry_is_named_to_argo_cd_without_its_scheme() -> None:
    mirrored = {charts.repository_url(chart, "oci://harbor.example/charts/") for chart in charts.ALL}
    assert mirrored == {"harbor.example/charts"}, "with it Argo CD takes the address for an image of manifests"


# --- sealed-secrets


def test_kubeseal_finds_the_controller_under_the_name_people_use_and_no_key_is_made_in_the_cluster() -> None:
    values = sealed_secrets.values(sealed_secrets.SealedSecretsArgs(chart_values.install("sealed-secrets")))
    assert (values["fullnameOverride"], values["keyrenewperiod"]) == ("sealed-secrets", "0")


def test_not_everybody_who_signs_in_may_ask_the_controller() -> None:
    values = sealed_secrets.values(sealed_secrets.SealedSecretsArgs(chart_values.install("sealed-secrets")))
    assert values["rbac"] == {"serviceProxier": {"bind": False}}, "it opens and seals again for whoever asks"


# --- ingress controllers


def test_nginx_runs_on_the_tainted_ingress_nodes_behind_the_reserved_address() -> None:
    values = chart_values.samples()["ingress-nginx", "full"]
    controller = values["controller"]
    assert controller["kind"] == "DaemonSet"
    assert controller["nodeSelector"] == {"kubernetes.io/os": "linux", "nodepool": "ingress"}
    assert controller["tolerations"] == [chart_values.TOLERATION]
    assert controller["resources"] == chart_values.RESOURCES
    assert controller["service"] == {
        "externalTrafficPolicy": "Local",
        "loadBalancerIP": "203.0.113.9",
        "annotations": {
            "cloud.ionos.com/node-selector": "nodepool=ingress",
            "external-dns.alpha.kubernetes.io/hostname": "ingress.example.org",
        },
    }
    assert values["tcp"] == {"5432": "db/postgres:5432"}
    assert values["fullnameOverride"] == "ingress-nginx", "the environments' name for it"


def test_nginx_takes_large_headers_and_bodies_as_the_environments_need() -> None:
    assert chart_values.samples()["ingress-nginx", "plain"]["controller"]["config"] == {
        "large-client-header-buffers": "8 32k",
        "http2-max-field-size": "32k",
        "http2-max-header-size": "32k",
        "proxy-body-size": "10m",
    }


@pytest.mark.parametrize("chart", ["ingress-nginx", "traefik"])
def test_without_address_and_nodes_the_cloud_decides(chart: str) -> None:
    values = chart_values.samples()[chart, "plain"]
    placed = values if chart == "traefik" else values["controller"]
    spec = values["service"]["spec"] if chart == "traefik" else values["controller"]["service"]
    assert "loadBalancerIP" not in spec
    assert placed["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert placed["tolerations"] == []
    assert placed["resources"]["requests"].keys() == {"cpu", "memory"}, "without any it is the first to be evicted"


def test_traefik_does_for_its_class_what_nginx_did() -> None:
    values = chart_values.samples()["traefik", "full"]
    assert values["deployment"] == {"kind": "DaemonSet"}
    assert values["ingressClass"] == {"enabled": True, "name": "traefik", "isDefaultClass": True}
    assert values["service"]["spec"] == {
        "type": "LoadBalancer",
        "externalTrafficPolicy": "Local",
        "loadBalancerIP": "203.0.113.9",
    }
    assert values["providers"]["kubernetesIngress"]["publishedService"] == {"enabled": True}, (
        "without it Ingresses get no address, and external-dns no target"
    )
    for port in ("web", "websecure"):
        assert values["ports"][port]["http"]["maxHeaderBytes"] == 8 * 32 * 1024


def test_traefik_passes_tcp_ports_through_ports_of_its_pod_that_need_no_privilege_and_are_not_its_own() -> None:
    values = chart_values.samples()["traefik", "full"]
    assert values["ports"]["tcp-5432"] == {
        "port": 25432,
        "exposedPort": 5432,
        "expose": {"default": True},
        "protocol": "TCP",
        **traefik.GRACEFUL,
    }


@unhurried
@hypothesis.given(strategies.sets(strategies.integers(1, 65535), max_size=50))
@hypothesis.example({8000, 8080, 8443, 9100, 22, 443})
@hypothesis.example({45535, 45536, 65535, 30000, 50000, 49999, 29999})
def test_ports_of_traefiks_pod_are_unprivileged_free_and_different(ports: set[int]) -> None:
    found = traefik.pod_ports(map(str, ports))
    assert set(found) == set(map(str, ports))
    assert len(set(found.values())) == len(ports)
    assert all(20000 < inside <= 65535 for inside in found.values()), "8000, 8080, 8443 and 9100 are Traefik's"


def test_a_tcp_route_lies_beside_its_service_and_opens_no_namespace_borders() -> None:
    for variant in ("full", "plain"):
        values = chart_values.samples()["traefik", variant]
        assert values["providers"]["kubernetesCRD"]["allowCrossNamespace"] is False, "for all of Traefik's kinds"
    run = recording.run(lambda: traefik.TcpRoutes("tcp-routes", {"5432": "db/postgres:pg"}) and None)
    route = run.one("kubernetes:traefik.io/v1alpha1:IngressRouteTCP", "tcp-5432").inputs
    assert route["metadata"]["namespace"] == "db"
    assert route["spec"]["entryPoints"] == ["tcp-5432"]
    assert route["spec"]["routes"][0]["services"] == [{"name": "postgres", "port": "pg"}]


@pytest.mark.parametrize("chart", ["ingress-nginx", "traefik"])
def test_a_new_ingress_pod_is_ready_before_the_old_one_goes(chart: str) -> None:
    values = chart_values.samples()[chart, "plain"]
    placed = values if chart == "traefik" else values["controller"]
    assert placed["updateStrategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }, "with one ingress node nobody would be served in between"


def test_plain_http_leads_to_https_after_everything_that_is_served_over_http_on_purpose() -> None:
    ports = chart_values.samples()["traefik", "plain"]["ports"]
    redirection = ports["web"]["http"]["redirections"]["entryPoint"]
    assert (redirection["to"], redirection["scheme"]) == ("websecure", "https")
    assert redirection["priority"] == 1, "a router's priority is the length of its rule: challenges go first"
    assert ports["websecure"]["asDefault"], "or every Ingress's router would be there over HTTP, and go first"


def test_traefik_can_go_on_serving_class_nginx() -> None:
    values = chart_values.samples()["traefik", "full"]
    assert values["providers"]["kubernetesIngressNGINX"]["enabled"] is True
    kinds = {item["kind"]: item for item in values["extraObjects"]}
    assert kinds["IngressClass"]["metadata"]["name"] == "nginx"
    assert kinds["IngressClass"]["spec"]["controller"] == "k8s.io/ingress-nginx", "the provider looks for this one"


# --- external-dns


def test_external_dns_is_held_to_the_environments_zones_and_marks_its_records() -> None:
    values = external_dns.values(chart_values.route53())
    assert values["provider"] == {"name": "aws"}
    assert values["domainFilters"] == ["example.org", "example.io"]
    assert values["extraArgs"] == {"zone-id-filter": ["Z1", "Z2"]}
    assert (values["registry"], values["txtOwnerId"]) == ("txt", "gitops-platform-sbx")
    assert values["policy"] == "sync", "external-dns 0.22 has no default policy any more"


@pytest.mark.parametrize(
    ("given", "adjusted", "expected"),
    [
        ({}, {}, "%{record_type}-edns."),
        ({"txt_prefix": ""}, {}, None),
        ({"txt_prefix": "x-"}, {}, "x-"),
        ({}, {"txtPrefix": ""}, ""),
        ({}, {"txtSuffix": "-x"}, None),
    ],
)
def test_the_mark_of_a_zones_apex_lies_in_the_zone_unless_an_adopted_environment_says_otherwise(
    given: dict[str, str], adjusted: dict[str, str], expected: str | None
) -> None:
    args = chart_values.route53(install=chart_values.install("external-dns", **adjusted), **given)
    assert external_dns.merged(args).get("txtPrefix") == expected
    (job,) = [one for one in last_run.objects("external-dns", external_dns.merged(args)) if one["kind"] == "Job"]
    options = [one for one in job["spec"]["template"]["spec"]["containers"][0]["args"] if "txt-prefix" in one]
    assert options == ([f"--txt-prefix={expected}"] if expected else []), "or the last run finds no record of its own"


LISTS = ("env", "extraVolumes", "extraVolumeMounts")


def test_adjustments_add_to_what_external_dns_needs_and_take_nothing_away() -> None:
    own: dict[str, list[Any]] = {
        "env": [{"name": "HTTPS_PROXY", "value": "http://proxy.example.org"}],
        "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca"}],
    }
    given = external_dns.values(chart_values.route53())
    found = external_dns.merged(chart_values.route53(install=chart_values.install("external-dns", **own)))
    for key in LISTS:
        assert found[key] == [*given[key], *own[key]], "without its credentials external-dns writes nothing"
    webhook = {"provider": {"webhook": {"env": [{"name": "LOG_LEVEL", "value": "debug"}]}}}
    args = chart_values.route53(provider=external_dns.Ionos(), install=chart_values.install("external-dns", **webhook))
    names = [entry["name"] for entry in external_dns.merged(args)["provider"]["webhook"]["env"]]
    assert names == ["IONOS_API_KEY", "DOMAIN_FILTER", "LOG_LEVEL"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"zone-id-filter": ["Z1", "Z2"]}),
        ({"events": True}, {"zone-id-filter": ["Z1", "Z2"], "events": True}),
        ({"zone-id-filter": ["Z1"]}, {"zone-id-filter": ["Z1"]}),
        (None, {"zone-id-filter": ["Z1", "Z2"]}),
        (["--events"], ["--events", "--zone-id-filter=Z1", "--zone-id-filter=Z2"]),
        (["--zone-id-filter=Z1"], ["--zone-id-filter=Z1"]),
    ],
)
def test_no_form_of_extra_arguments_loses_the_zones(given: Any, expected: Any) -> None:
    install = dataclasses.replace(chart_values.install("external-dns"), values={"extraArgs": given})
    args = chart_values.route53(install=install)
    run = recording.run(lambda: external_dns.ExternalDns("external-dns", args) and None)
    application = run.one(APPLICATION)
    found = application.inputs["spec"]["source"]["helm"]["valuesObject"]["extraArgs"]
    assert found == expected, "without its zones, external-dns would look into every zone of the account"


def test_external_dns_starts_anew_with_a_new_key() -> None:
    provider = external_dns.Route53(["Z1"], "eu-central-1", "AKIA2")
    new = external_dns.values(chart_values.route53(provider=provider))["podAnnotations"]
    assert new != external_dns.values(chart_values.route53())["podAnnotations"], "it reads its key when it starts"


def test_external_dns_reads_its_key_from_the_mounted_secret() -> None:
    values = external_dns.values(chart_values.route53())
    env = {item["name"]: item["value"] for item in values["env"]}
    assert env == {"AWS_DEFAULT_REGION": "eu-central-1", "AWS_SHARED_CREDENTIALS_FILE": "/.aws/credentials"}
    (volume,), (mount,) = values["extraVolumes"], values["extraVolumeMounts"]
    assert volume["secret"] == {"secretName": "aws-access-key"}
    assert (mount["name"], mount["mountPath"]) == (volume["name"], "/.aws")


def test_the_ionos_variant_runs_the_webhook_with_the_token_from_its_secret() -> None:
    values = external_dns.values(chart_values.route53(provider=external_dns.Ionos()))
    assert values["provider"]["name"] == "webhook"
    webhook = values["provider"]["webhook"]
    assert webhook["image"] == {
        "repository": "ghcr.io/ionos-cloud/external-dns-ionos-webhook",
        "tag": charts.IONOS_WEBHOOK.tag,
    }
    assert webhook["securityContext"]["allowPrivilegeEscalation"] is False
    assert webhook["securityContext"]["runAsNonRoot"] is True
    env = {item["name"]: item for item in webhook["env"]}
    assert env["IONOS_API_KEY"]["valueFrom"] == {"secretKeyRef": {"name": "ionos-token-secret", "key": "token"}}
    assert env["DOMAIN_FILTER"]["value"] == "example.org,example.io"
    assert "extraArgs" not in values, "zone ids are Route53's"


# --- cert-manager and its issuers


def test_cert_manager_brings_its_crds_and_stays_in_its_namespace() -> None:
    values = cert_manager.values(cert_manager.CertManagerArgs(chart_values.install("cert-manager")))
    assert values["crds"]["enabled"] is True
    assert values["clusterResourceNamespace"] == "cert-manager", "where the Route53 key is"
    assert values["global"]["leaderElection"] == {"namespace": "cert-manager"}, (
        "the chart's kube-system is outside the add-ons' project"
    )


def test_the_named_issuer_proves_by_dns01_zone_by_zone() -> None:
    acme = issuers.specs(issuer_args())["letsencrypt-sbx-issuer"]["acme"]
    assert acme["server"] == "https://acme.example/dir"
    assert [solver["selector"]["dnsZones"] for solver in acme["solvers"]] == [["example.org"], ["example.io"]]
    assert acme["solvers"][1]["dns01"]["route53"] == {
        "hostedZoneID": "Z2",
        "region": "eu-central-1",
        "accessKeyIDSecretRef": {"name": "aws-access-key", "key": "keyId"},
        "secretAccessKeySecretRef": {"name": "aws-access-key", "key": "key"},
    }


@pytest.mark.parametrize(("solver", "other"), [("dns01", "http01"), ("http01", "dns01")])
def test_both_solvers_can_be_named_and_the_chosen_one_has_the_plain_name(solver: str, other: str) -> None:
    specs = issuers.specs(issuer_args(solver=solver))
    assert list(specs) == ["letsencrypt-sbx-issuer", f"letsencrypt-sbx-issuer-{other}", "selfsigned-issuer"], (
        "consumers take the first"
    )
    assert solver in specs["letsencrypt-sbx-issuer"]["acme"]["solvers"][0]
    accounts = {spec["acme"]["privateKeySecretRef"]["name"] for spec in specs.values() if "acme" in spec}
    assert len(accounts) == 2, "issuers that share an account secret fight over it"


def test_a_name_outside_the_zones_is_proved_by_http01_where_an_ingress_answers() -> None:
    acme = issuers.specs(issuer_args(http01_fallback=True))["letsencrypt-sbx-issuer"]["acme"]
    assert ["selector" in solver for solver in acme["solvers"]] == [True, True, False], (
        "cert-manager takes a solver whose zone fits before one without a selector"
    )
    assert acme["solvers"][-1] == {"http01": {"ingress": {"ingressClassName": "nginx"}}}
    alone = issuers.specs(issuer_args(solver="http01", http01_fallback=True))["letsencrypt-sbx-issuer"]["acme"]
    assert len(alone["solvers"]) == 1


def test_http01_is_answered_through_the_ingress() -> None:
    acme = issuers.specs(issuer_args(solver="http01", ingress_class="traefik"))["letsencrypt-sbx-issuer"]["acme"]
    assert acme["solvers"] == [{"http01": {"ingress": {"ingressClassName": "traefik"}}}]


def test_a_challenge_is_answered_over_http_where_that_is_not_the_default() -> None:
    args = issuer_args(solver="http01", ingress_class="traefik", ingress_annotations=traefik.PLAIN_HTTP)
    ingress = issuers.specs(args)["letsencrypt-sbx-issuer"]["acme"]["solvers"][0]["http01"]["ingress"]
    assert ingress["ingressTemplate"] == {"metadata": {"annotations": traefik.PLAIN_HTTP}}


def test_without_zones_there_is_no_dns01_and_asking_for_it_is_an_error() -> None:
    specs = issuers.specs(issuer_args(solver="http01", zones=[]))
    assert list(specs) == ["letsencrypt-sbx-issuer", "selfsigned-issuer"]
    with pytest.raises(ValueError, match="at least one Route53 zone"):
        issuers.specs(issuer_args(zones=[]))


@pytest.mark.parametrize("wait", [True, False])
def test_issuers_are_waited_for_unless_told_otherwise(wait: bool) -> None:
    run = recording.run(lambda: issuers.ClusterIssuers("issuers", issuer_args(wait_ready=wait)) and None)
    assert len(run.of_type(ISSUER)) == 3
    for registered in run.of_type(ISSUER):
        waits = registered.inputs["metadata"].get("annotations", {}).get("pulumi.com/waitFor")
        assert waits == ("condition=Ready" if wait else None), registered.name


# --- how add-ons are registered


def test_an_add_on_waits_for_what_it_depends_on_and_takes_extra_values_last() -> None:
    def program() -> None:
        before = namespaces.Namespaces("first", namespaces.NamespacesArgs(["sealed-secrets"], "test"))
        install = chart_values.install("sealed-secrets", keyrenewperiod="720h", podAnnotations={"a": "b"})
        made = sealed_secrets.SealedSecrets(
            "sealed-secrets",
            sealed_secrets.SealedSecretsArgs(install),
            pulumi.ResourceOptions(depends_on=[before]),
        )
        assert made.chart == charts.SEALED_SECRETS

    run = recording.run(program)
    registered = run.one(APPLICATION, "sealed-secrets")
    assert run.one("kubernetes:core/v1:Namespace").urn in registered.dependencies
    found = registered.inputs["spec"]["source"]["helm"]["valuesObject"]
    assert (found["fullnameOverride"], found["keyrenewperiod"]) == ("sealed-secrets", "720h")
    assert found["podAnnotations"] == {"a": "b"}


def test_cert_managers_large_crds_are_applied_on_the_server() -> None:
    args = cert_manager.CertManagerArgs(chart_values.install("cert-manager"))
    run = recording.run(lambda: cert_manager.CertManager("cert-manager", args) and None)
    assert "ServerSideApply=true" in run.one(APPLICATION).inputs["spec"]["syncPolicy"]["syncOptions"]


def test_choosing_ingress_nginx_says_that_it_is_retired_and_what_to_do() -> None:
    args = ingress.IngressArgs(chart_values.install("ingress-nginx"), **chart_values.INGRESS)
    run = recording.run(lambda: ingress_nginx.IngressNginx("ingress-nginx", args) and None)
    assert len(run.warnings) == 1
    assert "retired" in run.warnings[0]
    assert "addons.ingress.controller" in run.warnings[0], "a warning without a way out is noise"


def test_choosing_traefik_warns_of_nothing() -> None:
    args = traefik.TraefikArgs(chart_values.install("traefik"))
    assert recording.run(lambda: traefik.Traefik("traefik", args) and None).warnings == []


@pytest.mark.parametrize(("chart", "variant"), chart_values.samples())
def test_values_are_plain_data(chart: str, variant: str) -> None:
    def check(value: object, path: str) -> None:
        if isinstance(value, dict):
            for key, child in value.items():
                assert isinstance(key, str), path
                check(child, f"{path}.{key}")
        elif isinstance(value, list):
            for child in value:
                check(child, f"{path}[]")
        else:
            assert isinstance(value, (str, int, bool)), f"{path}: {value!r} does not survive YAML unchanged"

    check(chart_values.samples()[chart, variant], chart)
