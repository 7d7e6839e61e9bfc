"""What was in the clouds before: zones at Route53, as a preview and an `up` of the real engine find them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import engine as engines
import pytest

pytestmark = pytest.mark.timeout(600)
DOMAIN = "lab.example.org"
TARGETS = ["--target", "**platform:dns:Route53**", "--target", "**platform:cluster:IonosCluster**"]
"""The zone, and what the engine asks to be there for the cluster's provider; no add-on is waited for."""


@pytest.fixture(autouse=True)
def _nothing_left(engine: engines.Engine) -> Iterator[None]:
    yield
    zones = engine.aws("route53").list_hosted_zones()["HostedZones"]
    assert not zones, "each test removes what it made"


@contextlib.contextmanager
def zone(engine: engines.Engine, caller: str = "before", **more: Any) -> Iterator[str]:
    """Id of a zone of the stack's domain, made by hand."""
    route53 = engine.aws("route53")
    made = route53.create_hosted_zone(Name=DOMAIN, CallerReference=caller, **more)["HostedZone"]["Id"]
    try:
        yield made.rpartition("/")[2]
    finally:
        route53.delete_hosted_zone(Id=made)


def private(engine: engines.Engine) -> contextlib.AbstractContextManager[str]:
    vpc = {"VPCRegion": "eu-central-1", "VPCId": "vpc-0123456789abcdef0"}
    return zone(engine, "private", VPC=vpc, HostedZoneConfig={"PrivateZone": True, "Comment": ""})


def given(engine: engines.Engine, zone_id: str) -> contextlib.AbstractContextManager[None]:
    domains = [{"name": DOMAIN, "zoneId": zone_id}]
    return engine.changed_config(lambda config: config["gitops-platform:dns"].update(domains=domains))


def refused(engine: engines.Engine, zone_id: str) -> str:
    """The one error of a preview with this zone's id, without line breaks."""
    with given(engine, zone_id):
        run = engine.pulumi("preview")
    assert run.code != 0, run.text
    assert "Traceback" not in run.text, run.text
    return " ".join(run.text.split())


def previewed(engine: engines.Engine, **env: str) -> str:
    run = engine.pulumi("preview", **env)
    assert run.code == 0, run.text
    return " ".join(run.text.split())


def test_a_zone_id_that_cannot_serve_the_domain_is_refused_at_preview(engine: engines.Engine) -> None:
    with private(engine) as hidden:
        assert f"zone {hidden} is private: nobody outside of its VPCs sees its records" in refused(engine, hidden)
    elsewhere = refused(engine, "Z0123456789ABCDEFGHIJ")
    account = engine.aws("sts").get_caller_identity()["Account"]
    assert f"AWS account {account} has no zone Z0123456789ABCDEFGHIJ" in elsewhere
    assert "AWS_PROFILE" in elsewhere


def test_a_zone_of_the_same_name_is_named_with_both_choices(engine: engines.Engine) -> None:
    with zone(engine) as other:
        said = previewed(engine)
        assert f"Route53 has a public zone for {DOMAIN} already ({other}, 2 records)" in said
        assert f"write {{name: {DOMAIN}, zoneId: {other}}}; if nothing needs it, delete it" in said
        with given(engine, other):
            assert "already" not in previewed(engine), "the first choice ends it"
    with private(engine):
        assert "already" not in previewed(engine), "a private zone is in nobody's way, and the second choice ends it"


def test_without_the_rights_to_look_a_preview_says_so_and_goes_on(engine: engines.Engine) -> None:
    iam = engine.aws("iam")
    iam.create_user(UserName="narrow")
    key = iam.create_access_key(UserName="narrow")["AccessKey"]
    try:
        said = previewed(engine, AWS_ACCESS_KEY_ID=key["AccessKeyId"], AWS_SECRET_ACCESS_KEY=key["SecretAccessKey"])
        assert f"whether Route53 has a zone for {DOMAIN} already is not known: " in said
        assert "not authorized to perform: route53:ListHostedZones" in said
        assert "→ allow route53:ListHostedZones," in said
    finally:
        iam.delete_access_key(UserName="narrow", AccessKeyId=key["AccessKeyId"])
        iam.delete_user(UserName="narrow")


def test_the_stacks_own_zone_is_not_warned_of_until_there_is_a_second_one(engine: engines.Engine) -> None:
    made = engine.pulumi("up --yes --skip-preview", *TARGETS)
    try:
        assert made.code == 0, made.text
        assert "public zone" not in made.text, "nor while it is being made"
        own = engine.aws("route53").list_hosted_zones()["HostedZones"][0]["Id"].rpartition("/")[2]
        assert "public zone" not in previewed(engine)
        with zone(engine):
            assert f"Route53 has several public zones for {DOMAIN}" in previewed(engine)
        with given(engine, own):
            said = previewed(engine)
        assert f"zone {own} was made by gitops-platform for environment lab" in said
        assert "`up` now deletes it with every record" in said
    finally:
        destroyed = engine.pulumi("destroy --yes --skip-preview")
    assert destroyed.code == 0, destroyed.text


def test_zones_found_say_nothing_in_json(engine: engines.Engine) -> None:
    """A preview report reads it: warnings are diagnostics, not noise before the JSON."""
    with zone(engine):
        run = engine.pulumi("preview --json")
    assert run.code == 0, run.text
    said = [one["message"] for one in json.loads(run.out).get("diagnostics", []) if one["severity"] == "warning"]
    assert any("already" in message for message in said)
