"""How long the kubernetes plugin's stand-in looks for what an Ingress leads to, as the real plugin does."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from lab.plugins.kubernetes import ingress, readiness

ADDRESS = {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}}


def an_ingress(status: dict[str, Any] | None = None, service: str = "web") -> dict[str, Any]:
    paths = [
        {"path": "/", "backend": {"service": {"name": service}}},
        {"path": "/r", "backend": {"resource": {"kind": "Bucket", "name": "b"}}},
    ]
    rules = [{"host": "example.com", "http": {"paths": paths}}, {"host": "without-paths.example.com"}]
    spec = {"defaultBackend": {"service": {"name": "nobody"}}, "rules": rules}
    return {"metadata": {"name": "i"}, "spec": spec, "status": ADDRESS if status is None else status}


@dataclasses.dataclass
class Namespace:
    """What there is beside the Ingress, and the time in seconds."""

    now: float = 0
    objects: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    def put(self, kind: str, name: str, version: int = 1, **spec: Any) -> None:
        self.objects[f"{kind}/{name}"] = {
            "metadata": {"name": name, "resourceVersion": str(version)},
            "spec": spec,
        }

    def related(self, kind: str, name: str) -> list[dict[str, Any]]:
        assert name == readiness.ALL
        return [obj for key, obj in self.objects.items() if key.startswith(f"{kind}/")]

    def ready_after(self, rule: ingress.Waiting, obj: dict[str, Any], limit: int = 100) -> float:
        """Seconds until it is ready, asked twice a second from now on."""
        began = self.now
        while not rule(obj, self.related).ready:
            self.now += 0.5
            assert self.now - began <= limit, "not ready in time"
        return self.now - began


@pytest.fixture
def namespace() -> Namespace:
    return Namespace()


@pytest.fixture
def rule(namespace: Namespace) -> ingress.Waiting:
    return ingress.Waiting(clock=lambda: namespace.now)


def test_endpoints_of_the_services_name_will_do_without_any_address(
    namespace: Namespace, rule: ingress.Waiting
) -> None:
    namespace.put("Endpoints", "web")
    assert namespace.ready_after(rule, an_ingress()) == 0


def test_a_service_outside_of_the_cluster_has_none_and_needs_none(namespace: Namespace, rule: ingress.Waiting) -> None:
    namespace.put("Service", "web", type="ExternalName")
    assert namespace.ready_after(rule, an_ingress()) == 0


def test_endpoint_slices_are_not_looked_at_and_without_endpoints_it_takes_a_minute(
    namespace: Namespace, rule: ingress.Waiting
) -> None:
    namespace.put("Service", "web", type="ClusterIP")
    namespace.put("EndpointSlice", "web-abcde")
    assert namespace.ready_after(rule, an_ingress()) == 60


def test_beside_other_endpoints_it_takes_ten_seconds(namespace: Namespace, rule: ingress.Waiting) -> None:
    namespace.put("Endpoints", "other")
    assert namespace.ready_after(rule, an_ingress()) == 10


def test_endpoints_that_change_meanwhile_do_not_begin_the_ten_seconds_again(
    namespace: Namespace, rule: ingress.Waiting
) -> None:
    namespace.put("Endpoints", "other")
    while namespace.now < 9:
        assert not rule(an_ingress(), namespace.related).ready
        namespace.now += 0.5
    assert not rule(an_ingress(), namespace.related).ready
    namespace.put("Endpoints", "other", version=2)
    assert not rule(an_ingress(), namespace.related).ready
    assert namespace.ready_after(rule, an_ingress()) == 1, "the first ones' timer counts all the same"


def test_then_it_says_which_path_leads_nowhere_and_what_is_missing(namespace: Namespace, rule: ingress.Waiting) -> None:
    verdict = rule(an_ingress(status={}), namespace.related)
    assert len(verdict.errors) == 2
    assert "unavailable target endpoint" in verdict.errors[0]
    assert "hostname/IP address" in verdict.errors[1]
    namespace.now = 60
    verdict = rule(an_ingress(status={}), namespace.related)
    assert verdict.message == 'No matching service found for ingress rule: "example.com/" -> "web"'
    assert len(verdict.errors) == 1, "what it leads to is not waited for any longer, its address is"


def test_a_refresh_asks_for_an_address_only() -> None:
    rule, _ = readiness.AWAITED[readiness.INGRESS]
    assert rule(an_ingress(), lambda _kind, _name: []).ready
    assert not rule(an_ingress(status={}), lambda _kind, _name: []).ready
