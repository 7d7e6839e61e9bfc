"""A managed Kubernetes cluster on IONOS Cloud, with reserved addresses and a pool for ingress.

A LoadBalancer Service on IONOS is a secondary address of one node. Traffic keeps its source address only
on a pool of its own (label `nodepool=ingress`), and the environment keeps its address only when that is
reserved in an IPBlock.
https://docs.ionos.com/cloud/containers/managed-kubernetes
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import pulumi
import pulumi_ionoscloud as ionoscloud

from components import options

INGRESS_LABEL = {"nodepool": "ingress"}
INGRESS_TAINT = {"key": "ingress-node", "value": "true", "effect": "NoSchedule"}

CLUSTER_LIMIT = "60m"
POOL_LIMIT = "180m"
"""IONOS names these as the times within which a cluster and a node pool are made, changed or deleted."""


@dataclasses.dataclass(frozen=True)
class Maintenance:
    """Start of the weekly four-hour window: weekday in English, time such as "02:00:00Z"."""

    day: str
    time: str


@dataclasses.dataclass(frozen=True)
class PoolLan:
    """A LAN that a pool's nodes are attached to.

    `lan`: a name of `IonosClusterArgs.lans`, or the number of a LAN that exists, as digits. `routes`: (network in CIDR
    notation, address of the gateway).
    """

    lan: str
    dhcp: bool = True
    routes: Sequence[tuple[str, str]] = ()


@dataclasses.dataclass(frozen=True)
class PoolArgs:
    """A node pool; RAM in MB, storage in GB. `autoscaling` is (minimum, maximum) or None."""

    node_count: int
    cores: int
    ram_mb: int
    storage_gb: int
    storage_type: str
    cpu_family: str | None
    server_type: str
    availability_zone: str
    autoscaling: tuple[int, int] | None = None
    public_ips: Sequence[str] = ()
    lans: Sequence[PoolLan] = ()
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    tainted: bool = False
    maintenance: Maintenance | None = None


@dataclasses.dataclass(frozen=True)
class IonosClusterArgs:
    """The cluster; `pools` by name, in any order. `ingress_addresses` is the size of the IPBlock.

    `lans`: name -> whether it is public.
    """

    cluster_name: str
    location: str
    kubernetes_version: str
    pools: Mapping[str, PoolArgs]
    public: bool = True
    nat_gateway_ip: str | None = None
    node_subnet: str | None = None
    api_allow_list: Sequence[str] = ()
    maintenance: Maintenance | None = None
    ingress_addresses: int = 1
    lans: Mapping[str, bool] = dataclasses.field(default_factory=dict)
    protect: bool = False


@dataclasses.dataclass(frozen=True)
class Lan:
    """A LAN as others need it. `cidr`: the network of a private one, which IONOS chooses; None: public."""

    id: pulumi.Output[str]
    cidr: pulumi.Output[str | None]


class IonosCluster(pulumi.ComponentResource):
    """A cluster on IONOS Cloud.

    Children: `compute.Datacenter`, `compute.IPBlock`, a `compute.Lan` per LAN, `k8s.Cluster`, and a `k8s.NodePool` per
    pool.
    """

    cluster_name: str
    id: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]
    """Secret; read from IONOS on every run, since its life time is not documented."""
    kubernetes_version: pulumi.Output[str]
    ingress_addresses: pulumi.Output[Sequence[str]]
    datacenter_id: pulumi.Output[str]
    lans: dict[str, Lan]
    """By name."""

    def __init__(self, name: str, args: IonosClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("platform:cluster:IonosCluster", name, None, opts)
        keep = args.protect or None
        self.cluster_name = args.cluster_name
        datacenter = ionoscloud.compute.Datacenter(
            name,
            name=args.cluster_name,
            location=args.location,
            description=f"Nodes of the cluster {args.cluster_name}",
            opts=options.child(self, opts, protect=keep),
        )
        addresses = ionoscloud.compute.IPBlock(
            name,
            name=f"{args.cluster_name}-ingress",
            location=args.location,
            size=args.ingress_addresses,
            opts=options.child(self, opts, protect=keep),
        )
        self.datacenter_id = datacenter.id
        self.lans = {lan: self._lan(f"{name}-{lan}", lan, args, opts) for lan in args.lans}
        cluster = ionoscloud.k8s.Cluster(
            name,
            name=args.cluster_name,
            k8s_version=args.kubernetes_version,
            public=args.public,
            location=None if args.public else args.location,
            nat_gateway_ip=args.nat_gateway_ip,
            node_subnet=args.node_subnet,
            api_subnet_allow_lists=list(args.api_allow_list),
            maintenance_window=_window(args.maintenance),
            opts=options.child(self, opts, protect=keep, create=CLUSTER_LIMIT),
        )
        pools = [
            self._pool(f"{name}-{pool_name}", pool_name, pool, args, cluster, opts)
            for pool_name, pool in args.pools.items()
        ]
        self.id = cluster.id
        self.ingress_addresses = addresses.ips
        # Asked by way of the pools' own cluster id: nothing may start in a cluster without nodes.
        ready = pulumi.Output.all(cluster.id, *[pool.id for pool in pools]).apply(lambda ids: ids[0])
        facts = ionoscloud.k8s.get_cluster_output(id=ready, opts=pulumi.InvokeOutputOptions(parent=self))
        self.kubeconfig = pulumi.Output.secret(facts.kube_config)
        self.kubernetes_version = pulumi.Output.unsecret(facts.k8s_version).apply(
            lambda running: _report_version(running, args.kubernetes_version)
        )
        self.register_outputs({"id": self.id, "ingressAddresses": self.ingress_addresses})

    def _lan(self, resource_name: str, lan: str, args: IonosClusterArgs, opts: pulumi.ResourceOptions | None) -> Lan:
        made = ionoscloud.compute.Lan(
            resource_name,
            name=lan,
            datacenter_id=self.datacenter_id,
            public=args.lans[lan],
            opts=options.child(self, opts, protect=args.protect or None),
        )
        return Lan(made.id, made.ipv4_cidr_block.apply(lambda cidr: cidr or None))

    def _attached(self, wanted: PoolLan) -> ionoscloud.k8s.NodePoolLanArgs:
        return ionoscloud.k8s.NodePoolLanArgs(
            id=self.lans[wanted.lan].id.apply(int) if wanted.lan in self.lans else int(wanted.lan),
            dhcp=wanted.dhcp,
            routes=[
                ionoscloud.k8s.NodePoolLanRouteArgs(network=network, gateway_ip=gateway)
                for network, gateway in wanted.routes
            ]
            or None,
        )

    def _pool(
        self,
        resource_name: str,
        pool_name: str,
        pool: PoolArgs,
        args: IonosClusterArgs,
        cluster: ionoscloud.k8s.Cluster,
        opts: pulumi.ResourceOptions | None,
    ) -> ionoscloud.k8s.NodePool:
        child = options.child(self, opts, protect=args.protect or None, create=POOL_LIMIT)
        if pool.autoscaling:
            # Every update of a pool sends its node count, which would undo the autoscaler's
            # (terraform-provider-ionoscloud 363 and 764).
            child = pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(ignore_changes=["nodeCount"]))
        return ionoscloud.k8s.NodePool(
            resource_name,
            name=pool_name,
            datacenter_id=self.datacenter_id,
            k8s_cluster_id=cluster.id,
            k8s_version=args.kubernetes_version,
            node_count=pool.node_count,
            cores_count=pool.cores,
            ram_size=pool.ram_mb,
            storage_size=pool.storage_gb,
            storage_type=pool.storage_type,
            cpu_family=pool.cpu_family,
            server_type=pool.server_type,
            availability_zone=pool.availability_zone,
            auto_scaling=_autoscaling(pool.autoscaling),
            public_ips=list(pool.public_ips) or None,
            lans=[self._attached(one) for one in pool.lans] or None,
            labels=dict(pool.labels) or None,
            taints=[ionoscloud.k8s.NodePoolTaintArgs(**INGRESS_TAINT)] if pool.tainted else None,
            maintenance_window=_pool_window(pool.maintenance or args.maintenance),
            opts=child,
        )


def _window(window: Maintenance | None) -> ionoscloud.k8s.ClusterMaintenanceWindowArgs | None:
    if window is None:
        return None
    return ionoscloud.k8s.ClusterMaintenanceWindowArgs(day_of_the_week=window.day, time=window.time)


def _pool_window(window: Maintenance | None) -> ionoscloud.k8s.NodePoolMaintenanceWindowArgs | None:
    if window is None:
        return None
    return ionoscloud.k8s.NodePoolMaintenanceWindowArgs(day_of_the_week=window.day, time=window.time)


def _autoscaling(limits: tuple[int, int] | None) -> ionoscloud.k8s.NodePoolAutoScalingArgs | None:
    if limits is None:
        return None
    return ionoscloud.k8s.NodePoolAutoScalingArgs(min_node_count=limits[0], max_node_count=limits[1])


def _report_version(running: str, wanted: str) -> str:
    """IONOS maintenance raises versions without a plan, and refuses to lower them again: say so."""
    if running != wanted:
        pulumi.log.warn(
            f"the cluster runs Kubernetes {running}, its stack file says {wanted}: "
            f'if maintenance raised it, write kubernetesVersion: "{running}"'
        )
    return running
