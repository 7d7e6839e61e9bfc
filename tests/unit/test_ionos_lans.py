"""LANs, from a stack file's words to what the emulated IONOS Cloud and its plugin's stand-in make of them."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Any

import pulumi
import pytest

import arguments
import settings
from components.cluster import ionos
from lab.plugins import ionoscloud, values
from settings import model
from tests import cloud as clouds
from tests import recording
from tests.plugin_client import Failed, Plugin, Resource, serving
from tests.unit import test_cluster_ionos, test_plugin_ionoscloud, test_settings_rules

LAN = "ionoscloud:compute/lan:Lan"
POOL = "ionoscloud:k8s/nodePool:NodePool"
PRIVATE = {"name": "databases", "public": False}


def parsed(**cluster: Any) -> settings.Settings:
    return settings.parse(test_settings_rules.merged(test_settings_rules.GOOD, {"cluster": cluster}), "sbx")


def warned(**cluster: Any) -> dict[str, str]:
    found = model.warnings(parsed(apiAllowList=["203.0.113.0/24"], **cluster), set())
    return {one.path: str(one) for one in found}


def test_a_lan_is_named_by_its_name_its_number_or_with_all_it_can_have() -> None:
    route = {"network": "10.20.0.0/16", "gatewayIp": "10.7.1.1"}
    written = ["databases", 2, "3", {"lan": 4, "dhcp": False, "routes": [route]}]
    pool = parsed(lans={"databases": {}}, defaultPool={"lans": written}).cluster.default_pool  # type: ignore[union-attr]
    assert [one.lan for one in pool.lans] == ["databases", "2", "3", "4"]
    assert [one.dhcp for one in pool.lans] == [True, True, True, False]
    assert [(one.network, one.gateway_ip) for one in pool.lans[3].routes] == [("10.20.0.0/16", "10.7.1.1")]


def test_a_lan_that_some_pods_would_not_reach_is_warned_of() -> None:
    both = {"defaultPool": {"lans": ["databases"]}, "ingressPool": {"lans": ["databases"]}}
    assert "cluster.lans.databases" not in warned(lans={"databases": {}}, **both)
    alone = warned(lans={"databases": {}})["cluster.lans.databases"]
    assert "no node pool is attached to it" in alone
    assert "write lans: [databases] at the pools" in alone
    part = warned(lans={"databases": {}}, defaultPool=both["defaultPool"])["cluster.lans.databases"]
    assert "pods on the nodes of ingressPool do not reach it" in part


def test_a_stack_files_lans_reach_the_component() -> None:
    route = {"network": "10.20.0.0/16", "gatewayIp": "10.7.1.1"}
    pool = {"lans": ["databases", {"lan": 4, "dhcp": False, "routes": [route]}]}
    nothing = settings.Secrets(None, None, None, None)
    made = arguments.cluster(parsed(lans={"databases": {}, "edge": {"public": True}}, defaultPool=pool), nothing)
    assert isinstance(made, ionos.IonosClusterArgs)
    assert made.lans == {"databases": False, "edge": True}
    assert made.pools["default-pool"].lans == [
        ionos.PoolLan("databases", True, []),
        ionos.PoolLan("4", False, [("10.20.0.0/16", "10.7.1.1")]),
    ]


ATTACHED = dataclasses.replace(
    test_cluster_ionos.ARGS,
    lans={"databases": False},
    pools={
        "default-pool": dataclasses.replace(
            test_cluster_ionos.POOL,
            lans=[ionos.PoolLan("databases"), ionos.PoolLan("7", False, [("10.20.0.0/16", "10.7.1.1")])],
        ),
        "alone": test_cluster_ionos.POOL,
    },
)


def test_a_pool_is_attached_to_lans_of_the_program_and_to_those_that_exist() -> None:
    run, _ = test_cluster_ionos.made(ATTACHED)
    lan = run.one(LAN, "cluster-databases")
    assert lan.inputs == {"name": "databases", "datacenterId": "cluster-id", "public": False}
    pool = run.one(POOL, "cluster-default-pool")
    made, exists = pool.inputs["lans"]
    assert made == {"id": 5, "dhcp": True}, "the API takes the number, which the LAN's id is a text of"
    assert exists == {"id": 7, "dhcp": False, "routes": [{"network": "10.20.0.0/16", "gatewayIp": "10.7.1.1"}]}
    assert lan.urn in pool.dependencies, "or the LAN is deleted while nodes are in it"
    assert "lans" not in run.one(POOL, "cluster-alone").inputs


def test_a_lan_is_protected_like_the_rest() -> None:
    run, _ = test_cluster_ionos.made(dataclasses.replace(ATTACHED, protect=True))
    assert run.one(LAN).protect


def test_what_a_managed_database_is_connected_with_is_known() -> None:
    def program() -> None:
        made = ionos.IonosCluster("cluster", ATTACHED)
        lan = made.lans["databases"]
        pulumi.export("found", {"datacenter": made.datacenter_id, "id": lan.id, "cidr": lan.cidr})

    found = recording.run(program).outputs["found"]
    assert found == {"datacenter": "cluster-id", "id": "5", "cidr": "10.7.5.0/24"}


@pytest.fixture
def cloud(tmp_path: pathlib.Path) -> Iterator[clouds.Cloud]:
    with clouds.running(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(ionoscloud.provider()) as port:
        yield port


@pytest.fixture
def plugin(port: int, cloud: clouds.Cloud) -> Plugin:
    return Plugin(port, token=values.Secret("token"), endpoint=cloud.url)


@pytest.fixture
def datacenter(cloud: clouds.Cloud) -> str:
    return cloud.make("/datacenters", name="dc", location="de/txl")


def test_the_cloud_numbers_lans_and_answers_all_their_properties(cloud: clouds.Cloud, datacenter: str) -> None:
    status, entry, _ = cloud.send("POST", f"{datacenter}/lans", {"properties": {"name": "a", "ipv6CidrBlock": ""}})
    assert (status, entry["id"], entry["metadata"]["state"]) == (202, "1", "BUSY")
    private = cloud.send("GET", cloud.settled(f"{datacenter}/lans/1"))[1]
    assert private["properties"] == {
        "name": "a", "public": False, "pcc": None, "ipv4CidrBlock": "10.7.1.0/24", "ipv6CidrBlock": None,
        "ipFailover": [],
    }, "what is left out comes back as a difference on every up"  # fmt: skip
    public = cloud.send("GET", cloud.make(f"{datacenter}/lans", public=True))[1]
    assert (public["id"], public["properties"]["ipv4CidrBlock"]) == ("2", None)
    other = cloud.make("/datacenters", name="other", location="de/fra")
    assert cloud.make(f"{other}/lans", name="b").endswith("/lans/1"), "each datacenter counts for itself"
    assert [one["id"] for one in cloud.send("GET", f"{datacenter}/lans?depth=0")[1]["items"]] == ["1", "2"]
    cloud.send("DELETE", f"{datacenter}/lans/1")
    cloud.gone(f"{datacenter}/lans/1")
    assert cloud.make(f"{datacenter}/lans", name="c").endswith("/lans/1")
    cloud.send("DELETE", datacenter)
    cloud.gone(datacenter)
    assert cloud.send("GET", f"{datacenter}/lans/2")[0] == 404, "a datacenter takes its LANs along"
    assert cloud.send("GET", f"{other}/lans/1")[0] == 200


@pytest.mark.parametrize(
    ("lans", "message"),
    [
        ([{"id": 9}], "LAN 9 does not exist"),
        ([{"id": "1"}], "'1' must be a number"),
        ([{"id": 2}], "LAN 2 is public"),
        ([{"id": 1}, {"id": 1}], "listed twice"),
        ([{"id": 1, "dhcp": "yes"}], "must be a boolean"),
        ([{"id": 1, "routes": [{"network": "10.0.0.0/8"}]}], "'gatewayIp' is required"),
        ([{"id": 1, "routes": [{"network": "10.0.0.1/8", "gatewayIp": "10.7.1.1"}]}], "host bits"),
        ([{"id": 1, "routes": [{"network": "10.0.0.0/8", "gatewayIp": "::1"}]}], "differ in IP version"),
    ],
)
def test_lans_that_a_pool_cannot_have_are_refused(
    cloud: clouds.Cloud, datacenter: str, lans: list[Any], message: str
) -> None:
    cloud.make(f"{datacenter}/lans", name="private")
    cloud.make(f"{datacenter}/lans", name="public", public=True)
    pools = f"{cloud.make('/k8s', name='gitops')}/nodepools"
    assert message in cloud.refused("POST", pools, **clouds.pool(datacenter, lans=lans))
    pool = cloud.make(pools, **clouds.pool(datacenter))
    assert message in cloud.refused("PUT", pool, nodeCount=2, lans=lans), "later is no better"


def test_a_lan_with_nodes_in_it_stays_and_stays_private(cloud: clouds.Cloud, datacenter: str) -> None:
    lan = cloud.make(f"{datacenter}/lans", name="private")
    assert cloud.send("GET", f"{lan}/nics")[1]["items"] == []
    pools = f"{cloud.make('/k8s', name='gitops')}/nodepools"
    pool = cloud.make(pools, **clouds.pool(datacenter, lans=[{"id": 1}]))
    assert cloud.send("GET", pool)[1]["properties"]["lans"] == [{"id": 1, "dhcp": True, "routes": []}]
    assert len(cloud.send("GET", f"{lan}/nics")[1]["items"]) == 2, "one of each node"
    status, body, _ = cloud.send("DELETE", lan)
    assert (status, "is delete-protected by" in body["messages"][0]["message"]) == (403, True)
    assert "cannot be public" in cloud.refused("PATCH", lan, public=True)
    cloud.send("PUT", pool, {"properties": {"nodeCount": 2}})
    assert cloud.send("GET", cloud.settled(pool))[1]["properties"]["lans"], "a PUT without them leaves them"
    cloud.send("PUT", pool, {"properties": {"nodeCount": 2, "lans": []}})
    cloud.settled(pool)
    assert cloud.send("DELETE", lan)[0] == 202


def test_the_plugin_makes_a_lan_finds_it_again_and_removes_it(
    plugin: Plugin, cloud: clouds.Cloud, datacenter: str
) -> None:
    inputs = {**PRIVATE, "datacenterId": datacenter.rpartition("/")[2]}
    lan = plugin.create(LAN, "databases", inputs)
    assert (lan.id, lan.outputs["ipv4CidrBlock"]) == ("1", "10.7.1.0/24")
    assert test_plugin_ionoscloud.changed(plugin, lan, inputs) == []
    read = plugin.read(lan)
    assert read is not None
    assert (read.inputs, read.outputs) == (lan.inputs, lan.outputs)
    renamed = {**inputs, "name": "other"}
    assert test_plugin_ionoscloud.changed(plugin, lan, renamed) == ["name"]
    assert plugin.update(lan, renamed).outputs["name"] == "other"
    assert cloud.send("GET", f"{datacenter}/lans/1")[1]["properties"]["name"] == "other"
    assert plugin.diff(lan, {**inputs, "datacenterId": "elsewhere"}).replaces == ["datacenterId"]
    plugin.delete(lan)
    plugin.delete(lan)
    assert plugin.read(lan) is None


def test_a_pools_lans_change_in_place_and_are_taken_away_again(
    plugin: Plugin, cloud: clouds.Cloud, datacenter: str
) -> None:
    lan = plugin.create(LAN, "databases", {**PRIVATE, "datacenterId": datacenter.rpartition("/")[2]})
    cluster = plugin.create("ionoscloud:k8s/cluster:Cluster", "c", {"name": "gitops", "k8sVersion": "1.34.3"})
    home = Resource(urn="", id=datacenter.rpartition("/")[2], inputs={}, outputs={})
    inputs = test_plugin_ionoscloud.pool_inputs(home, cluster)
    pool = plugin.create(POOL, "ingress", inputs)
    attached = {**inputs, "lans": [{"id": int(lan.id)}]}
    diff = plugin.diff(pool, attached)
    assert (sorted(diff.detailedDiff), list(diff.replaces)) == (["lans"], [])
    pool = plugin.update(pool, attached)
    assert test_plugin_ionoscloud.changed(plugin, pool, attached) == [], "the API's defaults are no difference"
    read = plugin.read(pool)
    assert read is not None
    assert test_plugin_ionoscloud.changed(plugin, read, attached) == []
    with pytest.raises(Failed, match="nics are still in the LAN"):
        plugin.delete(lan, timeout=0.5)
    pool = plugin.update(pool, inputs)
    assert cloud.send("GET", test_plugin_ionoscloud.path(pool))[1]["properties"]["lans"] == []
    plugin.delete(lan)
