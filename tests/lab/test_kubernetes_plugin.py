"""The stand-in for the kubernetes plugin against a real API server (no engine: requests as the engine sends them)."""

from __future__ import annotations

import base64
import json
import os
import pathlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import engine as engines
import pytest

from lab.plugins import kubernetes, values
from lab.plugins.kubernetes import cluster, kubeconfig
from tests.plugin_client import Failed, Plugin, Resource, serving

CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
SECRET = "kubernetes:core/v1:Secret"
NAMESPACE = "kubernetes:core/v1:Namespace"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
CRD = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(kubernetes.provider()) as port:
        yield port


@pytest.fixture
def plugin(port: int, cluster_kubeconfig: str) -> Plugin:
    return Plugin(port, kubeconfig=values.Secret(pathlib.Path(cluster_kubeconfig).read_text()))


@pytest.fixture
def namespace(api: cluster.Cluster) -> Iterator[str]:
    name = f"plugin-{os.urandom(3).hex()}"
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    api.request("DELETE", f"/api/v1/namespaces/{name}")


def config_map(namespace: str, name: str | None = "c", **data: str) -> dict[str, Any]:
    metadata = {"namespace": namespace} | ({"name": name} if name else {})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def deployment(namespace: str, app: str = "d", **annotations: str) -> dict[str, Any]:
    labels = {"app": app}
    pod = {
        "metadata": {"labels": labels},
        "spec": {"schedulerName": "nobody", "containers": [{"name": "c", "image": "i"}]},
    }
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod}
    metadata = {"name": "d", "namespace": namespace, "annotations": annotations}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def test_text_of_a_secret_is_sent_as_data_and_secret_in_all_that_state_keeps(plugin: Plugin, namespace: str) -> None:
    inputs = {"metadata": {"name": "s", "namespace": namespace}, "stringData": values.Secret({"a": "CANARY"})}
    made = plugin.create(SECRET, "s", inputs)
    encoded = base64.b64encode(b"CANARY").decode()
    assert made.outputs["data"] == values.Secret({"a": encoded})
    assert made.inputs["data"] == values.Secret({"a": encoded})
    assert "stringData" not in made.inputs, "two spellings of one thing would differ for ever"
    visible = json.dumps(_hidden(made.outputs))
    assert encoded not in visible, "state must not hold it in the clear"
    assert "CANARY" not in visible


def test_an_object_without_a_name_gets_one_and_keeps_it(plugin: Plugin, namespace: str) -> None:
    made = plugin.create(CONFIG_MAP, "auto", config_map(namespace, None, a="1"))
    name = made.outputs["metadata"]["name"]
    assert name.startswith("auto-")
    assert len(name) == len("auto-") + 8
    assert made.outputs["metadata"]["annotations"]["pulumi.com/autonamed"] == "true"
    assert plugin.diff(made, config_map(namespace, None, a="1")).changes == 1, "DIFF_NONE: the name stays"


def test_data_of_a_config_map_is_replaced_unless_the_provider_says_it_is_mutable(
    plugin: Plugin, port: int, cluster_kubeconfig: str, namespace: str
) -> None:
    named = plugin.create(CONFIG_MAP, "c", config_map(namespace, a="1"))
    diff = plugin.diff(named, config_map(namespace, a="2"))
    assert (list(diff.replaces), diff.deleteBeforeReplace) == (["data"], True)
    auto = plugin.create(CONFIG_MAP, "auto", config_map(namespace, None, a="1"))
    assert plugin.diff(auto, config_map(namespace, None, a="2")).deleteBeforeReplace is False
    mutable = Plugin(port, kubeconfig=cluster_kubeconfig, enableConfigMapMutable="true")
    diff = mutable.diff(named, config_map(namespace, a="2"))
    assert (diff.changes, list(diff.replaces)) == (2, [])
    changed = mutable.update(named, config_map(namespace, b="2"))
    assert changed.outputs["data"] == {"b": "2"}, "what the creation set and the update leaves out goes away"


def test_creating_what_exists_fails_and_changes_nothing(plugin: Plugin, api: cluster.Cluster, namespace: str) -> None:
    plugin.create(CONFIG_MAP, "c", config_map(namespace, a="1"))
    with pytest.raises(Failed, match=r"already exists[\s\S]*pulumi import[\s\S]*upsertExistingObjects") as failed:
        plugin.create(CONFIG_MAP, "c", config_map(namespace, a="2"))
    assert failed.value.init is None, "an object of someone else must not get into state"
    assert api.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/c")["data"] == {"a": "1"}


def test_upsert_takes_an_existing_object(port: int, cluster_kubeconfig: str, plugin: Plugin, namespace: str) -> None:
    plugin.create(CONFIG_MAP, "c", config_map(namespace, a="1"))
    upserting = Plugin(port, kubeconfig=cluster_kubeconfig, upsertExistingObjects="true")
    assert upserting.create(CONFIG_MAP, "c", config_map(namespace, b="2")).outputs["data"] == {"a": "1", "b": "2"}


def test_drift_is_seen_by_a_refresh_only_and_put_back_by_the_next_update(
    port: int, cluster_kubeconfig: str, api: cluster.Cluster, namespace: str
) -> None:
    plugin = Plugin(port, kubeconfig=cluster_kubeconfig, enableConfigMapMutable="true")
    inputs = config_map(namespace, a="1")
    made = plugin.create(CONFIG_MAP, "c", inputs)
    path = f"/api/v1/namespaces/{namespace}/configmaps/c"
    api.request(
        "PATCH", path, {"data": {"a": "drift"}}, {"fieldManager": "kubectl-patch"}, "application/merge-patch+json"
    )
    assert plugin.diff(made, inputs).changes == 1, "no refresh, no drift"
    seen = plugin.read(made)
    assert seen is not None
    assert seen.inputs["data"] == {"a": "drift"}
    assert list(plugin.diff(seen, inputs).detailedDiff) == ["data.a"]
    plugin.update(seen, inputs, preview=True)
    assert plugin.update(seen, inputs).outputs["data"] == {"a": "1"}


def test_a_field_that_another_manager_applied_stops_preview_and_update_unless_forced(
    port: int, cluster_kubeconfig: str, api: cluster.Cluster, namespace: str
) -> None:
    plugin = Plugin(port, kubeconfig=cluster_kubeconfig, enableConfigMapMutable="true")
    made = plugin.create(CONFIG_MAP, "c", config_map(namespace, a="1"))
    path = f"/api/v1/namespaces/{namespace}/configmaps/c"
    query = {"fieldManager": "other", "force": "true"}
    api.request("PATCH", path, config_map(namespace, a="theirs"), query, cluster.APPLY)
    for preview in (True, False):
        with pytest.raises(
            Failed, match=r"field conflict[\s\S]*pulumi-kubernetes-\w{8}[\s\S]*conflict with \"other\": .data.a"
        ) as failed:
            plugin.update(made, config_map(namespace, a="3"), preview=preview)
        assert failed.value.init is not None, "the object is there: it must stay in state"
    forced = config_map(namespace, a="3")
    forced["metadata"]["annotations"] = {"pulumi.com/patchForce": "true"}
    assert plugin.update(made, forced).outputs["data"] == {"a": "3"}


def test_a_patch_resource_sets_its_fields_only_and_lets_go_of_them(
    plugin: Plugin, api: cluster.Cluster, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/c"
    api.request("POST", path.removesuffix("/c"), config_map(namespace, a="1"))
    patch = plugin.create(f"{CONFIG_MAP}Patch", "p", config_map(namespace, b="2"))
    assert api.request("GET", path)["data"] == {"a": "1", "b": "2"}
    diff = plugin.diff(patch, config_map(namespace, b="3"))
    assert (diff.changes, list(diff.replaces)) == (2, []), "a patch never replaces"
    plugin.delete(plugin.update(patch, config_map(namespace, b="3")))
    assert api.request("GET", path)["data"] == {"a": "1"}, "the object is not the patch's to delete"


def test_an_immutable_field_means_a_replacement_with_the_old_one_deleted_first(plugin: Plugin, namespace: str) -> None:
    made = plugin.create(DEPLOYMENT, "d", deployment(namespace, **{"pulumi.com/skipAwait": "true"}))
    diff = plugin.diff(made, deployment(namespace, "other", **{"pulumi.com/skipAwait": "true"}))
    assert "spec" in diff.replaces
    assert diff.deleteBeforeReplace
    preview = plugin.create(DEPLOYMENT, "d", deployment(namespace, "other"), preview=True)
    assert preview.outputs["spec"]["selector"] == {"matchLabels": {"app": "other"}}, (
        "the name is taken: inputs are shown"
    )
    plugin.delete(made)


def test_a_deployment_that_does_not_get_ready_in_its_time_stays_in_state(plugin: Plugin, namespace: str) -> None:
    started = time.monotonic()
    with pytest.raises(Failed) as failed:
        plugin.create(DEPLOYMENT, "d", deployment(namespace), timeout=2)
    assert 2 <= time.monotonic() - started < 15
    init = failed.value.init
    assert init is not None
    assert init.id == f"{namespace}/d"
    assert "was successfully created, but the Kubernetes API server reported that it failed to fully" in init.reasons[0]
    assert "'d' timed out waiting to be Ready" in init.reasons[0]
    told = "\n".join(init.reasons)
    assert "[MinimumReplicasUnavailable]" in told
    assert "Minimum number of live Pods was not attained" in told


def test_a_cancelled_wait_ends_at_once_and_the_object_stays_in_state(
    plugin: Plugin, port: int, api: cluster.Cluster, cluster_kubeconfig: str, namespace: str
) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/d"
    # With a status, since the controller has seen it: the plugin waits for that.
    made = lambda: (api.find(path) or {}).get("status", {}).get("conditions")  # noqa: E731
    cancelled: list[float] = []
    engines.then(made, lambda: (cancelled.append(time.monotonic()), plugin.cancel()), 30, "the Deployment is there")
    with pytest.raises(Failed, match="cancelled") as failed:
        plugin.create(DEPLOYMENT, "d", deployment(namespace), timeout=60)
    assert time.monotonic() - cancelled[0] < 10
    assert failed.value.init is not None
    other = Plugin(port, kubeconfig=cluster_kubeconfig)
    other.create(CONFIG_MAP, "c", config_map(namespace)), "other connections go on"


def test_a_custom_resource_waits_for_what_its_annotation_names(
    plugin: Plugin, api: cluster.Cluster, namespace: str
) -> None:
    plural = f"things{os.urandom(3).hex()}"
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "x_kubernetes_preserve_unknown_fields": True}},
    }
    names = {"kind": f"Thing{plural}", "plural": plural}
    spec = {"group": "lab.example.org", "names": names, "scope": "Namespaced", "versions": [version]}
    token = f"kubernetes:lab.example.org/v1:{names['kind']}"
    wait = ["jsonpath={.status.health.status}=Healthy", "condition=Ready"]
    inputs = {
        "apiVersion": "lab.example.org/v1",
        "kind": names["kind"],
        "metadata": {"name": "t", "namespace": namespace, "annotations": {"pulumi.com/waitFor": json.dumps(wait)}},
        "spec": {},
    }
    preview = plugin.create(token, "t", inputs, preview=True)
    assert preview.outputs["metadata"]["name"] == "t", "a kind that is not there yet is no error at preview"
    crd = plugin.create(CRD, "crd", {"metadata": {"name": f"{plural}.lab.example.org"}, "spec": spec})

    def become_healthy() -> None:
        path = f"/apis/lab.example.org/v1/namespaces/{namespace}/{plural}/t"
        while api.find(path) is None:
            time.sleep(0.1)
        time.sleep(0.5)
        status = {"health": {"status": "Healthy"}, "conditions": [{"type": "Ready", "status": "True"}]}
        api.request("PATCH", path, {"status": status}, content="application/merge-patch+json")

    threading.Thread(target=become_healthy).start()
    made = plugin.create(token, "t", inputs, timeout=30)
    assert made.outputs["status"]["health"] == {"status": "Healthy"}
    sick = {**inputs, "metadata": {**inputs["metadata"], "name": "sick"}}
    with pytest.raises(Failed, match="timed out waiting for the condition") as failed:
        plugin.create(token, "sick", sick, timeout=1)
    assert failed.value.init is not None
    assert len(failed.value.init.reasons) == 1, "the real plugin gives no other reason; `ops ready` has to say why"
    plugin.delete(crd)
    assert plugin.read(made) is None, "without its CRD it is gone"
    plugin.delete(made)


def test_an_ingress_waits_for_endpoints_of_its_paths_unless_told_what_to_wait_for(
    plugin: Plugin, api: cluster.Cluster, namespace: str
) -> None:
    token, where = "kubernetes:networking.k8s.io/v1:Ingress", f"/apis/networking.k8s.io/v1/namespaces/{namespace}"

    def ingress(name: str, **annotations: str) -> dict[str, Any]:
        backend = {"service": {"name": "web", "port": {"number": 80}}}
        paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
        metadata = {"name": name, "namespace": namespace, "annotations": annotations}
        return {"metadata": metadata, "spec": {"rules": [{"host": f"{name}.example.com", "http": {"paths": paths}}]}}

    def addressed(name: str) -> None:
        status = {"status": {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}}}
        path = f"{where}/ingresses/{name}"
        engines.then(
            lambda: api.find(path),
            lambda: api.request("PATCH", f"{path}/status", status, content="application/merge-patch+json"),
            30,
            "the Ingress is there",
        )

    addressed("left-to-itself")
    with pytest.raises(Failed) as failed:
        plugin.create(token, "i", ingress("left-to-itself"), timeout=3)
    assert failed.value.init is not None
    assert "Ingress has at least one rule with an unavailable target endpoint." in failed.value.init.reasons
    addressed("told")
    told = ingress("told", **{"pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress[0]}"})
    assert plugin.create(token, "i", told, timeout=20).outputs["status"]["loadBalancer"]["ingress"]
    api.request("POST", f"/api/v1/namespaces/{namespace}/endpoints", {"metadata": {"name": "web"}})
    addressed("found")
    assert plugin.create(token, "i", ingress("found"), timeout=20).outputs["status"]["loadBalancer"]["ingress"]


def test_deletion_waits_for_finalizers_and_says_so(plugin: Plugin, api: cluster.Cluster, namespace: str) -> None:
    inputs = config_map(namespace)
    inputs["metadata"]["finalizers"] = ["x.io/never"]
    made = plugin.create(CONFIG_MAP, "c", inputs)
    with pytest.raises(Failed, match="timed out waiting for the condition"):
        plugin.delete(made, timeout=1)
    path = f"/api/v1/namespaces/{namespace}/configmaps/c"
    api.request("PATCH", path, {"metadata": {"finalizers": None}}, content="application/merge-patch+json")
    plugin.delete(made)
    assert api.find(path) is None
    plugin.delete(made)


def test_a_service_account_token_is_there_when_its_secret_is(plugin: Plugin, namespace: str) -> None:
    plugin.create("kubernetes:core/v1:ServiceAccount", "sa", {"metadata": {"name": "sa", "namespace": namespace}})
    notes = {"kubernetes.io/service-account.name": "sa"}
    metadata = {"name": "token", "namespace": namespace, "annotations": notes}
    made = plugin.create(SECRET, "token", {"metadata": metadata, "type": "kubernetes.io/service-account-token"})
    assert "token" in made.outputs["data"].value, "and as a secret, though no input was one"


def test_what_is_gone_is_gone_at_the_next_refresh(plugin: Plugin, api: cluster.Cluster, namespace: str) -> None:
    made = plugin.create(CONFIG_MAP, "c", config_map(namespace))
    api.request("DELETE", f"/api/v1/namespaces/{namespace}/configmaps/c")
    assert plugin.read(made) is None


def test_an_import_has_inputs_that_show_no_difference(plugin: Plugin, api: cluster.Cluster, namespace: str) -> None:
    api.request("POST", f"/api/v1/namespaces/{namespace}/configmaps", config_map(namespace, a="1"))
    urn = f"urn:pulumi:test::project::{CONFIG_MAP}::c"
    found = plugin.read(Resource(urn, f"{namespace}/c", {}, {}))
    assert found is not None
    assert plugin.diff(found, config_map(namespace, a="1")).changes == 1


def test_amounts_that_the_server_spells_differently_are_no_change(plugin: Plugin, namespace: str) -> None:
    hard = {"limits.cpu": "0.5", "requests.memory": "1024Mi"}
    inputs = {"metadata": {"name": "q", "namespace": namespace}, "spec": {"hard": hard}}
    made = plugin.create("kubernetes:core/v1:ResourceQuota", "q", inputs)
    assert made.outputs["spec"]["hard"] == {"limits.cpu": "500m", "requests.memory": "1Gi"}
    assert plugin.diff(made, inputs).changes == 1
    seen = plugin.read(made)
    assert seen is not None
    assert plugin.diff(seen, inputs).changes == 1


def test_an_unreachable_cluster_fails_creation_at_once_but_not_a_preview(
    port: int, cluster_kubeconfig: str, plugin: Plugin, namespace: str, tmp_path: pathlib.Path
) -> None:
    made = plugin.create(CONFIG_MAP, "c", config_map(namespace))
    config = kubeconfig.parse(cluster_kubeconfig)
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    gone = Plugin(port, kubeconfig=json.dumps(config))
    assert gone.create(CONFIG_MAP, "c", config_map(namespace), preview=True).outputs["kind"] == "ConfigMap"
    started = time.monotonic()
    with pytest.raises(Failed, match=r"cluster is unreachable: unable to load schema information.*connection refused"):
        gone.create(CONFIG_MAP, "c", config_map(namespace))
    assert time.monotonic() - started < 1
    for request in (gone.read, gone.delete):
        with pytest.raises(Failed, match="PULUMI_K8S_DELETE_UNREACHABLE"):
            request(made)
    dropping = Plugin(port, kubeconfig=json.dumps(config), deleteUnreachable="true")
    assert dropping.read(made) is None
    dropping.delete(made)
    wrong = Plugin(port, kubeconfig=cluster_kubeconfig, context="nowhere")
    with pytest.raises(Failed, match='context "nowhere" does not exist'):
        wrong.create(CONFIG_MAP, "c", config_map(namespace))
    plugin.delete(made)


def test_ignored_changes_stay_as_they_are_live(
    port: int, cluster_kubeconfig: str, api: cluster.Cluster, namespace: str
) -> None:
    plugin = Plugin(port, kubeconfig=cluster_kubeconfig, enableConfigMapMutable="true")
    made = plugin.create(CONFIG_MAP, "c", config_map(namespace, a="1", b="1"))
    assert plugin.diff(made, config_map(namespace, a="2", b="1"), ("data.a",)).changes == 1
    changed = plugin.update(made, config_map(namespace, a="2", b="2"), ignore=("data.a",))
    assert changed.outputs["data"] == {"a": "1", "b": "2"}


def _hidden(value: Any) -> Any:
    if isinstance(value, values.Secret):
        return "[secret]"
    if isinstance(value, dict):
        return {key: _hidden(item) for key, item in value.items()}
    return [_hidden(item) for item in value] if isinstance(value, list) else value
