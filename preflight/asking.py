"""Reads lists of an existing cluster's API server: names and labels of objects, never what is in them."""

from __future__ import annotations

import base64
import concurrent.futures
import gzip
import http.client
import json
import os
import pathlib
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import settings as config
from preflight import client_certificate, cluster

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
    folder, where = pathlib.Path(), "the kubeconfig"
    try:
        if existing.kubeconfig_path is not None:
            file = pathlib.Path(existing.kubeconfig_path).expanduser()
            folder, text = file.parent, file.read_text("utf-8")
        found = cluster.target(cluster._load(text or "", where), existing.context, folder, where)
        user = _logged_in(found)
        found = found._replace(user=user)
        context = cluster._tls(found, where)
        if context is not None:
            client_certificate.present(user, folder, context)
        token = cluster._token(found)
    except (cluster.Unusable, OSError, ValueError) as error:
        raise Unasked(str(error.args[0] if error.args else error)) from None
    headers = {"Accept": METADATA, "Accept-Encoding": "gzip"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return lambda path: _list(found, context, path, headers)


def _list(
    found: cluster.Target, context: ssl.SSLContext | None, path: str, headers: Mapping[str, str]
) -> list[dict[str, Any]]:
    address = str(found.cluster["server"])
    connection, before = cluster._connection(address, found, context)
    connection.timeout = SECONDS
    try:
        connection.request("GET", before + path, headers=dict(headers))
        answer = connection.getresponse()
        body = answer.read()
        if answer.getheader("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if answer.status == http.HTTPStatus.NOT_FOUND:  # the cluster does not know the kind
            return []
        if answer.status != http.HTTPStatus.OK:
            reason = {401: "nobody is signed in", 403: "without the right to list them"}.get(answer.status)
            raise Unasked(reason or f"the API server answers {answer.status}")
        items = json.loads(body)["items"]
        return [dict(one["metadata"]) for one in items]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise Unasked(f"{type(error).__name__} while asking for them") from None
    finally:
        connection.close()


def _logged_in(found: cluster.Target) -> dict[str, Any]:
    """The user of a kubeconfig with the credentials that its login command (`exec`) gives."""
    plugin = found.user.get("exec")
    if not isinstance(plugin, dict):
        return found.user
    command = str(plugin.get("command") or "")
    beside = found.folder / command
    program = str(beside) if os.sep in command and beside.is_file() else shutil.which(command)
    if not program:
        raise Unasked(f"its login command {command} is not there")
    information = {
        "apiVersion": plugin.get("apiVersion"),
        "kind": "ExecCredential",
        "spec": {"interactive": False, **(_about(found) if plugin.get("provideClusterInfo") else {})},
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
    user = dict(found.user)
    if status.get("token"):
        user["token"] = status["token"]
    for key, field in (("client-certificate-data", "clientCertificateData"), ("client-key-data", "clientKeyData")):
        if status.get(field):
            user[key] = base64.b64encode(str(status[field]).encode()).decode()
    return user


def _about(found: cluster.Target) -> dict[str, Any]:
    data = found.cluster.get("certificate-authority-data")
    about = {"server": found.cluster.get("server"), **({"certificate-authority-data": data} if data else {})}
    return {"cluster": about}
