"""Events, so that `kubectl describe` and `kubectl get events` say why something does not run."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time

from lab import kube
from lab.agent import status

QUIET_SECONDS = 60.0


class Events:
    """Writes events; the same one again within a minute is left out."""

    def __init__(self, client: kube.KubeClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._said: dict[str, float] = {}

    def say(self, pod: kube.Object, reason: str, message: str, kind: str = "Warning") -> None:
        """Write one event about a pod; what goes wrong with it is nobody's concern."""
        metadata = pod["metadata"]
        key = hashlib.sha256(f"{metadata['uid']} {reason} {message}".encode()).hexdigest()[:16]
        with self._lock:
            moment = time.monotonic()
            self._said = {each: said for each, said in self._said.items() if moment - said < QUIET_SECONDS}
            if key in self._said:
                return
            self._said[key] = moment
        at = status.now()
        event = {
            "metadata": {"generateName": f"{metadata['name'][:200]}.", "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "reason": reason,
            "message": message[:1000],
            "type": kind,
            "source": {"component": "kubelet", "host": pod["spec"].get("nodeName", "")},
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
        }
        with contextlib.suppress(kube.KubeError):
            self._client.create(f"/api/v1/namespaces/{metadata['namespace']}/events", event)
