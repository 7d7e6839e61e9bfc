"""The cloud's controller for Services of type LoadBalancer: it gives them addresses.

As in the real cloud an address is a secondary one of a node: it is the Service's `loadBalancerIP` if a reserved IP
block has it, else a dynamic one; with the annotation `cloud.ionos.com/node-selector` a matching node must exist.
"""

from __future__ import annotations

import collections.abc
import logging
import threading
import time
import typing

from lab import kube
from lab.cloud import compute
from lab.cloud import store as stores

Json = dict[str, typing.Any]

LOG = logging.getLogger("lab.cloud")
SELECTOR = "cloud.ionos.com/node-selector"
RETRY_SECONDS = 2.0


class Waiting(Exception):
    """Why a Service has no address yet."""


class Controller:
    """Watches Services and writes their `status.loadBalancer`."""

    def __init__(self, client: kube.KubeClient, store: stores.Store, network: str) -> None:
        self._client, self._store, self._network = client, store, network
        self._services: dict[str, Json] = {}
        self._told: dict[str, str] = {}
        self._lock = threading.Lock()
        self._changed, self._stop = threading.Event(), threading.Event()

    def start(self) -> None:
        """Watch and act in two threads of their own."""
        threading.Thread(target=self._watch, name="services", daemon=True).start()
        threading.Thread(target=self._run, name="balancers", daemon=True).start()

    def stop(self) -> None:
        """End both threads soon."""
        self._stop.set()
        self._changed.set()

    def addresses(self) -> set[str]:
        """Addresses that Services hold or ask for now."""
        with self._lock:
            services = [service for service in self._services.values() if _is_balancer(service)]
        return {address for service in services for address in (_current(service), _wanted(service)) if address}

    def reconcile(self) -> bool:
        """Bring every Service in line; False when one is still waiting."""
        with self._lock:
            services = sorted(self._services.values(), key=lambda service: service["metadata"]["creationTimestamp"])
        given = {address: service["metadata"]["uid"] for service in services if (address := _current(service))}
        done = True
        for service in services:
            uid, current = service["metadata"]["uid"], _current(service)
            try:
                address = self._choose(service, {ip for ip, owner in given.items() if owner != uid})
                if address != current:
                    self._write(service, address)
                    given.pop(current or "", None)
                    given[address or ""] = uid
                self._told.pop(uid, None)
            except Waiting as reason:
                done = False
                self._tell(service, str(reason))
            except kube.KubeError as error:
                done = done and error.status == 404
                LOG.info("service %s: %s", service["metadata"]["name"], error)
        return done

    def _choose(self, service: Json, others: collections.abc.Set[str]) -> str | None:
        if not _is_balancer(service):
            return None
        selector = service["metadata"].get("annotations", {}).get(SELECTOR, "")
        if not self._client.list("/api/v1/nodes", **({"labelSelector": selector} if selector else {})):
            raise Waiting(f"no node matches {selector!r}" if selector else "the cluster has no nodes")
        reserved, wanted, current = compute.reserved(self._store), _wanted(service), _current(service)
        if wanted:
            if wanted not in reserved:
                raise Waiting(f"loadBalancerIP {wanted} is in no reserved IP block")
            if wanted in others:
                raise Waiting(f"loadBalancerIP {wanted} is in use by another Service")
            return wanted
        if current and current not in reserved:
            return current
        for byte in range(254, compute.LAST_RESERVED, -1):
            if (address := f"{self._network}.{byte}") not in others:
                return address
        raise Waiting("no dynamic address is left")

    def _write(self, service: Json, address: str | None) -> None:
        status = {"status": {"loadBalancer": {"ingress": [{"ip": address}] if address else None}}}
        new = self._client.patch(f"{_path(service)}/status", status)
        with self._lock:
            if service["metadata"]["uid"] in self._services:
                self._services[service["metadata"]["uid"]] = new
        LOG.info("service %s: address %s", service["metadata"]["name"], address)

    def _tell(self, service: Json, reason: str) -> None:
        meta = service["metadata"]
        if self._told.get(meta["uid"]) == reason:
            return
        self._told[meta["uid"]] = reason
        LOG.info("service %s waits: %s", meta["name"], reason)
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{meta['name'][:50]}.", "namespace": meta["namespace"]},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Service",
                "name": meta["name"],
                "namespace": meta["namespace"],
                "uid": meta["uid"],
            },
            "type": "Warning",
            "reason": "SyncLoadBalancerFailed",
            "message": reason,
            "source": {"component": "cloud-controller"},
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
        }
        try:
            self._client.create(f"/api/v1/namespaces/{meta['namespace']}/events", event)
        except kube.KubeError as error:
            LOG.info("event not written: %s", error)

    def _watch(self) -> None:
        for kind, service in self._client.watch("/api/v1/services", self._stop):
            uid = service["metadata"]["uid"]
            with self._lock:
                if kind == "DELETED" or not (_is_balancer(service) or _current(service)):
                    self._services.pop(uid, None)
                else:
                    self._services[uid] = service
            self._changed.set()

    def _run(self) -> None:
        done = True
        while not self._stop.is_set():
            self._changed.wait(None if done else RETRY_SECONDS)
            self._changed.clear()
            try:
                done = self.reconcile()
            except Exception:
                LOG.exception("load balancers")
                done = False


def _is_balancer(service: Json) -> bool:
    return service["spec"].get("type") == "LoadBalancer" and not service["metadata"].get("deletionTimestamp")


def _wanted(service: Json) -> str:
    return service["spec"].get("loadBalancerIP") or ""


def _current(service: Json) -> str | None:
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
    return ingress[0].get("ip")


def _path(service: Json) -> str:
    meta = service["metadata"]
    return f"/api/v1/namespaces/{meta['namespace']}/services/{meta['name']}"
