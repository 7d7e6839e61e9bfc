"""Kubeconfigs for the users of a cluster, made from its administrator's. Pure; for components and commands alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from urllib import parse as urls

import yaml

HTTPS_PORT = 443
OPTIONAL = ("certificate-authority-data", "tls-server-name", "insecure-skip-tls-verify", "proxy-url")
"""What a user needs to know of a cluster beside its server."""


def with_token(admin: str, *, context: str, user: str, namespace: str, token: str) -> str:
    """A kubeconfig (YAML) for one user who signs in with a token; of the administrator's, only the cluster's address.

    The context's name is the cluster's too: it is unique, so that files merge (`KUBECONFIG=a:b`) and a file
    that is out of date never decides for another one.

    Raises:
        ValueError: `admin` is no kubeconfig, or its cluster's certificate authority is a file.
    """
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "contexts": [{"name": context, "context": {"cluster": context, "namespace": namespace, "user": user}}],
            "clusters": [{"name": context, "cluster": _cluster(admin)}],
            "users": [{"name": user, "user": {"token": token}}],
        },
        sort_keys=False,
    )


def entry(config: Mapping[str, Any], section: str, name: str | None) -> dict[str, Any]:
    """The entry of that name in `contexts`, `clusters` or `users`.

    Raises:
        ValueError: there is none; it names those there are.
    """
    entries = cast(list[dict[str, Any]], config.get(section) or [])
    for one in entries:
        if one.get("name") == name:
            return dict(one)
    known = ", ".join(str(one.get("name")) for one in entries) or "none"
    raise ValueError(f"kubeconfig: no {section[:-1]} named {name!r} (there are: {known})")


def server_port(admin: str) -> int:
    """The port of the API server that a kubeconfig's current context names: 443 where its address has none.

    Raises:
        ValueError: `admin` is no kubeconfig, or the address is none.
    """
    return urls.urlsplit(str(_cluster(admin)["server"])).port or HTTPS_PORT


def _cluster(admin: str) -> dict[str, Any]:
    try:
        config = yaml.safe_load(admin)
        context = entry(config, "contexts", config["current-context"])["context"]
        cluster = entry(config, "clusters", context["cluster"])["cluster"]
        carried = {"server": cluster["server"], **{key: cluster[key] for key in OPTIONAL if key in cluster}}
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError):
        # What the parser says quotes the text, which holds keys.
        raise ValueError("the administrator's kubeconfig has no current context with a cluster") from None
    if "certificate-authority" in cluster and "certificate-authority-data" not in cluster:
        raise ValueError("the administrator's kubeconfig names a file as certificate authority: embed it")
    return carried
