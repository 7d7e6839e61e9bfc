"""The stand-in for the aws plugin, against the lab's AWS."""

from __future__ import annotations

import json
import os
import pathlib
import threading
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from pulumi.runtime.proto import provider_pb2

from lab.aws import gate, servers
from lab.plugins import aws, values
from tests.plugin_client import Failed, Plugin, Resource, serving

ZONE = "aws:route53/zone:Zone"
RECORD = "aws:route53/record:Record"
USER = "aws:iam/user:User"
USER_POLICY = "aws:iam/userPolicy:UserPolicy"
POLICY = "aws:iam/policy:Policy"
ATTACHMENT = "aws:iam/userPolicyAttachment:UserPolicyAttachment"
ACCESS_KEY = "aws:iam/accessKey:AccessKey"
CREDENTIALS = {"accessKey": values.Secret("lab"), "secretKey": values.Secret("lab-secret")}


def document(action: str = "route53:GetChange", resource: Any = "*") -> str:
    statement = {"Effect": "Allow", "Action": [action], "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = servers.plain("127.0.0.1", 0, gate.Gate("lab-secret"))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(aws.provider()) as port:
        yield port


def connect(port: int, endpoint: str, **config: Any) -> Plugin:
    endpoints = json.dumps([{"iam": endpoint, "route53": endpoint, "sts": endpoint}])
    return Plugin(port, **({"region": "eu-central-1", "endpoints": endpoints} | CREDENTIALS | config))


@pytest.fixture
def plugin(port: int, endpoint: str) -> Plugin:
    return connect(port, endpoint)


@pytest.fixture
def name() -> str:
    return f"t{os.urandom(4).hex()}"


@pytest.fixture
def user(plugin: Plugin, name: str) -> Resource:
    return plugin.create(USER, "u", {"name": name, "path": "/platform/", "tags": {"a": "b"}})


@pytest.fixture
def zone(plugin: Plugin, name: str) -> Resource:
    return plugin.create(ZONE, "z", {"name": f"{name}.org."})


def client(endpoint: str, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id="lab",
        aws_secret_access_key="lab-secret",
    )


def changed(plugin: Plugin, resource: Resource, inputs: dict[str, Any]) -> list[str]:
    return sorted(plugin.diff(resource, inputs).detailedDiff)


def invoke(plugin: Plugin, token: str, **args: Any) -> dict[str, Any]:
    response = plugin.ask("Invoke", provider_pb2.InvokeRequest(tok=token, args=values.to_struct(args)))
    return values.from_struct(getattr(response, "return"))


def unchanged(plugin: Plugin, resource: Resource) -> None:
    read = plugin.read(resource)
    assert read is not None
    assert read.inputs == resource.inputs, "a refresh of what nobody touched finds nothing"
    assert changed(plugin, read, resource.inputs) == []


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    for variable in [variable for variable in os.environ if variable.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setattr("lab.plugins.engine.environment", lambda _peer: {})


@pytest.mark.usefixtures("no_credentials")
def test_without_credentials_nothing_is_configured(port: int, endpoint: str) -> None:
    with pytest.raises(Failed, match="No valid credential sources found"):
        connect(port, endpoint, accessKey=None, secretKey=None)
    with pytest.raises(Failed, match="Missing region configuration"):
        connect(port, endpoint, region=None)
    with pytest.raises(Failed, match=r"config profile \(nobody\) could not be found"):
        connect(port, endpoint, accessKey=None, secretKey=None, profile="nobody")


@pytest.mark.usefixtures("no_credentials")
def test_credentials_come_from_a_profile(port: int, endpoint: str, tmp_path: pathlib.Path) -> None:
    lines = "[team]\naws_access_key_id = lab\naws_secret_access_key = lab-secret\n"
    (tmp_path / "credentials").write_text(lines)
    plugin = connect(port, endpoint, accessKey=None, secretKey=None, profile="team")
    assert len(invoke(plugin, "aws:index/getCallerIdentity:getCallerIdentity")["accountId"]) == 12


def test_credentials_are_tried_at_once(port: int) -> None:
    with pytest.raises(Failed, match="validating provider credentials"):
        connect(port, "http://127.0.0.1:1")
    connect(port, "http://127.0.0.1:1", skipCredentialsValidation="true")


def test_a_user_with_a_policy_and_a_key_comes_stays_and_goes(
    plugin: Plugin, endpoint: str, user: Resource, name: str
) -> None:
    assert (user.id, user.inputs["forceDestroy"]) == (name, False)
    assert user.outputs["arn"].endswith(f":user/platform/{name}")
    policy = plugin.create(USER_POLICY, "p", {"user": name, "name": "route53", "policy": document()})
    assert policy.id == f"{name}:route53"
    key = plugin.create(ACCESS_KEY, "k", {"user": name})
    assert isinstance(key.outputs["secret"], values.Secret), "the key's secret is never shown"
    for resource in (user, policy, key):
        unchanged(plugin, resource)
    read = plugin.read(key)
    assert read is not None
    assert read.outputs["secret"] == key.outputs["secret"], "the API does not tell it again: state keeps it"
    stored = client(endpoint, "iam").get_user_policy(UserName=name, PolicyName="route53")["PolicyDocument"]
    assert stored == json.loads(document())
    with pytest.raises(Failed, match=rf"deleting IAM User \({name}\): DeleteConflict"):
        plugin.delete(user)
    for resource in (key, policy, user):
        plugin.delete(resource)
        plugin.delete(resource)
        assert plugin.read(resource) is None


def test_a_name_that_is_taken_is_an_error(plugin: Plugin, user: Resource, name: str) -> None:
    with pytest.raises(Failed, match=rf"creating IAM User \({name}\): EntityAlreadyExists"):
        plugin.create(USER, "u", {"name": name})


def test_a_resource_without_a_name_gets_one(plugin: Plugin) -> None:
    created = plugin.create(USER, "somebody", {})
    assert created.id.startswith("somebody-")
    assert changed(plugin, created, {}) == [], "and keeps it"
    plugin.delete(created)


def test_what_names_a_resource_replaces_it(plugin: Plugin, user: Resource, zone: Resource, name: str) -> None:
    assert list(plugin.diff(user, user.inputs | {"name": "other"}).replaces) == ["name"]
    assert list(plugin.diff(zone, zone.inputs | {"name": "other.org"}).replaces) == ["name"]
    policy = plugin.create(USER_POLICY, "p", {"user": name, "name": "x", "policy": document()})
    assert list(plugin.diff(policy, policy.inputs | {"user": "other"}).replaces) == ["user"]
    key = plugin.create(ACCESS_KEY, "k", {"user": name})
    assert list(plugin.diff(key, key.inputs | {"user": values.UNKNOWN}).replaces) == ["user"]


def test_users_keys_and_policies_change_in_place(plugin: Plugin, endpoint: str, user: Resource, name: str) -> None:
    iam = client(endpoint, "iam")
    updated = plugin.update(user, user.inputs | {"path": "/other/", "tags": {"c": "d"}})
    assert updated.outputs["arn"].endswith(f":user/other/{name}")
    assert iam.list_user_tags(UserName=name)["Tags"] == [{"Key": "c", "Value": "d"}]
    key = plugin.create(ACCESS_KEY, "k", {"user": name})
    plugin.update(key, key.inputs | {"status": "Inactive"})
    assert iam.list_access_keys(UserName=name)["AccessKeyMetadata"][0]["Status"] == "Inactive"
    policy = plugin.create(USER_POLICY, "p", {"user": name, "name": "x", "policy": document()})
    plugin.update(policy, policy.inputs | {"policy": document("route53:ListHostedZones")})
    stored = iam.get_user_policy(UserName=name, PolicyName="x")["PolicyDocument"]
    assert stored["Statement"][0]["Action"] == ["route53:ListHostedZones"]


def test_a_user_to_be_destroyed_by_force_takes_its_keys_along(plugin: Plugin, endpoint: str, name: str) -> None:
    user = plugin.create(USER, "u", {"name": name, "forceDestroy": True})
    client(endpoint, "iam").create_access_key(UserName=name)
    plugin.delete(user)
    assert plugin.read(user) is None


def test_policies_are_compared_by_what_they_say(plugin: Plugin, user: Resource, name: str) -> None:
    policy = plugin.create(USER_POLICY, "p", {"user": name, "name": "x", "policy": document()})
    rewritten = json.dumps(json.loads(document(resource=["*"])), indent=4, sort_keys=True)
    assert changed(plugin, policy, policy.inputs | {"policy": rewritten}) == []
    assert changed(plugin, policy, policy.inputs | {"policy": document("sts:*")}) == ["policy"]
    assert changed(plugin, policy, policy.inputs | {"policy": values.UNKNOWN}) == ["policy"]
    with pytest.raises(AssertionError, match="invalid JSON policy"):
        plugin.check(USER_POLICY, "p", {"user": name, "policy": "{"})


def test_a_managed_policy_is_versioned_and_attached(plugin: Plugin, endpoint: str, user: Resource, name: str) -> None:
    policy = plugin.create(POLICY, "p", {"name": name, "policy": document(), "tags": {"a": "b"}})
    assert policy.id.endswith(f":policy/{name}")
    unchanged(plugin, policy)
    attachment = plugin.create(ATTACHMENT, "a", {"user": name, "policyArn": policy.id})
    unchanged(plugin, attachment)
    for number in range(7):
        policy = plugin.update(policy, policy.inputs | {"policy": document(f"route53:Action{number}"), "tags": {}})
    iam = client(endpoint, "iam")
    versions = iam.list_policy_versions(PolicyArn=policy.id)["Versions"]
    assert len(versions) <= 5, "AWS keeps five versions and then refuses"
    current = next(version["VersionId"] for version in versions if version["IsDefaultVersion"])
    found = iam.get_policy_version(PolicyArn=policy.id, VersionId=current)["PolicyVersion"]["Document"]
    assert found == json.loads(document("route53:Action6"))
    plugin.delete(attachment)
    assert plugin.read(attachment) is None
    plugin.delete(policy)
    assert plugin.read(policy) is None


def test_a_zone_has_name_servers_and_stays_as_it_is(plugin: Plugin, zone: Resource, name: str) -> None:
    assert zone.inputs["name"] == f"{name}.org", "the dot at the end makes no difference"
    assert zone.outputs["zoneId"] == zone.id
    assert zone.outputs["arn"] == f"arn:aws:route53:::hostedzone/{zone.id}"
    assert len(zone.outputs["nameServers"]) >= 2
    unchanged(plugin, zone)
    renamed = plugin.update(zone, zone.inputs | {"comment": "new", "tags": {"env": "sbx"}})
    read = plugin.read(renamed)
    assert read is not None
    assert (read.inputs["comment"], read.inputs["tags"]) == ("new", {"env": "sbx"})


def test_a_zone_with_records_is_not_deleted_unless_by_force(plugin: Plugin, zone: Resource, name: str) -> None:
    record = plugin.create(
        RECORD, "r", {"zoneId": zone.id, "name": "www", "type": "A", "ttl": 60, "records": ["192.0.2.1"]}
    )
    assert record.outputs["fqdn"] == f"www.{name}.org"
    with pytest.raises(Failed, match=rf"deleting Route53 Hosted Zone \({zone.id}\): HostedZoneNotEmpty"):
        plugin.delete(zone)
    forced = plugin.update(zone, zone.inputs | {"forceDestroy": True})
    plugin.delete(forced)
    assert plugin.read(forced) is None
    plugin.delete(forced)


def test_records_come_change_and_go(plugin: Plugin, zone: Resource, name: str) -> None:
    inputs = {"zoneId": zone.id, "name": f"_x.{name}.org", "type": "TXT", "ttl": 60, "records": ["b", "a"]}
    record = plugin.create(RECORD, "r", inputs)
    assert record.id == f"{zone.id}__x.{name}.org_TXT"
    unchanged(plugin, record)
    assert changed(plugin, record, inputs | {"records": ["a", "b"]}) == [], "the order of values means nothing"
    updated = plugin.update(record, inputs | {"records": ["c"]})
    read = plugin.read(updated)
    assert read is not None
    assert read.inputs["records"] == ["c"]
    plugin.delete(updated)
    plugin.delete(updated)
    assert plugin.read(updated) is None


def test_a_zone_is_found_by_id_and_by_name(plugin: Plugin, zone: Resource, name: str) -> None:
    by_id = invoke(plugin, "aws:route53/getZone:getZone", zoneId=zone.id)
    by_name = invoke(plugin, "aws:route53/getZone:getZone", name=f"{name}.org")
    assert by_id == by_name
    assert by_id["nameServers"] == zone.outputs["nameServers"]
    with pytest.raises(Failed, match="no matching Route 53 Hosted Zone found"):
        invoke(plugin, "aws:route53/getZone:getZone", name="nowhere.example")
    with pytest.raises(Failed, match="couldn't find resource"):
        invoke(plugin, "aws:route53/getZone:getZone", zoneId="ZNONE")


def test_a_name_finds_public_zones_only_and_an_id_private_ones_too(plugin: Plugin, endpoint: str, name: str) -> None:
    route53, domain = client(endpoint, "route53"), f"{name}.org"
    vpc = {"VPC": {"VPCRegion": "eu-central-1", "VPCId": "vpc-1"}}
    private = route53.create_hosted_zone(
        Name=domain, CallerReference="1", HostedZoneConfig={"PrivateZone": True, "Comment": ""}, **vpc
    )["HostedZone"]["Id"].rpartition("/")[2]
    assert invoke(plugin, "aws:route53/getZone:getZone", zoneId=private)["privateZone"] is True
    with pytest.raises(Failed, match="no matching Route 53 Hosted Zone found"):
        invoke(plugin, "aws:route53/getZone:getZone", name=domain)
    public = [route53.create_hosted_zone(Name=domain, CallerReference=each)["HostedZone"]["Id"] for each in ("2", "3")]
    with pytest.raises(Failed, match="multiple Route 53 Hosted Zones matched"):
        invoke(plugin, "aws:route53/getZone:getZone", name=domain)
    route53.delete_hosted_zone(Id=public[0])
    found = invoke(plugin, "aws:route53/getZone:getZone", name=f"{name.upper()}.org.")
    assert (found["zoneId"], found["privateZone"]) == (public[1].rpartition("/")[2], False)


def test_the_engines_keys_hold_and_without_rights_nothing_is_listed(
    port: int, endpoint: str, user: Resource, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = client(endpoint, "iam").create_access_key(UserName=user.id)["AccessKey"]
    keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    monkeypatch.setattr("lab.plugins.engine.environment", lambda _peer: keys)
    narrow = connect(port, endpoint, accessKey="", secretKey="")
    with pytest.raises(Failed, match=r"reading Route 53 Hosted Zones: AccessDenied: .*route53:ListHostedZones"):
        invoke(narrow, "aws:route53/getZone:getZone", name=f"{name}.org")
    with pytest.raises(Failed, match=r"reading Route53 Hosted Zone: AccessDenied"):
        invoke(narrow, "aws:route53/getZone:getZone", zoneId="Z0123456789")


def test_default_tags_of_the_provider_are_on_everything(port: int, endpoint: str, name: str) -> None:
    plugin = connect(port, endpoint, defaultTags=json.dumps({"tags": {"team": "platform", "a": "default"}}))
    user = plugin.create(USER, "u", {"name": name, "tags": {"a": "own"}})
    assert user.outputs["tagsAll"] == {"team": "platform", "a": "own"}
    assert user.outputs["tags"] == {"a": "own"}
    unchanged(plugin, user)
    client(endpoint, "iam").tag_user(UserName=name, Tags=[{"Key": "who", "Value": "me"}])
    read = plugin.read(user)
    assert read is not None
    assert changed(plugin, read, user.inputs) == ["tags.who", "tagsAll.who"], "a refresh sees tags of other hands"


def test_what_exists_is_imported_as_it_is(plugin: Plugin, user: Resource, zone: Resource, name: str) -> None:
    policy = plugin.create(USER_POLICY, "p", {"user": name, "name": "x", "policy": document()})
    for resource in (user, zone, policy):
        imported = plugin.read(Resource(resource.urn, resource.id, {}, {}))
        assert imported is not None
        assert changed(plugin, imported, resource.inputs) == [], "or an import would be followed by changes"


def test_a_preview_changes_nothing(plugin: Plugin, endpoint: str, name: str) -> None:
    shown = plugin.create(ZONE, "z", {"name": f"{name}.org"}, preview=True)
    assert shown.id == ""
    assert "zoneId" not in shown.outputs, "unknown until it is made"
    found = client(endpoint, "route53").list_hosted_zones_by_name(DNSName=f"{name}.org")
    assert found["HostedZones"] == []


@pytest.mark.parametrize(
    ("type", "inputs", "message"),
    [
        (ZONE, {"name": "a.org", "vpcs": [{"vpcId": "v"}]}, "not supported"),
        (ACCESS_KEY, {"user": "u", "pgpKey": "k"}, "not supported"),
        (RECORD, {"zoneId": "Z", "name": "a", "type": "A"}, "must be specified"),
        (RECORD, {"zoneId": "Z", "name": "a", "type": "A", "records": ["1"], "setIdentifier": "x"}, "not supported"),
    ],
)
def test_what_the_stand_in_cannot_do_is_said_at_preview(
    plugin: Plugin, type: str, inputs: dict[str, Any], message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        plugin.check(type, "x", inputs)
