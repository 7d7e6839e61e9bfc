"""Section `cluster`: where the environment runs, on IONOS Cloud or on a cluster that exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

import pydantic

from settings import base, checks, errors
from settings import lans as networks

RESERVED_POOLS = ("default-pool", "ingress-pool")
"""Names that the two standing pools have on IONOS; an extra pool cannot have them."""

Address = Annotated[str, pydantic.AfterValidator(checks.address)]
Labels = dict[
    Annotated[str, pydantic.AfterValidator(checks.label_key)],
    Annotated[str, pydantic.AfterValidator(checks.label_value)],
]


class Maintenance(base.Section):
    """The weekly window of four hours in which IONOS may restart nodes and raise patch versions."""

    day: Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"] = base.field(
        "Sunday", says="Day of the week.", example="Sunday"
    )
    time: Annotated[str, pydantic.AfterValidator(checks.window_time)] = base.field(
        "02:00:00Z", says="Beginning of the window, in UTC.", example="02:00:00Z"
    )


class Autoscaling(base.Section):
    """Bounds between which IONOS changes the number of nodes."""

    min: int = base.field(says="Fewest nodes.", example=2, ge=1, le=100)
    max: int = base.field(says="Most nodes; more than `min`.", example=4, ge=1, le=100)


class Pool(base.Section):
    """A group of equal nodes. What a node is made of cannot be changed later without rebuilding the pool."""

    node_count: int = base.field(
        2, says="Number of nodes; with autoscaling, the number to begin with.", example=2, ge=1, le=100
    )
    cores: int = base.field(4, says="CPU cores per node. Immutable.", example=4, ge=1)
    ram_mb: Annotated[int, pydantic.AfterValidator(checks.ram_mb)] = base.field(
        8192, says="Memory per node in MB, a multiple of 1024. Immutable.", example=8192
    )
    storage_gb: int = base.field(100, says="Disk per node in GB. Immutable.", example=100, ge=10)
    storage_type: Literal["SSD", "HDD"] = base.field("SSD", says="Kind of disk. Immutable.", example="SSD")
    cpu_family: str | None = base.field(
        None,
        says="CPU family, for dedicated cores only. Immutable.",
        example="INTEL_SKYLAKE",
        derived="INTEL_SKYLAKE, or none with VCPU",
        pattern="^[A-Z][A-Z0-9_]*$",
    )
    server_type: Literal["DedicatedCore", "VCPU"] = base.field(
        "DedicatedCore", says="Dedicated cores or shared ones.", example="DedicatedCore"
    )
    availability_zone: Literal["AUTO", "ZONE_1", "ZONE_2"] = base.field(
        "AUTO", says="Zone inside the datacenter. Immutable.", example="AUTO"
    )
    autoscaling: Autoscaling | None = base.field(
        None, says="Let IONOS change the number of nodes.", example={"min": 2, "max": 4}
    )
    public_ips: list[Address] = base.field(
        [], says="Reserved addresses for the nodes: one more than there can be nodes.", example=["203.0.113.10"]
    )
    lans: networks.PoolLans = base.field(
        [],
        says="LANs that the nodes are attached to, by name or number; can be changed later.",
        example=["databases", {"lan": 2, "dhcp": False}],
    )
    labels: Labels = base.field({}, says="Labels of the nodes.", example={"example.org/team": "data"})
    maintenance: Maintenance | None = base.field(
        None,
        says="Maintenance window of this pool.",
        example={"day": "Sunday", "time": "03:00:00Z"},
        derived="the cluster's",
    )

    @property
    def most_nodes(self) -> int:
        """How many nodes there can be at once, without the spare one of an upgrade."""
        return max(self.node_count, self.autoscaling.max if self.autoscaling else 0)

    @property
    def fewest_nodes(self) -> int:
        """How few nodes there can be."""
        return self.autoscaling.min if self.autoscaling else self.node_count


class IngressPool(Pool):
    """The nodes that traffic comes in through: labelled `nodepool=ingress`, so that clients' addresses survive."""

    node_count: int = base.field(
        1,
        says="Number of nodes; with autoscaling, the number to begin with.",
        example=1,
        derived="2 with availability high, else 1",
        ge=1,
        le=100,
    )
    taint: bool = base.field(
        True, says="Keep other pods away with the taint `ingress-node=true:NoSchedule`.", example=True
    )


class IonosCluster(base.Section):
    """A managed Kubernetes cluster on IONOS Cloud, made by this program."""

    provider: Literal["ionos"] = base.field(says="Make a cluster on IONOS Cloud.", example="ionos")
    name: Annotated[str, pydantic.AfterValidator(checks.ionos_name)] = base.field(
        "", says="Name of the cluster and its datacenter.", example="gitops-sbx", derived="gitops-<environment>"
    )
    location: Annotated[str, pydantic.AfterValidator(checks.location)] = base.field(
        "de/txl", says="Where the datacenter is. Immutable.", example="de/txl"
    )
    kubernetes_version: Annotated[str, pydantic.AfterValidator(checks.kubernetes_version)] = base.field(
        says="Kubernetes version, all three numbers. It can only be raised.", example="1.34.3"
    )
    public: bool = base.field(True, says="Nodes with public addresses. Immutable.", example=True)
    nat_gateway_ip: Address | None = base.field(
        None, says="Reserved address of the NAT gateway; private clusters need it. Immutable.", example="203.0.113.9"
    )
    node_subnet: Annotated[str, pydantic.AfterValidator(checks.node_subnet)] | None = base.field(
        None, says="Network of a private cluster's nodes, IPv4 with 16 bits. Immutable.", example="10.5.0.0/16"
    )
    api_allow_list: list[Annotated[str, pydantic.AfterValidator(checks.address_range)]] = base.field(
        [], says="Addresses and CIDR ranges that reach the API server; empty: everybody.", example=["203.0.113.0/24"]
    )
    maintenance: Maintenance = base.section(says="Maintenance window.", example={"day": "Sunday", "time": "02:00:00Z"})
    ingress_addresses: int = base.field(
        1, says="Size of the reserved IP block; the ingress uses its first address.", example=1, ge=1
    )
    protect: bool = base.field(
        False, says="Refuse to delete the cluster.", example=True, derived="true in environment prd"
    )
    lans: dict[networks.LanName, networks.Lan] = base.field(
        {},
        says="LANs to make in the cluster's datacenter, by name, such as the one that managed databases are in.",
        example={"databases": {}},
    )
    default_pool: Pool = base.section(
        says="Nodes for everything but the ingress.", example={"nodeCount": 2, "ramMb": 8192}
    )
    ingress_pool: IngressPool = base.section(says="Nodes for the ingress.", example={"nodeCount": 1, "taint": True})
    extra_pools: dict[Annotated[str, pydantic.AfterValidator(checks.ionos_name)], Pool] = base.field(
        {}, says="More node pools, by name.", example={"analytics": {"nodeCount": 3, "ramMb": 16384}}
    )

    def pools(self) -> dict[str, Pool]:
        """Every pool by its key path below `cluster`, such as `extraPools.analytics`."""
        extra = {f"extraPools.{name}": pool for name, pool in self.extra_pools.items()}
        return {"defaultPool": self.default_pool, "ingressPool": self.ingress_pool, **extra}


class Toleration(base.Section):
    """A taint that the ingress's pods bear."""

    key: str | None = base.field(None, says="The taint's key; none: every taint.", example="ingress-node")
    operator: Literal["Equal", "Exists"] = base.field("Equal", says="How `value` is compared.", example="Equal")
    value: str | None = base.field(None, says="The taint's value.", example="true")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = base.field(
        None, says="The taint's effect; none: every effect.", example="NoSchedule"
    )


def _object(value: str) -> str:
    if not re.fullmatch(r"[A-Z][A-Za-z]{1,62}/[a-z0-9*][a-z0-9.:*-]{0,252}", value):
        raise base.refuse(
            f"{checks.show(value)} names no object",
            "write Kind/name, such as IngressClass/nginx; * stands for any text",
        )
    return value


class ExistingCluster(base.Section):
    """Any Kubernetes cluster that somebody else made; this program only fills it."""

    provider: Literal["existing"] = base.field(says="Use a cluster that exists.", example="existing")
    name: Annotated[str, pydantic.AfterValidator(checks.ionos_name)] = base.field(
        says="The cluster's identity for this program: another name means another cluster.", example="factory-1"
    )
    kubeconfig_path: str | None = base.field(
        None,
        says="Kubeconfig file on this machine; or set the secret `kubeconfig`.",
        example="~/.kube/config",
        min_length=1,
    )
    context: str | None = base.field(
        None, says="Context of the kubeconfig.", example="factory", derived="current-context"
    )
    ingress_address: Address | None = base.field(
        None, says="`loadBalancerIP` of the ingress.", example="203.0.113.9", derived="given by the cluster"
    )
    ingress_node_selector: Labels = base.field(
        {}, says="Labels of the nodes that the ingress runs on; empty: any.", example={"nodepool": "ingress"}
    )
    ingress_tolerations: list[Toleration] = base.field(
        [], says="Taints that the ingress bears.", example=[{"key": "ingress-node", "value": "true"}]
    )
    take_over: list[Annotated[str, pydantic.AfterValidator(_object)]] = base.field(
        [],
        says="Objects without a namespace that others made and `up` may overwrite: from then on they are this "
        "environment's, and `destroy` deletes them (CRDs stay). `*` stands for any text.",
        example=["IngressClass/nginx"],
    )


Cluster = Annotated[IonosCluster | ExistingCluster, pydantic.Field(discriminator="provider")]


def rules(cluster: IonosCluster | ExistingCluster, secrets: set[str]) -> Iterator[errors.Mistake]:
    """What is wrong between several keys of the section."""
    if isinstance(cluster, ExistingCluster):
        yield from _existing(cluster, secrets)
        return
    if cluster.public:
        for key, value in (("natGatewayIp", cluster.nat_gateway_ip), ("nodeSubnet", cluster.node_subnet)):
            if value is not None:
                fix = "remove it, or write cluster.public: false"
                yield errors.Mistake(f"cluster.{key}", "only private clusters have it", fix, ("cluster.public",))
    elif cluster.nat_gateway_ip is None:
        problem = "a private cluster needs its NAT gateway's address"
        fix = "reserve an address in the cluster's location and write it, or write cluster.public: true"
        yield errors.Mistake("cluster.natGatewayIp", problem, fix, ("cluster.public",))
    for name in cluster.extra_pools:
        if name in RESERVED_POOLS:
            path = f"cluster.extraPools.{name}"
            yield errors.Mistake(path, "this name belongs to a standing pool", "choose another name")
    label = cluster.ingress_pool.labels.get("nodepool", "ingress")
    if label != "ingress":
        problem = f"the ingress looks for nodepool=ingress, not nodepool={label}"
        yield errors.Mistake("cluster.ingressPool.labels.nodepool", problem, "remove it: it is set by itself")
    seen: dict[str, str] = {}
    for key, pool in cluster.pools().items():
        yield from _pool(f"cluster.{key}", pool, cluster.public)
        yield from networks.rules(f"cluster.{key}", pool.lans, cluster.lans)
        for place, ip in enumerate(pool.public_ips):
            path = f"cluster.{key}.publicIps[{place}]"
            if ip in seen:
                yield errors.Mistake(path, f"{ip} stands at {seen[ip]} too", "reserve one address per node")
            seen.setdefault(ip, path)


def _pool(path: str, pool: Pool, public: bool) -> Iterator[errors.Mistake]:
    scaling = pool.autoscaling
    if scaling and scaling.min >= scaling.max:
        how = "is the same as" if scaling.min == scaling.max else "is more than"
        fix = f"write a max of at least {scaling.min + 1}, or remove autoscaling and write nodeCount: {scaling.min}"
        yield errors.Mistake(f"{path}.autoscaling", f"min {how} max ({scaling.min}, {scaling.max})", fix)
    elif scaling and not scaling.min <= pool.node_count <= scaling.max:
        problem = f"{pool.node_count} is outside of autoscaling's {scaling.min} to {scaling.max}"
        nearest = min(max(pool.node_count, scaling.min), scaling.max)
        yield errors.Mistake(f"{path}.nodeCount", problem, f"write {nearest}", (f"{path}.autoscaling",))
    if pool.server_type == "VCPU" and pool.cpu_family is not None:
        problem = "servers of type VCPU have none"
        yield errors.Mistake(f"{path}.cpuFamily", problem, "remove it", (f"{path}.serverType",))
    if not pool.public_ips:
        return
    wanted = pool.most_nodes + 1
    rests_on = (f"{path}.nodeCount", f"{path}.autoscaling", "cluster.public")
    if not public:
        problem = "nodes of a private cluster have no public addresses"
        yield errors.Mistake(f"{path}.publicIps", problem, "remove them", rests_on)
    elif len(pool.public_ips) < wanted:
        problem = f"{len(pool.public_ips)} for up to {wanted - 1} nodes, and an upgrade needs one to spare"
        yield errors.Mistake(f"{path}.publicIps", problem, f"list at least {wanted} addresses, or none", rests_on)


def _existing(cluster: ExistingCluster, secrets: set[str]) -> Iterator[errors.Mistake]:
    has_secret = "kubeconfig" in secrets
    if has_secret and cluster.kubeconfig_path is not None:
        fix = "remove this key, or run `pulumi config rm kubeconfig`"
        yield errors.Mistake("cluster.kubeconfigPath", "the secret kubeconfig is set as well", fix)
    if not has_secret and cluster.kubeconfig_path is None:
        fix = "write cluster.kubeconfigPath, or run `pulumi config set --secret kubeconfig < FILE`"
        yield errors.Mistake("cluster.kubeconfigPath", "there is no way into the cluster", fix)
    for place, toleration in enumerate(cluster.ingress_tolerations):
        if toleration.operator == "Exists" and toleration.value is not None:
            path = f"cluster.ingressTolerations[{place}].value"
            yield errors.Mistake(path, "operator Exists takes no value", "remove it, or write operator: Equal")
        if toleration.operator == "Equal" and toleration.key is None:
            path = f"cluster.ingressTolerations[{place}].key"
            yield errors.Mistake(path, "it is missing", "write the taint's key, or operator: Exists for every taint")
