"""Emptying the zones of a lost cluster: whose the records are, what is removed, what is said."""

from __future__ import annotations

import json
from typing import Any

import pytest
import typer.testing

from ops import __main__ as ops
from ops import clouds, stack, sweep

OWNER = "gitops-platform-sbx"
RUNNER = typer.testing.CliRunner()


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


def state(**values: Any) -> dict[str, Any]:
    chosen = {
        "provider": {"name": "aws"},
        "txtOwnerId": OWNER,
        "extraArgs": {"zone-id-filter": ["Z1", "gone", "Z2"]},
        **values,
    }
    application = {
        "type": sweep.APPLICATION,
        "urn": f"urn:pulumi:sbx::gitops-platform::{sweep.APPLICATION}::external-dns",
        "inputs": {"spec": {"source": {"helm": {"valuesObject": chosen}}}},
    }
    return {"deployment": {"resources": [application]}}


class Route53:
    """Zones by id, one record a page."""

    def __init__(self) -> None:
        self.zones = {"Z1": [*FOREIGN, *SHOP], "Z2": [*WILD]}

    def call(self, _service: str, method: str, HostedZoneId: str, **given: Any) -> Any:
        zone = self.zones.get(HostedZoneId)
        if zone is None:
            return None
        if method == "change_resource_record_sets":
            for change in given["ChangeBatch"]["Changes"]:
                assert change["Action"] == "DELETE"
                zone.remove(change["ResourceRecordSet"])
            return {}
        names = [(one["Name"], one["Type"]) for one in zone]
        at = names.index((given["StartRecordName"], given["StartRecordType"])) if given else 0
        page: dict[str, Any] = {"ResourceRecordSets": zone[at : at + 1], "IsTruncated": at + 1 < len(zone)}
        if page["IsTruncated"]:
            page |= {"NextRecordName": names[at + 1][0], "NextRecordType": names[at + 1][1]}
        return page


@pytest.fixture
def route53(monkeypatch: pytest.MonkeyPatch) -> Route53:
    fake = Route53()
    monkeypatch.setattr(clouds.Aws, "_call", lambda _self, *given, **named: fake.call(*given, **named))
    monkeypatch.setattr(stack.Stack, "export", lambda _self: state())
    return fake


def test_only_what_bears_this_stacks_mark_is_its_own() -> None:
    found = sweep.owned([*FOREIGN, *SHOP, *WILD], OWNER)
    assert sorted(each["Name"] for each in found) == sorted(each["Name"] for each in [*SHOP, *WILD])
    assert sweep.owned(FOREIGN, OWNER) == [], "another stack's records, and those that people wrote, stay"


@pytest.mark.parametrize(
    ("prefix", "name"),
    [
        ("", "a-shop.example.org."),
        ("%{record_type}-edns.", "a-edns.shop.example.org."),
        ("edns-", "edns-a-shop.example.org."),
        ("x.%{record_type}.", "x.a.shop.example.org."),
    ],
)
def test_a_record_is_found_by_the_name_that_its_mark_has_under_the_stacks_prefix(prefix: str, name: str) -> None:
    shop = [record("A", "shop.example.org."), mark(name)]
    assert sweep.owned([*FOREIGN, *shop], OWNER, prefix) == shop
    other = "%{record_type}-other."
    assert sweep.owned([*FOREIGN, *shop], OWNER, other) == [], "external-dns would leave them alone, too"
    assert sweep.find(state(txtPrefix=prefix)).prefix == prefix


def test_the_apex_and_an_alias_are_found_too() -> None:
    apex = [record("A", "example.org."), mark("a-edns.example.org.")]
    alias = [FOREIGN[-1], mark("cname-edns.alias.example.org.")]
    found = sweep.owned([*FOREIGN, *apex, alias[1]], OWNER, "%{record_type}-edns.")
    assert sorted(map(str, found)) == sorted(map(str, [*apex, *alias]))


@pytest.mark.parametrize(
    "extra",
    [
        {"zone-id-filter": ["Z1", "Z2"], "events": True},
        ["--events", "--zone-id-filter=Z1", "--zone-id-filter=Z2"],
        ["--zone-id-filter", "Z1", "--zone-id-filter=Z2"],
    ],
)
def test_the_zones_are_read_in_either_form_of_the_charts_extra_arguments(extra: Any) -> None:
    assert sweep.find(state(extraArgs=extra)) == sweep.Ours(["Z1", "Z2"], OWNER)


@pytest.mark.parametrize("extra", [{}, [], ["--events"], {"events": True}])
def test_without_a_zone_nothing_is_swept(extra: Any) -> None:
    with pytest.raises(stack.OpsError, match="no --zone-id-filter"):
        sweep.find(state(extraArgs=extra))


def test_what_is_left_is_removed_and_a_lost_zone_is_no_obstacle(route53: Route53) -> None:
    done = RUNNER.invoke(ops.app, ["sweep-records", "sbx", "--yes"])
    assert done.exit_code == 0, done.output
    assert route53.zones == {"Z1": FOREIGN, "Z2": []}
    assert "shop.example.org." in done.stdout
    assert "4 records removed" in done.stdout


def test_a_dry_run_removes_nothing_and_says_what_it_would(route53: Route53) -> None:
    done = RUNNER.invoke(ops.app, ["sweep-records", "sbx", "--dry-run", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["owner"], told["removed"]) == (OWNER, False)
    assert {"type": "A", "name": "shop.example.org."} in told["zones"]["Z1"]
    assert route53.zones["Z1"] == [*FOREIGN, *SHOP]


def test_without_anybody_to_ask_it_wants_a_word(route53: Route53) -> None:
    assert RUNNER.invoke(ops.app, ["sweep-records", "sbx"]).exit_code == 2
    assert route53.zones["Z2"] == WILD


@pytest.mark.parametrize(
    ("found", "word"),
    [
        ({"deployment": {"resources": []}}, "no external-dns"),
        (state(provider={"name": "webhook"}), "IONOS DNS"),
        (state(txtSuffix="-x"), "txtSuffix"),
    ],
    ids=["none", "IONOS", "suffix"],
)
def test_what_it_cannot_do_it_says(
    found: dict[str, Any], word: str, route53: Route53, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack.Stack, "export", lambda _self: found)
    done = RUNNER.invoke(ops.app, ["sweep-records", "sbx", "--yes"])
    assert done.exit_code == 1
    assert word in done.stderr
    assert route53.zones["Z2"] == WILD


def test_values_from_the_gitops_repository_do_not_hide_the_rest() -> None:
    given = state()
    spec = given["deployment"]["resources"][0]["inputs"]["spec"]
    spec["sources"] = [spec.pop("source"), {"ref": "values"}]
    assert sweep.find(given) == sweep.Ours(["Z1", "gone", "Z2"], OWNER)
