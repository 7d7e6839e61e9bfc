"""The emulated cloud: what each request does at once; `lab.cloud.work` does the rest afterwards."""

from __future__ import annotations

import collections.abc
import pathlib
import time
import typing

from lab.cloud import answers, compute, faults, kubernetes, lans
from lab.cloud import store as stores

Json = dict[str, typing.Any]

SECONDS = {"datacenter": 0.5, "lan": 0.5, "ipblock": 0.5, "k8s": 1.5, "nodepool": 1.0}
"""How long a creation takes at least, by kind; in the real cloud it is minutes."""
CHANGE_SECONDS = 0.5

BUSY = {"create": "DEPLOYING", "update": "UPDATING", "delete": "DESTROYING"}
"""The state of a cluster or pool while work on it is under way; datacenters, LANs and IP blocks are just BUSY."""

PARENTS = {"nodepool": "k8s", "lan": "datacenter"}
"""Kind -> kind of what it is part of."""


class Emulator:
    """Datacenters, LANs, IP blocks, clusters and node pools.

    `endpoint`: what URLs in answers begin with. `network`: the /24 (three bytes) that addresses come from.
    `kubeconfig`: the file that a cluster's kubeconfig is read from at each request. `balancing`: the addresses that
    load balancers hold now. `pace` multiplies every duration.
    """

    def __init__(
        self,
        store: stores.Store,
        endpoint: str,
        network: str,
        kubeconfig: pathlib.Path,
        balancing: collections.abc.Callable[[], set[str]] = set,
        pace: float = 1.0,
    ) -> None:
        self.store, self.endpoint, self.faults = store, endpoint, faults.Faults()
        self.ordered: collections.abc.Callable[[], None] = lambda: None
        """Called after every order of work."""
        self.stranded: list[Json] = []
        """What load balancers lost their nodes or cluster under them: `{kind, name, addresses}` of each removal."""
        self._network, self._kubeconfig, self._balancing, self._pace = network, kubeconfig, balancing, pace

    def create(self, kind: str, properties: Json, parent: str | None, fault: faults.Fault | None) -> tuple[Json, str]:
        """(the new object as answered, id of the request)."""
        with self.store.change():
            more: Json = {}
            if parent is not None:
                self.store.get(PARENTS[kind], parent)
                more["parent"] = parent
            if kind == "lan":
                more["key"] = f"{parent}/{lans.number(self.store, parent or '')}"
            new = self._new(kind, properties, parent, more.get("key", ""))
            entry = self.store.add(kind, "BUSY", new, None, **more)
            if kind == "nodepool":
                entry["nodes"] = kubernetes.machines(entry, self._pools_but(entry))
            return self._order(entry, "create", SECONDS[kind], fault)

    def change(
        self, kind: str, key: str, properties: Json, parent: str | None, fault: faults.Fault | None
    ) -> tuple[Json, str]:
        """(the object as answered, id of the request)."""
        with self.store.change():
            entry = self._entry(kind, key, parent)
            entry["properties"] = self._changed(entry, properties)
            entry["metadata"]["lastModifiedDate"] = answers.now()
            if kind == "nodepool":
                entry["nodes"] = kubernetes.machines(entry, self._pools_but(entry))
            return self._order(entry, "update", CHANGE_SECONDS, fault)

    def delete(self, kind: str, key: str, parent: str | None, fault: faults.Fault | None) -> str:
        """Order a removal; id of the request."""
        with self.store.change():
            entry = self._entry(kind, key, parent)
            if kind == "datacenter":
                compute.keep_datacenter(entry, self.store)
            elif kind == "ipblock":
                compute.keep_ipblock(entry, self.store, self._balanced())
            elif kind == "k8s":
                kubernetes.keep_cluster(entry, self.store)
            elif kind == "lan":
                lans.keep(entry, self.store)
            else:
                kubernetes.keep_pool(entry)
            if kind in ("k8s", "nodepool") and (held := self._balanced()):
                name = entry["properties"]["name"]
                self.stranded.append({"kind": kind, "name": name, "addresses": sorted(held)})
            return self._order(entry, "delete", CHANGE_SECONDS, fault)[1]

    def get(self, kind: str, key: str, parent: str | None = None) -> Json:
        """One object as answered."""
        with self.store.hold():
            return answers.element(self.endpoint, self._entry(kind, key, parent))

    def list(self, kind: str, parent: str | None, depth: int) -> Json:
        """A collection as answered."""
        with self.store.hold():
            if parent is not None:
                self.store.get(PARENTS[kind], parent)
            path = answers.PATHS[kind].format(parent=parent)
            return answers.collection(self.endpoint, path, kind, self.store.all(kind, parent), depth)

    def kubeconfig(self, key: str) -> str:
        """The cluster's kubeconfig, YAML."""
        state = self.store.get("k8s", key)["metadata"]["state"]
        if state not in ("ACTIVE", "UPDATING"):
            raise answers.ApiError(422, f"The Kubernetes cluster is {state}: it has no kubeconfig")
        try:
            return self._kubeconfig.read_text()
        except FileNotFoundError:
            raise answers.ApiError(503, "The lab's control plane is not running") from None

    def nodes(self, cluster: str, pool: str) -> list[Json]:
        """The nodes of a pool as answered."""
        with self.store.hold():
            entry = self._entry("nodepool", pool, cluster)
            busy = entry["metadata"]["state"] != "ACTIVE"
            base = f"{answers.href(self.endpoint, entry)}/nodes"
            return [
                {
                    "id": node["id"],
                    "type": "node",
                    "href": f"{base}/{node['id']}",
                    "metadata": answers.metadata("BUILDING" if busy else "READY")
                    | {"lastSoftwareUpdatedDate": entry["metadata"]["lastModifiedDate"]},
                    "properties": {
                        "name": node["name"],
                        "publicIP": node["publicIP"],
                        "privateIP": None,
                        "k8sVersion": entry["properties"]["k8sVersion"],
                    },
                }
                for node in entry["nodes"]
            ]

    def nics(self, datacenter: str, lan: str) -> list[Json]:
        """The interfaces in a LAN, as references."""
        with self.store.hold():
            base = f"{self.endpoint}{answers.ROOT}/datacenters/{datacenter}/servers"
            return [
                {"id": nic["id"], "type": nic["type"], "href": f"{base}/{nic['server']}/nics/{nic['id']}"}
                for nic in lans.nics(self._entry("lan", lan, datacenter), self.store)
            ]

    def objects(self) -> list[Json]:
        """Everything that exists, in short, for tests: `{kind, id, name, state}`."""
        with self.store.hold():
            return [
                {
                    "kind": entry["kind"],
                    "id": entry["id"],
                    "name": entry["properties"]["name"],
                    "state": entry["metadata"]["state"],
                }
                for entry in self.store.all()
            ]

    def _new(self, kind: str, properties: Json, parent: str | None, key: str) -> Json:
        if kind == "datacenter":
            return compute.new_datacenter(properties)
        if kind == "ipblock":
            used = compute.reserved(self.store) | self._balanced()
            return compute.new_ipblock(properties, self._network, used)
        if kind == "k8s":
            return kubernetes.new_cluster(properties, self.store)
        if kind == "lan":
            return lans.new(properties, int(key.rpartition("/")[2]))
        return kubernetes.new_pool(properties, self.store.get("k8s", parent or ""), self.store)

    def _changed(self, entry: Json, properties: Json) -> Json:
        kind = entry["kind"]
        if kind == "datacenter":
            return compute.changed_datacenter(entry["properties"], properties)
        if kind == "ipblock":
            return compute.changed_ipblock(entry["properties"], properties)
        if kind == "k8s":
            return kubernetes.changed_cluster(entry, properties)
        if kind == "lan":
            return lans.changed(entry, properties, self.store)
        return kubernetes.changed_pool(entry, properties, self.store.get("k8s", entry["parent"]), self.store)

    def _entry(self, kind: str, key: str, parent: str | None) -> Json:
        entry = self.store.get(kind, f"{parent}/{key}" if kind == "lan" else key)
        if parent is not None and entry.get("parent") != parent:
            raise answers.missing()
        return entry

    def _pools_but(self, entry: Json) -> list[Json]:
        return [pool for pool in self.store.all("nodepool") if pool is not entry]

    def _balanced(self) -> set[str]:
        """Addresses of load balancers; without a cluster there are none, whatever was seen last."""
        return self._balancing() if self.store.all("k8s") else set()

    def _order(self, entry: Json, work: str, seconds: float, fault: faults.Fault | None) -> tuple[Json, str]:
        if fault and fault.seconds is not None:
            seconds = fault.seconds
        else:
            seconds *= self._pace
        entry["work"], entry["since"] = work, time.time()
        entry["due"], entry["end"] = time.time() + seconds, fault.state if fault else None
        managed = entry["kind"] in ("k8s", "nodepool")
        entry["metadata"]["state"] = BUSY[work] if managed else "BUSY"
        answer = answers.element(self.endpoint, entry)
        request = self.store.add_request(entry["id"])
        self.ordered()
        return answer, request
