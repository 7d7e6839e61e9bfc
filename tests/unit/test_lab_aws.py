"""The lab's AWS over its two doors, as boto3 sees it: keys, signatures, policies, and no way around them."""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore import auth, awsrequest, config, credentials, exceptions
from moto.route53 import models

from components.dns import policies
from lab import layout, pki
from lab.aws import accounts, gate, servers

ADDRESS = "127.0.0.1"
REGION = "eu-central-1"
Key = tuple[str, str]
ADMINISTRATOR: Key = ("lab", "administrators-own")


class Aws:
    """A running gate with both its doors, and clients for it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        pki.authority(folder, "test lab")
        self.gate = gate.Gate(ADMINISTRATOR[1])
        self.servers = [
            servers.plain(ADDRESS, 0, self.gate),
            servers.proxy(ADDRESS, 0, self.gate, folder),
        ]
        self.port, self.proxy_port = (server.server_port for server in self.servers)
        for server in self.servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def close(self) -> None:
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def client(self, service: str, key: Key = ADMINISTRATOR, door: str = "plain") -> Any:
        settings: dict[str, Any] = {"retries": {"total_max_attempts": 1}}
        reach: dict[str, Any] = {"endpoint_url": f"http://{ADDRESS}:{self.port}"}
        if door == "proxy":
            settings["proxies"] = {"https": f"http://{ADDRESS}:{self.proxy_port}"}
            reach = {"verify": str(self.folder / "ca.crt")}
        return boto3.client(
            service,
            region_name=REGION,
            aws_access_key_id=key[0],
            aws_secret_access_key=key[1],
            config=config.Config(**settings),
            **reach,
        )

    def zone(self, name: str = "example.org") -> str:
        made = self.client("route53").create_hosted_zone(Name=name, CallerReference=str(uuid.uuid4()))
        return made["HostedZone"]["Id"].rpartition("/")[2]

    def user(self, document: dict[str, Any] | None = None) -> tuple[str, Key]:
        iam, name = self.client("iam"), f"user-{uuid.uuid4().hex[:8]}"
        iam.create_user(UserName=name, Path="/gitops-platform/")
        if document:
            iam.put_user_policy(UserName=name, PolicyName="route53", PolicyDocument=json.dumps(document))
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return name, (made["AccessKeyId"], made["SecretAccessKey"])

    def about(self, what: str) -> Any:
        status, body = self.raw("GET", f"/lab/aws/{what}")
        assert status == 200
        return json.loads(body)

    def raw(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        connection = http.client.HTTPConnection(ADDRESS, self.port, timeout=10)
        try:
            connection.request(method, target, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def signed(
        self, key: Key, service: str, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> dict[str, str]:
        """Headers that sign such a request, whatever it is."""
        asked = awsrequest.AWSRequest(method, f"http://{ADDRESS}:{self.port}{target}", headers=headers or {}, data=body)
        auth.SigV4Auth(credentials.Credentials(*key), service, "us-east-1").add_auth(asked)
        return dict(asked.headers)


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    running = Aws(tmp_path_factory.mktemp("pki"))
    yield running
    running.close()


def refusal(call: Callable[[], Any]) -> tuple[str, str]:
    """The code and message that a call was refused with."""
    with pytest.raises(exceptions.ClientError) as caught:
        call()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def upsert(client: Any, zone: str, name: str, kind: str = "TXT", value: str = '"v"') -> None:
    record = {"Name": name, "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}]}
    change = {"Action": "UPSERT", "ResourceRecordSet": record}
    client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})


def records(aws: Aws, zone: str) -> dict[tuple[str, str], list[str]]:
    zones = {found["id"]: found for found in aws.about("zones")["zones"]}
    return {(record["name"], record["type"]): record["values"] for record in zones[zone]["records"]}


both_doors = pytest.mark.parametrize("door", ["plain", "proxy"])


@both_doors
def test_cert_managers_key_writes_challenges_and_nothing_else(aws, door):
    zone, other = aws.zone(), aws.zone()
    name, key = aws.user(policies.cert_manager([zone]))
    client = aws.client("route53", key, door)
    upsert(client, zone, "_acme-challenge.www.example.org")
    assert records(aws, zone)["_acme-challenge.www.example.org.", "TXT"] == ['"v"'], "what is allowed must be done"
    assert client.get_change(Id="C2682N5HXP0BZ4")["ChangeInfo"]["Status"] == "INSYNC"
    assert client.list_resource_record_sets(
        HostedZoneId=zone, StartRecordName="_acme-challenge.a", StartRecordType="TXT"
    )
    assert refusal(lambda: upsert(client, zone, "www.example.org", "A", "192.0.2.1")) == (
        "AccessDenied",
        f"User: arn:aws:iam::123456789012:user/gitops-platform/{name} is not authorized to perform: "
        f"route53:ChangeResourceRecordSets on resource: arn:aws:route53:::hostedzone/{zone} because no identity-based "
        "policy allows the route53:ChangeResourceRecordSets action",
    )
    assert ("www.example.org.", "A") not in records(aws, zone), "what is refused must not be done"
    for call in (
        lambda: upsert(client, zone, "www.example.org"),
        lambda: upsert(client, other, "_acme-challenge.www.example.org"),
        client.list_hosted_zones,
        lambda: client.create_hosted_zone(Name="mine.org", CallerReference="1"),
        lambda: aws.client("iam", key, door).create_access_key(UserName=name),
    ):
        assert refusal(call)[0] == "AccessDenied"


@both_doors
def test_external_dnss_key_writes_its_zone_only(aws, door):
    zone, other = aws.zone(), aws.zone()
    _, key = aws.user(policies.external_dns([zone]))
    client = aws.client("route53", key, door)
    assert client.list_hosted_zones()["HostedZones"]
    upsert(client, zone, "www.example.org", "A", "192.0.2.1")
    assert client.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    assert refusal(lambda: upsert(client, other, "www.example.org", "A", "192.0.2.1"))[0] == "AccessDenied"
    assert refusal(lambda: client.delete_hosted_zone(Id=zone))[0] == "AccessDenied"


def external_dns_pass(client: Any, zone: str) -> None:
    """The calls of one pass of external-dns: zones, records, the changes."""
    client.list_hosted_zones()
    client.list_resource_record_sets(HostedZoneId=zone)
    upsert(client, zone, "www.example.org", "A", "192.0.2.1")


def cert_manager_challenge(client: Any, zone: str) -> None:
    """The calls of one dns01 challenge of cert-manager: the record, whether it is in sync, and its removal."""
    name = "_acme-challenge.www.example.org"
    record = {"Name": name, "Type": "TXT", "TTL": 10, "ResourceRecords": [{"Value": '"v"'}]}
    batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
    made = client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
    client.get_change(Id=made["ChangeInfo"]["Id"])
    client.list_resource_record_sets(HostedZoneId=zone, StartRecordName=name, StartRecordType="TXT")


CONTROLLERS = {
    policies.external_dns: (
        external_dns_pass,
        {"ListHostedZones", "ListResourceRecordSets", "ChangeResourceRecordSets"},
    ),
    policies.cert_manager: (
        cert_manager_challenge,
        {"GetChange", "ListResourceRecordSets", "ChangeResourceRecordSets"},
    ),
}


@pytest.mark.parametrize(
    ("policy", "missing"),
    [(policy, action) for policy, (_, actions) in CONTROLLERS.items() for action in sorted(actions)],
)
def test_a_policy_without_any_one_of_its_actions_is_refused_visibly(aws: Aws, policy: Any, missing: str) -> None:
    zone, (calls, actions) = aws.zone(), CONTROLLERS[policy]
    document = policy([zone])
    named = {action.removeprefix("route53:") for one in document["Statement"] for action in one["Action"]}
    assert named == actions, "every action that a policy has is tried without"
    name, key = aws.user(document)
    calls(aws.client("route53", key), zone)
    statements = [
        {**one, "Action": left}
        for one in document["Statement"]
        if (left := [action for action in one["Action"] if action != f"route53:{missing}"])
    ]
    less = json.dumps({**document, "Statement": statements})
    aws.client("iam").put_user_policy(UserName=name, PolicyName="route53", PolicyDocument=less)
    code, message = refusal(lambda: calls(aws.client("route53", key), zone))
    assert code == "AccessDenied"
    assert f"route53:{missing}" in message, "the log of the controller names what it lacks"


@both_doors
def test_keys_that_are_not_good_are_refused(aws, door):
    zone = aws.zone()
    name, (key, secret) = aws.user(policies.external_dns([zone]))
    listed = [(key, secret + "x"), ("AKIANOBODYNOBODY0000", secret)]
    codes = [refusal(aws.client("route53", bad, door).list_hosted_zones)[0] for bad in listed]
    assert codes == ["SignatureDoesNotMatch", "InvalidClientTokenId"]
    assert refusal(aws.client("sts", listed[0], door).get_caller_identity)[0] == "SignatureDoesNotMatch"
    client = aws.client("route53", (key, secret), door)
    client.list_hosted_zones()
    aws.client("iam").update_access_key(UserName=name, AccessKeyId=key, Status="Inactive")
    assert refusal(client.list_hosted_zones)[0] == "InvalidClientTokenId", "an inactive key is no key"
    aws.client("iam").delete_access_key(UserName=name, AccessKeyId=key)
    assert refusal(client.list_hosted_zones)[0] == "InvalidClientTokenId", "nor is a deleted one"


def test_policies_count_wherever_they_are_attached_and_as_they_are_now(aws):
    zone, iam = aws.zone(), aws.client("iam")
    name, key = aws.user()
    client = aws.client("route53", key)
    assert refusal(client.list_hosted_zones)[0] == "AccessDenied", "a user without a policy may nothing"
    managed = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(policies.external_dns([zone])))
    arn = managed["Policy"]["Arn"]
    iam.attach_user_policy(UserName=name, PolicyArn=arn)
    client.list_hosted_zones()
    deny = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}
    version = iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(deny))["PolicyVersion"]["VersionId"]
    client.list_hosted_zones()
    iam.set_default_policy_version(PolicyArn=arn, VersionId=version)
    assert "explicit deny" in refusal(client.list_hosted_zones)[1], "the default version is the one that counts"
    iam.detach_user_policy(UserName=name, PolicyArn=arn)
    iam.create_group(GroupName=name)
    iam.put_group_policy(GroupName=name, PolicyName="p", PolicyDocument=json.dumps(policies.external_dns([zone])))
    iam.add_user_to_group(GroupName=name, UserName=name)
    client.list_hosted_zones()


@both_doors
def test_everybody_may_ask_who_they_are(aws, door):
    name, key = aws.user()
    identity = aws.client("sts", key, door).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:iam::123456789012:user/gitops-platform/{name}"
    assert aws.client("sts", door=door).get_caller_identity()["Account"] == "123456789012"


# XML that also reads as a form with an Action.
CREATE = (
    b"<CreateHostedZoneRequest><Name>stolen.org</Name>"
    b"<CallerReference><![CDATA[1&Action=CreateHostedZone&]]></CallerReference></CreateHostedZoneRequest>"
)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("method", "target", "body", "headers"),
    [
        ("POST", "/2013-04-01/hostedzone/{zone}/rrset?Action=CreateHostedZone", CREATE, {}),
        ("POST", "/2013-04-01/hostedzone/{zone}/rrset", CREATE, {"Action": "CreateHostedZone"}),
        ("POST", "/2013-04-01/hostedzone/{zone}/rrset", CREATE, {"X-Amz-Target": "Route53.CreateHostedZone"}),
        ("GET", "/2013-04-01/hostedzone", CREATE, {}),
        ("GET", "/2013-04-01/hostedzone", CREATE, {"X-Amz-Target": "Route53.CreateHostedZone"}),
        ("GET", "/2013-04-01/hostedzone", CREATE, {"X-HTTP-Method-Override": "POST"}),
        ("GET", "/2013-04-01/hostedzone", b"Action=CreateHostedZone&Name=stolen.org&CallerReference=1", FORM),
        ("GET", "/2013-04-01/hostedzone?action=CreateHostedZone", CREATE, {}),
        ("GET", "/moto-api/data.json", b"", {}),
        ("POST", "/moto-api/reset", b"", {}),
    ],
)
def test_a_request_does_not_become_another_one_behind_the_gate(aws, method, target, body, headers):
    zone = aws.zone()
    _, key = aws.user(policies.external_dns([zone]))
    target = target.format(zone=zone)
    aws.raw(method, target, body, aws.signed(key, "route53", method, target, body, headers))
    names = [found["name"] for found in aws.about("zones")["zones"]]
    assert "stolen.org." not in names, "moto must do what was judged, and nothing else"
    assert zone in [found["id"] for found in aws.about("zones")["zones"]]


def test_the_body_is_under_the_signature(aws):
    zone = aws.zone()
    _, key = aws.user(policies.external_dns([zone]))
    target = f"/2013-04-01/hostedzone/{zone}/rrset/"
    headers = aws.signed(key, "route53", "POST", target, b"<a/>")
    status, text = aws.raw("POST", target, b"<b/>", headers)
    assert (status, "SignatureDoesNotMatch" in text) == (403, True)
    status, text = aws.raw("GET", "/2013-04-01/hostedzone", headers=headers)
    assert (status, "SignatureDoesNotMatch" in text) == (403, True), "nor may another request use it"


def test_requests_without_a_proper_signature_are_refused(aws):
    assert aws.raw("GET", "/2013-04-01/hostedzone")[0] == 403
    assert aws.raw("POST", "/moto-api/reset")[0] == 403, "a pod must not be able to empty the lab's AWS"
    for header in ("Basic eDp5", "AWS4-HMAC-SHA256 Credential=lab/20260101/us-east-1/iam/aws4_request"):
        status, text = aws.raw("GET", "/2013-04-01/hostedzone", headers={"Authorization": header})
        assert (status, "IncompleteSignature" in text) == (403, True)
    status, _ = aws.raw("POST", "/", b"x" * (gate.LARGEST_BODY + 1), aws.signed(ADMINISTRATOR, "iam", "POST", "/"))
    assert status == 413


def test_only_the_services_of_the_lab_are_there(aws):
    status, text = aws.raw("GET", "/", headers=aws.signed(ADMINISTRATOR, "s3", "GET", "/"))
    assert (status, "no service s3" in text) == (501, True)


def test_the_administrators_key_needs_its_secret(aws):
    zone = aws.zone()
    for key in (("lab", "guessed"), ("test", "test")):
        assert refusal(aws.client("iam", key).list_users)[0] in ("SignatureDoesNotMatch", "InvalidClientTokenId")
        refusal(lambda key=key: aws.client("route53", key).delete_hosted_zone(Id=zone))
    assert zone in {found["id"] for found in aws.about("zones")["zones"]}


def test_who_changed_what_at_route53_is_told_in_its_order(aws):
    zone = aws.zone()
    _, key = aws.user(policies.external_dns([zone]))
    client = aws.client("route53", key)
    upsert(client, zone, "www.example.org", "A", "192.0.2.1")
    client.list_resource_record_sets(HostedZoneId=zone)
    refusal(lambda: client.delete_hosted_zone(Id=zone))
    entry = {"Name": "www.example.org", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    changes = {"Changes": [{"Action": "DELETE", "ResourceRecordSet": entry}]}
    aws.client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=changes)
    aws.client("route53").delete_hosted_zone(Id=zone)
    where = [f"arn:aws:route53:::hostedzone/{zone}"]
    told = [one for one in aws.about("changes") if one["resources"] == where]
    record = {"normalizedrecordnames": ["www.example.org"], "recordtypes": ["A"]}
    assert told == [
        {"key": key[0], "action": "ChangeResourceRecordSets", "resources": where, **record, "actions": ["UPSERT"]},
        {"key": "lab", "action": "ChangeResourceRecordSets", "resources": where, **record, "actions": ["DELETE"]},
        {"key": "lab", "action": "DeleteHostedZone", "resources": where},
    ], "what was read or refused changed nothing"


def test_denials_are_listed_with_their_cause_and_without_secrets(aws):
    zone = aws.zone()
    _, key = aws.user(policies.cert_manager([zone]))
    refusal(lambda: upsert(aws.client("route53", key), zone, "www.example.org"))
    entry = aws.about("denied")[-1]
    assert (entry["code"], entry["key"]) == ("AccessDenied", key[0])
    assert entry["request"] == f"POST /2013-04-01/hostedzone/{zone}/rrset/"
    assert "NormalizedRecordNames does not hold for www.example.org" in entry["detail"]
    assert key[1] not in json.dumps(aws.about("denied"))
    assert aws.raw("GET", "/lab/aws/nothing")[0] == 404


def test_the_zones_version_grows_when_a_record_changes_and_only_then(aws):
    zone, client = aws.zone(), aws.client("route53")
    first = aws.about("zones")["version"]
    assert aws.about("zones")["version"] == first, "nothing changed"
    upsert(client, zone, "www.example.org", "A", "192.0.2.1")
    second = aws.about("zones")["version"]
    assert second > first
    upsert(client, zone, "www.example.org", "A", "192.0.2.2")
    assert aws.about("zones")["version"] > second
    target = {"HostedZoneId": zone, "DNSName": "www.example.org.", "EvaluateTargetHealth": False}
    alias = {"Name": "alias.example.org", "Type": "A", "AliasTarget": target}
    change = {"Action": "CREATE", "ResourceRecordSet": alias}
    client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})
    found = next(found for found in aws.about("zones")["zones"] if found["id"] == zone)
    assert (found["name"], found["private"]) == ("example.org.", False)
    assert {
        "name": "alias.example.org.",
        "type": "A",
        "ttl": None,
        "values": [],
        "alias": {"zone": zone, "name": "www.example.org."},
    } in found["records"]
    assert records(aws, zone)["www.example.org.", "A"] == ["192.0.2.2"]
    assert ("example.org.", "SOA") in records(aws, zone), "a DNS server needs it for negative answers"


def connect(aws: Aws, target: str, then: bytes = b"") -> bytes:
    """What the proxy answers to CONNECT, and whatever comes after `then` is sent, until it hangs up."""
    with socket.create_connection((ADDRESS, aws.proxy_port), timeout=10) as connection:
        connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        received = connection.recv(65536)
        if then:
            connection.sendall(then)
        while data := connection.recv(65536):
            received += data
    return received


@pytest.mark.parametrize(
    "target",
    [
        "example.org:443",
        "route53.amazonaws.com.example.org:443",
        "192.0.2.1:443",
        "amazonaws.com:443",
        "x:443",
        "nonsense",
    ],
)
def test_nothing_leaves_the_machine_through_the_proxy(aws, target):
    assert connect(aws, target).startswith(b"HTTP/1.1 403 "), "the lab has no way out"


def test_the_proxy_goes_through_to_loopback(aws):
    answer = connect(aws, f"127.0.0.1:{aws.port}", b"GET /lab/aws/denied HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"200 Connection established" in answer
    assert b"HTTP/1.1 200 OK" in answer
    with socket.socket() as unused:  # held, but nobody listens
        unused.bind((ADDRESS, 0))
        port = unused.getsockname()[1]
        assert connect(aws, f"127.0.0.1:{port}").startswith(b"HTTP/1.1 502 ")


def test_the_proxy_serves_requests_inside_connect_only(aws):
    connection = http.client.HTTPConnection(ADDRESS, aws.proxy_port, timeout=10)
    connection.request("GET", "http://route53.amazonaws.com/2013-04-01/hostedzone")
    assert connection.getresponse().status == 403
    connection.close()


@pytest.mark.parametrize("host", ["route53.amazonaws.com", "sts.eu-central-1.amazonaws.com"])
def test_the_proxys_certificate_is_for_the_host_and_of_the_labs_authority(aws, host):
    trusted = ssl.create_default_context(cafile=str(aws.folder / "ca.crt"))
    connection = http.client.HTTPSConnection(ADDRESS, aws.proxy_port, context=trusted, timeout=10)
    connection.set_tunnel(host, 443)
    connection.request("GET", "/lab/aws/zones")
    assert connection.getresponse().status == 403, "the lab's own pages are not part of AWS"
    connection.close()


def test_it_binds_loopback_only(aws):
    with pytest.raises(layout.LabError, match="not a loopback address"):
        servers.plain("192.0.2.1", 0, aws.gate)


def test_the_process_starts_and_stops_cleanly(tmp_path):
    ports = {}
    for name in ("aws", "aws_proxy"):
        with socket.create_server(("127.196.0.1", 0)) as probe:
            ports[name] = probe.getsockname()[1]
    layout.Lab(tmp_path, 196, ports).save()
    log = (tmp_path / "log.txt").open("w")
    environment = {**os.environ, "LAB_HOME": str(tmp_path), "PYTHONPATH": str(layout.PROJECT)}
    with log, subprocess.Popen([sys.executable, "-m", "lab.aws"], env=environment, cwd=tmp_path, stderr=log) as process:
        try:
            deadline = time.monotonic() + 30
            while "AWS is at" not in (tmp_path / "log.txt").read_text():
                assert process.poll() is None, (tmp_path / "log.txt").read_text()
                assert time.monotonic() < deadline, "it must be there within seconds"
                time.sleep(0.1)
            assert (tmp_path / "pki" / "ca.crt").exists()
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert "Traceback" not in (tmp_path / "log.txt").read_text()


def test_a_record_that_was_removed_can_be_made_again(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else an Ingress that is deleted and made again never gets its name back."""
    for owner, name in (
        (models.HostedZoneIdentifier, "generate"),
        (models.Route53Backend, "change_resource_record_sets"),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))  # put back at the end
    accounts.like_route53()
    route53 = aws.client("route53")
    zone = route53.create_hosted_zone(Name="again.example", CallerReference=str(uuid.uuid4()))["HostedZone"]["Id"]
    assert zone.startswith("/hostedzone/Z"), "as AWS's own"

    def write(action: str, name: str) -> None:
        entry = {"Name": name, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
        changes = {"Changes": [{"Action": action, "ResourceRecordSet": entry}]}
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=changes)

    write("CREATE", "a.again.example")
    write("CREATE", "b.again.example")
    write("DELETE", "a.again.example")
    write("CREATE", "a.again.example")
    with pytest.raises(exceptions.ClientError, match="already exists"):
        write("CREATE", "a.again.example")
    write("DELETE", "b.again.example")
