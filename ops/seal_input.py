"""What is to be sealed: Secrets in YAML, or single values for one. Messages never hold a value."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

import yaml

from ops import sealing
from ops.sealing import Scope
from ops.stack import OpsError

KEY = re.compile(r"[-._A-Za-z0-9]{1,253}")
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
KNOWN = ("apiVersion", "kind", "metadata", "data", "stringData", "type", "immutable")
LIMIT = 1024 * 1024


def secrets(text: str, namespace: str | None, scope: Scope | None) -> list[tuple[dict[str, Any], Scope]]:
    """The Secrets of a YAML text, each with its scope: the given one, else the one that it names, else strict.

    `namespace` is for Secrets that name none. Raises `OpsError` if there is anything in it that is no Secret
    or cannot be sealed, so that nothing is left out in silence.
    """
    try:
        documents = [each for each in yaml.load_all(text, Loader=_Loader) if each is not None]
    except yaml.MarkedYAMLError as error:
        # What PyYAML says of it quotes the text, and with it a value.
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "it"
        raise OpsError(f"{where}: no valid YAML, or a key that stands there twice") from None
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError):
        # PyYAML's constructors: `!!int ''` is an IndexError, `!!bool x` a KeyError that quotes the value.
        raise OpsError("no valid YAML") from None
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
    return [_secret(secret, namespace, scope)]


def _secret(document: Any, namespace: str | None, scope: Scope | None) -> tuple[dict[str, Any], Scope]:
    if not isinstance(document, dict):
        raise OpsError("it is no Secret")
    kind = (document.get("apiVersion"), document.get("kind"))
    if kind[1] == "SealedSecret":
        raise OpsError("it is sealed already")
    if kind != ("v1", "Secret"):
        raise OpsError("it is no Secret (apiVersion: v1, kind: Secret)")
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
            raise OpsError(f"metadata.{field} is missing" + (": give --namespace" if field == "namespace" else ""))
        if value is not None and (not isinstance(value, str) or len(value) > 253 or not NAME.fullmatch(value)):
            raise OpsError(f"metadata.{field} is no name that Kubernetes takes")
    if namespace and place["namespace"] != namespace:
        raise OpsError(f"it names the namespace {place['namespace']}, not {namespace}")
    for field in ("data", "stringData"):
        _texts(document.get(field), field)
    _check(document)
    kept = {key: value for key, value in place.items() if value}
    return {**document, "metadata": {**metadata, **kept}}, scope


def _check(document: dict[str, Any]) -> None:
    found = sealing.values(document)
    if not found:
        raise OpsError("it holds no value: data and stringData are empty")
    for key in found:
        if not KEY.fullmatch(key):
            raise OpsError("one of its keys has other characters than letters, digits, -, _ and .")
    if sum(map(len, found.values())) > LIMIT:
        raise OpsError("its values are more than 1 MiB, which Kubernetes refuses")
    if not isinstance(document.get("type", ""), str) or not isinstance(document.get("immutable", False), bool):
        raise OpsError("type must be a text, and immutable true or false")


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
        if not isinstance(key, str) or not isinstance(value, str):
            raise OpsError(f"{where}.{key} is no text: put it in quotes")


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which one value would be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(keys) != len(set(keys)):
            raise yaml.constructor.ConstructorError(None, None, "a key twice", node.start_mark)
        return super().construct_mapping(node, deep=deep)
