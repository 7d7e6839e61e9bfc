"""What Argo CD's chart is given, and in which order Argo CD's parts are made."""

from __future__ import annotations

import csv
import json
from typing import Any

import pulumi
import pytest

from components.addons import charts
from components.cluster import namespaces
from components.gitops import argocd
from tests import recording
from tests.unit import chart_values

RELEASE = "kubernetes:helm.sh/v3:Release"
SECRET = "kubernetes:core/v1:Secret"


def values(**changes: Any) -> dict[str, Any]:
    return argocd.values(chart_values.argo_cd(**changes))


def made(**changes: Any) -> recording.Recording:
    return recording.run(lambda: argocd.ArgoCd("argocd", chart_values.argo_cd(**changes)) and None)


def test_its_address_is_the_same_everywhere() -> None:
    chosen = values(host="argocd.example.org")
    assert chosen["global"]["domain"] == "argocd.example.org"
    assert "url" not in chosen["configs"]["cm"], "the chart makes it of the domain; beside it the domain had no effect"


def test_tls_ends_at_the_ingress() -> None:
    assert values()["configs"]["params"] == {"server.insecure": True}, "or the ingress speaks HTTP to a TLS port"


def test_without_github_there_is_no_dex() -> None:
    chosen = values()
    assert chosen["dex"]["enabled"] is False
    assert "dex.config" not in chosen["configs"]["cm"]


def test_github_sign_in_names_the_secret_and_never_holds_it() -> None:
    chosen = values(github=chart_values.github(teams=["ops"]))
    assert chosen["dex"]["enabled"] is True
    (connector,) = json.loads(chosen["configs"]["cm"]["dex.config"])["connectors"]
    assert connector["config"]["clientSecret"] == "$github-secret:clientSecret"
    assert connector["config"]["orgs"] == [{"name": "Org", "teams": ["ops"]}]
    assert "CANARY" not in json.dumps(chosen), "chart values are in Pulumi's state and in the cluster"


def test_all_members_may_sign_in_when_no_team_is_named() -> None:
    (connector,) = json.loads(argocd.dex_config(chart_values.github()))["connectors"]
    assert connector["config"]["orgs"] == [{"name": "Org"}]


def test_rights_are_the_default_role_and_named_administrators() -> None:
    rbac = values(default_role="role:readonly", admins=["a@example.org", "Org:ops"])["configs"]["rbac"]
    assert rbac["policy.default"] == "role:readonly"
    assert rbac["policy.csv"].splitlines() == ["g, a@example.org, role:admin", "g, Org:ops, role:admin"]
    assert rbac["scopes"] == "[groups, email]", "without email the addresses above match nobody"


@pytest.mark.parametrize("enabled", [True, False])
def test_the_built_in_admin_can_be_switched_off(enabled: bool) -> None:
    assert values(admin_enabled=enabled)["configs"]["cm"]["admin.enabled"] is enabled


def test_every_part_runs_once_and_leaves_no_crds_behind() -> None:
    chosen = values()
    for part in ("controller", "repoServer", "applicationSet", "server"):
        assert chosen[part]["replicas"] == 1, part
    assert chosen["crds"] == {"install": True, "keep": False}


def test_extra_values_come_last() -> None:
    chosen = values(values={"server": {"replicas": 2}, "configs": {"cm": {"exec.enabled": True}}})
    assert chosen["server"]["replicas"] == 2
    assert chosen["configs"]["cm"]["exec.enabled"] is True
    assert chosen["configs"]["cm"]["admin.enabled"] is True


def test_extra_values_of_one_environment_do_not_leak_into_another() -> None:
    values(values={"controller": {"replicas": 3}})
    assert values()["controller"]["replicas"] == 1
    assert values(values={"controller": {"replicas": 3}})["repoServer"]["replicas"] == 1


def test_the_release_is_the_pinned_chart_from_its_repository_or_the_mirror() -> None:
    release = made().one(RELEASE).inputs
    assert (release["chart"], release["version"]) == (charts.ARGO_CD.name, charts.ARGO_CD.version)
    assert release["repositoryOpts"] == {"repo": charts.ARGO_CD.repository}
    assert made(mirror="http://mirror/").one(RELEASE).inputs["repositoryOpts"] == {"repo": "http://mirror"}


def test_from_a_registry_the_release_is_named_by_its_whole_address() -> None:
    release = made(mirror="oci://harbor.example/charts").one(RELEASE).inputs
    assert release["chart"] == "oci://harbor.example/charts/argo-cd"
    assert release["version"] == charts.ARGO_CD.version
    assert "repositoryOpts" not in release, "Helm refuses a registry as the repository of a chart"


def test_a_group_with_spaces_is_one_group() -> None:
    (line,) = values(admins=["Platform Team"])["configs"]["rbac"]["policy.csv"].splitlines()
    assert next(csv.reader([line], skipinitialspace=True)) == ["g", "Platform Team", "role:admin"]


def test_the_release_does_not_make_its_namespace_and_has_time_limits() -> None:
    release = made(timeout_minutes=7).one(RELEASE)
    assert release.inputs["createNamespace"] is False, "Pulumi owns the namespace, so that destroy removes it"
    assert release.inputs["timeout"] == 7 * 60
    assert release.timeouts == dict.fromkeys(("create", "update", "delete"), "7m")


def test_githubs_secret_is_there_before_dex_starts_and_stays_secret() -> None:
    run = made(github=chart_values.github())
    secret, release = run.one(SECRET), run.one(RELEASE)
    assert secret.urn in release.dependencies, "Dex reads it at its start"
    assert secret.inputs["metadata"]["name"] == "github-secret"
    assert secret.inputs["metadata"]["labels"] == {"app.kubernetes.io/part-of": "argocd"}, (
        "Argo CD resolves $github-secret:clientSecret only with this label"
    )
    assert any(path.startswith("stringData") for path in secret.secrets), "the value must be marked secret"


def test_without_github_there_is_no_such_secret() -> None:
    assert made().of_type(SECRET) == []


def test_what_argo_cd_depends_on_holds_back_release_and_secret() -> None:
    def program() -> None:
        before = namespaces.Namespaces("first", namespaces.NamespacesArgs(["argocd"], "test"))
        args = chart_values.argo_cd(github=chart_values.github())
        argocd.ArgoCd("argocd", args, pulumi.ResourceOptions(depends_on=[before]))

    run = recording.run(program)
    namespace = run.one("kubernetes:core/v1:Namespace").urn
    assert namespace in run.one(RELEASE).dependencies
    assert namespace in run.one(SECRET).dependencies
