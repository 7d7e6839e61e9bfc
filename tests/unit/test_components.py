"""Small components, and what all of them promise: dependencies and providers reach the children."""

from __future__ import annotations

import json

import pulumi
import pytest

from components import options
from components.addons import charts, sealing_key
from components.cluster import namespaces
from components.gitops import application, project
from tests import recording

CHART = charts.SEALED_SECRETS
APPLICATION = "kubernetes:argoproj.io/v1alpha1:Application"


def args(**changes: object) -> application.ApplicationArgs:
    given: dict = {"chart": CHART, "namespace": "sealed-secrets", "values": {"a": 1}, **changes}
    return application.ApplicationArgs(**given)


def test_dependencies_of_a_component_reach_its_children() -> None:
    def program() -> None:
        before = namespaces.Namespaces("first", namespaces.NamespacesArgs(["one"], "test"))
        application.Application("app", args(), pulumi.ResourceOptions(depends_on=[before]))

    run = recording.run(program)
    first = run.one("kubernetes:core/v1:Namespace", "one")
    assert first.urn in run.one(APPLICATION).dependencies, "Pulumi does not pass depends_on on to children"


def test_options_refuse_dependencies_they_cannot_pass_on() -> None:
    def program() -> None:
        parent = pulumi.ComponentResource("test:index:Parent", "parent")
        opts = pulumi.ResourceOptions()
        opts.depends_on = pulumi.Output.from_input([parent])
        with pytest.raises(TypeError, match="plain list"):
            options.child(parent, opts)

    recording.run(program)


def test_an_application_is_waited_for_until_synced_and_healthy_and_takes_its_things_along() -> None:
    run = recording.run(lambda: application.Application("app", args(timeout="7m")) and None)
    registered = run.one(APPLICATION)
    metadata = registered.inputs["metadata"]
    name = registered.inputs["spec"]["source"]["name"]
    assert json.loads(metadata["annotations"]["pulumi.com/waitFor"]) == [
        f"jsonpath={{.status.sync.comparedTo.source.name}}={name}",
        "jsonpath={.status.operationState.phase}=Succeeded",
        "jsonpath={.status.sync.status}=Synced",
        "jsonpath={.status.health.status}=Healthy",
    ]
    assert metadata["finalizers"] == ["resources-finalizer.argocd.argoproj.io/foreground"], (
        "or destroy leaves everything behind"
    )
    assert metadata["labels"] == {"purpose": "infra"}
    assert registered.timeouts == dict.fromkeys(("create", "update", "delete"), "7m")


def test_a_changed_value_is_waited_for_and_not_taken_for_the_old_state() -> None:
    def name(**changes: object) -> str:
        run = recording.run(lambda: application.Application("app", args(**changes)) and None)
        spec = run.one(APPLICATION).inputs["spec"]
        return spec.get("source", spec.get("sources", [{}])[0])["name"]

    assert name() == name(), "or every run would be an update"
    changed = [{"values": {"a": 2}}, {"mirror": "http://mirror"}]
    changed += [{"values_from": application.ValuesFrom("https://git/r", revision, path)}
                for revision, path in (("main", "a.yaml"), ("v2", "a.yaml"), ("main", "b.yaml"))]  # fmt: skip
    assert len({name(), *(name(**change) for change in changed)}) == 1 + len(changed)


def test_an_application_prunes_and_heals_itself() -> None:
    assert application.spec(args())["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}


def test_a_mirror_replaces_the_charts_own_repository() -> None:
    assert application.spec(args())["source"]["repoURL"] == CHART.repository
    assert application.spec(args(mirror="http://mirror/"))["source"]["repoURL"].startswith("http://mirror")


def test_values_from_git_come_before_the_programs_own() -> None:
    from_git = application.ValuesFrom("https://github.com/org/repo", "main", "ionos_sbx/x/values.yaml")
    chart, values = application.spec(args(values_from=from_git))["sources"]
    assert chart["helm"] == {"valuesObject": {"a": 1}, "valueFiles": ["$values/ionos_sbx/x/values.yaml"]}
    assert values == {"repoURL": from_git.repository, "targetRevision": "main", "ref": "values"}


def test_the_project_allows_the_named_repositories_and_namespaces_only() -> None:
    spec = project.spec("platform", project.ProjectArgs(["https://b", "https://a", "https://a"], ["one"]))
    assert spec["sourceRepos"] == ["https://a", "https://b"]
    assert spec["destinations"] == [{"server": "https://kubernetes.default.svc", "namespace": "one"}]


def test_the_sealing_key_outlives_the_cluster_and_is_there_before_the_controller() -> None:
    def program() -> None:
        key = sealing_key.SealingKey("sealing-key", sealing_key.SealingKeyArgs("sealed-secrets", "test", protect=True))
        pulumi.export("certificate", key.certificate)

    run = recording.run(program)
    private = run.one("tls:index/privateKey:PrivateKey")
    assert private.inputs == {"algorithm": "RSA", "rsaBits": 4096.0}
    assert private.protect, "losing the key closes every sealed secret"
    secret = run.one("kubernetes:core/v1:Secret").inputs
    assert secret["type"] == "kubernetes.io/tls"
    assert secret["metadata"]["labels"] == {"sealedsecrets.bitnami.com/sealed-secrets-key": "active"}
    assert "stringData" in run.one("kubernetes:core/v1:Secret").secrets
    assert run.outputs["certificate"] == "CERTIFICATE PEM"
    assert "certificate" not in run.secret_outputs, "the certificate is what people seal with: it is public"
