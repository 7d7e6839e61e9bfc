"""Keys and certificates themselves."""

from __future__ import annotations

import base64
import datetime
import hashlib
import ipaddress
import secrets
import typing

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509 import oid

from lab.plugins import base

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

ALGORITHMS = ("RSA", "ECDSA", "ED25519")
CURVES = {"P224": ec.SECP224R1, "P256": ec.SECP256R1, "P384": ec.SECP384R1, "P521": ec.SECP521R1}

KEY_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "cert_signing", "crl_signing", "encipher_only", "decipher_only",
)  # fmt: skip
EXTENDED_USAGES = {
    "any_extended": "2.5.29.37.0",
    "server_auth": "1.3.6.1.5.5.7.3.1",
    "client_auth": "1.3.6.1.5.5.7.3.2",
    "code_signing": "1.3.6.1.5.5.7.3.3",
    "email_protection": "1.3.6.1.5.5.7.3.4",
    "ipsec_end_system": "1.3.6.1.5.5.7.3.5",
    "ipsec_tunnel": "1.3.6.1.5.5.7.3.6",
    "ipsec_user": "1.3.6.1.5.5.7.3.7",
    "timestamping": "1.3.6.1.5.5.7.3.8",
    "ocsp_signing": "1.3.6.1.5.5.7.3.9",
    "microsoft_server_gated_crypto": "1.3.6.1.4.1.311.10.3.3",
    "netscape_server_gated_crypto": "2.16.840.1.113730.4.1",
    "microsoft_commercial_code_signing": "1.3.6.1.4.1.311.2.1.22",
    "microsoft_kernel_code_signing": "1.3.6.1.4.1.311.61.1.1",
}
SUBJECT = {
    "commonName": oid.NameOID.COMMON_NAME,
    "country": oid.NameOID.COUNTRY_NAME,
    "emailAddress": oid.NameOID.EMAIL_ADDRESS,
    "locality": oid.NameOID.LOCALITY_NAME,
    "organization": oid.NameOID.ORGANIZATION_NAME,
    "organizationalUnit": oid.NameOID.ORGANIZATIONAL_UNIT_NAME,
    "postalCode": oid.NameOID.POSTAL_CODE,
    "province": oid.NameOID.STATE_OR_PROVINCE_NAME,
    "serialNumber": oid.NameOID.SERIAL_NUMBER,
    "streetAddresses": oid.NameOID.STREET_ADDRESS,
}


def generate(inputs: dict[str, typing.Any]) -> Key:
    """A new private key."""
    if inputs["algorithm"] == "RSA":
        try:
            return rsa.generate_private_key(65537, inputs["rsaBits"])
        except ValueError as error:
            raise base.PluginError(f"Unable to generate Key from configuration: {error}") from None
    if inputs["algorithm"] == "ECDSA":
        return ec.generate_private_key(CURVES[inputs["ecdsaCurve"]]())
    return ed25519.Ed25519PrivateKey.generate()


def algorithm(key: Key) -> str:
    """The name of a key's algorithm."""
    if isinstance(key, rsa.RSAPrivateKey):
        return "RSA"
    return "ED25519" if is_ed25519(key) else "ECDSA"


def self_signed(key: Key, inputs: dict[str, typing.Any]) -> x509.Certificate:
    """A certificate of `key` for itself, valid from now."""
    name, start = _name(inputs.get("subject") or {}), datetime.datetime.now(datetime.UTC)
    authority = inputs["isCaCertificate"]
    if authority and not list(name):
        raise base.PluginError("Must contain at least one Distinguished Name when creating Certificate Authority (CA)")
    depth = inputs.get("maxPathLength", -1) if authority else -1
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(secrets.randbits(127) + 1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(hours=inputs["validityPeriodHours"]))
        .add_extension(x509.BasicConstraints(authority, None if depth < 0 else depth), critical=True)
    )
    uses = inputs["allowedUses"]
    if any(use in KEY_USAGES for use in uses):
        builder = builder.add_extension(x509.KeyUsage(*(use in uses for use in KEY_USAGES)), critical=True)
    extended = [x509.ObjectIdentifier(EXTENDED_USAGES[use]) for use in uses if use in EXTENDED_USAGES]
    if extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    alternatives = _alternatives(inputs)
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=not list(name))
    if authority or inputs["setSubjectKeyId"]:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    if inputs["setAuthorityKeyId"]:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
        builder = builder.add_extension(identifier, critical=False)
    return builder.sign(key, None if is_ed25519(key) else hashes.SHA256())


def _name(subject: dict[str, typing.Any]) -> x509.Name:
    entries = [
        (SUBJECT[field], text)
        for field, value in subject.items()
        for text in (value if isinstance(value, list) else [value])
    ]
    return x509.Name([x509.NameAttribute(kind, text) for kind, text in entries])


def _alternatives(inputs: dict[str, typing.Any]) -> list[x509.GeneralName]:
    try:
        addresses = [ipaddress.ip_address(text) for text in inputs.get("ipAddresses") or []]
    except ValueError as error:
        raise base.PluginError(f"Invalid IP address: {error}") from None
    return [
        *(x509.DNSName(text) for text in inputs.get("dnsNames") or []),
        *(x509.IPAddress(address) for address in addresses),
        *(x509.UniformResourceIdentifier(text) for text in inputs.get("uris") or []),
    ]


def openssh(key: Key) -> base.Properties:
    """Outputs in OpenSSH's forms."""
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    wire = base64.b64decode(public.split()[1])
    md5 = hashlib.md5(wire, usedforsecurity=False).hexdigest()
    sha256 = base64.b64encode(hashlib.sha256(wire).digest()).decode().rstrip("=")
    return {
        "privateKeyOpenssh": pem(key, serialization.PrivateFormat.OpenSSH),
        "publicKeyOpenssh": public.decode() + "\n",
        "publicKeyFingerprintMd5": ":".join(md5[i : i + 2] for i in range(0, len(md5), 2)),
        "publicKeyFingerprintSha256": f"SHA256:{sha256}",
    }


def pem(key: Key, form: serialization.PrivateFormat) -> str:
    """A private key, not encrypted."""
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def is_ed25519(key: Key) -> bool:
    """Whether a key is for EdDSA."""
    return isinstance(key, ed25519.Ed25519PrivateKey)


def rfc3339(moment: datetime.datetime) -> str:
    """A UTC time as certificates' outputs have it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
