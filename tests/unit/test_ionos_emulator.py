"""The emulated IONOS Cloud: what it answers, what it refuses, and what it does to the cluster."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from lab import layout
from lab.cloud import catalogue, store
from tests import cloud as clouds


@pytest.fixture
def cloud(tmp_path: pathlib.Path) -> Iterator[clouds.Cloud]:
    with clouds.running(tmp_path) as running:
        yield running


@pytest.fixture
def datacenter(cloud: clouds.Cloud) -> str:
    return cloud.make("/datacenters", name="dc", location="de/txl")


@pytest.fixture
def cluster(cloud: clouds.Cloud) -> str:
    return cloud.make("/k8s", name="gitops", k8sVersion="1.34.3")


@pytest.fixture
def pools(cluster: str) -> str:
    return f"{cluster}/nodepools"


def names(cloud: clouds.Cloud) -> list[str]:
    return sorted(node["metadata"]["name"] for node in cloud.cluster.list("/api/v1/nodes"))


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer bad", "Basic bad", "Basic dXNlcjpiYWQ=", "Token x"])
def test_without_a_good_credential_there_is_only_401(cloud: clouds.Cloud, header: str) -> None:
    status, body, _ = cloud.send("GET", "/k8s", Authorization=header)
    assert status == 401
    assert body["messages"][0]["errorCode"] == "315"


def test_a_user_name_and_password_are_as_good_as_a_token(cloud: clouds.Cloud) -> None:
    assert cloud.send("GET", "/k8s", Authorization="Basic dXNlcjpnb29k")[0] == 200


@pytest.mark.parametrize(
    "path", ["/datacenters/x", "/ipblocks/x", "/k8s/x", "/k8s/x/nodepools", "/requests/x/status", "/y"]
)
def test_what_does_not_exist_is_answered_as_plugins_expect_it(cloud: clouds.Cloud, path: str) -> None:
    status, body, _ = cloud.send("GET", path)
    assert (status, body) == (
        404,
        {"httpStatus": 404, "messages": [{"errorCode": "309", "message": "Resource does not exist"}]},
    ), "the real plugin takes exactly this for `gone`"


def test_a_change_is_accepted_first_and_done_later(cloud: clouds.Cloud) -> None:
    cloud.fault(method="POST", seconds=0.3)
    status, entry, location = cloud.send("POST", "/datacenters", {"properties": {"name": "d", "location": "de/fra"}})
    assert (status, entry["metadata"]["state"]) == (202, "BUSY")
    request = location.removeprefix(f"{cloud.url}/cloudapi/v6")
    assert cloud.send("GET", request)[1]["metadata"]["status"] == "RUNNING"
    cloud.until(lambda: cloud.send("GET", request)[1]["metadata"]["status"] == "DONE")
    assert cloud.send("GET", f"/datacenters/{entry['id']}")[1]["metadata"]["state"] == "AVAILABLE"


def test_every_answer_has_all_properties(cloud: clouds.Cloud, datacenter: str, cluster: str, pools: str) -> None:
    pool = cloud.make(pools, **clouds.pool(datacenter))
    expected = {
        datacenter: {
            "name", "description", "location", "version", "features", "secAuthProtection", "cpuArchitecture",
            "ipv6CidrBlock", "defaultSecurityGroupId",
        },
        cluster: {
            "name", "k8sVersion", "maintenanceWindow", "availableUpgradeVersions", "viableNodePoolVersions", "public",
            "location", "natGatewayIp", "nodeSubnet", "apiSubnetAllowList", "s3Buckets",
        },
        pool: {
            "name", "datacenterId", "nodeCount", "cpuFamily", "serverType", "coresCount", "ramSize", "availabilityZone",
            "storageType", "storageSize", "k8sVersion", "maintenanceWindow", "autoScaling", "lans", "labels",
            "annotations", "taints", "publicIps", "availableUpgradeVersions",
        },
        cloud.make("/ipblocks", location="de/txl", size=1): {"ips", "location", "size", "name", "ipConsumers"},
    }  # fmt: skip
    for path, properties in expected.items():
        entry = cloud.send("GET", f"{path}?depth=0&pretty=true")[1]
        assert set(entry["properties"]) == properties, "what is left out comes back as a difference on every up"


def test_a_collection_shows_references_at_depth_0(cloud: clouds.Cloud, cluster: str) -> None:
    assert "properties" not in cloud.send("GET", "/k8s?depth=0")[1]["items"][0]
    assert cloud.send("GET", "/k8s?depth=1")[1]["items"][0]["properties"]["name"] == "gitops"


def test_a_datacenter_is_changed_by_patch_but_never_moves(cloud: clouds.Cloud, datacenter: str) -> None:
    assert cloud.send("PATCH", datacenter, {"description": "prod"})[0] == 202
    changed = cloud.send("GET", cloud.settled(datacenter))[1]["properties"]
    assert (changed["description"], changed["version"]) == ("prod", 2)
    assert "'location' is immutable" in cloud.refused("PATCH", datacenter, location="de/fra")


@pytest.mark.parametrize(
    ("path", "properties", "message"),
    [
        ("/datacenters", {"location": "de/txl"}, "'name' is required"),
        ("/datacenters", {"name": "d", "location": "de/nowhere"}, "does not exist"),
        ("/ipblocks", {"location": "de/txl", "size": 0}, "'size' must be at least 1"),
        ("/ipblocks", {"location": "de/txl", "size": 300}, "are left"),
        ("/k8s", {"name": "-x-"}, "'name' must have"),
        ("/k8s", {"name": "x", "k8sVersion": "1.2.3"}, "not supported"),
        ("/k8s", {"name": "x", "maintenanceWindow": {"dayOfTheWeek": "Sonntag", "time": "25:00"}}, "no day"),
        ("/k8s", {"name": "x", "apiSubnetAllowList": ["10.0.0.0/8", "everyone"]}, "'everyone' is not a valid CIDR"),
        ("/k8s", {"name": "x", "public": False}, "'natGatewayIp' is required"),
    ],
)
def test_a_bad_request_says_what_is_wrong(cloud: clouds.Cloud, path: str, properties: dict, message: str) -> None:
    assert message in cloud.refused("POST", path, **properties)
    assert cloud.emulator.objects() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ramSize": 4}, "'ramSize' must be at least 2048, is 4"),
        ({"ramSize": 4000}, "must be a multiple of 1024"),
        ({"storageSize": 9}, "'storageSize' must be at least 10"),
        ({"storageType": "NVMe"}, "must be one of HDD, SSD"),
        ({"availabilityZone": "ZONE_3"}, "must be one of AUTO, ZONE_1, ZONE_2"),
        ({"serverType": "Cheap"}, "must be one of DedicatedCore, VCPU"),
        ({"serverType": "VCPU"}, "cpuFamily cannot be set"),
        ({"autoScaling": {"minNodeCount": 2, "maxNodeCount": 2}}, "maxNodeCount (2) must be greater"),
        ({"autoScaling": {"minNodeCount": 3, "maxNodeCount": 5}}, "nodeCount (2) must be between"),
        ({"publicIps": ["127.77.200.1"]}, "must have at least 3 addresses"),
        ({"publicIps": ["203.0.113.1", "203.0.113.2", "203.0.113.3"]}, "is not reserved"),
        ({"taints": [{"key": "a", "effect": "Sometimes"}]}, "Taint 'a=:Sometimes'"),
        ({"labels": {"no good": "x"}}, "Label 'no good: x'"),
        ({"k8sVersion": "1.35.0"}, "is not viable here"),
        ({"datacenterId": "00000000"}, "does not exist"),
        ({"nodeCount": None}, "'nodeCount' is required"),
    ],
)
def test_an_impossible_node_pool_is_refused(
    cloud: clouds.Cloud, datacenter: str, pools: str, changes: dict, message: str
) -> None:
    assert message in cloud.refused("POST", pools, **clouds.pool(datacenter, **changes))


def test_all_mistakes_are_named_at_once(cloud: clouds.Cloud, datacenter: str, pools: str) -> None:
    messages = cloud.refused("POST", pools, **clouds.pool(datacenter, ramSize=1, storageSize=1, coresCount=0))
    assert len(messages.splitlines()) == 3


def test_a_node_pool_becomes_ready_nodes(cloud: clouds.Cloud, datacenter: str, pools: str) -> None:
    taint = {"key": "ingress-node", "value": "true", "effect": "NoSchedule"}
    pool = cloud.make(pools, **clouds.pool(datacenter, taints=[taint], annotations={"a": "b"}))
    assert names(cloud) == ["ingress-1", "ingress-2"]
    node = cloud.cluster.list("/api/v1/nodes", labelSelector="nodepool=ingress,lab.gitops-platform/node=true")[0]
    assert node["spec"]["taints"] == [taint]
    assert node["metadata"]["annotations"] == {"a": "b"}
    assert node["metadata"]["labels"]["topology.kubernetes.io/region"] == "de-txl"
    assert node["status"]["capacity"]["memory"] == "4096Mi"
    assert node["status"]["addresses"][0] == {"type": "InternalIP", "address": "127.77.0.1"}
    conditions = {condition["type"]: condition["status"] for condition in node["status"]["conditions"]}
    assert conditions["Ready"] == "True"
    listed = cloud.send("GET", f"{pool}/nodes")[1]["items"]
    assert [entry["properties"]["name"] for entry in listed] == ["ingress-1", "ingress-2"]
    assert cloud.send("GET", f"{pool}/nodes/{listed[0]['id']}")[0] == 200


def test_a_pool_that_grows_shrinks_and_changes_labels(cloud: clouds.Cloud, datacenter: str, pools: str) -> None:
    pool = cloud.make(pools, **clouds.pool(datacenter))
    foreign = {"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"}
    cloud.cluster.patch("/api/v1/nodes/ingress-1", {"spec": {"taints": [foreign]}})
    taint = {"key": "k", "value": "v", "effect": "NoExecute"}
    cloud.send("PUT", pool, {"properties": {"nodeCount": 3, "labels": {"tier": "web"}, "taints": [taint]}})
    cloud.settled(pool)
    assert names(cloud) == ["ingress-1", "ingress-2", "ingress-3"]
    node = cloud.cluster.find("/api/v1/nodes/ingress-1")
    assert node is not None
    assert node["metadata"]["labels"]["tier"] == "web"
    assert "nodepool" not in node["metadata"]["labels"], "a label that the pool no longer has is gone"
    assert node["spec"]["taints"] == [foreign, taint], "other parties' taints stay"
    cloud.send("PUT", pool, {"properties": {"nodeCount": 1}})
    cloud.settled(pool)
    assert names(cloud) == ["ingress-1"]
    assert cloud.send("GET", pool)[1]["properties"]["labels"] == {"tier": "web"}, "what a PUT does not name stays"


def test_two_pools_of_one_name_have_different_nodes(cloud: clouds.Cloud, datacenter: str, pools: str) -> None:
    cloud.make(pools, **clouds.pool(datacenter))
    cloud.make(pools, **clouds.pool(datacenter))
    assert names(cloud) == ["ingress-1", "ingress-2", "ingress-3", "ingress-4"], "as in a replacement"


def test_a_deleted_pool_takes_its_nodes_and_their_pods_along(cloud: clouds.Cloud, datacenter: str, pools: str) -> None:
    pool = cloud.make(pools, **clouds.pool(datacenter))
    for node in ("ingress-1", "other"):
        pod = {"metadata": {"name": f"on-{node}", "namespace": "default"}, "spec": {"nodeName": node}}
        cloud.cluster.create("/api/v1/namespaces/default/pods", pod)
    assert cloud.send("DELETE", pool)[0] == 202
    cloud.gone(pool)
    assert names(cloud) == []
    assert [pod["metadata"]["name"] for pod in cloud.cluster.list("/api/v1/pods")] == ["on-other"]


@pytest.mark.parametrize("name", ["ramSize", "coresCount", "storageSize"])
def test_the_size_of_a_pool_never_changes(cloud: clouds.Cloud, datacenter: str, pools: str, name: str) -> None:
    pool = cloud.make(pools, **clouds.pool(datacenter))
    message = cloud.refused("PUT", pool, **{"nodeCount": 2, name: 8192})
    assert message == f"Attribute '{name}' is immutable, therefore not allowed in update requests"


def test_nothing_is_deleted_or_changed_while_it_is_being_made(
    cloud: clouds.Cloud, datacenter: str, cluster: str, pools: str
) -> None:
    cloud.fault(method="POST", path="/k8s/.*/nodepools", seconds=60)
    pool = f"{pools}/{cloud.send('POST', pools, {'properties': clouds.pool(datacenter)})[1]['id']}"
    assert "DEPLOYING, not ACTIVE" in cloud.refused("DELETE", pool)
    assert "DEPLOYING, not ACTIVE" in cloud.refused("PUT", pool, nodeCount=3)
    assert "it has node pools (ingress)" in cloud.refused("DELETE", cluster)
    assert "it has Kubernetes node pools (ingress)" in cloud.refused("DELETE", datacenter)


def test_versions_go_up_one_minor_at_a_time(cloud: clouds.Cloud, datacenter: str) -> None:
    cluster = cloud.make("/k8s", name="c", k8sVersion="1.33.6")
    facts = cloud.send("GET", cluster)[1]["properties"]
    assert "1.34.3" in facts["availableUpgradeVersions"]
    assert "1.35.0" not in facts["availableUpgradeVersions"]
    assert facts["viableNodePoolVersions"][-1] == "1.33.6"
    pool = cloud.make(f"{cluster}/nodepools", **clouds.pool(datacenter, k8sVersion="1.33.6"))
    assert "Downgrade" in cloud.refused("PUT", cluster, name="c", k8sVersion="1.33.5")
    assert "not viable" in cloud.refused("PUT", cluster, name="c", k8sVersion="1.35.0")
    assert "not viable" in cloud.refused("PUT", pool, nodeCount=2, k8sVersion="1.34.3"), "the cluster goes first"
    assert cloud.send("PUT", cluster, {"properties": {"name": "c", "k8sVersion": "1.34.3"}})[0] == 202
    cloud.settled(cluster)
    assert cloud.send("PUT", pool, {"properties": {"nodeCount": 2, "k8sVersion": "1.34.3"}})[0] == 202
    assert cloud.send("GET", "/k8s/versions")[1][0] == catalogue.VERSIONS[-1]


def test_a_cluster_keeps_what_cannot_change(cloud: clouds.Cloud, cluster: str) -> None:
    assert "'public' is immutable" in cloud.refused("PUT", cluster, name="gitops", public=False)
    assert "'location' is immutable" in cloud.refused("PUT", cluster, name="gitops", location="de/fra")
    assert "'name' is required" in cloud.refused("PUT", cluster, k8sVersion="1.34.4")
    window = {"dayOfTheWeek": "Friday", "time": "04:00:00Z"}
    cloud.send("PUT", cluster, {"properties": {"name": "new", "maintenanceWindow": window, "apiSubnetAllowList": []}})
    properties = cloud.send("GET", cloud.settled(cluster))[1]["properties"]
    assert (properties["name"], properties["maintenanceWindow"]) == ("new", window)


def test_the_lab_has_room_for_one_cluster(cloud: clouds.Cloud, cluster: str) -> None:
    assert "one control plane" in cloud.refused("POST", "/k8s", name="second")


def test_the_kubeconfig_is_plain_yaml_and_only_there_while_the_cluster_is(cloud: clouds.Cloud) -> None:
    cloud.fault(method="POST", path="/k8s", seconds=0.3)
    cluster = f"/k8s/{cloud.send('POST', '/k8s', {'properties': {'name': 'c'}})[1]['id']}"
    assert "has no kubeconfig" in cloud.refused("GET", f"{cluster}/kubeconfig")
    cloud.settled(cluster)
    status, text, _ = cloud.send("GET", f"{cluster}/kubeconfig?depth=0", Accept="application/json")
    assert (status, text) == (200, clouds.KUBECONFIG), "the official SDK takes the body as it is"


def test_a_deleted_cluster_leaves_an_empty_control_plane(cloud: clouds.Cloud, cluster: str) -> None:
    cloud.cluster.service("left-over")
    cloud.send("DELETE", cluster)
    cloud.gone(cluster)
    assert cloud.resets == 1
    assert cloud.cluster.objects == {}


def test_a_load_balancer_gets_its_reserved_address(cloud: clouds.Cloud, datacenter: str, pools: str) -> None:
    block = cloud.make("/ipblocks", location="de/txl", size=2, name="ingress")
    addresses = cloud.send("GET", block)[1]["properties"]["ips"]
    assert addresses == ["127.77.200.1", "127.77.200.2"]
    cloud.make(pools, **clouds.pool(datacenter))
    selector = {"cloud.ionos.com/node-selector": "nodepool=ingress"}
    service = cloud.cluster.service("ingress", loadBalancerIP=addresses[1], annotations=selector)
    assert balance(cloud), "nothing is left to wait for"
    assert ingress(cloud, service) == [{"ip": addresses[1]}]
    assert "127.77.200.2 is in use" in cloud.refused("DELETE", block)
    cloud.cluster.delete(service)
    balance(cloud)
    assert cloud.send("DELETE", block)[0] == 202
    cloud.gone(block)


def test_what_takes_a_load_balancers_nodes_away_is_remembered(cloud: clouds.Cloud, datacenter: str, pools: str) -> None:
    pool, other = (cloud.make(pools, **clouds.pool(datacenter, name=name)) for name in ("one", "two"))
    service = cloud.cluster.service("ingress")
    assert balance(cloud)
    held = [ingress(cloud, service)[0]["ip"]]
    cloud.send("DELETE", pool)
    assert cloud.emulator.stranded == [{"kind": "nodepool", "name": "one", "addresses": held}]
    cloud.cluster.delete(service)
    balance(cloud)
    cloud.send("DELETE", other)
    assert len(cloud.emulator.stranded) == 1, "the load balancer went first, as it should"


def test_a_load_balancer_without_a_reserved_address_gets_another(
    cloud: clouds.Cloud, datacenter: str, pools: str
) -> None:
    block = cloud.make("/ipblocks", location="de/txl", size=1)
    cloud.make(pools, **clouds.pool(datacenter))
    first, second = cloud.cluster.service("a"), cloud.cluster.service("b")
    assert balance(cloud)
    given = [ingress(cloud, path)[0]["ip"] for path in (first, second)]
    assert len(set(given)) == 2
    assert not set(given) & set(cloud.send("GET", block)[1]["properties"]["ips"])
    assert balance(cloud)
    assert [ingress(cloud, path)[0]["ip"] for path in (first, second)] == given, "an address stays"
    cloud.cluster.patch(first, {"spec": {"type": "ClusterIP"}})
    assert balance(cloud)
    assert ingress(cloud, first) == []


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"loadBalancerIP": "127.77.200.9"}, "loadBalancerIP 127.77.200.9 is in no reserved IP block"),
        ({"annotations": {"cloud.ionos.com/node-selector": "nodepool=none"}}, "no node matches 'nodepool=none'"),
    ],
)
def test_a_load_balancer_that_cannot_be_says_why_once(
    cloud: clouds.Cloud, datacenter: str, pools: str, spec: dict, reason: str
) -> None:
    cloud.make(pools, **clouds.pool(datacenter))
    service = cloud.cluster.service("a", **spec)
    assert not balance(cloud)
    assert not balance(cloud)
    assert ingress(cloud, service) == []
    events = cloud.cluster.list("/api/v1/events")
    assert [event["message"] for event in events] == [reason], "once, or events would flood"


def test_one_reserved_address_serves_one_service(cloud: clouds.Cloud, datacenter: str, pools: str) -> None:
    cloud.make("/ipblocks", location="de/txl", size=1)
    cloud.make(pools, **clouds.pool(datacenter))
    first = cloud.cluster.service("a", loadBalancerIP="127.77.200.1")
    second = cloud.cluster.service("b", loadBalancerIP="127.77.200.1")
    assert not balance(cloud)
    assert (ingress(cloud, first), ingress(cloud, second)) == ([{"ip": "127.77.200.1"}], [])


def test_fixed_addresses_of_nodes_come_from_a_block_and_hold_it(
    cloud: clouds.Cloud, datacenter: str, pools: str
) -> None:
    block = cloud.make("/ipblocks", location="de/txl", size=3)
    addresses = cloud.send("GET", block)[1]["properties"]["ips"]
    elsewhere = cloud.send("GET", cloud.make("/ipblocks", location="de/fra", size=3))[1]["properties"]["ips"]
    assert "is not reserved" in cloud.refused("POST", pools, **clouds.pool(datacenter, publicIps=elsewhere))
    cloud.make(pools, **clouds.pool(datacenter, publicIps=addresses))
    node = cloud.cluster.find("/api/v1/nodes/ingress-1")
    assert node is not None
    assert {"type": "ExternalIP", "address": addresses[0]} in node["status"]["addresses"]
    assert "in use" in cloud.refused("DELETE", block)


def test_a_restarted_cloud_finishes_what_was_begun(tmp_path: pathlib.Path) -> None:
    cluster = clouds.Cluster()
    with clouds.running(tmp_path, cluster) as first:
        datacenter = first.make("/datacenters", name="dc", location="de/txl")
        managed = first.make("/k8s", name="c")
        first.fault(method="POST", path="/k8s/.*/nodepools", seconds=0.5)
        answer = first.send("POST", f"{managed}/nodepools", {"properties": clouds.pool(datacenter)})
        pool, request = f"{managed}/nodepools/{answer[1]['id']}", answer[2].partition("/cloudapi/v6")[2]
    assert cluster.list("/api/v1/nodes") == []
    assert (tmp_path / "state.json").stat().st_mode & 0o077 == 0
    with clouds.running(tmp_path, cluster) as second:
        assert second.send("GET", pool)[1]["metadata"]["state"] == "DEPLOYING"
        second.until(lambda: second.send("GET", request)[1]["metadata"]["status"] == "DONE")
        assert len(cluster.list("/api/v1/nodes")) == 2
        cluster.objects.clear()
    with clouds.running(tmp_path, cluster) as third:
        third.until(lambda: len(cluster.list("/api/v1/nodes")) == 2)


def test_a_damaged_memory_is_said_plainly(tmp_path: pathlib.Path) -> None:
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(layout.LabError, match=r"state.json is damaged .*make down"):
        store.Store(tmp_path / "state.json")


def test_work_waits_for_a_control_plane_that_is_away(cloud: clouds.Cloud, datacenter: str, pools: str) -> None:
    cloud.cluster.down = True
    pool = f"{pools}/{cloud.send('POST', pools, {'properties': clouds.pool(datacenter)})[1]['id']}"
    cloud.until(lambda: cloud.store.all("nodepool")[0]["due"] > cloud.store.all("nodepool")[0]["since"] + 0.5)
    assert cloud.send("GET", pool)[1]["metadata"]["state"] == "DEPLOYING"
    cloud.cluster.down = False
    cloud.settled(pool)
    assert len(names(cloud)) == 2


def test_work_that_never_succeeds_fails_and_can_be_asked_for_again(tmp_path: pathlib.Path) -> None:
    with clouds.running(tmp_path, patience=0) as cloud:
        managed = cloud.make("/k8s", name="c")
        cloud.cluster.down = True
        cloud.send("PUT", managed, {"properties": {"name": "d"}})
        assert cloud.send("GET", cloud.settled(managed))[1]["metadata"]["state"] == "FAILED_UPDATING"
        cloud.cluster.down = False
        cloud.send("PUT", managed, {"properties": {"name": "d"}})
        assert cloud.send("GET", cloud.settled(managed))[1]["metadata"]["state"] == "ACTIVE"


def test_an_ordered_fault_strikes_as_often_as_ordered(cloud: clouds.Cloud) -> None:
    order = b'{"method": "POST", "path": "/k8s", "status": 503, "message": "busy", "times": 2}'
    assert cloud.pool.request("POST", f"{cloud.url}/lab/faults", body=order).status == 200
    for _ in range(2):
        status, body, _ = cloud.send("POST", "/k8s", {"properties": {"name": "c"}})
        assert (status, body["messages"][0]["message"]) == (503, "busy")
    cloud.fault(path="/k8s", state="FAILED")
    failed = cloud.make("/k8s", name="c")
    assert cloud.send("GET", failed)[1]["metadata"]["state"] == "FAILED"
    assert cloud.pool.request("POST", f"{cloud.url}/lab/faults", body=b'{"when": "now"}').status == 422
    objects = cloud.pool.request("GET", f"{cloud.url}/lab/objects").json()
    assert [(entry["kind"], entry["name"], entry["state"]) for entry in objects] == [("k8s", "c", "FAILED")]


def balance(cloud: clouds.Cloud) -> bool:
    """What the controller does after it saw the cluster's Services."""
    cloud.balancers._services = {
        service["metadata"]["uid"]: service for service in cloud.cluster.list("/api/v1/services")
    }
    return cloud.balancers.reconcile()


def ingress(cloud: clouds.Cloud, path: str) -> list[dict[str, str]]:
    service = cloud.cluster.find(path)
    assert service is not None
    return service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
