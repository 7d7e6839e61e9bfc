"""Whether an existing cluster can be used: its kubeconfig holds together, and its API server answers."""

from __future__ import annotations

import base64
import binascii
import contextlib
import functools
import http.client
import json
import pathlib
import re
import shutil
import socket
import ssl
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import yaml

import settings as config
from preflight import client_certificate

SECONDS = 5.0
"""How long the API server may take to answer."""

KUBECONFIG = "kubeconfig"

FOR_OWNERS = (1, 30)
"""The first Kubernetes that serves ValidatingAdmissionPolicy as v1, which bounds app owners."""


class Target(NamedTuple):
    """One context of a kubeconfig: the cluster's and the user's part, and where relative paths begin."""

    cluster: dict[str, Any]
    user: dict[str, Any]
    folder: pathlib.Path


class Unusable(Exception):
    """What is wrong with a kubeconfig, as a `Mistake` in the making: the problem and the fix."""


def problems(
    cluster: config.ExistingCluster, text: str | None, *, has_owners: bool = False
) -> Iterator[config.Mistake]:
    """What keeps the cluster from being used. `text`: the kubeconfig's content, unless it has a path."""
    folder = pathlib.Path()
    where = "the secret kubeconfig"
    try:
        if cluster.kubeconfig_path is not None:
            where = cluster.kubeconfig_path
            file = pathlib.Path(where).expanduser()
            folder = file.parent
            text = _read(file)
        found = target(_load(text or "", where), cluster.context, folder, where)
        address = _server(found.cluster, where)
        context = _tls(found, where)
        _user(found, where)
        certified = _client(found, context, where)
    except Unusable as error:
        yield config.Mistake(KUBECONFIG, *error.args)
        return
    question = functools.partial(ask, address, found, context, certified=certified, has_owners=has_owners)
    yield from _within(SECONDS, question, address)


def target(content: dict[str, Any], context: str | None, folder: pathlib.Path, where: str) -> Target:
    """The parts of a kubeconfig that a context names (None: its current one). Raises `Unusable`."""
    name = context or content.get("current-context")
    if not name:
        names = ", ".join(_names(content, "contexts")) or "none"
        raise Unusable(f"{where} has no current context (there are: {names})", "write cluster.context")
    chosen = _entry(content, "contexts", name, where, "write cluster.context, or use another kubeconfig")
    fix = "get the kubeconfig anew: it does not hold together"
    cluster = _entry(content, "clusters", chosen.get("cluster"), where, fix)
    return Target(cluster, _entry(content, "users", chosen.get("user"), where, fix), folder)


def ask(
    address: str, found: Target, context: ssl.SSLContext | None, *, certified: bool = False, has_owners: bool = False
) -> Iterator[config.Mistake]:
    """Ask the API server for its version; any answer but a 401 will do, or one that is too old for app owners.

    `certified`: the context has the user's client certificate.
    """
    name = shown(address)
    connection, path = _connection(address, found, context)
    token = _token(found)
    try:
        connection.request("GET", f"{path}/version", headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        status, body = answer.status, answer.read(100_000)
    except socket.gaierror:
        yield _unreachable(name, "its name is not known here", "check the address, the VPN and the DNS server")
    except ConnectionRefusedError:
        yield _unreachable(name, "nothing listens there", "check the address, and that the cluster runs")
    except TimeoutError:
        yield _slow(name)
    except ssl.SSLCertVerificationError as error:
        fix = "get the kubeconfig anew: its authority (or the address in it) is not the server's"
        yield _unreachable(name, f"its certificate does not verify ({error.verify_message})", fix)
    except (OSError, http.client.HTTPException) as error:
        yield _unreachable(
            name, f"{type(error).__name__} while asking it", "check that this is a Kubernetes API server"
        )
    else:
        if status == http.HTTPStatus.UNAUTHORIZED and (token or certified):
            refused = "token" if token else "client certificate"
            problem = f"the API server {name} does not take its {refused} (401)"
            fix = f"get a new kubeconfig: the {refused} has expired or was withdrawn"
            yield config.Mistake(KUBECONFIG, problem, fix)
        known = version(body) if status == http.HTTPStatus.OK else None
        if has_owners and known and known < FOR_OWNERS:
            problem = f"the cluster runs Kubernetes {known[0]}.{known[1]}, which has no ValidatingAdmissionPolicy"
            fix = f"raise it to {FOR_OWNERS[0]}.{FOR_OWNERS[1]} or newer, or take appOwners out"
            yield config.Mistake("appOwners", problem, fix)
    finally:
        connection.close()


def get(kubeconfig: str, path: str) -> tuple[int, bytes]:
    """Status and body of what the API server answers. Raises `Unusable`, `OSError` and `http.client.HTTPException`."""
    found = target(_load(kubeconfig, KUBECONFIG), None, pathlib.Path(), KUBECONFIG)
    context, token = _tls(found, KUBECONFIG), _token(found)
    _client(found, context, KUBECONFIG)
    connection, before = _connection(_server(found.cluster, KUBECONFIG), found, context)
    with contextlib.closing(connection):
        connection.request("GET", before + path, headers={"Authorization": f"Bearer {token}"} if token else {})
        return (answer := connection.getresponse()).status, answer.read(1_000_000)


def version(body: bytes) -> tuple[int, int] | None:
    """Major and minor of what `/version` answers (some clouds write `30+`); None: it says nothing of the kind."""
    try:
        said = json.loads(body)
        found = [re.match(r"[0-9]+", str(said[key])) for key in ("major", "minor")]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    major, minor = (int(one[0]) if one else None for one in found)
    return None if major is None or minor is None else (major, minor)


def shown(address: str) -> str:
    """A server's address without a user or a password in it."""
    parts = urllib.parse.urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")


def _within(seconds: float, question: Any, address: str) -> Iterator[config.Mistake]:
    """The answers to a question, in time: looking up a name knows no time limit of its own."""
    answers: list[list[config.Mistake]] = []
    thread = threading.Thread(target=lambda: answers.append(list(question())), daemon=True)
    thread.start()
    thread.join(seconds + 0.5)
    yield from answers[0] if answers else [_slow(shown(address))]


def _unreachable(name: str, cause: str, fix: str) -> config.Mistake:
    return config.Mistake("cluster", f"the API server {name} cannot be reached: {cause}", fix)


def _slow(name: str) -> config.Mistake:
    fix = "check the address, the VPN and the cluster's allow list"
    return _unreachable(name, f"no answer within {SECONDS:g} s", fix)


def _read(file: pathlib.Path) -> str:
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        raise Unusable(f"{file} is not there", "write the file's path as cluster.kubeconfigPath") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(
            f"{file} cannot be read ({type(error).__name__})", "check the path and its permissions"
        ) from None


def _load(text: str, where: str) -> dict[str, Any]:
    """The content; errors name a line only, since what stands there may be a key."""
    fix = "get the kubeconfig anew"
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""
        raise Unusable(f"{where} is no valid YAML{line}", fix) from None
    if not isinstance(content, dict) or "clusters" not in content:
        raise Unusable(f"{where} is no kubeconfig", fix)
    return cast(dict[str, Any], content)


def _names(content: dict[str, Any], section: str) -> list[str]:
    entries = content.get(section)
    return [str(entry["name"]) for entry in entries or [] if isinstance(entry, dict) and entry.get("name")]


def _entry(content: dict[str, Any], section: str, name: Any, where: str, fix: str) -> dict[str, Any]:
    kind = section[:-1]
    for entry in content.get(section) or []:
        if isinstance(entry, dict) and entry.get("name") == name:
            value = cast(dict[str, Any], entry).get(kind)
            if isinstance(value, dict):
                return cast(dict[str, Any], value)
    known = ", ".join(_names(content, section)) or "none"
    raise Unusable(f"{where} has no {kind} {name} (there are: {known})", fix)


def _server(cluster: dict[str, Any], where: str) -> str:
    address = str(cluster.get("server", ""))
    parts = urllib.parse.urlsplit(address)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise Unusable(f"{where} names no server that has a URL", "get the kubeconfig anew")
    return address


def _user(found: Target, where: str) -> None:
    """Files and commands that the user's credentials need are there."""
    for key in ("client-certificate", "client-key", "tokenFile"):
        if found.user.get(key) and not (found.folder / str(found.user[key])).is_file():
            raise Unusable(f"{where} names {found.user[key]} ({key}), which is not there", "get the kubeconfig anew")
    plugin = found.user.get("exec")
    command = str(plugin.get("command", "")) if isinstance(plugin, dict) else ""
    if command and not shutil.which(command) and not (found.folder / command).is_file():
        raise Unusable(f"{where} gets its credentials from {command}, which is not on PATH", f"install {command}")


def _tls(found: Target, where: str) -> ssl.SSLContext | None:
    if str(found.cluster["server"]).startswith("http:"):
        return None
    if found.cluster.get("insecure-skip-tls-verify"):
        return ssl._create_unverified_context()  # noqa: S323  (the kubeconfig asks for it)
    try:
        data = found.cluster.get("certificate-authority-data")
        authority = base64.b64decode(str(data), validate=True).decode("ascii") if data else None
        file = found.cluster.get("certificate-authority")
        context = ssl.create_default_context(
            cadata=authority, cafile=str(found.folder / str(file)) if file and not authority else None
        )
    except (binascii.Error, UnicodeDecodeError, ssl.SSLError):
        raise Unusable(f"{where}: its certificate authority cannot be read", "get the kubeconfig anew") from None
    except OSError:
        file = found.cluster.get("certificate-authority")
        raise Unusable(f"{where} names {file}, which is not there", "get the kubeconfig anew") from None
    # On by default from Python 3.13; clusters' certificates often lack the key identifiers that it wants.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _client(found: Target, context: ssl.SSLContext | None, where: str) -> bool:
    """Whether the user has a client certificate; it is in the context then."""
    try:
        return context is not None and client_certificate.present(found.user, found.folder, context)
    except (ValueError, OSError):
        problem = f"{where}: its client certificate and key cannot be read, or are not each other's"
        raise Unusable(problem, "get the kubeconfig anew") from None


def _token(found: Target) -> str | None:
    if found.user.get("token"):
        return str(found.user["token"])
    if found.user.get("tokenFile"):
        return (found.folder / str(found.user["tokenFile"])).read_text("utf-8").strip()
    return None


def _connection(address: str, found: Target, context: ssl.SSLContext | None) -> tuple[http.client.HTTPConnection, str]:
    """A connection to the API server, through the proxy that kubectl would use, and the path before its own."""
    parts = urllib.parse.urlsplit(address)
    host, port = str(parts.hostname), parts.port or (443 if context else 80)
    proxy = str(found.cluster.get("proxy-url") or "")
    if not proxy and not urllib.request.proxy_bypass(host) and not host.startswith("127.") and host != "localhost":
        proxy = urllib.request.getproxies().get(parts.scheme, "")
    through = urllib.parse.urlsplit(proxy) if proxy.startswith("http") else None
    near, near_port = (str(through.hostname), through.port or 80) if through else (host, port)
    if context is None:
        connection = http.client.HTTPConnection(near, near_port, timeout=SECONDS)
    else:
        name = str(found.cluster.get("tls-server-name") or host)
        connection = _Named(name, near, near_port, timeout=SECONDS, context=context)
    if through:
        connection.set_tunnel(host, port)
    return connection, parts.path.rstrip("/")


class _Named(http.client.HTTPSConnection):
    """A connection to a server whose certificate has a name of its own (`tls-server-name`)."""

    def __init__(self, name: str, host: str, port: int, *, timeout: float, context: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=timeout, context=context)
        self._name, self._tls = name, context

    def connect(self) -> None:
        """Open the connection (through the proxy, if there is one) and begin TLS on it."""
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)
