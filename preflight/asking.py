"""Reads lists of an existing cluster's API server: names and labels of objects, never what is in them."""

from __future__ import annotations

import base64
import concurrent.futures
import dataclasses
import http
import http.client
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from typing import Any

import settings as config
from kubeconfigs import reading
from preflight import api_server, cluster

SECONDS = 15.0
"""How long a list may take, and the login command of a kubeconfig."""
CONNECTIONS = 4
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

List = Callable[[str], list[dict[str, Any]]]
"""A collection's path, such as `/api/v1/namespaces` -> the metadata of what is in it; raises `Unasked`."""


class Unasked(Exception):
    """Why the API server was not asked, or did not answer."""


def lists(paths: Iterable[str], one: List) -> dict[str, list[dict[str, Any]] | Unasked]:
    """Each collection's answer, asked for side by side."""

    def ask(path: str) -> list[dict[str, Any]] | Unasked:
        try:
            return one(path)
        except Unasked as error:
            return error

    with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as pool:
        wanted = sorted(set(paths))
        return dict(zip(wanted, pool.map(ask, wanted), strict=True))


def lister(existing: config.ExistingCluster, text: str | None) -> List:
    """What asks the cluster of a kubeconfig that `cluster.problems` found nothing wrong with. Raises `Unasked`."""
    try:
        chosen = cluster.context(existing, text)
        way = api_server.route(dataclasses.replace(chosen, user=_logged_in(chosen)))
    except reading.KubeconfigError as error:
        raise Unasked(error.problem) from None
    if not way.spoken and way.proxy:
        raise Unasked(f"it is behind the proxy {way.proxy.shown}, whose kind only kubectl and Pulumi's plugins speak")
    return lambda path: _list(way, path)


def _list(way: api_server.Route, path: str) -> list[dict[str, Any]]:
    try:
        status, body = api_server.ask(way, path, SECONDS, headers={"Accept": METADATA, "Accept-Encoding": "gzip"})
        if status == http.HTTPStatus.NOT_FOUND:  # the cluster does not know the kind
            return []
        if status != http.HTTPStatus.OK:
            reason = {401: "nobody is signed in", 403: "without the right to list them"}.get(status)
            raise Unasked(reason or f"the API server answers {status}")
        return [dict(one["metadata"]) for one in json.loads(body)["items"]]
    except api_server.ProxyError as error:
        raise Unasked(f"the proxy answers {error.status}") from None
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise Unasked(f"{type(error).__name__} while asking for them") from None


def _logged_in(chosen: reading.Context) -> dict[str, Any]:
    """The user of a kubeconfig with the credentials that its login command (`exec`) gives."""
    plugin = chosen.user.get("exec")
    if not isinstance(plugin, dict):
        return chosen.user
    command = str(plugin.get("command") or "")
    program = shutil.which(command)
    if not program:
        raise Unasked(f"its login command {command} is not there")
    information = {
        "apiVersion": plugin.get("apiVersion"),
        "kind": "ExecCredential",
        "spec": {"interactive": False, **(_about(chosen) if plugin.get("provideClusterInfo") else {})},
    }
    given = {str(one["name"]): str(one["value"]) for one in plugin.get("env") or []}
    try:
        done = subprocess.run(
            [program, *map(str, plugin.get("args") or [])], capture_output=True, stdin=subprocess.DEVNULL, check=True,
            timeout=SECONDS, env={**os.environ, **given, "KUBERNETES_EXEC_INFO": json.dumps(information)},
        )  # fmt: skip
        status = json.loads(done.stdout)["status"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        raise Unasked(f"its login command {command} gives no credentials") from None
    user = dict(chosen.user)
    if status.get("token"):
        user["token"] = status["token"]
    for key, field in (("client-certificate-data", "clientCertificateData"), ("client-key-data", "clientKeyData")):
        if status.get(field):
            user[key] = base64.b64encode(str(status[field]).encode()).decode()
    return user


def _about(chosen: reading.Context) -> dict[str, Any]:
    data = chosen.cluster.get("certificate-authority-data")
    about = {"server": chosen.cluster.get("server"), **({"certificate-authority-data": data} if data else {})}
    return {"cluster": about}
