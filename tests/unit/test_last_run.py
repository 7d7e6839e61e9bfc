"""external-dns's last run at destroy: what it may remove, with whose credentials, and when it runs."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components.addons import charts, external_dns, last_run
from components.gitops import argocd
from tests import recording
from tests.unit import chart_values


def job(provider: external_dns.Route53 | external_dns.Ionos | None = None, **values: Any) -> dict[str, Any]:
    given = {"provider": provider} if provider else {}
    args = chart_values.route53(install=chart_values.install("external-dns", **values), **given)
    return last_run.objects("external-dns", external_dns.merged(args))[-1]


def pod(**given: Any) -> dict[str, Any]:
    return job(**given)["spec"]["template"]["spec"]


def arguments(**given: Any) -> list[Any]:
    return pod(**given)["containers"][0]["args"]


def test_it_removes_what_has_this_stacks_mark_in_this_stacks_zones_and_nothing_else() -> None:
    given = arguments()
    assert given.count("--once") == 1
    assert {"--policy=sync", "--namespace=external-dns"} <= set(given)
    assert [one for one in given if one.startswith("--source")] == ["--source=ingress"]
    assert f"--label-filter={last_run.NOTHING}" in given, "nothing is asked for, so everything of ours goes"
    assert "--txt-owner-id=gitops-platform-sbx" in given, "records of others are left alone"
    assert {"--domain-filter=example.org", "--domain-filter=example.io"} <= set(given)
    assert {"--zone-id-filter=Z1", "--zone-id-filter=Z2"} <= set(given)
    assert "--provider=aws" in given


def test_its_records_go_whatever_the_policy_was() -> None:
    assert "--policy=sync" in arguments(policy="upsert-only"), "an address that is given up is soon somebody else's"


def test_it_has_external_dnss_own_credentials() -> None:
    chosen, values = pod(), external_dns.values(chart_values.route53())
    (container,) = chosen["containers"]
    assert container["env"] == values["env"]
    assert container["volumeMounts"] == values["extraVolumeMounts"]
    assert chosen["volumes"] == values["extraVolumes"]


def test_it_may_read_ingresses_of_its_own_namespace_and_nothing_else() -> None:
    account, role, binding, made = last_run.objects("external-dns", external_dns.values(chart_values.route53()))
    (rule,) = role["rules"]
    assert rule == {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": ["get", "list", "watch"]}
    assert role["kind"] == "Role", "not of the cluster"
    assert binding["subjects"][0]["name"] == account["metadata"]["name"]
    assert made["spec"]["template"]["spec"]["serviceAccountName"] == account["metadata"]["name"]
    weights = [int(one["metadata"]["annotations"]["helm.sh/hook-weight"]) for one in (account, role, binding, made)]
    assert weights == sorted(weights), "what it needs is there before it"
    assert {one["metadata"]["namespace"] for one in (account, role, binding, made)} == {"external-dns"}


def test_it_follows_the_users_adjustments() -> None:
    image = {"repository": "mirror.example.org/external-dns", "tag": "v0.22.0"}
    secrets = [{"name": "pull"}]
    changed = {"txtOwnerId": "ionos-dns", "txtPrefix": "x-", "image": image, "imagePullSecrets": secrets}
    given = arguments(**changed)
    assert {"--txt-owner-id=ionos-dns", "--txt-prefix=x-"} <= set(given)
    chosen = pod(**changed)
    assert chosen["containers"][0]["image"] == "mirror.example.org/external-dns:v0.22.0"
    assert chosen["imagePullSecrets"] == secrets


@pytest.mark.parametrize(
    "extra",
    [
        {"aws-batch-change-size": 50, "dry-run": False, "aws-prefer-cname": True},
        ["--aws-batch-change-size=50", "--no-dry-run", "--aws-prefer-cname"],
    ],
    ids=["map", "list"],
)
def test_further_options_are_taken_in_both_forms_of_the_chart(extra: Any) -> None:
    wanted = {"--aws-batch-change-size=50", "--no-dry-run", "--aws-prefer-cname"}
    assert wanted <= set(arguments(extraArgs=extra)), "external-dns refuses a switch with a value"


@pytest.mark.parametrize("provider", [None, {"name": None}, {"webhook": None}])
def test_values_that_leave_the_provider_to_the_chart_are_no_obstacle(provider: Any) -> None:
    made = last_run.objects("external-dns", {"provider": provider} if provider else {})[-1]
    assert "--provider=aws" in made["spec"]["template"]["spec"]["containers"][0]["args"]


def test_the_image_is_the_charts() -> None:
    assert pod()["containers"][0]["image"].endswith(f":v{charts.EXTERNAL_DNS.app_version}")


def test_at_ionos_its_other_half_runs_beside_it() -> None:
    chosen = pod(provider=external_dns.Ionos())
    (webhook,) = chosen["initContainers"]
    assert webhook["restartPolicy"] == "Always", "a sidecar, which ends with the run"
    assert webhook["startupProbe"]["httpGet"]["path"] == "/healthz"
    assert "token" in str(webhook["env"])
    assert "--provider=webhook" in arguments(provider=external_dns.Ionos())


def test_it_runs_when_argo_cd_goes_and_ends_in_time() -> None:
    made = job()
    assert made["metadata"]["annotations"]["helm.sh/hook"] == "pre-delete", "never while the environment lives"
    assert made["spec"]["activeDeadlineSeconds"] <= 120
    values = argocd.values(chart_values.argo_cd(last=[made], values={"extraObjects": [{"kind": "Own"}]}))
    assert values["extraObjects"] == [made, {"kind": "Own"}], "beside what the user adds"
    assert "extraObjects" not in argocd.values(chart_values.argo_cd())


def test_where_the_zones_go_too_it_holds_nothing_up() -> None:
    values = external_dns.values(chart_values.route53())
    made = last_run.objects("external-dns", values, zones_stay=False)
    assert {one["metadata"]["annotations"]["helm.sh/hook"] for one in made} == {"post-delete"}, (
        "Helm has removed the release before it runs: whatever becomes of it, the next destroy goes on"
    )
    spec = made[-1]["spec"]
    assert (spec["activeDeadlineSeconds"], spec["backoffLimit"]) == (60, 0)
    assert spec["template"] == last_run.objects("external-dns", values)[-1]["spec"]["template"]


def test_zones_that_are_not_made_yet_are_no_obstacle() -> None:
    found: list[Any] = []

    def program() -> None:
        zone = pulumi.Output.from_input("Z9")
        args = chart_values.route53(provider=external_dns.Route53([zone], "eu-central-1", "AKIA1"))
        made = last_run.objects("external-dns", external_dns.merged(args))[-1]
        pulumi.Output.from_input(made["spec"]["template"]["spec"]["containers"][0]["args"]).apply(found.extend)

    recording.run(program)
    assert "--zone-id-filter=Z9" in found
