"""What Argo CD is told before it starts, and the root Application: what they register."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest

from components.gitops import connections, root
from tests import recording

SECRET = "kubernetes:core/v1:Secret"
APPLICATION = "kubernetes:argoproj.io/v1alpha1:Application"
PROJECT = "kubernetes:argoproj.io/v1alpha1:AppProject"
URL = "https://github.com/org/repo"


def connected(credential: Any = None) -> recording.Recording:
    facts = {"domain": "example.org", "ingress_class": "nginx"}
    args = connections.ConnectionsArgs("argocd", "sbx", facts, URL, credential)
    return recording.run(lambda: connections.Connections("connections", args) and None)


def handed_over(**changes: Any) -> recording.Recording:
    args = root.RootArgs(**{"repository": URL, "revision": "main", "path": "applications_sbx", **changes})
    return recording.run(lambda: root.Root("root", args) and None)


def test_argo_cds_own_cluster_says_what_the_environment_is() -> None:
    cluster = connected().one(SECRET)
    assert cluster.inputs["metadata"]["labels"] == {
        "argocd.argoproj.io/secret-type": "cluster",
        "environment": "sbx",
    }, "generators select by labels"
    assert cluster.inputs["metadata"]["annotations"] == {
        "environment": "sbx",
        "domain": "example.org",
        "ingress_class": "nginx",
    }
    data = cluster.inputs["stringData"]
    assert (data["name"], data["server"]) == ("in-cluster", "https://kubernetes.default.svc")
    assert set(json.loads(data["config"])) == {"tlsClientConfig"}, "no credentials: Argo CD uses its own"


@pytest.mark.parametrize(
    ("credential", "fields", "secret"),
    [
        (connections.Token("git", "canary"), {"username": "git", "password": "canary"}, "password"),
        (connections.DeployKey("canary"), {"sshPrivateKey": "canary"}, "sshPrivateKey"),
        (
            connections.GithubApp(1, 2, "canary"),
            {"githubAppID": "1", "githubAppInstallationID": "2", "githubAppPrivateKey": "canary"},
            "githubAppPrivateKey",
        ),
    ],
)
def test_a_private_repository_comes_with_its_credential(credential: Any, fields: dict[str, str], secret: str) -> None:
    made = connected(credential).one(SECRET, "connections-repository")
    assert made.inputs["metadata"]["labels"] == {"argocd.argoproj.io/secret-type": "repository"}
    assert made.inputs["stringData"] == {"type": "git", "url": URL, **fields}
    assert {"stringData", f"stringData.{secret}"} & made.secrets, "the state holds it encrypted"


def test_the_root_application_follows_the_folder_and_takes_its_children_along() -> None:
    run = handed_over(include=["a/*"], exclude=["infrastructure/*", "argocd.yaml"])
    made = run.one(APPLICATION).inputs
    assert made["metadata"]["finalizers"] == ["resources-finalizer.argocd.argoproj.io/foreground"]
    assert made["spec"]["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}
    retry = made["spec"]["syncPolicy"]["retry"]
    assert (retry["limit"], retry["refresh"]) == (5, True), "a deletion waits for a failing sync's last retry"
    source = made["spec"]["source"]
    assert (source["repoURL"], source["targetRevision"], source["path"]) == (URL, "main", "applications_sbx")
    assert source["directory"] == {
        "recurse": True,
        "include": "{a/*}",
        "exclude": "{infrastructure/*,argocd.yaml}",
    }
    assert run.one(PROJECT).urn in run.one(APPLICATION).dependencies, "or destroy cannot delete the children"


def test_without_patterns_every_file_counts() -> None:
    assert handed_over().one(APPLICATION).inputs["spec"]["source"]["directory"] == {"recurse": True}


def test_its_project_lets_it_make_applications_from_this_repository_and_nothing_else() -> None:
    spec = handed_over().one(PROJECT).inputs["spec"]
    assert spec["sourceRepos"] == [URL]
    assert spec["destinations"] == [{"server": "https://kubernetes.default.svc", "namespace": "argocd"}]
    assert [each["kind"] for each in spec["namespaceResourceWhitelist"]] == ["Application", "ApplicationSet"], (
        "an AppProject from Git could allow anything"
    )
    assert "clusterResourceWhitelist" not in spec


@pytest.mark.parametrize("healthy", [True, False])
def test_it_is_waited_for_with_the_source_it_has_now(healthy: bool) -> None:
    made = handed_over(wait_healthy=healthy, timeout="7m").one(APPLICATION)
    wanted = json.loads(made.inputs["metadata"]["annotations"]["pulumi.com/waitFor"])
    name = made.inputs["spec"]["source"]["name"]
    assert wanted[0] == f"jsonpath={{.status.sync.comparedTo.source.name}}={name}"
    assert any("sync.status" in one for one in wanted)
    assert any("health" in one for one in wanted) is healthy
    assert made.timeouts == dict.fromkeys(("create", "update", "delete"), "7m")


def test_a_changed_source_is_not_taken_for_the_old_one() -> None:
    changes: list[dict[str, Any]] = [{}, {"revision": "x"}, {"path": "x"}, {"include": ["x"]}, {"exclude": ["x"]}]
    names = [handed_over(**one).one(APPLICATION).inputs["spec"]["source"]["name"] for one in changes]
    assert len(set(names)) == len(changes)
    assert names[0] == handed_over().one(APPLICATION).inputs["spec"]["source"]["name"], (
        "or every run would be an update"
    )


def test_dependencies_reach_the_root_application() -> None:
    def program() -> None:
        before = root.Root("before", root.RootArgs(URL, "main", "a"))
        root.Root("root", root.RootArgs(URL, "main", "b"), pulumi.ResourceOptions(depends_on=[before]))

    run = recording.run(program)
    assert run.one(APPLICATION, "before").urn in run.one(APPLICATION, "root").dependencies
