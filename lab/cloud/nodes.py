"""Node objects for the emulated node pools, in the lab's API server.

The node agent keeps them alive (it heartbeats every Node labelled LAB_LABEL) and runs the pods bound to them.
"""

from __future__ import annotations

import concurrent.futures
import time
import typing
import urllib.parse

from lab import kube, layout

Json = dict[str, typing.Any]

LAB_LABEL = "lab.gitops-platform/node"
POOL_LABEL = "enterprise.cloud.ionos.com/nodepool-id"
PODS_PER_NODE = 110


class Registry:
    """Brings the cluster's Node objects in line with node pools."""

    def __init__(self, lab: layout.Lab, client: kube.KubeClient) -> None:
        self._lab, self._client = lab, client

    def bring(self, pool: Json, location: str) -> None:
        """Every node of the pool exists, is Ready and has its labels and taints; others of the pool are gone."""
        wanted = {node["name"]: node for node in pool["nodes"]}
        existing = {node["metadata"]["name"]: node for node in self._registered(pool["id"])}
        for name in existing.keys() - wanted.keys():
            self._drop(name)
        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            list(
                threads.map(
                    lambda node: self._ensure(pool, node, location, existing.get(node["name"])), wanted.values()
                )
            )

    def remove(self, pool_id: str) -> None:
        """The pool's nodes are gone, and the pods on them."""
        for node in self._registered(pool_id):
            self._drop(node["metadata"]["name"])

    def _registered(self, pool_id: str) -> list[Json]:
        return self._client.list("/api/v1/nodes", labelSelector=f"{POOL_LABEL}={pool_id}")

    def _ensure(self, pool: Json, node: Json, location: str, existing: Json | None) -> None:
        path = f"/api/v1/nodes/{node['name']}"
        wanted = manifest(pool, node, location)
        if existing is None:
            existing = self._client.create("/api/v1/nodes", wanted)
        else:
            # Taints of other origin (not-ready, unreachable) stay; a merge patch would write the list whole.
            others = [t for t in existing["spec"].get("taints", []) if t["key"].startswith("node.kubernetes.io/")]
            changed = {
                "metadata": {
                    "labels": _replaced(existing["metadata"].get("labels", {}), wanted["metadata"]["labels"]),
                    "annotations": wanted["metadata"]["annotations"],
                },
                "spec": {"taints": [*others, *wanted["spec"]["taints"]]},
            }
            self._client.patch(path, changed)
        self._client.patch(f"{path}/status", {"status": status(self._lab, pool, node)})

    def _drop(self, name: str) -> None:
        path = f"/api/v1/nodes/{name}"
        if self._client.find(path) is None:
            return
        self._client.patch(path, {"spec": {"unschedulable": True}})
        for pod in self._client.list("/api/v1/pods", fieldSelector=f"spec.nodeName={name}"):
            meta = pod["metadata"]
            pod_path = f"/api/v1/namespaces/{meta['namespace']}/pods/{urllib.parse.quote(meta['name'])}"
            self._client.delete(pod_path, gracePeriodSeconds="0")
        self._client.delete(path)
        self._client.delete(f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}")


def manifest(pool: Json, node: Json, location: str) -> Json:
    """The Node object without its status."""
    properties = pool["properties"]
    labels = {
        **properties["labels"],
        LAB_LABEL: "true",
        POOL_LABEL: pool["id"],
        "enterprise.cloud.ionos.com/datacenter-id": properties["datacenterId"],
        "enterprise.cloud.ionos.com/node-id": node["id"],
        "kubernetes.io/hostname": node["name"],
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": f"{properties['coresCount']}-core-{properties['ramSize']}-mb",
        "topology.kubernetes.io/region": location.replace("/", "-"),
        "topology.kubernetes.io/zone": properties["availabilityZone"],
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": node["name"], "labels": labels, "annotations": dict(properties["annotations"])},
        "spec": {"providerID": f"ionos://{node['id']}", "taints": [dict(taint) for taint in properties["taints"]]},
    }


def status(lab: layout.Lab, pool: Json, node: Json) -> Json:
    """A Ready node's status; its InternalIP and kubelet port are the node agent's."""
    properties, moment = pool["properties"], time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    capacity = {
        "cpu": str(properties["coresCount"]),
        "memory": f"{properties['ramSize']}Mi",
        "ephemeral-storage": f"{properties['storageSize']}Gi",
        "pods": str(PODS_PER_NODE),
    }
    addresses = [
        {"type": "InternalIP", "address": lab.address},
        {"type": "Hostname", "address": node["name"]},
    ]
    if node["publicIP"]:
        addresses.append({"type": "ExternalIP", "address": node["publicIP"]})
    conditions = [
        {
            "type": kind,
            "status": value,
            "reason": reason,
            "message": "",
            "lastHeartbeatTime": moment,
            "lastTransitionTime": moment,
        }
        for kind, value, reason in (
            ("Ready", "True", "KubeletReady"),
            ("MemoryPressure", "False", "KubeletHasSufficientMemory"),
            ("DiskPressure", "False", "KubeletHasNoDiskPressure"),
            ("PIDPressure", "False", "KubeletHasSufficientPID"),
        )
    ]
    return {
        "capacity": capacity,
        "allocatable": capacity,
        "addresses": addresses,
        "conditions": conditions,
        "daemonEndpoints": {"kubeletEndpoint": {"Port": lab.ports["kubelet"]}},
        "nodeInfo": {
            "kubeletVersion": f"v{properties['k8sVersion']}",
            "kubeProxyVersion": "",
            "operatingSystem": "linux",
            "architecture": "amd64",
            "osImage": "lab",
            "kernelVersion": "lab",
            "containerRuntimeVersion": "lab://1",
            "machineID": node["id"].replace("-", ""),
            "systemUUID": node["id"],
            "bootID": node["id"],
        },
    }


def _replaced(old: Json, new: Json) -> Json:
    """A merge patch that leads from `old` labels to `new` ones."""
    return dict.fromkeys(old.keys() - new.keys()) | new
