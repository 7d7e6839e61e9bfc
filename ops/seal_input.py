"""What is to be sealed: Secrets in YAML or JSON, or single values for one. Messages never hold a value."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from ops import seal_rules, seal_text, sealing
from ops.sealing import Scope
from ops.stack import OpsError

KNOWN = ("apiVersion", "kind", "metadata", "data", "stringData", "type", "immutable")

FOREIGN = (
    "it is no Secret (apiVersion: v1, kind: Secret): take it out; "
    "of a value alone, --name and --from-file KEY=PATH make a Secret"
)


def secrets(text: str, namespace: str | None, scope: Scope | None) -> list[tuple[dict[str, Any], Scope]]:
    """The Secrets of a text in YAML or JSON, each with its scope: the given one, else its own, else strict.

    `namespace` is for Secrets that name none. Raises `OpsError` if there is anything in it that is no Secret
    or cannot be sealed, so that nothing is left out in silence.
    """
    documents = seal_text.documents(text)
    if not documents:
        raise OpsError("there is no Secret in it")
    found: list[tuple[dict[str, Any], Scope]] = []
    for number, document in enumerate(documents, 1):
        try:
            found.append(_secret(document, namespace, scope))
        except OpsError as error:
            raise OpsError(f"document {number}: {error}" if len(documents) > 1 else str(error)) from None
    return found


def one(
    name: str, namespace: str | None, values: Mapping[str, bytes], kind: str, scope: Scope | None
) -> list[tuple[dict[str, Any], Scope]]:
    """A Secret of single values, as `secrets` gives it."""
    data = {key: base64.b64encode(value).decode() for key, value in values.items()}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": kind, "data": data}
    return [_secret(seal_text.whole(secret), namespace, scope)]


def _secret(document: Any, namespace: str | None, scope: Scope | None) -> tuple[dict[str, Any], Scope]:
    if not isinstance(document, dict):
        raise OpsError(FOREIGN)
    kind = (document.get("apiVersion"), document.get("kind"))
    if kind[1] == "SealedSecret":
        raise OpsError("it is sealed already")
    if kind != ("v1", "Secret"):
        raise OpsError(FOREIGN)
    if unknown := [str(key) for key in document if key not in KNOWN]:
        raise OpsError(f"a Secret has no field {', '.join(unknown)}; it has {', '.join(KNOWN)}")
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        raise OpsError("metadata is missing: write its name and namespace")
    for field in ("labels", "annotations"):
        _texts(metadata.get(field), f"metadata.{field}")
    scope = scope or _named(metadata.get("annotations") or {})
    place = {"name": metadata.get("name"), "namespace": metadata.get("namespace") or namespace}
    for field, value in place.items():
        needed = field == "name" or scope is not Scope.CLUSTER_WIDE
        if value is None and needed:
            fix = "give --namespace" if field == "namespace" else "write it"
            raise OpsError(f"metadata.{field} is missing: {fix}")
    if namespace and place["namespace"] != namespace:
        raise OpsError(f"it names the namespace {place['namespace']}, not {namespace}")
    for field in ("data", "stringData"):
        _texts(document.get(field), field)
    if not isinstance(document.get("type") or "", str) or not isinstance(document.get("immutable") or False, bool):
        raise OpsError("type must be a text, and immutable true or false")
    kept = {key: value for key, value in place.items() if value}
    secret = {key: value for key, value in document.items() if value is not None}
    secret["metadata"] = {**metadata, **kept}
    found = sealing.values(secret)
    seal_rules.check(secret, found)
    if not found:
        raise OpsError("it holds no value: data and stringData are empty")
    return secret, scope


def _named(annotations: dict[str, str]) -> Scope:
    """The scope that a Secret's annotations ask for; the wider one wins, as in kubeseal."""
    for scope in (Scope.CLUSTER_WIDE, Scope.NAMESPACE_WIDE):
        if annotations.get(f"{sealing.ANNOTATIONS}{scope}") == "true":
            return scope
    return Scope.STRICT


def _texts(mapping: Any, where: str) -> None:
    if mapping is None:
        return
    if not isinstance(mapping, dict):
        raise OpsError(f"{where} is no mapping")
    for key, value in mapping.items():
        if isinstance(value, bytes):
            raise OpsError(f"{where}.{key} has the tag !!binary: write the base64 without a tag, below data")
        if not isinstance(key, str) or not isinstance(value, str):
            raise OpsError(f"{where}.{key} is no text: put it in quotes")
