"""SealedSecrets, made as kubeseal makes them: with the certificate alone, no cluster and no key.

A value is sealed for a scope: the label that goes into the encryption names the Secret it is for, and the
controller, which makes up the label from what it finds, opens it there only.
https://github.com/bitnami/sealed-secrets#scopes
"""

from __future__ import annotations

import base64
import binascii
import datetime
import enum
import os
import re
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import aead

from ops.stack import OpsError

ANNOTATIONS = "sealedsecrets.bitnami.com/"
# kubectl's copy of a Secret that was applied: it holds every value in plain text.
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# One key per value, so that the nonce is never used twice with it.
NONCE = bytes(12)


class Scope(enum.StrEnum):
    """Where a sealed value can be opened: under its name and namespace, in its namespace, anywhere."""

    STRICT = "strict"
    NAMESPACE_WIDE = "namespace-wide"
    CLUSTER_WIDE = "cluster-wide"

    def label(self, namespace: str, name: str) -> bytes:
        """What the encryption is bound to."""
        parts = {Scope.STRICT: f"{namespace}/{name}", Scope.NAMESPACE_WIDE: namespace, Scope.CLUSTER_WIDE: ""}
        return parts[self].encode()


class Certificate:
    """What an environment's secrets are sealed with."""

    def __init__(self, pem: bytes, now: datetime.datetime | None = None) -> None:
        """Read it from PEM. Raises `OpsError` when it is none, has expired, or has another key than RSA."""
        try:
            found = x509.load_pem_x509_certificates(pem)
        except ValueError:
            found = []
        if len(found) != 1:
            # Its content is not shown: somebody may have taken the private key for it.
            problem = f"it holds {len(found)} certificates" if found else "it holds no certificate in PEM"
            raise OpsError(f"{problem}: give the one of `pulumi stack output sealing`")
        key = found[0].public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise OpsError("the certificate has no RSA key: the controller cannot have made it")
        end = found[0].not_valid_after_utc
        if end < (now or datetime.datetime.now(datetime.UTC)):
            raise OpsError(f"the certificate has expired on {end:%Y-%m-%d}: get the stack's present one")
        self._key = key

    def seal(self, value: bytes, label: bytes) -> str:
        """One value, in base64: length of the encrypted session key (16 bits), that key, the encrypted value."""
        session = os.urandom(32)
        digest = hashes.SHA256()
        wrapped = self._key.encrypt(session, padding.OAEP(padding.MGF1(digest), digest, label))
        content = aead.AESGCM(session).encrypt(NONCE, value, None)
        return base64.b64encode(len(wrapped).to_bytes(2) + wrapped + content).decode()


def sealed_secret(secret: dict[str, Any], certificate: Certificate, scope: Scope) -> dict[str, Any]:
    """The SealedSecret of a Secret that `seal_input` let pass. All but the values is kept in its template."""
    metadata = secret["metadata"]
    name, namespace = metadata["name"], metadata.get("namespace", "")
    place = {"name": name, **({"namespace": namespace} if namespace else {})}
    kept = {key: metadata[key] for key in ("labels", "annotations") if metadata.get(key)}
    if "annotations" in kept:
        own = {f"{ANNOTATIONS}{each}" for each in Scope} | {LAST_APPLIED}
        kept["annotations"] = {key: value for key, value in kept["annotations"].items() if key not in own}
    template = {"metadata": {**place, **{key: value for key, value in kept.items() if value}}}
    template |= {key: secret[key] for key in ("type", "immutable") if key in secret}
    label = scope.label(namespace, name)
    wide = {} if scope is Scope.STRICT else {"annotations": {f"{ANNOTATIONS}{scope}": "true"}}
    return {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": {**place, **wide},
        "spec": {
            "encryptedData": {key: certificate.seal(value, label) for key, value in values(secret).items()},
            "template": template,
        },
    }


def values(secret: dict[str, Any]) -> dict[str, bytes]:
    """A Secret's values; `stringData` wins over `data`, as in the API server. Raises `OpsError` for bad base64."""
    found: dict[str, bytes] = {}
    for key, text in (secret.get("data") or {}).items():
        # Lines may be broken, as `base64` breaks them.
        encoded = "".join(text.split())
        try:
            found[key] = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise OpsError(
                f"data.{key} is no base64{_why(encoded)}: write plain text below stringData instead"
            ) from None
    return found | {key: text.encode() for key, text in (secret.get("stringData") or {}).items()}


def _why(encoded: str) -> str:
    """What is wrong with a base64 text, where that is one of the common slips."""
    if re.fullmatch(r"[A-Za-z0-9_-]+={0,2}", encoded) and re.search(r"[-_]", encoded):
        return " of the kind that Kubernetes takes (it has - or _, as in URLs, instead of + and /)"
    if re.fullmatch(r"[A-Za-z0-9+/]+=?", encoded):
        return " (its length is no multiple of 4: it is cut, or lacks = at its end)"
    return ""
