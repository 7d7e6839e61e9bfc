"""The IONOS cluster component registers what IONOS needs, in the way its plugin bears."""

from __future__ import annotations

import dataclasses

import pulumi

from components.cluster import ionos
from tests import recording

POOL = ionos.PoolArgs(
    node_count=2, cores=4, ram_mb=8192, storage_gb=100, storage_type="SSD", cpu_family="INTEL_SKYLAKE",
    server_type="DedicatedCore", availability_zone="AUTO",
)  # fmt: skip
ARGS = ionos.IonosClusterArgs(
    cluster_name="gitops-test",
    location="de/txl",
    kubernetes_version="1.34.3",
    pools={
        "default-pool": POOL,
        "ingress-pool": dataclasses.replace(POOL, node_count=1, labels=ionos.INGRESS_LABEL, tainted=True),
    },
    ingress_addresses=2,
)
POOL_TYPE = "ionoscloud:k8s/nodePool:NodePool"


def made(args: ionos.IonosClusterArgs) -> tuple[recording.Recording, ionos.IonosCluster]:
    kept: list[ionos.IonosCluster] = []

    def program() -> None:
        kept.append(ionos.IonosCluster("cluster", args))
        pulumi.export("kubeconfig", kept[0].kubeconfig)

    return recording.run(program), kept[0]


def test_the_ingress_pool_is_labelled_and_tainted() -> None:
    run, _ = made(ARGS)
    pool = run.one(POOL_TYPE, "cluster-ingress-pool").inputs
    assert pool["labels"] == {"nodepool": "ingress"}, "the Service's node selector finds the pool by this label"
    assert pool["taints"] == [{"key": "ingress-node", "value": "true", "effect": "NoSchedule"}]
    assert "taints" not in run.one(POOL_TYPE, "cluster-default-pool").inputs


def test_autoscaled_pools_leave_the_node_count_to_the_autoscaler() -> None:
    scaled = dataclasses.replace(POOL, autoscaling=(2, 4))
    run, _ = made(dataclasses.replace(ARGS, pools={"default-pool": scaled, "fixed": POOL}))
    assert run.one(POOL_TYPE, "cluster-default-pool").ignore_changes == ("nodeCount",), (
        "every pool update sends the count and would undo what the autoscaler did"
    )
    assert run.one(POOL_TYPE, "cluster-fixed").ignore_changes == ()


def test_protect_reaches_everything_that_cannot_be_made_again() -> None:
    run, _ = made(dataclasses.replace(ARGS, protect=True))
    children = [r for r in run.resources if r.type.startswith("ionoscloud:")]
    assert len(children) == 5
    assert all(child.protect for child in children)


def test_the_kubeconfig_is_a_secret() -> None:
    run, _ = made(ARGS)
    assert "kubeconfig" in run.secret_outputs, "the plugin does not mark it, so the component has to"


def test_time_limits_are_those_that_ionos_names() -> None:
    run, _ = made(ARGS)
    assert run.one("ionoscloud:k8s/cluster:Cluster").timeouts == dict.fromkeys(("create", "update", "delete"), "60m")
    assert run.one(POOL_TYPE, "cluster-default-pool").timeouts["create"] == "180m"


def test_every_resource_is_a_child_of_the_component() -> None:
    run, _ = made(ARGS)
    component = run.one("platform:cluster:IonosCluster")
    assert all(r.parent == component.urn for r in run.resources if r is not component)
