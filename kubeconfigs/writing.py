"""Kubeconfigs that are handed on: one context made portable, and those of app owners."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

import yaml

from kubeconfigs import checking, proxy, reading
from kubeconfigs.decoding import KubeconfigError, Section
from kubeconfigs.reading import Context

FILES = ("certificate-authority", "client-certificate", "client-key")
CARRIED = ("certificate-authority-data", "tls-server-name", "insecure-skip-tls-verify")
"""What an app owner needs to know of a cluster beside its server and its proxy."""

LOCAL_NAMES = ("localhost", "docker.internal")
RANCHER = re.compile(r"/k8s/clusters/")
"""Rancher's own way to a cluster, which knows Rancher's tokens and no ServiceAccount."""


class _Dumper(yaml.SafeDumper):
    """Quotes what other parsers than PyYAML take for a number or a boolean: 12e4, 0o7, y."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    safe = re.fullmatch(r"[A-Za-z/][^\n]+", text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if safe else '"')


_Dumper.add_representer(str, _text)


def portable(context: Context) -> str:
    """A kubeconfig (YAML) with this context only, which works from any folder: files embedded, commands absolute.

    Holds whatever the original holds, passwords too.

    Raises:
        KubeconfigError: kubectl would refuse the original, or a file cannot be read.
    """
    for error in checking.problems(context):
        raise error
    user = _embedded(context, context.user)
    if user.pop("tokenFile", "") and context.secure:
        user["token"] = checking.token(context)
    entry: Section = {"name": context.user_name, "user": user}
    return _config(
        context.name,
        {"name": context.name, "context": context.details},
        {"name": context.cluster_name, "cluster": _embedded(context, context.cluster)},
        entry if context.user_name else None,
    )


def with_token(admin: str, *, context: str, user: str, namespace: str, token: str) -> str:
    """A kubeconfig (YAML) for one user who signs in with a token; of the administrator's, only the cluster's address.

    Not even the user and password of a proxy, or of the server's URL: they are the administrator's.
    The context's name is the cluster's too: it is unique, so that files merge (`KUBECONFIG=a:b`) and a file
    that is out of date never decides for another one.

    Raises:
        KubeconfigError: `admin` is no kubeconfig, or its cluster's certificate authority is a file.
    """
    chosen = reading.loads(admin, where="the administrator's kubeconfig")
    details = {"cluster": context, "namespace": namespace, "user": user}
    return _config(
        context,
        {"name": context, "context": details},
        {"name": context, "cluster": for_others(chosen)},
        {"name": user, "user": {"token": token}},
    )


def for_others(context: Context) -> Section:
    """The cluster's section as others may have it. Raises `KubeconfigError`."""
    cluster = context.cluster
    if "certificate-authority" in cluster and "certificate-authority-data" not in cluster:
        raise KubeconfigError(f"{context.where} names a file as certificate authority", "embed it")
    section = {"server": checking.server(context).shown, **{key: cluster[key] for key in CARRIED if key in cluster}}
    if cluster.get("proxy-url"):
        try:
            section["proxy-url"] = proxy.parse(cluster["proxy-url"]).shown
        except ValueError as error:
            raise KubeconfigError(f"{context.where}: proxy-url cannot be used: {error}") from None
    return section


def useless(context: Context) -> Iterator[KubeconfigError]:
    """Why app owners could not use a kubeconfig that is made from this one (`checking.problems` found none)."""
    server = checking.server(context)
    through = proxy.parse(context.cluster["proxy-url"]) if context.cluster.get("proxy-url") else None
    near = through or server
    if _local(near):
        what = "its proxy-url is" if through else "its server is"
        yield KubeconfigError(
            f"app owners cannot use kubeconfigs made from {context.where}: {what} {near.shown}, this machine itself",
            "use a kubeconfig (or cluster.context) with the address that owners reach, "
            "or tell owners to change it in theirs",
        )
    if RANCHER.search(server.path):
        yield KubeconfigError(
            f"app owners cannot use kubeconfigs made from {context.where}: {server.shown} is Rancher, "
            "which takes no token of a ServiceAccount",
            "enable the authorized cluster endpoint in Rancher, and write its context as cluster.context",
        )
    if through and through.user is not None:
        yield KubeconfigError(
            f"app owners get {context.where}'s proxy {through.shown} without its user and password",
            "tell owners to add their own in proxy-url",
        )


def _local(url: proxy.Url) -> bool:
    address, host = url.address, url.host.lower()
    if address:
        return address.is_loopback or address.is_unspecified
    return any(host == name or host.endswith(f".{name}") for name in LOCAL_NAMES)


def _embedded(context: Context, section: Section) -> Section:
    embedded = dict(section)
    if not checking.has(section, "client-certificate"):
        embedded.pop("client-key", None)  # kubectl does not look at it
    for key in FILES:
        content = checking.content_of(context, section, key) if key in embedded else None
        if content is not None:
            del embedded[key]
            embedded[f"{key}-data"] = base64.b64encode(content).decode()
    return embedded


def _config(name: str, context: Section, cluster: Section, user: Section | None) -> str:
    config: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [context],
        "clusters": [cluster],
        "users": [user] if user else [],
    }
    return yaml.dump(config, Dumper=_Dumper, sort_keys=False, width=2**31)
