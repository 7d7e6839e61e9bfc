"""Secrets that the API server takes, and such that it refuses: what `ops seal` says is held against what it says."""

from __future__ import annotations

import base64
import json
from typing import Any

DOCKER = json.dumps({"auths": {"ghcr.io": {"auth": "dXNlcjpwYXNz"}}})
MIB = 1024 * 1024


def encoded(value: str | bytes) -> str:
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()


def secret(**more: Any) -> dict[str, Any]:
    place = {"name": "db", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": place, "stringData": {"password": "x"}, **more}


def typed(kind: str, **values: str) -> dict[str, Any]:
    return secret(type=f"kubernetes.io/{kind}", stringData=values)


def called(**metadata: Any) -> dict[str, Any]:
    return secret(metadata={"name": "db", "namespace": "default", **metadata})


TAKEN: dict[str, dict[str, Any]] = {
    "a plain one": secret(),
    "a key with a dot in front": secret(stringData={".env": "x", "a..b": "x", "_": "x", "-": "x"}),
    "a key of 253 characters": secret(stringData={"k" * 253: "x"}),
    "an empty value": secret(stringData={"password": ""}),
    "1 MiB": secret(stringData={"a": "x" * MIB}),
    "base64 in lines": secret(data={"a": base64.encodebytes(bytes(100)).decode()}, stringData=None),
    "immutable": secret(immutable=True),
    "a type of one's own": secret(type="example.org/db"),
    "no type": secret(type=None),
    "TLS": typed("tls", **{"tls.crt": "x", "tls.key": "x", "ca.crt": "x"}),
    "TLS with an empty key": typed("tls", **{"tls.crt": "", "tls.key": ""}),
    "a Docker config": typed("dockerconfigjson", **{".dockerconfigjson": DOCKER}),
    "an old Docker config": typed("dockercfg", **{".dockercfg": "{}"}),
    "a user's name alone": typed("basic-auth", username="x"),
    "a password alone": typed("basic-auth", password=""),
    "an SSH key": typed("ssh-auth", **{"ssh-privatekey": "x"}),
    "labels": called(labels={"example.org/a_b": "x", "b": "", "c": "A.b_c-d"}),
    "annotations": called(annotations={"Example.org/A": "\U0001f600 anything", "b": ""}),
    "annotations of 256 KiB": called(annotations={"a": "x" * (256 * 1024 - 1)}),
    "a name with dots": called(name="0.a-b.c"),
}  # fmt: skip

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a key .": (secret(stringData={".": "x"}), "the key . is one that Kubernetes refuses"),
    "a key ..": (secret(stringData={"..": "x"}), "the key .. is one"),
    "a key ..data": (secret(stringData={"..data": "x"}), "the key ..data is one"),
    "a key with a slash": (secret(stringData={"a": "x", "b/c": "x"}), "key 2 is empty, too long, or has other"),
    "an empty key": (secret(stringData={"": "x"}), "key 1 is empty"),
    "a key of 254 characters": (secret(stringData={"k" * 254: "x"}), "too long"),
    "more than 1 MiB": (secret(stringData={"a": "x" * MIB, "b": "x"}), "1.00 MiB, and Kubernetes takes 1 MiB"),
    "no base64": (secret(data={"a": "p@ss"}), "data.a is no base64: write plain text below stringData"),
    "base64 of URLs": (secret(data={"a": "_-8="}), "it has - or _, as in URLs"),
    "base64 without its end": (secret(data={"a": "YQ"}), "lacks = at its end"),
    "TLS without a key": (typed("tls", **{"tls.crt": "x"}), "kubernetes.io/tls needs the key tls.key; it has tls.crt"),
    "TLS with other keys": (typed("tls", cert="x", key="x"), "needs the keys tls.crt and tls.key"),
    "a Docker config encoded twice": (
        secret(type="kubernetes.io/dockerconfigjson", data={".dockerconfigjson": encoded(encoded(DOCKER))}),
        "data..dockerconfigjson is encoded in base64 twice: encode it once",
    ),
    "a Docker config encoded below stringData": (
        typed("dockerconfigjson", **{".dockerconfigjson": encoded(DOCKER)}),
        "stringData..dockerconfigjson is encoded in base64 already: put it below data",
    ),
    "a Docker config that is none": (typed("dockerconfigjson", **{".dockerconfigjson": "x"}), "no JSON object"),
    "a Docker config that is a list": (typed("dockerconfigjson", **{".dockerconfigjson": "[]"}), "no JSON object"),
    "an empty Docker config": (typed("dockerconfigjson", **{".dockerconfigjson": ""}), "no JSON object"),
    "a Docker config of another key": (
        typed("dockerconfigjson", **{"config.json": DOCKER}),
        "needs the key .dockerconfigjson; it has config.json",
    ),
    "an old Docker config that is none": (typed("dockercfg", **{".dockercfg": "x"}), ".dockercfg is no JSON object"),
    "nobody to sign in": (typed("basic-auth", user="x"), "needs the key username or password"),
    "an SSH key of another name": (typed("ssh-auth", id_rsa="x"), "needs the key ssh-privatekey"),
    "an empty SSH key": (typed("ssh-auth", **{"ssh-privatekey": ""}), "needs the key ssh-privatekey"),
    "an account's token": (typed("service-account-token", token="x"), "needs the annotation kubernetes.io/service-"),
    "a label's value": (called(labels={"a": "free text"}), "metadata.labels.a"),
    "a label's long value": (called(labels={"a": "x" * 64}), "more than 63"),
    "a label's key": (called(labels={"a b": "x"}), "metadata.labels, key 1"),
    "a label's prefix": (called(labels={"Example.org/a": "x"}), "metadata.labels, key 1"),
    "an annotation's key": (called(annotations={"a": "x", "a/b/c": "x"}), "metadata.annotations, key 2"),
    "annotations of more than 256 KiB": (called(annotations={"a": "x" * 256 * 1024}), "more than 256 KiB"),
    "a name in capitals": (called(name="Db"), "metadata.name"),
    "a name of 254 characters": (called(name="a" * 254), "metadata.name"),
    "a namespace with a dot": (called(namespace="a.b"), "metadata.namespace"),
    "a namespace of 64 characters": (called(namespace="a" * 64), "metadata.namespace"),
    "immutable that is a text": (secret(immutable="yes"), "immutable true or false"),
    "a type that is a number": (secret(type=1), "type must be a text"),
}  # fmt: skip
