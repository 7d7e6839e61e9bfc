"""What is left of external-dns's records at the end: whose they are, how long to wait, what to remove."""

from __future__ import annotations

from typing import Any

import dill
import pytest

from components.dns import records

OWNER = "gitops-platform-sbx"


def mark(name: str, owner: str = OWNER) -> dict[str, Any]:
    value = f'"heritage=external-dns,external-dns/owner={owner},external-dns/resource=ingress/a/b"'
    return {"Name": name, "Type": "TXT", "ResourceRecords": [{"Value": value}]}


def record(kind: str, name: str, value: str = "192.0.2.1") -> dict[str, Any]:
    return {"Name": name, "Type": kind, "ResourceRecords": [{"Value": value}]}


SHOP = [mark("a-shop.example.org."), record("A", "shop.example.org.")]
WILD = [mark("cname-\\052.dev.example.org."), record("CNAME", "\\052.dev.example.org.", "shop.example.org")]
FOREIGN = [
    record("NS", "example.org."),
    mark("a-theirs.example.org.", f"{OWNER}2"),
    record("A", "theirs.example.org."),
    record("A", "by-hand.example.org."),
    record("MX", "shop.example.org."),
    record("TXT", "a-note.example.org.", '"written by hand"'),
    {"Name": "alias.example.org.", "Type": "A", "AliasTarget": {"DNSName": "elb.example.net."}},
]


def test_only_what_bears_this_stacks_mark_is_its_own() -> None:
    found = records.owned([*FOREIGN, *SHOP, *WILD], OWNER)
    assert sorted(each["Name"] for each in found) == sorted(each["Name"] for each in [*SHOP, *WILD])
    assert records.owned(FOREIGN, OWNER) == [], "another stack's records, and those that people wrote, stay"


class Gone(Exception):
    """The zone is not there."""


class Route53:
    """Zones by id; each listing takes one step of what external-dns does meanwhile."""

    def __init__(self, zones: dict[str, list[dict[str, Any]]]) -> None:
        self.zones, self.listings, self.exceptions = zones, 0, self
        self.NoSuchHostedZone = Gone

    def get_paginator(self, _: str) -> Route53:
        return self

    def paginate(self, HostedZoneId: str) -> list[dict[str, Any]]:
        self.listings += 1
        if HostedZoneId not in self.zones:
            raise Gone
        return [{"ResourceRecordSets": [each]} for each in self.zones[HostedZoneId]]

    def change_resource_record_sets(self, HostedZoneId: str, ChangeBatch: dict[str, Any]) -> None:
        for change in ChangeBatch["Changes"]:
            assert change["Action"] == "DELETE"
            self.zones[HostedZoneId].remove(change["ResourceRecordSet"])


@pytest.fixture
def route53(monkeypatch: pytest.MonkeyPatch) -> Route53:
    fake = Route53({"Z1": [*FOREIGN, *SHOP], "Z2": [*WILD]})
    monkeypatch.setattr(records, "_client", lambda: fake)
    monkeypatch.delenv(records.CLUSTER_LOST, raising=False)
    return fake


def test_what_is_left_is_removed_and_a_lost_zone_is_no_obstacle(route53: Route53) -> None:
    records.Sweeping().delete("", {"zoneIds": ["Z1", "gone", "Z2"], "owner": OWNER})
    assert route53.zones == {"Z1": FOREIGN, "Z2": []}


def test_the_wait_ends_when_external_dns_has_removed_the_names(
    route53: Route53, monkeypatch: pytest.MonkeyPatch
) -> None:
    def later(_: float) -> None:
        if route53.listings > 4:
            route53.zones["Z1"] = FOREIGN

    monkeypatch.setattr(records.time, "sleep", later)
    records.Draining().delete("", {"zoneIds": ["Z1"], "owner": OWNER, "hosts": ["shop.example.org"]})
    assert route53.listings == 6
    assert route53.zones["Z2"] == WILD, "names of others are not waited for"


def test_the_wait_ends_when_external_dns_does_nothing(route53: Route53, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(records.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(records.time, "sleep", lambda _: None)
    records.Draining().delete("", {"zoneIds": ["Z1"], "owner": OWNER, "hosts": ["shop.example.org"]})
    assert 10 * route53.listings <= records.PATIENCE_SECONDS + 20


def test_a_lost_cluster_is_not_waited_for(route53: Route53, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(records.CLUSTER_LOST, "true")
    records.Draining().delete("", {"zoneIds": ["Z1"], "owner": OWNER, "hosts": ["shop.example.org"]})
    assert route53.listings == 0


@pytest.mark.parametrize("provider", [records.Draining(), records.Sweeping()])
def test_the_state_names_the_code_and_does_not_hold_it(provider: records.Draining | records.Sweeping) -> None:
    pickled = dill.dumps(provider, recurse=True)
    assert len(pickled) < 150, "else each change of this module shows as a change of the environment"
    assert b"components.dns.records" in pickled
