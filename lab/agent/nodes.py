"""The lab's nodes: the emulated cloud makes the Node objects, the agent keeps them alive as a kubelet does."""

from __future__ import annotations

import collections.abc
import datetime
import platform
import threading
import traceback

from lab import kube, layout
from lab.agent import status

LABEL = "lab.gitops-platform/node"
BEAT_SECONDS = 10.0
STATUS_SECONDS = 60.0
VERSION = "v1.34.3"

_READY = (
    ("Ready", "True", "KubeletReady", "the lab's node agent is ready"),
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "there is enough memory"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "there is enough disk"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "there are enough process ids"),
)


def patch(node: kube.Object, lab: layout.Lab) -> kube.Object:
    """The status of a node that runs here; conditions that stay as they were keep their time."""
    before = {each["type"]: each for each in node.get("status", {}).get("conditions", ())}
    now = status.now()
    conditions = [
        {
            "type": kind,
            "status": value,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": now,
            "lastTransitionTime": (
                before[kind]["lastTransitionTime"]
                if kind in before and before[kind]["status"] == value and before[kind].get("lastTransitionTime")
                else now
            ),
        }
        for kind, value, reason, message in _READY
    ]
    return {
        "status": {
            "conditions": conditions,
            "addresses": [
                {"type": "InternalIP", "address": lab.address},
                {"type": "Hostname", "address": node["metadata"]["name"]},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": lab.ports["kubelet"]}},
            "nodeInfo": {
                "kubeletVersion": VERSION,
                "containerRuntimeVersion": "lab://1",
                "osImage": "lab",
                "operatingSystem": "linux",
                "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
                "kernelVersion": platform.release(),
                "kubeProxyVersion": "",
                "machineID": node["metadata"]["uid"],
                "systemUUID": node["metadata"]["uid"],
                "bootID": node["metadata"]["uid"],
            },
        }
    }


class Heart(threading.Thread):
    """Renews each node's lease, and its status once a minute; `beat` does so at once."""

    def __init__(
        self, lab: layout.Lab, client: kube.KubeClient, see: collections.abc.Callable[[], list[kube.Object]]
    ) -> None:
        """`see` gives the lab's Node objects."""
        super().__init__(name="heart", daemon=True)
        self._lab = lab
        self._client = client
        self._see = see
        self._wake = threading.Event()
        self._told: dict[str, datetime.datetime] = {}

    def beat(self) -> None:
        """A node came, or came back."""
        self._wake.set()

    def run(self) -> None:
        """For ever."""
        while True:
            for node in self._see():
                try:
                    self._keep(node)
                except kube.KubeError:
                    continue
                except Exception:
                    traceback.print_exc()
            self._wake.wait(BEAT_SECONDS)
            self._wake.clear()

    def _keep(self, node: kube.Object) -> None:
        name, uid = node["metadata"]["name"], node["metadata"]["uid"]
        moment = datetime.datetime.now(datetime.UTC)
        told = self._told.get(uid)
        if told is None or (moment - told).total_seconds() >= STATUS_SECONDS:
            self._client.patch(f"/api/v1/nodes/{name}/status", patch(node, self._lab), "strategic")
            self._told[uid] = moment
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": name,
                "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}],
            },
            "spec": {
                "holderIdentity": name,
                "leaseDurationSeconds": 40,
                "renewTime": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            },
        }
        path = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}"
        self._client.patch(path, lease, "apply", fieldManager="lab-node-agent", force="true")
