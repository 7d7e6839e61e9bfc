"""The decisions of the kubernetes plugin's stand-in, without a cluster."""

from __future__ import annotations

import contextlib
import json
import pathlib
from typing import Any

import pytest

from lab.plugins import base, differ, values
from lab.plugins.kubernetes import (
    applying,
    cluster,
    helm,
    kubeconfig,
    model,
    objects,
    plugin,
    readiness,
    replacing,
    session,
    waitfor,
)
from tests import kubeconfig_cases

SECRET_TOKEN = "kubernetes:core/v1:Secret"


def secret(**more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}} | more


def config(server: str = "https://a:6443", context: str = "c", **user: Any) -> dict[str, Any]:
    return {
        "current-context": context,
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "n"}}],
        "clusters": [{"name": "k", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
    }


# --- objects -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "inputs", "found"),
    [
        (SECRET_TOKEN, {}, ("v1", "Secret")),
        ("kubernetes:apps/v1:Deployment", {}, ("apps/v1", "Deployment")),
        ("kubernetes:rbac.authorization.k8s.io/v1:RolePatch", {}, ("rbac.authorization.k8s.io/v1", "Role")),
        (
            "kubernetes:argoproj.io/v1alpha1:Application",
            {"kind": "Application"},
            ("argoproj.io/v1alpha1", "Application"),
        ),
    ],
)
def test_the_kind_comes_from_the_type_token(token: str, inputs: dict[str, Any], found: tuple[str, str]) -> None:
    assert model.kind_of(token, inputs) == found


def test_text_becomes_data_and_what_is_unknown_stays_so() -> None:
    text = values.Secret({"a": "x", "b": values.UNKNOWN})
    normal = model.normalize(secret(stringData=text, data={"c": "eQ=="}))
    assert normal["data"] == values.Secret({"c": "eQ==", "a": "eA==", "b": values.UNKNOWN})
    assert "stringData" not in normal
    assert model.normalize(secret(stringData=values.UNKNOWN))["stringData"] == values.Secret(values.UNKNOWN)


def test_data_that_was_never_marked_is_secret_all_the_same() -> None:
    live = secret(data={"token": "CANARY"})
    live["metadata"]["annotations"] = {model.LAST_APPLIED: "CANARY"}
    outputs = model.checkpoint(secret(), live, "m")
    assert "CANARY" not in repr(outputs), "a service account's token, or what kubectl wrote down"


def test_a_name_is_made_kept_and_marked() -> None:
    call = base.Call(name="web", seed=b"\x01\x02\x03\x04\x05")
    first = model.autoname(call, {}, {"metadata": {}})
    assert first["metadata"] == {"name": "web-01020304", "annotations": {model.AUTONAMED: "true"}}
    assert model.autoname(base.Call(name="web"), first, {"metadata": {}})["metadata"]["name"] == "web-01020304"
    own = {"metadata": {"name": "mine"}}
    assert model.autoname(call, first, own) is own
    unknown = {"metadata": {"name": values.UNKNOWN}}
    assert model.autoname(call, {}, unknown) is unknown


@pytest.mark.parametrize(
    ("one", "other"), [("0.5", "500m"), ("1024Mi", "1Gi"), ("1000m", 1), ("1e3", "1k"), ("2", "2000m")]
)
def test_amounts_are_compared_by_what_they_mean(one: Any, other: Any) -> None:
    assert model.same_quantity(one, other)
    assert not model.same_quantity(one, "3")
    assert not model.same_quantity("a", "b")


def test_a_live_object_is_reduced_to_what_the_inputs_set() -> None:
    inputs = {"apiVersion": "apps/v1", "metadata": {"labels": {}}, "spec": {"a": "0.5", "list": [{"x": 1}]}}
    live = {
        "apiVersion": "apps/v1",
        "metadata": {"uid": "u"},
        "spec": {"a": "500m", "b": 1, "list": [{"x": 1, "y": 2}, {"x": 3}]},
    }
    assert model.pruned(live, inputs) == inputs, "defaults and empty entries that the server drops are no difference"


def test_keys_that_sdks_cannot_spell_are_translated_and_others_are_not() -> None:
    spec = {"x_kubernetes_preserve_unknown_fields": True, "my_key": {"x_kubernetes_list_type": "map"}}
    api = {"x-kubernetes-preserve-unknown-fields": True, "my_key": {"x-kubernetes-list-type": "map"}}
    assert model.dashed(spec) == api
    assert model.underscored(api) == spec


# --- replacement -------------------------------------------------------------------------------------------------


def decide(inputs: dict[str, Any], old: dict[str, Any], namespaced: bool = True, **options: Any) -> differ.Diff:
    live = json.loads(json.dumps(values.plain(old)))
    return replacing.decide(model.normalize(inputs), old, live, namespaced=namespaced, **options)


def test_nothing_changed_is_no_change() -> None:
    assert decide(secret(data={"a": "eA=="}), secret(data={"a": "eA=="})).changes == {}


@pytest.mark.parametrize(("mutable", "replaced"), [(False, True), (True, False)])
def test_data_replaces_a_secret_unless_it_is_mutable(mutable: bool, replaced: bool) -> None:
    diff = decide(secret(data={"a": "eQ=="}), secret(data={"a": "eA=="}), mutable_secrets=mutable)
    assert bool(diff.replace) is replaced
    assert diff.delete_before_replace is replaced, "its name is fixed"


def test_an_immutable_secret_is_replaced_whatever_the_provider_says() -> None:
    diff = decide(
        secret(data={"a": "eQ=="}, immutable=True), secret(data={"a": "eA=="}, immutable=True), mutable_secrets=True
    )
    assert diff.replace


def test_another_name_or_namespace_is_another_object_and_the_new_one_comes_first() -> None:
    other = secret()
    other["metadata"] = {"name": "t"}
    diff = decide(other, secret())
    assert (diff.replace, diff.delete_before_replace) == ({("metadata", "name")}, False)
    moved = secret()
    moved["metadata"] = {"name": "s", "namespace": "elsewhere"}
    assert decide(moved, secret()).replace == {("metadata", "namespace")}
    moved["metadata"]["namespace"] = "default"
    assert decide(moved, secret()).changes == {}, "no namespace is the namespace default"


def test_an_autonamed_object_is_made_anew_before_the_old_one_goes() -> None:
    old = secret(data={"a": "eA=="})
    old["metadata"] = {"name": "s-1", "annotations": {model.AUTONAMED: "true"}}
    new = {**old, "data": {"a": "eQ=="}}
    diff = decide(new, old)
    assert diff.replace
    assert not diff.delete_before_replace


@pytest.mark.parametrize(
    ("kind", "api_version", "field", "value", "replaced"),
    [
        ("Deployment", "apps/v1", "selector", {"matchLabels": {"a": "b"}}, True),
        ("Deployment", "apps/v1", "replicas", 3, False),
        ("Job", "batch/v1", "template", {"x": 1}, True),
        ("Pod", "v1", "nodeName", "n", True),
        ("Pod", "v1", "tolerations", [{"key": "a"}], False),
        ("Application", "argoproj.io/v1alpha1", "project", "p", False),
    ],
)
def test_immutable_fields_replace(kind: str, api_version: str, field: str, value: Any, replaced: bool) -> None:
    old = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, "spec": {field: None, "other": 1}}
    old["spec"][field] = {"matchLabels": {"a": "old"}} if field == "selector" else "old"
    new = {**old, "spec": {field: value, "other": 1}}
    assert bool(decide(new, old).replace) is replaced


def test_ignored_paths_are_no_change() -> None:
    assert decide(secret(data={"a": "eQ=="}), secret(data={"a": "eA=="}), ignore=("data",)).changes == {}


# --- providers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "replaced"),
    [
        ({"kubeconfig": config("https://a")}, {"kubeconfig": config("https://a", token="new")}, False),
        ({"kubeconfig": config("https://a")}, {"kubeconfig": config("https://b")}, True),
        ({"kubeconfig": config("https://a")}, {"kubeconfig": values.UNKNOWN}, True),
        (
            {"kubeconfig": config(), "clusterIdentifier": "i"},
            {"kubeconfig": values.UNKNOWN, "clusterIdentifier": "i"},
            False,
        ),
        (
            {"kubeconfig": config(), "clusterIdentifier": "i"},
            {"kubeconfig": config("b"), "clusterIdentifier": "i"},
            False,
        ),
        ({"kubeconfig": config(), "clusterIdentifier": "i"}, {"kubeconfig": config(), "clusterIdentifier": "j"}, True),
        ({"kubeconfig": config()}, {"kubeconfig": config(), "clusterIdentifier": "j"}, False),
    ],
)
def test_only_another_cluster_replaces_a_provider(old: dict[str, Any], new: dict[str, Any], replaced: bool) -> None:
    for side in (old, new):
        if isinstance(side["kubeconfig"], dict):
            side["kubeconfig"] = values.Secret(json.dumps(side["kubeconfig"]))
    diff = plugin.diff_config(old, new)
    assert bool(diff.replace) is replaced
    assert diff.changes


def test_a_kubeconfig_is_text_json_or_a_path(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "config"
    path.write_text(json.dumps(config()))
    assert kubeconfig.parse(str(path)) == kubeconfig.parse(json.dumps(config(), indent=1)) == config()
    with pytest.raises(kubeconfig.KubeconfigError, match="no such file"):
        kubeconfig.parse(str(tmp_path / "missing"))
    with pytest.raises(kubeconfig.KubeconfigError, match="no kubeconfig"):
        kubeconfig.parse("just\ntext")


def test_what_a_kubeconfig_says_about_access() -> None:
    access = kubeconfig.access(config(token="CANARY"))
    assert (access.server, access.namespace, access.authorization) == ("https://a:6443", "n", "Bearer CANARY")
    assert "CANARY" not in repr(access)
    with pytest.raises(kubeconfig.KubeconfigError, match='context "x" does not exist'):
        kubeconfig.access(config(), "x")


@pytest.mark.parametrize("case", kubeconfig_cases.CASES, ids=lambda case: case.name)
def test_a_kubeconfig_is_refused_where_client_go_refuses_it(
    case: kubeconfig_cases.Case, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig_cases.files(tmp_path)
    monkeypatch.chdir(tmp_path)
    text = json.dumps(case.config("https://127.0.0.1:6443"))
    with pytest.raises(kubeconfig.KubeconfigError) if case.words else contextlib.nullcontext():
        session.cluster.Cluster(kubeconfig.access(kubeconfig.parse(text)))


def test_paths_begin_at_the_folder_of_a_kubeconfig_of_the_environment_only(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("t")
    (tmp_path / "config").write_text(json.dumps(config(tokenFile="token")))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    assert kubeconfig.access(kubeconfig.ambient()).authorization == "Bearer t"
    with pytest.raises(kubeconfig.KubeconfigError, match="tokenFile"):
        kubeconfig.access(kubeconfig.parse(str(tmp_path / "config")))


def test_no_credentials_are_shown_without_tls() -> None:
    assert kubeconfig.access(config("http://a", token="CANARY")).authorization == ""


def test_what_client_go_cannot_decode_is_refused() -> None:
    for user in ({"token": 12}, {"token": True}, {"client-key-data": "no base64!"}, "x"):
        broken = {**config(), "users": [{"name": "u", "user": user}]}
        with pytest.raises(kubeconfig.KubeconfigError):
            kubeconfig.parse(json.dumps(broken))
    with pytest.raises(kubeconfig.KubeconfigError, match='duplicate name "u"'):
        kubeconfig.parse(json.dumps({**config(), "users": [{"name": "u"}, {"name": "u"}]}))


# --- waiting -----------------------------------------------------------------------------------------------------

APPLICATION = {
    "metadata": {"generation": 2},
    "status": {
        "health": {"status": "Healthy"},
        "replicas": 3,
        "ok": True,
        "conditions": [
            {"type": "Ready", "status": "True"},
            {"type": "Synced", "status": "False", "message": "not yet"},
        ],
        "dotted.key": {"x": 1},
    },
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("jsonpath={.status.health.status}=Healthy", True),
        ("jsonpath={.status.health.status}=Degraded", False),
        ("jsonpath={.status.health}", True),
        ("jsonpath={.status.nothing}", False),
        ("jsonpath={$.status.replicas}=3", True),
        ("jsonpath={.status.ok}=true", True),
        ("jsonpath={.status.conditions[0].type}=Ready", True),
        ("jsonpath={.status.conditions[-1].type}=Synced", True),
        ("jsonpath={.status.conditions[*].type}=Ready", True),
        ('jsonpath={.status.conditions[?(@.type=="Synced")].status}=False', True),
        ("jsonpath={.status.conditions[?(@.type=='Synced')].status}=True", False),
        ("jsonpath={.status.conditions[?@.message].type}=Synced", True),
        ("jsonpath={.status['dotted.key'].x}=1", True),
        ("condition=Ready", True),
        ("condition=ready", True),
        ("condition=Synced", False),
        ("condition=Synced=False", True),
        ("condition=Missing", False),
    ],
)
def test_wait_conditions(text: str, holds: bool) -> None:
    (check,) = waitfor.parse(text)
    assert check.check(APPLICATION)[0] is holds


def test_several_wait_conditions_come_as_json() -> None:
    expressions = ["jsonpath={.status.health.status}=Healthy", "condition=Synced"]
    checks = waitfor.parse(json.dumps(expressions))
    assert [check.check(APPLICATION)[0] for check in checks] == [True, False]
    said = checks[1].check(APPLICATION)[1]
    assert "condition=Synced" in said
    assert "not yet" not in said, "the real plugin does not pass on what a condition says"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Ready", "prefix"),
        ("[]", "at least one"),
        ("jsonpath=.status", "braces"),
        ("jsonpath={.status}=", "requires a value"),
        ("jsonpath={.a[?(]}", "not understood"),
    ],
)
def test_wait_conditions_that_make_no_sense_are_refused(text: str, reason: str) -> None:
    with pytest.raises(waitfor.WaitError, match=reason):
        waitfor.parse(text)


def test_an_old_observation_does_not_count() -> None:
    (check,) = waitfor.parse("jsonpath={.status.ready}=true")
    stale = {"metadata": {"generation": 2}, "status": {"observedGeneration": 1, "ready": True}}
    assert check.check(stale)[0] is False
    stale["status"]["observedGeneration"] = 2
    assert check.check(stale)[0] is True


def none(kind: str, name: str) -> list[dict[str, Any]]:
    return []


def test_a_deployment_is_ready_when_its_newest_pods_are() -> None:
    conditions = [{"type": "Available", "status": "True"}, {"type": "Progressing", "status": "True"}]
    status = {"observedGeneration": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}
    obj = {"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status | {"conditions": conditions}}
    assert readiness.deployment(obj, none).ready
    for change in ({"observedGeneration": 1}, {"updatedReplicas": 1}, {"availableReplicas": 1}, {"conditions": []}):
        assert not readiness.deployment({**obj, "status": obj["status"] | change}, none).ready, change
    failing = [{"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable", "message": "m"}]
    verdict = readiness.deployment({**obj, "status": {"conditions": failing}}, none)
    assert verdict.errors == ("[MinimumReplicasUnavailable] m", "Minimum number of live Pods was not attained")


def test_a_failed_job_is_not_waited_for_any_longer() -> None:
    failed = {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "m"}]}
    verdict = readiness.job({"status": failed}, none)
    assert verdict.failed
    assert "BackoffLimitExceeded" in verdict.errors[0]
    assert readiness.job({"status": {"conditions": [{"type": "Complete", "status": "True"}]}}, none).ready
    assert not readiness.job({"status": {"active": 1}}, none).ready


def test_a_load_balancer_needs_an_address_and_pods() -> None:
    spec = {"type": "LoadBalancer", "selector": {"a": "b"}}
    obj = {"metadata": {"name": "s"}, "spec": spec, "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}}
    slices = {"EndpointSlice": [{"endpoints": [{"conditions": {"ready": True}}]}]}
    assert readiness.service(obj, lambda kind, name: slices.get(kind, [])).ready
    assert not readiness.service(obj, none).ready
    assert not readiness.service({**obj, "status": {}}, lambda kind, name: slices.get(kind, [])).ready
    assert readiness.service({"metadata": {}, "spec": {"type": "ExternalName", "selector": {"a": "b"}}}, none).ready


def test_pods_tell_what_keeps_them() -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    starting = {"reason": "ContainerCreating"}
    states = [{"name": "c", "state": {"waiting": waiting}}, {"name": "d", "state": {"waiting": starting}}]
    scheduling = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "full"}]
    obj = {"metadata": {"name": "p"}, "status": {"containerStatuses": states, "conditions": scheduling}}
    assert readiness.pod_errors(obj) == [
        "[Pod p]: [Unschedulable] full",
        "[Pod p]: container c: [ImagePullBackOff] no such image",
    ]


# --- writing -----------------------------------------------------------------------------------------------------


class Api:
    """An API server that answers from a list and takes down what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.asked = list(answers), []

    def request(self, method: str, path: str, body: Any = None, query: Any = None, content: str = cluster.JSON) -> Any:
        self.asked.append((method, body, query))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def conflict(*holders: str) -> cluster.ApiError:
    causes = [{"message": f'conflict with "{holder}" using v1', "field": ".data.a"} for holder in holders]
    return cluster.ApiError(409, "Conflict", "Apply failed", {"causes": causes})


def entry(manager: str, operation: str, *fields: str) -> dict[str, Any]:
    owned = {"f:data": {f"f:{field}": {} for field in fields}}
    return {"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsV1": owned}


def test_an_update_takes_over_what_the_creation_and_kubectl_set() -> None:
    managers = [
        entry("pulumi-kubernetes", "Update", "a"),
        entry("kubectl-edit", "Update", "b"),
        entry("other", "Apply", "c"),
    ]
    live = {"metadata": {"resourceVersion": "7", "managedFields": managers}}
    api: Any = Api({})
    applying.take_over(api, "/x", live, "pulumi-kubernetes-1")
    patch = api.asked[0][1]
    kept, own = patch[0]["value"]
    assert kept["manager"] == "other", "what others applied stays theirs"
    assert (own["manager"], own["operation"]) == ("pulumi-kubernetes-1", "Apply")
    assert own["fieldsV1"] == {"f:data": {"f:a": {}, "f:b": {}}}
    assert patch[1]["value"] == "7", "a change in between must make the patch fail"


def test_a_preview_passes_over_conflicts_that_an_update_would_not_have() -> None:
    live = {"metadata": {"managedFields": [entry("kubectl-edit", "Update", "a"), entry("other", "Apply", "b")]}}
    api: Any = Api(conflict("kubectl-edit"), {"ok": True})
    assert applying.apply(api, "/x", {}, "m", force=False, dry_run=True, live=live) == {"ok": True}
    with pytest.raises(applying.Conflict, match="see https://"):
        applying.apply(Api(conflict("kubectl-edit", "other")), "/x", {}, "m", force=False, dry_run=True, live=live)  # pyright: ignore
    with pytest.raises(applying.Conflict):
        applying.apply(Api(conflict("other")), "/x", {}, "m", force=False, dry_run=False)  # pyright: ignore


def test_ignored_fields_are_left_to_whoever_holds_them() -> None:
    live = {"data": {"a": "live", "b": "live"}, "metadata": {"managedFields": [entry("other", "Update", "b")]}}
    body = {"data": {"a": "mine", "b": "mine", "c": "mine"}}
    assert applying.keep_ignored(body, live, "me", ["data.a", "data.b"]) == {"data": {"a": "live", "c": "mine"}}


@pytest.mark.parametrize("kind", ["List", "ConfigMapList"])
def test_lists_cannot_be_created(kind: str) -> None:
    call = base.Call(type=f"kubernetes:core/v1:{kind}", name="x", client=session.Session(unreachable="gone"))
    with pytest.raises(base.PluginError, match="list resources"):
        objects.KubernetesObject().check(call, {}, {"apiVersion": "v1", "kind": kind})


def test_a_cluster_out_of_reach_does_not_keep_inputs_from_being_checked() -> None:
    client = session.Session(unreachable="connection refused")
    call = base.Call(type=SECRET_TOKEN, name="x", client=client)
    assert objects.KubernetesObject().check(call, {}, secret())["metadata"] == {"name": "s", "namespace": "default"}
    role = base.Call(type="kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", name="x", client=client)
    checked = objects.KubernetesObject().check(role, {}, {"metadata": {"name": "r"}})
    assert "namespace" not in checked["metadata"]


# --- helm --------------------------------------------------------------------------------------------------------


def test_resources_of_a_release_are_listed_by_kind() -> None:
    manifest = """---
# Source: a
apiVersion: v1
kind: ConfigMap
metadata: {name: b, namespace: n}
---
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: n}
"""
    assert helm.resource_names(manifest) == {"ConfigMap/v1": ["n/a", "n/b"], "Deployment.apps/apps/v1": ["d"]}
