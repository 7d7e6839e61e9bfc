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
