"""The program's two policies, call by call, as the lab enforces them: what each controller needs and nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from components.dns import policies
from lab.aws import calls, policy

OURS, OTHERS = "Z0OURS", "Z0OTHERS"
ROOT = "/2013-04-01"
FORM = "application/x-www-form-urlencoded"

Request = tuple[str, str, str, bytes]
"""Service, method, path with query, body."""


def batch(*changes: tuple[str, str, str], zone: str = OURS) -> Request:
    """A ChangeResourceRecordSets request of (action, name, type)."""
    text = "".join(
        f"<Change><Action>{action}</Action><ResourceRecordSet><Name>{name}</Name><Type>{kind}</Type><TTL>60</TTL>"
        "<ResourceRecords><ResourceRecord><Value>&quot;v&quot;</Value></ResourceRecord></ResourceRecords>"
        "</ResourceRecordSet></Change>"
        for action, name, kind in changes
    )
    body = (
        '<ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ChangeBatch><Changes>'
        f"{text}</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
    )
    return "route53", "POST", f"{ROOT}/hostedzone/{zone}/rrset/", body.encode()


def get(path: str) -> Request:
    return "route53", "GET", ROOT + path, b""


def described(request: Request) -> calls.Call:
    service, method, target, body = request
    path, _, query = target.partition("?")
    return calls.describe(service, method, path, query, "text/xml" if service == "route53" else FORM, body)


def decide(document: dict[str, Any], request: Request) -> policy.Decision:
    call = described(request)
    if call.action == calls.UNKNOWN:
        return policy.Decision(False, "unknown", call.problem)
    return policy.evaluate([policy.Document("route53", document)], call.action, call.resources, call.context)


WRITE_A = batch(("UPSERT", "www.example.org.", "A"))
WRITE_CHALLENGE = batch(("UPSERT", "_acme-challenge.www.example.org.", "TXT"))
LIST_RECORDS = get(f"/hostedzone/{OURS}/rrset?maxitems=300")
LIST_ZONES = get("/hostedzone?maxitems=100")
GET_CHANGE = get("/change/C2682N5HXP0BZ4")
CREATE_ZONE = ("route53", "POST", f"{ROOT}/hostedzone", b"<CreateHostedZoneRequest/>")
DELETE_ZONE = ("route53", "DELETE", f"{ROOT}/hostedzone/{OURS}", b"")
MAKE_KEY = ("iam", "POST", "/", b"Action=CreateAccessKey&UserName=external-dns-sbx&Version=2010-05-08")

NOBODYS = {
    "another zone's records": batch(("UPSERT", "_acme-challenge.x.org.", "TXT"), zone=OTHERS),
    "reading another zone": get(f"/hostedzone/{OTHERS}/rrset"),
    "a zone made": CREATE_ZONE,
    "a zone deleted": DELETE_ZONE,
    "a zone described": get(f"/hostedzone/{OURS}"),
    "zones by name": get("/hostedzonesbyname?dnsname=example.org"),
    "a zone's tags": get(f"/tags/hostedzone/{OURS}"),
    "a health check": get("/healthcheck"),
    "a key made": MAKE_KEY,
    "users listed": ("iam", "POST", "/", b"Action=ListUsers&Version=2010-05-08"),
    "a role assumed": ("sts", "POST", "/", b"Action=AssumeRole&RoleArn=a&RoleSessionName=b&Version=2011-06-15"),
    "a batch that is empty": batch(),
    "a body that is no XML": ("route53", "POST", f"{ROOT}/hostedzone/{OURS}/rrset/", b"<ChangeBatch"),
    "an operation from a parameter": get(f"/hostedzone/{OURS}/rrset?Action=DeleteHostedZone"),
    "a path that climbs": get(f"/hostedzone/{OURS}/../{OTHERS}/rrset"),
    "an escaped path": get(f"/hostedzone/{OURS}%2f..%2f{OTHERS}/rrset"),
    "a zone named twice": get(f"/hostedzone/{OTHERS}/{OURS}/rrset"),
}

EXTERNAL_DNS = {
    "an A record": (WRITE_A, True),
    "a record removed": (batch(("DELETE", "www.example.org.", "A")), True),
    "several at once": (batch(("CREATE", "a.example.org", "A"), ("CREATE", "a-a.example.org", "TXT")), True),
    "its zone's records": (LIST_RECORDS, True),
    "the zones": (LIST_ZONES, True),
    "a change's progress": (GET_CHANGE, False),
}

CERT_MANAGER = {
    "a challenge": (WRITE_CHALLENGE, True),
    "a challenge removed": (batch(("DELETE", "_acme-challenge.example.org", "TXT")), True),
    "two challenges": (batch(*[("UPSERT", f"_acme-challenge.{x}.example.org", "TXT") for x in "ab"]), True),
    "a challenge in capitals": (batch(("UPSERT", "_ACME-challenge.Example.ORG.", "TXT")), True),
    "its zone's records": (LIST_RECORDS, True),
    "a change's progress": (GET_CHANGE, True),
    "the zones": (LIST_ZONES, False),
    "an A record": (WRITE_A, False),
    "an A record under the challenge's name": (batch(("UPSERT", "_acme-challenge.example.org", "A")), False),
    "a type in small letters": (batch(("UPSERT", "_acme-challenge.example.org", "txt")), False),
    "a TXT record elsewhere": (batch(("UPSERT", "www.example.org", "TXT")), False),
    "the challenge's name further back": (batch(("UPSERT", "a._acme-challenge.example.org", "TXT")), False),
    "the challenge's name as a beginning": (batch(("UPSERT", "_acme-challengex.example.org", "TXT")), False),
    "an escaped dot after it": (batch(("UPSERT", r"_acme-challenge\056example.org", "TXT")), False),
    "a batch with one A record": (
        batch(("UPSERT", "_acme-challenge.example.org", "TXT"), ("UPSERT", "_acme-challenge.example.org", "A")),
        False,
    ),
    "a batch with one other name": (
        batch(("UPSERT", "_acme-challenge.example.org", "TXT"), ("DELETE", "www.example.org", "TXT")),
        False,
    ),
}


@pytest.mark.parametrize("name", [*EXTERNAL_DNS, *NOBODYS])
def test_external_dns_may_change_and_list_its_zone_and_nothing_else(name):
    request, allowed = EXTERNAL_DNS.get(name) or (NOBODYS[name], False)
    decision = decide(policies.external_dns([OURS]), request)
    assert decision.allowed is allowed, f"{name}: {decision.detail}"


@pytest.mark.parametrize("name", [*CERT_MANAGER, *NOBODYS])
def test_cert_manager_may_write_challenges_of_its_zone_and_nothing_else(name):
    request, allowed = CERT_MANAGER.get(name) or (NOBODYS[name], False)
    decision = decide(policies.cert_manager([OURS]), request)
    assert decision.allowed is allowed, f"{name}: {decision.detail}"


NEEDED = {
    "route53:ChangeResourceRecordSets": WRITE_CHALLENGE,
    "route53:ListResourceRecordSets": LIST_RECORDS,
    "route53:ListHostedZones": LIST_ZONES,
    "route53:GetChange": GET_CHANGE,
}


def test_each_action_of_the_policies_is_needed_for_its_call():
    seen = set()
    for document in (policies.external_dns([OURS]), policies.cert_manager([OURS])):
        for number, statement in enumerate(document["Statement"]):
            for action in statement["Action"]:
                smaller = copy.deepcopy(document)
                smaller["Statement"][number]["Action"].remove(action)
                assert decide(document, NEEDED[action]).allowed, f"{action} is granted, so its call must pass"
                assert not decide(smaller, NEEDED[action]).allowed, f"without {action} its call must be refused"
                seen.add(action)
    assert seen == NEEDED.keys(), "the table must have every action that the policies grant"


def test_a_denial_is_worded_as_by_aws_and_says_which_statement_came_nearest():
    decision = decide(policies.cert_manager([OURS]), WRITE_A)
    assert decision.reason == ("because no identity-based policy allows the route53:ChangeResourceRecordSets action"), (
        "people search for AWS's words"
    )
    assert "policy route53, statement 3" in decision.detail, "whoever mends the policy needs to know where"
    assert "RecordTypes does not hold for A" in decision.detail, "and which condition was in the way"
    elsewhere = decide(policies.cert_manager([OURS]), NOBODYS["another zone's records"])
    assert f"not on arn:aws:route53:::hostedzone/{OTHERS}" in elsewhere.detail


def test_two_zones_are_two_resources():
    document = policies.external_dns([OURS, f"/hostedzone/{OTHERS}"])
    for zone in (OURS, OTHERS):
        assert decide(document, batch(("UPSERT", "a.example.org", "A"), zone=zone)).allowed
    assert not decide(document, batch(("UPSERT", "a.example.org", "A"), zone="Z0THIRD")).allowed


def test_requests_become_calls_with_resources_and_condition_keys():
    call = described(batch(("UPSERT", r"\052.Example.org.", "A"), ("DELETE", "b.example.org", "TXT")))
    assert call.action == "route53:ChangeResourceRecordSets"
    assert call.resources == (f"arn:aws:route53:::hostedzone/{OURS}",)
    assert call.context == {
        "route53:changeresourcerecordsetsnormalizedrecordnames": (r"\052.example.org", "b.example.org"),
        "route53:changeresourcerecordsetsrecordtypes": ("A", "TXT"),
        "route53:changeresourcerecordsetsactions": ("UPSERT", "DELETE"),
    }
    assert described(GET_CHANGE).resources == ("arn:aws:route53:::change/C2682N5HXP0BZ4",)
    assert described(LIST_ZONES).resources == ("*",), "an action without resources is asked for on all"
    assert described(get("/tags/hostedzone/Z1")).resources == ("arn:aws:route53:::hostedzone/Z1",)
    assert described(MAKE_KEY) == calls.Call("iam:CreateAccessKey"), "of IAM's calls the resource is not known"


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("WWW.Example.org.", "www.example.org"),
        ("*.example.org", r"\052.example.org"),
        (r"\101b.example.org", "ab.example.org"),
        (r"a\056b.example.org", r"a\056b.example.org"),
        ("é.org", r"\303\251.org"),
        ("a b", r"a\040b"),
        ("", ""),
    ],
)
def test_record_names_are_normalized_as_route53_documents(name, normal):
    assert calls.normalized(name) == normal


@pytest.mark.parametrize(
    "request_",
    [
        ("iam", "GET", "/?Action=ListUsers", b""),
        ("iam", "POST", "/?Action=ListUsers", b"Action=GetUser"),
        ("iam", "POST", "/", b"Action=ListUsers&Action=CreateUser"),
        ("iam", "POST", "/", b"Action=Nonsense"),
        ("iam", "POST", "/", b"\xff"),
        ("s3", "GET", "/", b""),
        ("route53", "PATCH", f"{ROOT}/hostedzone/{OURS}", b""),
        ("route53", "GET", "/2012-02-29/hostedzone", b""),
        ("route53", "GET", f"{ROOT}/nonsense", b""),
    ],
)
def test_what_is_not_plainly_one_call_is_unknown(request_):
    call = described(request_)
    assert call.action == calls.UNKNOWN, "two readings of one request would be a way around the policy"
    assert call.problem, "the log must say what was wrong with it"
