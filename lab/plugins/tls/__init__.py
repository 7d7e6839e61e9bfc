"""The tls plugin: private keys and self-signed certificates, made here and kept in Pulumi's state only.

https://www.pulumi.com/registry/packages/tls/
"""

from __future__ import annotations

import datetime
import hashlib

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lab.plugins import base, differ, values
from lab.plugins.tls import material


class _Kept(base.Resource):
    """What exists in state only: reading finds what is there, deleting forgets."""

    def read(self, call: base.Call, state: base.State) -> base.State | None:
        if not state.outputs:
            raise base.PluginError(f"{call.type.rpartition(':')[2]} cannot be imported")
        return state

    def delete(self, call: base.Call, state: base.State) -> None:
        return None


class PrivateKey(_Kept):
    """A key; every change makes a new one."""

    replace_on = ("algorithm", "rsaBits", "ecdsaCurve")
    secret_outputs = ("privateKeyPem", "privateKeyOpenssh", "privateKeyPemPkcs8")

    def check(self, call: base.Call, olds: base.Properties, news: base.Properties) -> base.Properties:
        inputs = {"rsaBits": 2048, "ecdsaCurve": "P224", **news}
        wrong = {
            name: f"value must be one of: {list(allowed)}, got: {inputs[name]}"
            for name, allowed in (("algorithm", material.ALGORITHMS), ("ecdsaCurve", tuple(material.CURVES)))
            if isinstance(inputs.get(name), str) and inputs[name] not in allowed
        }
        if wrong:
            raise base.Invalid(wrong)
        return inputs

    def create(self, call: base.Call, inputs: base.Properties) -> base.Created:
        key = material.generate(values.plain(inputs))
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        own = serialization.PrivateFormat.TraditionalOpenSSL
        outputs = {
            **inputs,
            "privateKeyPem": material.pem(key, serialization.PrivateFormat.PKCS8 if material.is_ed25519(key) else own),
            "privateKeyPemPkcs8": material.pem(key, serialization.PrivateFormat.PKCS8),
            "publicKeyPem": public.decode(),
            "privateKeyOpenssh": "",
            "publicKeyOpenssh": "",
            "publicKeyFingerprintMd5": "",
            "publicKeyFingerprintSha256": "",
        }
        if not (isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP224R1)):  # not in OpenSSH
            outputs.update(material.openssh(key))
        return base.Created(hashlib.sha1(public, usedforsecurity=False).hexdigest(), outputs)


class SelfSignedCert(_Kept):
    """A certificate; every change makes a new one, except of `earlyRenewalHours`."""

    replace_on = (
        "allowedUses", "dnsNames", "ipAddresses", "isCaCertificate", "maxPathLength", "privateKeyPem",
        "setAuthorityKeyId", "setSubjectKeyId", "subject", "uris", "validityPeriodHours", "readyForRenewal",
    )  # fmt: skip
    secret_outputs = ("privateKeyPem",)

    def check(self, call: base.Call, olds: base.Properties, news: base.Properties) -> base.Properties:
        off = dict.fromkeys(("isCaCertificate", "setAuthorityKeyId", "setSubjectKeyId"), False)
        inputs = {**off, "earlyRenewalHours": 0, **news}
        uses = values.plain(inputs.get("allowedUses"))
        known = (*material.KEY_USAGES, *material.EXTENDED_USAGES)
        given = uses if isinstance(uses, list) else []
        unknown = [use for use in given if isinstance(use, str) and use not in known]
        if unknown:
            raise base.Invalid({"allowedUses": f"no key usage: {', '.join(unknown)}"})
        if "privateKeyPemWo" in inputs or "privateKeyPem" not in inputs:
            raise base.Invalid({"privateKeyPem": "required (write-only keys are not supported by this plugin)"})
        return inputs

    def diff(self, call: base.Call, state: base.State, inputs: base.Properties) -> differ.Diff:
        """A certificate that is due for renewal is replaced."""
        diff = super().diff(call, state, inputs)
        early = values.plain(inputs.get("earlyRenewalHours", 0))
        end = values.plain(state.outputs.get("validityEndTime"))
        if isinstance(end, str) and isinstance(early, int):
            due = datetime.datetime.fromisoformat(end) - datetime.timedelta(hours=early)
            if due <= datetime.datetime.now(datetime.UTC):
                diff.changes[("readyForRenewal",)] = differ.UPDATE
                diff.replace.add(("readyForRenewal",))
        return diff

    def create(self, call: base.Call, inputs: base.Properties) -> base.Created:
        plain = values.plain(inputs)
        try:
            key = serialization.load_pem_private_key(plain["privateKeyPem"].encode(), None)
        except (ValueError, TypeError) as error:
            raise base.PluginError(f"Failed to parse private key PEM: {error}") from None
        if not isinstance(key, material.Key):
            raise base.PluginError("Failed to parse private key PEM: neither RSA nor ECDSA nor ED25519")
        certificate = material.self_signed(key, plain)
        outputs = {
            **inputs,
            "certPem": certificate.public_bytes(serialization.Encoding.PEM).decode(),
            "keyAlgorithm": material.algorithm(key),
            "readyForRenewal": False,
            "validityStartTime": material.rfc3339(certificate.not_valid_before_utc),
            "validityEndTime": material.rfc3339(certificate.not_valid_after_utc),
        }
        return base.Created(str(certificate.serial_number), outputs)

    def update(self, call: base.Call, state: base.State, inputs: base.Properties) -> base.Properties:
        return {**state.outputs, **inputs}


class Tls(base.Provider):
    """No settings."""

    name, package = "tls", "pulumi_tls"
    resources = {
        "tls:index/privateKey:PrivateKey": PrivateKey(),
        "tls:index/selfSignedCert:SelfSignedCert": SelfSignedCert(),
    }


def provider() -> base.Provider:
    """The plugin."""
    return Tls()
