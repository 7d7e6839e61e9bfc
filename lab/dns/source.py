"""What the DNS server knows: asked for when a question comes, and remembered for a moment."""

from __future__ import annotations

import json
import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from lab import kube, layout
from lab.dns import zones

LOG = logging.getLogger("lab.dns")
FRESH_SECONDS = 0.3
"""How old an answer may be: a controller looks for its record right after having written it."""
ASK_SECONDS = 2.0
SERVICE_SECONDS = 5
CLUSTER_DOMAIN = "cluster.local"

_Value = TypeVar("_Value")


class Remembered(Generic[_Value]):
    """A value that is fetched again when it is older than FRESH_SECONDS; the old one stays when that fails."""

    def __init__(self, fetch: Callable[[], _Value], first: _Value) -> None:
        self._fetch, self._value = fetch, first
        self._lock = threading.Lock()
        self._asked = float("-inf")

    def get(self) -> _Value:
        """The value of now, or the last one there was."""
        with self._lock:
            if time.monotonic() - self._asked > FRESH_SECONDS:
                try:
                    self._value = self._fetch()
                except (OSError, ValueError, KeyError, TypeError) as error:
                    LOG.warning("answering from what was known before: %s", error)
                self._asked = time.monotonic()
            return self._value


class Source:
    """Zones of the lab's AWS and IONOS DNS, and addresses of the cluster's Services."""

    def __init__(self, lab: layout.Lab) -> None:
        self._lab = lab
        self._versions: list[int] = []
        self._parsed = zones.Zones()
        self._zones = Remembered(self._fetch_zones, self._parsed)
        self._services: dict[str, tuple[float, list[str] | None]] = {}

    def zones(self) -> zones.Zones:
        """The hosted zones."""
        return self._zones.get()

    def service(self, name: str) -> list[str] | None:
        """Addresses of `<service>.<namespace>.svc.cluster.local`; None when there is no such Service."""
        now = time.monotonic()
        at, known = self._services.get(name, (float("-inf"), None))
        if now - at < FRESH_SECONDS:
            return known
        try:
            found = self._ask_service(name)
        except kube.KubeError as error:
            LOG.warning("%s: %s", name, error)
            found = None
        # Names are anybody's to ask for: what is remembered must not grow with them.
        if len(self._services) > 1000:
            self._services.clear()
        self._services[name] = now, found
        return found

    def _fetch_zones(self) -> zones.Zones:
        # Of two zones with one name the later answers: Route53's.
        hosts = [
            _ask(f"{self._lab.endpoint('ionos')}/lab/dns/zones"),
            _ask(f"{self._lab.endpoint('aws')}/lab/aws/zones"),
        ]
        versions = [each["version"] for each in hosts]
        if versions != self._versions:
            self._parsed = zones.Zones([zone for each in hosts for zone in each["zones"]], self._lab.address)
            self._versions = versions
        return self._parsed

    def _ask_service(self, name: str) -> list[str] | None:
        service, _, namespace = name.removesuffix(f".svc.{CLUSTER_DOMAIN}").partition(".")
        if not namespace or "." in namespace or not self._lab.kubeconfig.exists():
            return None
        if (service, namespace) == ("kubernetes", "default"):
            return [self._lab.address]
        client = kube.KubeClient(self._lab.kubeconfig)
        found = client.find(f"/api/v1/namespaces/{namespace}/services/{service}")
        if found is None or found["spec"].get("type") == "ExternalName":
            return None
        slices = client.list(
            f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
            labelSelector=f"kubernetes.io/service-name={service}",
        )
        ready = [
            address
            for each in slices
            for endpoint in each.get("endpoints") or ()
            if endpoint.get("conditions", {}).get("ready")
            for address in endpoint["addresses"]
        ]
        if not ready and found["spec"].get("clusterIP") != "None":
            return [self._lab.nowhere]
        return sorted(set(ready))


def _ask(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=ASK_SECONDS) as answer:  # noqa: S310
        return json.load(answer)
