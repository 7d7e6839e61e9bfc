"""DNS: narrow policies, one user per controller, keys that go nowhere but into the cluster."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest

from components.dns import credentials, policies, route53
from tests import recording

ZONES = ["Z111", "/hostedzone/Z222"]


def actions(policy: dict) -> dict[str, list[str]]:
    """Action -> resources of a policy without denials."""
    granted: dict[str, list[str]] = {}
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        for action in statement["Action"]:
            granted[action] = statement["Resource"]
    return granted


def test_external_dns_writes_only_to_the_named_zones() -> None:
    granted = actions(policies.external_dns(ZONES))
    both = ["arn:aws:route53:::hostedzone/Z111", "arn:aws:route53:::hostedzone/Z222"]
    assert granted == {
        "route53:ChangeResourceRecordSets": both,
        "route53:ListResourceRecordSets": both,
        "route53:ListHostedZones": ["*"],
    }, "ListHostedZones is called even with a zone id filter and knows no resource"


def test_cert_manager_writes_only_challenge_records() -> None:
    policy = policies.cert_manager(["Z111"])
    granted = actions(policy)
    assert set(granted) == {
        "route53:GetChange", "route53:ListResourceRecordSets", "route53:ChangeResourceRecordSets",
    }, "the zone id is given, so it needs no ListHostedZonesByName"  # fmt: skip
    assert granted["route53:GetChange"] == ["arn:aws:route53:::change/*"]
    write = next(s for s in policy["Statement"] if "route53:ChangeResourceRecordSets" in s["Action"])
    assert write["Resource"] == ["arn:aws:route53:::hostedzone/Z111"]
    assert write["Condition"] == {
        "ForAllValues:StringEquals": {"route53:ChangeResourceRecordSetsRecordTypes": ["TXT"]},
        "ForAllValues:StringLike": {"route53:ChangeResourceRecordSetsNormalizedRecordNames": ["_acme-challenge.*"]},
    }, "a leaked key must not be able to redirect traffic"


def test_a_policy_without_zones_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        policies.external_dns([])


def made(
    *domains: route53.Domain, protect: bool = False, zones: dict[str, Any] | None = None, preview: bool = False
) -> recording.Recording:
    def program() -> None:
        part = route53.Route53("dns", route53.Route53Args("test", domains, protect=protect))
        pulumi.export("secret", part.keys["external-dns"].secret)
        pulumi.export("ids", [zone.id for zone in part.zones])

    return recording.run(program, zones=zones, preview=preview)


def test_each_controller_gets_a_user_a_policy_and_a_key_of_its_own() -> None:
    run = made(route53.Domain("example.org"))
    users = {user.name: user.inputs["name"] for user in run.of_type("aws:iam/user:User")}
    assert users == {"external-dns": "external-dns-test", "cert-manager": "cert-manager-test"}
    for controller in users:
        policy = run.one("aws:iam/userPolicy:UserPolicy", controller)
        assert policy.inputs["user"] == users[controller]
        key = run.one("aws:iam/accessKey:AccessKey", controller)
        assert policy.urn in key.dependencies, "no controller starts with a key that may do nothing yet"
    assert "secret" in run.secret_outputs


def test_policies_name_every_zone_and_no_other() -> None:
    run = made(route53.Domain("example.org"), route53.Domain("example.com", "ZGIVEN"), zones={"ZGIVEN": "example.com"})
    document = json.loads(run.one("aws:iam/userPolicy:UserPolicy", "external-dns").inputs["policy"])
    named = actions(document)["route53:ChangeResourceRecordSets"]
    assert named == [f"arn:aws:route53:::hostedzone/{zone}" for zone in run.outputs["ids"]]
    assert run.outputs["ids"][1] == "ZGIVEN"


def test_a_zone_given_by_id_is_not_created() -> None:
    run = made(route53.Domain("example.com", "ZGIVEN"), zones={"ZGIVEN": "example.com."})
    assert run.of_type("aws:route53/zone:Zone") == []


def test_a_zone_id_of_another_domain_is_refused() -> None:
    with pytest.raises(Exception, match=r"zone ZGIVEN is for other\.org, not for example\.com"):
        made(route53.Domain("example.com", "ZGIVEN"), zones={"ZGIVEN": "other.org"})


def test_a_private_zones_id_is_refused() -> None:
    zones = {"ZGIVEN": {"name": "example.com.", "privateZone": True}}
    with pytest.raises(pulumi.RunError, match=r"zone ZGIVEN is private.* leave zoneId out to have one created"):
        made(route53.Domain("example.com", "ZGIVEN"), zones=zones)


def test_an_id_that_this_account_does_not_have_is_refused_with_the_accounts_number() -> None:
    with pytest.raises(pulumi.RunError, match=r"AWS account 123456789012 has no zone ZGIVEN .*AWS_PROFILE"):
        made(route53.Domain("example.com", "ZGIVEN"))


def test_a_zone_that_may_not_be_read_is_refused_with_what_aws_said() -> None:
    zones = {"ZGIVEN": {"name": "example.com", "error": "1 error occurred:\n\t* reading: api error AccessDenied: no\n"}}
    with pytest.raises(
        pulumi.RunError, match=r"zone ZGIVEN cannot be read: reading: api error AccessDenied: no \(\) → allow"
    ):
        made(route53.Domain("example.com", "ZGIVEN"), zones=zones)


def test_a_zone_that_this_environment_made_is_not_given_by_id_without_a_warning() -> None:
    tags = {"managed-by": "gitops-platform", "environment": "test"}
    zones = {"ZGIVEN": {"name": "example.com", "tags": tags}}
    (warning,) = made(route53.Domain("example.com", "ZGIVEN"), zones=zones).warnings
    assert "`up` now deletes it with every record" in warning
    zones["ZGIVEN"]["tags"] = {**tags, "environment": "other"}
    assert made(route53.Domain("example.com", "ZGIVEN"), zones=zones).warnings == []


@pytest.mark.parametrize("preview", [True, False], ids=["preview", "up"])
def test_a_zone_of_the_same_name_is_named_with_both_choices(preview: bool) -> None:
    zones = {"ZOTHER": {"name": "example.org", "resourceRecordSetCount": 17}, "ZELSE": "example.com"}
    (warning,) = made(route53.Domain("example.org"), zones=zones, preview=preview).warnings
    assert "a public zone for example.org already (ZOTHER, 17 records)" in warning
    assert "write {name: example.org, zoneId: ZOTHER}" in warning
    assert "delete it" in warning


def test_a_stacks_own_zone_and_a_private_one_of_its_name_are_no_second_zone() -> None:
    first = made(route53.Domain("example.org"))
    assert first.warnings == []
    zones = {first.outputs["ids"][0]: "example.org", "ZPRIVATE": {"name": "example.org", "privateZone": True}}
    assert made(route53.Domain("example.org"), zones=zones).warnings == []


def test_several_zones_of_the_name_are_said() -> None:
    zones = {"ZA": "example.org", "ZB": "example.org"}
    (warning,) = made(route53.Domain("example.org"), zones=zones).warnings
    assert "several public zones for example.org" in warning


def test_without_the_rights_to_look_nothing_fails() -> None:
    zones = {"ZA": {"name": "example.org", "error": "reading Route 53 Hosted Zones: AccessDenied: " + "x" * 500}}
    run = made(route53.Domain("example.org"), zones=zones)
    (warning,) = run.warnings
    assert "is not known: reading Route 53 Hosted Zones: AccessDenied" in warning
    assert "allow route53:ListHostedZones, route53:GetHostedZone and" in warning
    assert len(warning) < 700
    assert run.of_type("aws:route53/zone:Zone"), "the zone is made all the same"


def test_protected_zones_cannot_be_deleted_by_accident() -> None:
    assert made(route53.Domain("example.org"), protect=True).one("aws:route53/zone:Zone").protect


def test_credentials_are_secret_and_in_the_form_that_the_controllers_read() -> None:
    def program() -> None:
        key = route53.AccessKey(pulumi.Output.from_input("AKIA1"), pulumi.Output.from_input("s3cret"))
        wanted = [
            credentials.aws_file("external-dns", key),
            credentials.aws_key("cert-manager", key),
            credentials.ionos_token("external-dns", "token-1"),
        ]
        credentials.create("file", wanted[:1], pulumi.ResourceOptions())
        credentials.create("key", wanted[1:2], pulumi.ResourceOptions())
        credentials.create("token", wanted[2:], pulumi.ResourceOptions())

    run = recording.run(program)
    secrets = {secret.name: secret for secret in run.of_type("kubernetes:core/v1:Secret")}
    assert all("stringData" in secret.secrets for secret in secrets.values())
    file = secrets["file-external-dns"].inputs
    assert file["metadata"] == {"name": "aws-access-key", "namespace": "external-dns"}
    assert file["stringData"]["credentials"] == (
        "[default]\naws_access_key_id = AKIA1\naws_secret_access_key = s3cret\n"
    )
    assert secrets["key-cert-manager"].inputs["stringData"] == {"keyId": "AKIA1", "key": "s3cret"}
    assert secrets["token-external-dns"].inputs["stringData"] == {"token": "token-1"}
