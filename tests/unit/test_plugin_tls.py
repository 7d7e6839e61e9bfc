"""The stand-in for the tls plugin."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509 import oid

from lab.plugins import tls, values
from tests.plugin_client import Failed, Plugin, Resource, serving

KEY = "tls:index/privateKey:PrivateKey"
CERTIFICATE = "tls:index/selfSignedCert:SelfSignedCert"


@pytest.fixture(scope="module")
def plugin() -> Iterator[Plugin]:
    with serving(tls.provider()) as port:
        yield Plugin(port)


@pytest.fixture(scope="module")
def key(plugin: Plugin) -> Resource:
    return plugin.create(KEY, "k", {"algorithm": "RSA"})


def certificate_inputs(key: Resource, **changes: Any) -> dict[str, Any]:
    return {
        "privateKeyPem": key.outputs["privateKeyPem"],
        "validityPeriodHours": 24,
        "allowedUses": ["digital_signature", "key_encipherment", "server_auth"],
        "subject": {"commonName": "sealing", "organization": "platform"},
    } | changes


def load(resource: Resource) -> x509.Certificate:
    return x509.load_pem_x509_certificate(resource.outputs["certPem"].encode())


@pytest.mark.parametrize(
    ("inputs", "kind", "openssh"),
    [
        ({"algorithm": "RSA", "rsaBits": 3072}, rsa.RSAPrivateKey, "ssh-rsa "),
        ({"algorithm": "ECDSA", "ecdsaCurve": "P384"}, ec.EllipticCurvePrivateKey, "ecdsa-sha2-nistp384 "),
        ({"algorithm": "ECDSA"}, ec.EllipticCurvePrivateKey, ""),
        ({"algorithm": "ED25519"}, ed25519.Ed25519PrivateKey, "ssh-ed25519 "),
    ],
)
def test_a_key_in_all_its_forms_is_one_key(plugin: Plugin, inputs: dict[str, Any], kind: type, openssh: str) -> None:
    outputs = plugin.create(KEY, "k", inputs).outputs
    public = set()
    for form in ("privateKeyPem", "privateKeyPemPkcs8"):
        assert isinstance(outputs[form], values.Secret), "a private key is never shown"
        loaded = serialization.load_pem_private_key(outputs[form].value.encode(), None)
        assert isinstance(loaded, kind)
        public.add(
            loaded.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )
    assert public == {outputs["publicKeyPem"]}
    assert outputs["publicKeyOpenssh"].startswith(openssh)
    if openssh:
        serialization.load_ssh_private_key(outputs["privateKeyOpenssh"].value.encode(), None)
        assert outputs["publicKeyFingerprintSha256"].startswith("SHA256:")
        assert len(outputs["publicKeyFingerprintMd5"].split(":")) == 16
    else:
        assert outputs["publicKeyOpenssh"] == "", "OpenSSH knows no P224"


def test_an_rsa_key_comes_as_pkcs1(key: Resource) -> None:
    assert key.outputs["privateKeyPem"].value.startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert key.outputs["rsaBits"] == 2048


def test_a_certificate_is_what_was_asked_for(plugin: Plugin, key: Resource) -> None:
    inputs = certificate_inputs(
        key, dnsNames=["a.example.org"], ipAddresses=["192.0.2.1"], uris=["spiffe://a"], setSubjectKeyId=True
    )
    made = plugin.create(CERTIFICATE, "c", inputs)
    certificate = load(made)
    assert made.id == str(certificate.serial_number)
    assert isinstance(made.outputs["privateKeyPem"], values.Secret)
    assert made.outputs["keyAlgorithm"] == "RSA"
    assert made.outputs["readyForRenewal"] is False
    assert certificate.subject.get_attributes_for_oid(oid.NameOID.COMMON_NAME)[0].value == "sealing"
    certificate.verify_directly_issued_by(certificate)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_encipherment, usage.key_cert_sign) == (True, True, False)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example.org"]
    assert certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert life == datetime.timedelta(hours=24)
    start, end = (made.outputs[name] for name in ("validityStartTime", "validityEndTime"))
    assert datetime.datetime.fromisoformat(end) - datetime.datetime.fromisoformat(start) == life


def test_an_authority_can_be_trusted(plugin: Plugin, key: Resource) -> None:
    inputs = certificate_inputs(
        key, isCaCertificate=True, maxPathLength=0, allowedUses=["cert_signing"], setAuthorityKeyId=True
    )
    certificate = load(plugin.create(CERTIFICATE, "ca", inputs))
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 0)
    identifier = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    own = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert identifier == own
    with pytest.raises(Failed, match="at least one Distinguished Name"):
        plugin.create(CERTIFICATE, "ca", inputs | {"subject": {}})


def test_everything_but_the_renewal_time_makes_it_anew(plugin: Plugin, key: Resource) -> None:
    made = plugin.create(CERTIFICATE, "c", certificate_inputs(key))
    assert not plugin.diff(made, made.inputs).detailedDiff
    for change in ({"validityPeriodHours": 25}, {"subject": {"commonName": "x"}}, {"allowedUses": ["any_extended"]}):
        assert list(plugin.diff(made, made.inputs | change).replaces) == list(change)
    later = made.inputs | {"earlyRenewalHours": 1}
    assert list(plugin.diff(made, later).replaces) == []
    assert plugin.update(made, later).outputs["certPem"] == made.outputs["certPem"]
    assert list(plugin.diff(key, {"algorithm": "RSA", "rsaBits": 4096}).replaces) == ["rsaBits"]


def test_a_certificate_is_renewed_when_it_is_time(plugin: Plugin, key: Resource) -> None:
    made = plugin.create(CERTIFICATE, "c", certificate_inputs(key))
    assert list(plugin.diff(made, made.inputs | {"earlyRenewalHours": 25}).replaces) == ["readyForRenewal"]


def test_what_is_kept_in_state_is_never_read_or_deleted_anywhere(plugin: Plugin, key: Resource) -> None:
    read = plugin.read(key)
    assert read is not None
    assert read.outputs == key.outputs
    plugin.delete(key)
    with pytest.raises(Failed, match="PrivateKey cannot be imported"):
        plugin.read(Resource(key.urn, "x", {}, {}))


@pytest.mark.parametrize(
    ("type", "changes", "message"),
    [
        (KEY, {"algorithm": "DSA"}, "must be one of"),
        (KEY, {"algorithm": "ECDSA", "ecdsaCurve": "P1"}, "must be one of"),
        (CERTIFICATE, {"allowedUses": ["world_domination"]}, "no key usage: world_domination"),
    ],
)
def test_impossible_inputs_are_refused_at_preview(
    plugin: Plugin, key: Resource, type: str, changes: dict[str, Any], message: str
) -> None:
    inputs = certificate_inputs(key, **changes) if type == CERTIFICATE else changes
    with pytest.raises(AssertionError, match=message):
        plugin.check(type, "x", inputs)


def test_a_key_that_is_none_is_an_error(plugin: Plugin, key: Resource) -> None:
    with pytest.raises(Failed, match="Failed to parse private key PEM"):
        plugin.create(CERTIFICATE, "c", certificate_inputs(key, privateKeyPem="rubbish"))
