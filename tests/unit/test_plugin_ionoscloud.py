"""The stand-in for the ionoscloud plugin, between the engine's protocol and the emulated cloud."""

from __future__ import annotations

import pathlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from lab.plugins import ionoscloud, values
from tests import cloud as clouds
from tests.plugin_client import Failed, Plugin, Resource, serving

DATACENTER = "ionoscloud:compute/datacenter:Datacenter"
IP_BLOCK = "ionoscloud:compute/iPBlock:IPBlock"
CLUSTER = "ionoscloud:k8s/cluster:Cluster"
POOL = "ionoscloud:k8s/nodePool:NodePool"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(ionoscloud.provider()) as port:
        yield port


@pytest.fixture
def cloud(tmp_path: pathlib.Path) -> Iterator[clouds.Cloud]:
    with clouds.running(tmp_path) as running:
        yield running


@pytest.fixture
def plugin(port: int, cloud: clouds.Cloud) -> Plugin:
    return Plugin(port, token=values.Secret("token"), endpoint=cloud.url)


@pytest.fixture
def datacenter(plugin: Plugin) -> Resource:
    return plugin.create(DATACENTER, "dc", {"name": "dc", "location": "de/txl"})


@pytest.fixture
def cluster(plugin: Plugin) -> Resource:
    return plugin.create(CLUSTER, "c", {"name": "gitops", "k8sVersion": "1.34.3", "apiSubnetAllowLists": []})


def pool_inputs(datacenter: Resource, cluster: Resource, **changes: Any) -> dict[str, Any]:
    inputs = clouds.pool(datacenter.id) | {"datacenterId": datacenter.id, "k8sClusterId": cluster.id}
    del inputs["autoScaling"]
    return inputs | changes


@pytest.fixture
def pool(plugin: Plugin, datacenter: Resource, cluster: Resource) -> Resource:
    return plugin.create(POOL, "ingress", pool_inputs(datacenter, cluster))


def changed(plugin: Plugin, resource: Resource, inputs: dict[str, Any]) -> list[str]:
    """The paths that an `up` with these inputs would show as changed."""
    return sorted(plugin.diff(resource, inputs).detailedDiff)


def invoke(plugin: Plugin, token: str, **args: Any) -> dict[str, Any]:
    response = plugin.ask("Invoke", provider_pb2.InvokeRequest(tok=token, args=values.to_struct(args)))
    return values.from_struct(getattr(response, "return"))


def path(resource: Resource) -> str:
    cluster = resource.inputs.get("k8sClusterId")
    return f"/k8s/{cluster}/nodepools/{resource.id}" if cluster else f"/k8s/{resource.id}"


def test_without_credentials_nothing_is_configured(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IONOS_TOKEN", "IONOS_USERNAME", "IONOS_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Failed, match="missing credentials, either token or username and password must be set"):
        Plugin(port, endpoint="http://127.0.0.1:1")


def test_the_environment_serves_where_the_provider_says_nothing(
    port: int, cloud: clouds.Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IONOS_USERNAME", "user")
    monkeypatch.setenv("IONOS_PASSWORD", "good")
    monkeypatch.setenv("IONOS_API_URL", f"{cloud.url}/")
    plugin = Plugin(port, insecure="false")
    assert plugin.create(IP_BLOCK, "b", {"location": "de/txl", "size": 1}).outputs["ips"] == ["127.77.200.1"]


def test_a_refused_token_is_an_error_of_the_resource(port: int, cloud: clouds.Cloud) -> None:
    plugin = Plugin(port, token="bad", endpoint=cloud.url)
    with pytest.raises(Failed, match="error creating k8s cluster: 401 Unauthorized"):
        plugin.create(CLUSTER, "c", {"name": "c"})


def test_a_whole_environment_comes_stays_and_goes(
    plugin: Plugin, cloud: clouds.Cloud, datacenter: Resource, cluster: Resource, pool: Resource
) -> None:
    block = plugin.create(IP_BLOCK, "ingress", {"location": "de/txl", "size": 2})
    assert block.inputs["name"].startswith("ingress-"), "named by Pulumi when the program gives no name"
    assert block.outputs["ips"] == ["127.77.200.1", "127.77.200.2"]
    assert datacenter.outputs["version"] == 1
    assert "1.34.3" in cluster.outputs["viableNodePoolVersions"]
    for resource in (datacenter, cluster, pool, block):
        assert changed(plugin, resource, resource.inputs) == []
        read = plugin.read(resource)
        assert read is not None
        assert read.inputs == resource.inputs, "a refresh of what nobody touched finds nothing"
        assert read.outputs == resource.outputs
    for resource in (pool, cluster, block, datacenter):
        plugin.delete(resource)
        plugin.delete(resource)
        assert plugin.read(resource) is None
    assert cloud.emulator.objects() == []


def test_a_preview_asks_the_cloud_nothing(plugin: Plugin, cloud: clouds.Cloud) -> None:
    shown = plugin.create(CLUSTER, "c", {"name": "c"}, preview=True)
    assert shown.id == ""
    assert cloud.emulator.objects() == []


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("name", "other", "name"),
        ("cpuFamily", "AMD_EPYC", "cpu_family"),
        ("availabilityZone", "ZONE_1", "availability_zone"),
        ("coresCount", 8, "cores_count"),
        ("ramSize", 8192, "ram_size"),
        ("storageSize", 200, "storage_size"),
        ("storageType", "HDD", "storage_type"),
    ],
)
def test_an_immutable_change_of_a_pool_fails_at_preview(
    plugin: Plugin, pool: Resource, name: str, value: Any, word: str
) -> None:
    with pytest.raises(Failed, match=f"^{word} attribute is immutable, therefore not allowed in update requests$"):
        plugin.diff(pool, pool.inputs | {name: value})
    diff = plugin.diff(pool, pool.inputs | {name: value, "allowReplace": True})
    assert list(diff.replaces) == [name]
    assert diff.deleteBeforeReplace == (name != "name"), "two pools of one name do not exist side by side"


def test_an_immutable_change_of_a_cluster_fails_at_preview(plugin: Plugin, cluster: Resource) -> None:
    for change, word in (({"public": False}, "public"), ({"location": "de/fra"}, "location")):
        with pytest.raises(Failed, match=f"^{word} attribute is immutable"):
            plugin.diff(cluster, cluster.inputs | change)
    assert list(plugin.diff(cluster, cluster.inputs | {"location": "de/fra", "allowReplace": True}).replaces) == [
        "location"
    ]


def test_another_cluster_or_datacenter_replaces_the_pool(plugin: Plugin, pool: Resource) -> None:
    for name in ("k8sClusterId", "datacenterId"):
        other = pool.inputs | {name: "00000000-0000-0000-0000-000000000000"}
        assert list(plugin.diff(pool, other).replaces) == [name]
        assert list(plugin.diff(pool, pool.inputs | {name: values.UNKNOWN}).replaces) == [name]


def test_another_place_replaces_a_datacenter_and_another_size_a_block(plugin: Plugin, datacenter: Resource) -> None:
    assert list(plugin.diff(datacenter, datacenter.inputs | {"location": "de/fra"}).replaces) == ["location"]
    block = plugin.create(IP_BLOCK, "b", {"location": "de/txl", "size": 1})
    assert list(plugin.diff(block, block.inputs | {"size": 2}).replaces) == ["size"]


def test_ordinary_changes_are_made_in_place(
    plugin: Plugin, cloud: clouds.Cloud, cluster: Resource, pool: Resource
) -> None:
    taints = [{"key": "b", "effect": "NoSchedule"}, {"key": "a", "value": "x", "effect": "NoExecute"}]
    wanted = pool.inputs | {
        "nodeCount": 3,
        "labels": {"tier": "web"},
        "taints": taints,
        "autoScaling": {"minNodeCount": 2, "maxNodeCount": 4},
    }
    updated = plugin.update(pool, wanted)
    assert changed(plugin, updated, wanted | {"taints": taints[::-1]}) == [], "taints are a set"
    properties = cloud.send("GET", path(pool))[1]["properties"]
    assert (properties["nodeCount"], properties["labels"], len(properties["taints"])) == (3, {"tier": "web"}, 2)
    assert properties["autoScaling"] == {"minNodeCount": 2, "maxNodeCount": 4}
    plain = {name: value for name, value in wanted.items() if name not in ("autoScaling", "taints", "labels")}
    updated = plugin.update(updated, plain)
    assert "autoScaling" not in updated.outputs
    properties = cloud.send("GET", path(pool))[1]["properties"]
    assert (properties["autoScaling"]["minNodeCount"], properties["taints"], properties["labels"]) == (0, [], {})
    window = {"dayOfTheWeek": "Friday", "time": "04:00:00Z"}
    raised = plugin.update(
        cluster,
        cluster.inputs | {"k8sVersion": "1.34.4", "maintenanceWindow": window, "apiSubnetAllowLists": ["10.0.0.0/8"]},
    )
    assert raised.outputs["viableNodePoolVersions"][-1] == "1.34.4"
    properties = cloud.send("GET", path(cluster))[1]["properties"]
    assert (properties["maintenanceWindow"], properties["apiSubnetAllowList"]) == (window, ["10.0.0.0/8"])


def test_a_pool_update_always_sends_the_node_count(plugin: Plugin, cloud: clouds.Cloud, pool: Resource) -> None:
    cloud.send("PUT", path(pool), {"properties": {"nodeCount": 4}})
    cloud.settled(path(pool))
    plugin.update(pool, pool.inputs | {"labels": {"a": "b"}})
    assert cloud.send("GET", path(pool))[1]["properties"]["nodeCount"] == 2, "so does the real plugin: refresh first"


def test_what_the_cloud_chose_is_no_difference(plugin: Plugin, pool: Resource) -> None:
    window = pool.outputs["maintenanceWindow"]
    assert "maintenanceWindow" not in pool.inputs
    assert changed(plugin, pool, pool.inputs | {"publicIps": [], "annotations": {}}) == []
    assert changed(plugin, pool, pool.inputs | {"maintenanceWindow": window}) == ["maintenanceWindow"]


def test_a_version_that_maintenance_raised_is_left_alone(
    plugin: Plugin, cloud: clouds.Cloud, cluster: Resource
) -> None:
    cloud.send("PUT", path(cluster), {"properties": {"name": "gitops", "k8sVersion": "1.34.4"}})
    cloud.settled(path(cluster))
    read = plugin.read(cluster)
    assert read is not None
    assert read.inputs["k8sVersion"] == "1.34.4"
    assert changed(plugin, read, cluster.inputs) == [], "patch downgrades are ignored"
    assert changed(plugin, read, cluster.inputs | {"k8sVersion": "1.33.7"}) == ["k8sVersion"]


def test_a_refresh_sees_what_somebody_changed(plugin: Plugin, cloud: clouds.Cloud, pool: Resource) -> None:
    cloud.send("PUT", path(pool), {"properties": {"nodeCount": 1, "labels": {}, "annotations": {"x": "y"}}})
    cloud.settled(path(pool))
    read = plugin.read(pool)
    assert read is not None
    assert changed(plugin, read, pool.inputs) == ["annotations", "labels", "nodeCount"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"autoScaling": {"minNodeCount": 2, "maxNodeCount": 2}}, "max_node_count cannot be equal to min_node_count"),
        ({"autoScaling": {"minNodeCount": 3, "maxNodeCount": 2}}, "max_node_count cannot be lower than"),
        ({"autoScaling": {"minNodeCount": 3, "maxNodeCount": 4}}, "node_count cannot be lower than min_node_count"),
        ({"publicIps": ["127.77.200.1"]}, "the number of public IPs must be at least 3"),
        ({"ramSize": 4}, "error creating k8s node pool: 422 .*'ramSize' must be at least 2048"),
    ],
)
def test_what_cannot_be_fails_and_leaves_nothing(
    plugin: Plugin, cloud: clouds.Cloud, datacenter: Resource, cluster: Resource, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(Failed, match=f"(?s){message}") as failed:
        plugin.create(POOL, "p", pool_inputs(datacenter, cluster, **changes))
    assert failed.value.init is None
    assert all(entry["kind"] != "nodepool" for entry in cloud.emulator.objects())


@pytest.mark.parametrize(
    ("type", "inputs", "property"),
    [
        (POOL, {"serverType": "Cheap"}, "serverType"),
        (POOL, {"availabilityZone": "ZONE_9"}, "availabilityZone"),
        (POOL, {"autoScaling": {"minNodeCount": 0, "maxNodeCount": 3}}, "autoScaling.minNodeCount"),
        (POOL, {"datacenterId": "dc"}, "datacenterId"),
        (CLUSTER, {"natGatewayIp": "nowhere"}, "natGatewayIp"),
        (CLUSTER, {"nodeSubnet": "10.0.0.0/99"}, "nodeSubnet"),
    ],
)
def test_inputs_that_cannot_work_are_refused_at_preview(
    plugin: Plugin, type: str, inputs: dict[str, Any], property: str
) -> None:
    identifier = "00000000-0000-0000-0000-000000000000"
    base = {"datacenterId": identifier, "k8sClusterId": identifier} if type == POOL else {}
    request = provider_pb2.CheckRequest(urn=f"urn:pulumi:s::p::{type}::n", news=values.to_struct(base | inputs))
    assert [failure.property for failure in plugin.ask("Check", request).failures] == [property]


def test_an_interrupted_creation_stays_in_state_and_the_next_run_goes_on(
    plugin: Plugin, port: int, cloud: clouds.Cloud, datacenter: Resource, cluster: Resource
) -> None:
    cloud.fault(method="POST", path="/k8s/.*/nodepools", seconds=2)
    inputs = pool_inputs(datacenter, cluster)
    threading.Timer(0.5, plugin.cancel).start()
    began = time.monotonic()
    with pytest.raises(Failed) as failed:
        plugin.create(POOL, "ingress", inputs)
    assert time.monotonic() - began < 1.5, "an interruption is obeyed at once"
    init = failed.value.init
    assert init is not None
    assert init.reasons == ["the operation was cancelled"]
    again = Plugin(port, token="token", endpoint=cloud.url)
    left = Resource(f"urn:pulumi:test::project::{POOL}::ingress", init.id, inputs, init.outputs)
    with pytest.raises(Failed, match="DEPLOYING"):
        again.read(left)
    done = again.update(left, inputs)
    assert cloud.send("GET", path(done))[1]["metadata"]["state"] == "ACTIVE"
    assert [entry["kind"] for entry in cloud.emulator.objects()].count("nodepool") == 1


def test_a_time_limit_is_kept_and_said(
    plugin: Plugin, cloud: clouds.Cloud, datacenter: Resource, cluster: Resource
) -> None:
    cloud.fault(method="POST", path="/k8s/.*/nodepools", seconds=60)
    with pytest.raises(Failed, match="timed out: k8s node pool is not ready yet") as failed:
        plugin.create(POOL, "p", pool_inputs(datacenter, cluster), timeout=0.5)
    assert failed.value.init is not None, "or the pool would be forgotten"


def test_a_failed_creation_is_tried_again_by_the_next_run(plugin: Plugin, cloud: clouds.Cloud) -> None:
    cloud.fault(method="POST", path="/k8s", state="FAILED")
    with pytest.raises(Failed, match="state FAILED") as failed:
        plugin.create(CLUSTER, "c", {"name": "c"})
    init = failed.value.init
    assert init is not None
    left = Resource(f"urn:pulumi:test::project::{CLUSTER}::c", init.id, {"name": "c"}, init.outputs)
    plugin.update(left, {"name": "c"})
    assert cloud.send("GET", path(left))[1]["metadata"]["state"] == "ACTIVE"


def test_a_pool_still_in_the_making_is_deleted_once_that_is_possible(
    plugin: Plugin, cloud: clouds.Cloud, datacenter: Resource, cluster: Resource
) -> None:
    cloud.fault(method="POST", path="/k8s/.*/nodepools", seconds=1)
    inputs = pool_inputs(datacenter, cluster)
    with pytest.raises(Failed) as failed:
        plugin.create(POOL, "p", inputs, timeout=0.3)
    assert failed.value.init is not None
    plugin.delete(Resource(f"urn:pulumi:test::project::{POOL}::p", failed.value.init.id, inputs, {}))
    assert all(entry["kind"] != "nodepool" for entry in cloud.emulator.objects())


def test_a_deletion_that_failed_is_tried_again(plugin: Plugin, cloud: clouds.Cloud, pool: Resource) -> None:
    cloud.fault(method="DELETE", state="FAILED_DESTROYING")
    with pytest.raises(Failed, match="FAILED_DESTROYING"):
        plugin.delete(pool)
    plugin.delete(pool)
    assert plugin.read(pool) is None


def test_a_cluster_with_pools_is_not_deleted(plugin: Plugin, cluster: Resource, pool: Resource) -> None:
    with pytest.raises(Failed, match=r"error while deleting k8s cluster: 422 (?s:.*)it has node pools"):
        plugin.delete(cluster)


def test_answers_of_a_busy_api_are_asked_for_again(
    plugin: Plugin, cloud: clouds.Cloud, cluster: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.plugins.ionoscloud.client.RETRY_SECONDS", 0.05)
    cloud.fault(method="GET", status=503, times=3)
    assert plugin.read(cluster) is not None
    cloud.fault(method="PUT", status=500, message="boom")
    with pytest.raises(Failed, match=r"error while updating k8s cluster: 500 (?s:.*)boom"):
        plugin.update(cluster, cluster.inputs | {"k8sVersion": "1.34.4"})


def test_an_api_that_is_not_there_is_named(port: int) -> None:
    plugin = Plugin(port, token="token", endpoint="http://127.0.0.1:1")
    with pytest.raises(Failed, match=r"http://127\.0\.0\.1:1/cloudapi/v6/k8s") as failed:
        plugin.create(CLUSTER, "c", {"name": "c"})
    assert failed.value.code != grpc.StatusCode.INTERNAL


def test_what_exists_is_imported_as_it_is(
    plugin: Plugin, datacenter: Resource, cluster: Resource, pool: Resource
) -> None:
    for resource, identifier in ((datacenter, datacenter.id), (cluster, cluster.id), (pool, f"{cluster.id}/{pool.id}")):
        imported = plugin.read(Resource(resource.urn, identifier, {}, {}))
        assert imported is not None
        assert imported.id == resource.id
        assert changed(plugin, imported, resource.inputs) == [], "or an import would be followed by changes"
    with pytest.raises(Failed, match="expected <k8s-cluster-id>/<k8s-nodepool-id>"):
        plugin.read(Resource(pool.urn, pool.id, {}, {}))


def test_get_cluster_gives_the_kubeconfig_plain_and_the_rest_as_secrets(
    plugin: Plugin, cluster: Resource, pool: Resource
) -> None:
    found = invoke(plugin, "ionoscloud:k8s/getCluster:getCluster", id=cluster.id)
    assert found["kubeConfig"] == clouds.KUBECONFIG, "not a secret, as from the real plugin: the program has to wrap it"
    assert found["userTokens"] == values.Secret({"cluster-admin": "canary-token"})
    assert found["server"] == values.Secret("https://127.77.0.1:6443")
    assert found["caCrt"] == values.Secret("ca\n")
    assert found["configs"].value[0]["users"] == [{"name": "cluster-admin", "user": {"token": "canary-token"}}]
    assert (found["name"], found["state"], found["nodePools"]) == ("gitops", "ACTIVE", [pool.id])
    assert invoke(plugin, "ionoscloud:k8s/getCluster:getCluster", name="gitops")["id"] == cluster.id


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({}, "please provide either"),
        ({"id": "a", "name": "b"}, "cannot be both specified"),
        ({"name": "b"}, "no cluster found with the specified name b"),
        ({"id": "a"}, "with ID a: 404"),
    ],
)
def test_get_cluster_says_why_it_finds_nothing(plugin: Plugin, args: dict[str, str], message: str) -> None:
    with pytest.raises(Failed, match=message):
        invoke(plugin, "ionoscloud:k8s/getCluster:getCluster", **args)
