"""What looks like a secret leaves a text; what a person needs in order to understand it stays."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies

from ops import scrub

LEAKS = {
    "AWS key": ("InvalidClientTokenId: AKIAIOSFODNN7EXAMPLE is unknown", "AKIAIOSFODNN7EXAMPLE"),
    "AWS secret": ("signed with wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY failed", "wJalrXUtnFEMI"),
    "assignment": ("aws_secret_access_key = abcdefgh", "abcdefgh"),
    "JSON": ('{"clientSecret": "hunter two", "user": "x"}', "hunter two"),
    "YAML": ("password: hunter2\nname: argocd", "hunter2"),
    "header": ("401: Authorization: Bearer abc.def-123", "abc.def-123"),
    "basic": ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    "JWT": ("token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln was refused", "eyJzdWIiOiJ4In0"),
    "PEM": ("bad key -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- end", "MIIE"),
    "cut PEM": ("bad key -----BEGIN PRIVATE KEY-----\\nMIIEvQ", "MIIEvQ"),
    "kubeconfig": ("    client-key-data: LS0tLS1CRUdJTg==", "LS0tLS1"),
    "URL": ("GET https://robot:hunter2@git.example.org/x: 403", "hunter2"),
    "signed URL": ("GET https://s3/x?X-Amz-Signature=0011aabb&y=1: 403", "0011aabb"),
    "GitHub": ("remote: ghp_16C7e42F292c6912E7710c838347Ae178B4a", "ghp_"),
    "Pulumi": ("pul-0123456789abcdef is not valid", "pul-0123456789"),
    "header with any scheme": ("401 for Authorization: token hunter2", "hunter2"),
    "header of an own scheme": ("curl -H 'Authorization: Custom abc_1' https://x", "abc_1"),
    "header without a scheme": ("Authorization: hunter2 was refused", "hunter2"),
    "header with a list": ('Authorization: Digest username="x", nonce="a", response="hunter2"', "hunter2"),
    "header in JSON": ('{"Authorization": "ApiKey hunter2", "X": 1}', "hunter2"),
    "header in JSON in JSON": (r'{"a": "{\"Authorization\": \"Digest r=\\"hunter2\\"\"}"', "hunter2"),
    "header in Go": ("map[Authorization:[Bearer hunter2] X:[y]]", "hunter2"),
    "header in Python": ("{'Proxy-Authorization': 'Negotiate hunter2', 'X': 'y'}", "hunter2"),
    "two headers": ("{'Authorization': 'x', 'Cookie': 'hunter2'}", "hunter2"),
    "cookie": ("Set-Cookie: session=hunter2; Path=/", "hunter2"),
    "small letters": ("got bearer abcdef1", "abcdef1"),
    "40 hex digits": (f"{'3f' * 20} is not accepted", "3f3f"),
    "64 hex digits": (f"dop_{'a1' * 32}"[4:], "a1a1"),
    "hex after another word": (f"key id {'3f' * 20}", "3f3f"),
    "auth key": ("X-Auth-Key: hunter2", "hunter2"),
    "encrypted": ("secure: v1:kq3Ha0lOfjgYp0pb:r1vFZEv0", "kq3Ha0lOfjgYp0pb"),
}


@pytest.mark.parametrize(("text", "secret"), LEAKS.values(), ids=LEAKS)
def test_what_has_the_form_of_a_secret_goes(text: str, secret: str) -> None:
    clean = scrub.scrub(text)
    assert secret not in clean
    assert scrub.SECRET in clean, "a reader has to see that something was there"


@pytest.mark.parametrize(
    "text",
    [
        "Pulumi.lab.yaml: 1 mistake; nothing was changed\n  waitMinutes: 0 is too little → write at least 1",
        "urn:pulumi:lab::gitops-platform::platform:cluster:IonosCluster$ionoscloud:k8s/nodePool:NodePool::default-pool",
        "availability_zone attribute is immutable, therefore not allowed in update requests",
        "IONOS Cloud answers 401: the token is not accepted",
        "kubernetes:argoproj.io/v1alpha1:Application::letsencrypt-lab-issuer-http01",
        "datacenter 6fa459ea-ee8a-3ca4-894e-db77e160355e is gone",
        "/components/addons/external_dns.py line 12",
        "authorization: access denied",
        "Authorization: header missing",
        "Basic authentication failed",
        f"commit {'3f' * 20} is not signed",
        f"Unable to resolve '{'3f' * 20}' to a commit SHA",
        f"targetRevision: {'3f' * 20}",
        f"sync to revision {'3f' * 20} failed",
        f"HEAD is now at {'3f' * 20}",
        f"https://github.com/o/r/commit/{'3f' * 20}",
        f"uses: actions/checkout@{'3f' * 20}",
        f"git diff {'3f' * 20}...{'a1' * 20}",
        f"ghcr.io/o/i:v1@sha256:{'a1' * 32} cannot be pulled",
        f"digest: sha256:{'a1' * 32}",
        f"containerd://{'a1' * 32}",
        f"key fingerprint: {'a1' * 20}",
        'metadata.annotations["external-dns.alpha.kubernetes.io/hostname"]',
    ],
)
def test_what_a_reader_needs_stays(text: str) -> None:
    assert scrub.scrub(text) == text


def test_secrets_of_the_environment_go_whatever_their_form() -> None:
    environment = {
        "IONOS_TOKEN": "plainword",
        "PULUMI_CONFIG_PASSPHRASE": "open sesame",
        "HOME": "/home/x",
        "MY_KEY": "k",
    }
    known = scrub.known(environment)
    assert sorted(known) == ["open sesame", "plainword"]
    assert scrub.scrub("got plainword and open sesame in /home/x", known) == "got [secret] and [secret] in /home/x"


def test_a_secret_inside_of_another_goes_whole() -> None:
    assert scrub.scrub("x-abcdef-y", ["abcdef", "x-abcdef-y"]) == scrub.SECRET


@hypothesis.given(strategies.text(), strategies.text(min_size=6))
def test_a_known_secret_never_stays(text: str, secret: str) -> None:
    hypothesis.assume(secret not in scrub.SECRET and "\0" not in secret)
    assert secret not in scrub.scrub(f"{text}{secret}{text}", [secret]).replace(scrub.SECRET, "\0")


@hypothesis.given(strategies.text(), strategies.sampled_from(["Authorization", "cookie", "PROXY-AUTHORIZATION"]))
def test_no_text_around_a_header_breaks_it(text: str, name: str) -> None:
    for sign in (": ", "=", '": "', ":["):
        assert name in scrub.scrub(f"x {name}{sign}{text}")


def test_a_line_of_many_headers_costs_nothing() -> None:
    assert scrub.scrub("Authorization: token x " * 3000).count(scrub.SECRET) == 3000
