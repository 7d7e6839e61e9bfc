"""Whether an existing cluster can be used: its kubeconfig holds together, and its API server answers."""

from __future__ import annotations

import functools
import http
import http.client
import json
import os
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

import settings as config
from kubeconfigs import checking, reading, writing
from kubeconfigs.reading import Context, KubeconfigError
from preflight import api_server

SECONDS = 5.0
"""How long the API server may take to answer."""

KUBECONFIG = "kubeconfig"

FOR_OWNERS = (1, 30)
"""The first Kubernetes that serves ValidatingAdmissionPolicy as v1, which bounds app owners."""


def problems(
    cluster: config.ExistingCluster,
    text: str | None,
    *,
    has_owners: bool = False,
    environment: Mapping[str, str] = os.environ,
) -> Iterator[config.Mistake]:
    """What keeps the cluster from being used. `text`: the kubeconfig's content, unless it has a path."""
    try:
        chosen = context(cluster, text)
        refused = [config.Mistake(KUBECONFIG, one.problem, one.fix) for one in checking.problems(chosen)]
        if refused:
            yield from refused
            return
        way = api_server.route(chosen, environment)
    except KubeconfigError as error:
        yield config.Mistake(KUBECONFIG, error.problem, error.fix)
        return
    for warning in writing.useless(chosen) if has_owners else ():
        pulumi.log.warn(str(warning))
    if not way.spoken and way.proxy:
        pulumi.log.warn(
            f"the API server {way.server.shown} was not asked whether it answers: it is behind the proxy "
            f"{way.proxy.shown}, whose kind only kubectl and Pulumi's plugins speak"
        )
        return
    yield from _within(SECONDS, functools.partial(ask, chosen, way, has_owners=has_owners), way)


def context(cluster: config.ExistingCluster, text: str | None) -> Context:
    """The context that the settings choose, of the file or of the secret's `text`. Raises `KubeconfigError`."""
    if cluster.kubeconfig_path is not None:
        return reading.load(cluster.kubeconfig_path, cluster.context)
    return reading.loads(text or "", cluster.context, where="the secret kubeconfig")


def ask(chosen: Context, way: api_server.Route, *, has_owners: bool = False) -> Iterator[config.Mistake]:
    """Ask the API server for its version; any answer but a 401 will do, or one that is too old for app owners."""
    try:
        status, body = api_server.ask(way, "/version", SECONDS)
    except api_server.ProxyError as error:
        yield _refused_by_proxy(way, error.status)
        return
    except (OSError, http.client.HTTPException, ValueError) as error:
        yield _unreachable(way, *_cause(error))
        return
    if status == http.HTTPStatus.UNAUTHORIZED and (way.credentials or not checking.identified(chosen)):
        refused = f"take its {way.credentials}" if way.credentials else "answer without credentials, and it has none"
        problem = f"the API server {way.server.shown} does not {refused} (401)"
        fix = f"get a new kubeconfig: the {way.credentials} has expired or was withdrawn"
        yield config.Mistake(KUBECONFIG, problem, fix if way.credentials else reading.decoding.ANEW)
    known = version(body) if status == http.HTTPStatus.OK else None
    if has_owners and known and known < FOR_OWNERS:
        problem = f"the cluster runs Kubernetes {known[0]}.{known[1]}, which has no ValidatingAdmissionPolicy"
        fix = f"raise it to {FOR_OWNERS[0]}.{FOR_OWNERS[1]} or newer, or take appOwners out"
        yield config.Mistake("appOwners", problem, fix)


def version(body: bytes) -> tuple[int, int] | None:
    """Major and minor of what `/version` answers (some clouds write `30+`); None: it says nothing of the kind."""
    try:
        said = json.loads(body)
        found = [re.match(r"[0-9]+", str(said[key])) for key in ("major", "minor")]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    major, minor = (int(one[0]) if one else None for one in found)
    return None if major is None or minor is None else (major, minor)


def _within(seconds: float, question: Any, way: api_server.Route) -> Iterator[config.Mistake]:
    """The answers to a question, in time: looking up a name knows no time limit of its own."""
    answers: list[list[config.Mistake]] = []
    thread = threading.Thread(target=lambda: answers.append(list(question())), daemon=True)
    thread.start()
    thread.join(seconds + 0.5)
    yield from answers[0] if answers else [_unreachable(way, *_cause(TimeoutError()))]


def _cause(error: Exception) -> tuple[str, str]:
    """Why there is no answer, and what to look at."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return "its name is not known here", "check the address, the VPN and the DNS server"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there", "check the address, and that it runs"
    if isinstance(error, TimeoutError):
        return f"no answer within {SECONDS:g} s", "check the address, the VPN and the cluster's allow list"
    if isinstance(error, ssl.SSLCertVerificationError):
        fix = "get the kubeconfig anew: its authority (or the address in it) is not the server's"
        return f"its certificate does not verify ({error.verify_message})", fix
    return f"{type(error).__name__} while asking it", "check that this is a Kubernetes API server"


def _unreachable(way: api_server.Route, cause: str, fix: str) -> config.Mistake:
    through = f" through the proxy {way.proxy.shown}" if way.proxy else ""
    return config.Mistake("cluster", f"the API server {way.server.shown} cannot be reached{through}: {cause}", fix)


def _refused_by_proxy(way: api_server.Route, status: int) -> config.Mistake:
    if status != http.HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return _unreachable(way, f"the proxy does not connect ({status})", "ask who runs the proxy to allow it")
    known = way.proxy is not None and way.proxy.user is not None
    wants = "does not take its user and password" if known else "wants a user and a password"
    fix = "write them into proxy-url (or HTTPS_PROXY): http://USER:PASSWORD@HOST:PORT, special characters as %XX"
    return _unreachable(way, f"the proxy {wants} ({status})", fix)
