"""What the API server will say of a Secret, and kubectl of its SealedSecret: said before it is sealed. Pure.

The controller makes the Secret much later, far from whoever sealed it. The rules are the API server's own; a lab test
holds the two together. No message holds a value.
https://kubernetes.io/docs/concepts/configuration/secret/#secret-types
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from ops.stack import OpsError

LIMIT = 1024 * 1024
"""Bytes of all values together, that a Secret takes."""
STORED = 1536 * 1024
"""Bytes that etcd takes of one object. A sealed value is a third longer, and 0.7 KB more for its key."""
ANNOTATIONS = 256 * 1024
"""Bytes of all annotations together. `kubectl apply` and Argo CD keep the whole manifest in one of them."""

KEY = re.compile(r"[-._A-Za-z0-9]{1,253}")
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_PART = re.compile(r"[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?")

CONFIG, OLD_CONFIG = ".dockerconfigjson", ".dockercfg"
_TYPE = "kubernetes.io/"
_ACCOUNT = "kubernetes.io/service-account.name"


def check(secret: Mapping[str, Any], values: Mapping[str, bytes]) -> None:
    """Raises `OpsError` for what the API server would refuse: names, labels, keys, size, what its type asks for."""
    metadata = secret["metadata"]
    _metadata(metadata)
    for number, key in enumerate(values, 1):
        if not KEY.fullmatch(key):
            raise OpsError(f"key {number} is empty, too long, or has other characters than letters, digits, -, _ and .")
        if key in (".", "..") or key.startswith(".."):
            raise OpsError(f"the key {key} is one that Kubernetes refuses: it may not be . or begin with ..; rename it")
    size = sum(map(len, values.values()))
    if size > LIMIT:
        raise OpsError(f"its values are {_kib(size)}, and Kubernetes takes 1 MiB: keep it elsewhere, or make several")
    kind = str(secret.get("type") or "Opaque")
    if kind == f"{_TYPE}service-account-token" and not (metadata.get("annotations") or {}).get(_ACCOUNT):
        raise OpsError(f"a Secret of type {kind} needs the annotation {_ACCOUNT} with the service account's name")
    if wanted := _NEEDED.get(kind):
        _needed(kind, wanted, secret, values)
    for key in {f"{_TYPE}dockerconfigjson": [CONFIG], f"{_TYPE}dockercfg": [OLD_CONFIG]}.get(kind, []):
        _docker(key, values[key], secret)


_NEEDED = {
    f"{_TYPE}tls": (all, ["tls.crt", "tls.key"]),
    f"{_TYPE}dockerconfigjson": (all, [CONFIG]),
    f"{_TYPE}dockercfg": (all, [OLD_CONFIG]),
    f"{_TYPE}basic-auth": (any, ["username", "password"]),
    f"{_TYPE}ssh-auth": (all, ["ssh-privatekey"]),
}
"""Type -> which of its keys have to be there."""


def _needed(kind: str, wanted: Any, secret: Mapping[str, Any], values: Mapping[str, bytes]) -> None:
    how, keys = wanted
    there = [key in values and (kind != f"{_TYPE}ssh-auth" or values[key] != b"") for key in keys]
    if not how(there):
        missing = [key for key, found in zip(keys, there, strict=True) if not found]
        words = " and ".join(missing) if how is all else " or ".join(missing)
        raise OpsError(
            f"a Secret of type {kind} needs the key{'s' if len(missing) > 1 and how is all else ''} {words}; it has "
            f"{_listed(values)}: add what is missing, or make it type Opaque"
        )


def _docker(key: str, value: bytes, secret: Mapping[str, Any]) -> None:
    if isinstance(_object(value), dict):
        return
    where = "stringData" if key in (secret.get("stringData") or {}) else "data"
    if isinstance(_object(_again(value)), dict):
        fix = (
            "put it below data" if where == "stringData" else "encode it once, or put the JSON itself below stringData"
        )
        raise OpsError(f"{where}.{key} is encoded in base64 {'already' if where == 'stringData' else 'twice'}: {fix}")
    raise OpsError(f"{where}.{key} is no JSON object, such as ~/.docker/config.json: take that file as it is")


def _object(value: bytes | None) -> Any:
    try:
        return json.loads(value) if value else None
    except (ValueError, RecursionError):
        return None


def _again(value: bytes) -> bytes | None:
    """What is encoded in the value, if it is base64."""
    try:
        return base64.b64decode(b"".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _metadata(metadata: Mapping[str, Any]) -> None:
    name, namespace = metadata.get("name"), metadata.get("namespace")
    if name is not None and (not isinstance(name, str) or len(name) > 253 or not SUBDOMAIN.fullmatch(name)):
        raise OpsError("metadata.name is no name that Kubernetes takes: small letters, digits, - and ., at most 253")
    if namespace is not None and (not isinstance(namespace, str) or not LABEL.fullmatch(namespace)):
        raise OpsError("metadata.namespace is no name that Kubernetes takes: small letters, digits and -, at most 63")
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    for field, found in (("labels", labels), ("annotations", annotations)):
        for number, key in enumerate(found, 1):
            # The API server compares an annotation's key in small letters.
            if not _qualified(key.lower() if field == "annotations" else key):
                raise OpsError(f"metadata.{field}, key {number}: it is no [prefix/]name that Kubernetes takes")
    for key, value in labels.items():
        if value and not _PART.fullmatch(value):
            raise OpsError(
                f"metadata.labels.{key}: its value has other characters than letters, digits, -, _ and ., or more than "
                "63; free text goes into annotations"
            )
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > ANNOTATIONS:
        raise OpsError("metadata.annotations are more than 256 KiB, which Kubernetes refuses")


def _qualified(key: str) -> bool:
    """Whether it is the key of a label: a name, before it at most a DNS name and a slash."""
    prefix, slash, name = key.rpartition("/")
    if slash and (not SUBDOMAIN.fullmatch(prefix) or len(prefix) > 253):
        return False
    return bool(_PART.fullmatch(name))


def check_sealed(manifest: Mapping[str, Any]) -> list[str]:
    """Warnings about a SealedSecret's size. Raises `OpsError` if no API server can store it."""
    size = len(json.dumps(manifest, separators=(",", ":")).encode())
    if size > STORED:
        raise OpsError(
            f"sealed it is {_kib(size)}, and the API server stores 1.5 MiB: make several Secrets, or keep it elsewhere"
        )
    # The annotation has a name, and Argo CD or people add others.
    if size > ANNOTATIONS - 2048:
        return [
            f"sealed it is {_kib(size)}: `kubectl apply` and Argo CD keep a copy in an annotation, which takes "
            "256 KiB, and say `metadata.annotations: Too long`; use `kubectl apply --server-side`, "
            "or Argo CD's sync option ServerSideApply=true (annotation argocd.argoproj.io/sync-options)"
        ]
    return []


def warnings(secret: Mapping[str, Any], values: Mapping[str, bytes]) -> list[str]:
    """What Kubernetes takes, and nobody can use."""
    kind = secret.get("type")
    if kind == f"{_TYPE}dockerconfigjson":
        return _registries(_object(values[CONFIG]))
    return _pair(values["tls.crt"], values["tls.key"]) if kind == f"{_TYPE}tls" else []


def _registries(config: Any) -> list[str]:
    auths = config.get("auths")
    if isinstance(auths, dict) and any(isinstance(one, dict) and one for one in auths.values()):
        return []
    return [
        f"{CONFIG} signs in at no registry: its auths are empty, as where Docker keeps them in a credsStore, which the "
        "kubelet does not read; `kubectl create secret docker-registry --dry-run=client -o yaml` writes them"
    ]


def _pair(certificate: bytes, key: bytes) -> list[str]:
    for name, value in (("tls.crt", certificate), ("tls.key", key)):
        if b"-----BEGIN" not in value:
            twice = b"-----BEGIN" in (_again(value) or b"")
            return [f"{name} is no PEM" + (": it is encoded in base64 twice, or below stringData" if twice else "")]
    try:
        public = x509.load_pem_x509_certificates(certificate)[0].public_key()
        other: Any = serialization.load_pem_private_key(key, None).public_key()
    except TypeError:
        return ["tls.key is encrypted with a passphrase: no ingress controller can read it"]
    except (ValueError, IndexError):
        return ["tls.crt or tls.key cannot be read: no certificate and private key in PEM"]
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    if public.public_bytes(*form) != other.public_bytes(*form):
        return [
            "tls.key does not belong to the first certificate of tls.crt: that one's own comes first, then the chain"
        ]
    return []


def _listed(keys: Iterable[str]) -> str:
    return ", ".join(keys) or "none"


def _kib(size: int) -> str:
    return f"{size / 1024:.0f} KiB" if size < 1024 * 1024 else f"{size / 1024 / 1024:.2f} MiB"
