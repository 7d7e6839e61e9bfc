"""What a pod reads from the API server: Secrets, ConfigMaps, tokens of its service account."""

from __future__ import annotations

import base64
import time

from lab import kube
from lab.agent import environment

RENEW_AFTER = 0.8
"""The part of a token's life after which it is exchanged."""


class Sources:
    """One pod's view; errors of the API server come through as kube.KubeError."""

    def __init__(self, client: kube.KubeClient, pod: kube.Object) -> None:
        self._client = client
        self._metadata = pod["metadata"]
        self._namespace = f"/api/v1/namespaces/{pod['metadata']['namespace']}"
        self._account = pod["spec"].get("serviceAccountName", "default")
        self._tokens: dict[str, tuple[bytes, float]] = {}

    def lookup(self, kind: str, name: str) -> environment.Data | None:
        """The data of a Secret or ConfigMap of the pod's namespace, None when it is not there."""
        found = self._client.find(f"{self._namespace}/{kind.lower()}s/{name}")
        if found is None:
            return None
        data = found.get("data") or {}
        if kind == "Secret":
            return {key: base64.b64decode(value) for key, value in data.items()}
        binary = {key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()}
        return {key: value.encode() for key, value in data.items()} | binary

    def token(self, asked: kube.Object) -> bytes:
        """A token as a volume's `serviceAccountToken` source asks for, bound to the pod; a fresh one in time."""
        key = f"{asked.get('audience')} {asked.get('expirationSeconds')}"
        token, until = self._tokens.get(key, (b"", 0.0))
        if time.time() < until:
            return token
        seconds = int(asked.get("expirationSeconds", 3600))
        bound = {"apiVersion": "v1", "kind": "Pod", "name": self._metadata["name"], "uid": self._metadata["uid"]}
        spec: kube.Object = {"expirationSeconds": seconds, "boundObjectRef": bound}
        if asked.get("audience"):
            spec["audiences"] = [asked["audience"]]
        answer = self._client.create(f"{self._namespace}/serviceaccounts/{self._account}/token", {"spec": spec})
        self._tokens[key] = answer["status"]["token"].encode(), time.time() + seconds * RENEW_AFTER
        return self._tokens[key][0]
