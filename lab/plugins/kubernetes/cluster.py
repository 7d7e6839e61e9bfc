"""One Kubernetes API server: requests, and which resources it serves.

Plain REST on urllib3: the official client's generated models take 0.5 s and 60 MiB to import.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import ssl
import tempfile
import threading
import time
import typing
import urllib.parse

import urllib3
from urllib3.util import url as urllib3_url

from lab.plugins import base
from lab.plugins.kubernetes import kubeconfig

Object = dict[str, typing.Any]

CONNECT_SECONDS, READ_SECONDS = 5.0, 60.0
MISSING_SECONDS = 0.2
"""How long the answer "this kind does not exist" is believed: a CRD may appear at any moment."""

CERTIFICATE = r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----"

APPLY, JSON_PATCH, JSON = "application/apply-patch+yaml", "application/json-patch+json", "application/json"


class ApiError(base.PluginError):
    """An answer of the API server other than success; `status` is 0 when there was no answer."""

    def __init__(self, status: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.status, self.reason, self.details = status, reason, details or {}

    @property
    def namespace_missing(self) -> bool:
        """Whether it is the object's namespace that was not found."""
        return self.status == 404 and self.details.get("kind") == "namespaces"


class NoSuchKind(base.PluginError):
    """The API server does not serve this kind (a CRD that is not there, or not yet)."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind as the server serves it."""

    api_version: str
    name: str
    plural: str
    namespaced: bool


class Cluster:
    """A client for one API server; safe to use from several threads."""

    def __init__(self, access: kubeconfig.Access) -> None:
        self.namespace = access.namespace
        self._server = access.server
        self._headers = {"Accept": "application/json", "User-Agent": "gitops-platform-lab"}
        if access.authorization:
            self._headers["Authorization"] = access.authorization
        tls: dict[str, typing.Any] = {}
        if access.server.startswith("https:"):
            tls = {"ssl_context": _context(access), "server_hostname": access.server_name or None}
            tls["assert_hostname"] = False if access.insecure else (access.server_name or None)
        self._pool = _pool(access.proxy, maxsize=32, retries=False, **tls)
        self._kinds: dict[str, tuple[float, dict[str, Kind]]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def check(self) -> None:
        """One authenticated request; ApiError when the cluster cannot be used."""
        self.request("GET", "/apis")

    def kind(self, api_version: str, name: str) -> Kind:
        """How the server calls a kind; NoSuchKind when it has none (believed for MISSING_SECONDS)."""
        with self._lock:
            lock = self._locks.setdefault(api_version, threading.Lock())
        with lock:
            when, kinds = self._kinds.get(api_version, (0.0, {}))
            if name not in kinds and time.monotonic() - when > MISSING_SECONDS:
                kinds = self._discover(api_version)
                self._kinds[api_version] = (time.monotonic(), kinds)
        if name not in kinds:
            raise NoSuchKind(f'no matches for kind "{name}" in version "{api_version}"')
        return kinds[name]

    def forget_kinds(self) -> None:
        """Ask for kinds anew: a CustomResourceDefinition came or went."""
        self._kinds.clear()

    def _discover(self, api_version: str) -> dict[str, Kind]:
        try:
            listing = self.request("GET", _root(api_version))
        except ApiError as error:
            if error.status == 404:
                return {}
            raise
        found = [item for item in listing.get("resources") or [] if "/" not in item["name"]]
        return {item["kind"]: Kind(api_version, item["kind"], item["name"], item["namespaced"]) for item in found}

    def path(self, kind: Kind, namespace: str, name: str = "") -> str:
        """The REST path of an object, or of its collection without a name."""
        place = f"/namespaces/{urllib.parse.quote(namespace or 'default')}" if kind.namespaced else ""
        return f"{_root(kind.api_version)}{place}/{kind.plural}" + (f"/{urllib.parse.quote(name)}" if name else "")

    def find(self, path: str) -> Object | None:
        """The object at a path, None when there is none."""
        try:
            return self.request("GET", path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def items(self, path: str, **query: str) -> list[Object]:
        """The items of a collection; [] when it may not be read."""
        with contextlib.suppress(ApiError):
            return self.request("GET", path, query=query).get("items") or []
        return []

    def request(
        self, method: str, path: str, body: typing.Any = None, query: dict[str, str] | None = None, content: str = JSON
    ) -> Object:
        """One request; the answer's JSON. ApiError otherwise."""
        url = self._server + path + (f"?{urllib.parse.urlencode(query)}" if query else "")
        options = {
            "body": None if body is None else json.dumps(body),
            "headers": {**self._headers, "Content-Type": content},
            "timeout": urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        }
        try:
            try:
                response = self._pool.request(method, url, **options)
            except urllib3.exceptions.ProtocolError:
                if method != "GET":
                    raise
                response = self._pool.request(method, url, **options)  # the kept-alive connection was a dead server's
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ApiError(0, "Unreachable", f'{method.capitalize()} "{url}": {_network_reason(error)}') from None
        return _answer(response)


def _pool(proxy: str, **options: typing.Any) -> urllib3.PoolManager:
    """Connections, through a kubeconfig's proxy if it has one. KubeconfigError for one that is not spoken here."""
    if not proxy:
        # The environment's would not be asked either: everything here is on loopback, which Go takes no proxy for.
        return urllib3.PoolManager(**options)
    url = urllib3_url.parse_url(proxy)
    if url.scheme not in ("http", "https"):
        raise kubeconfig.KubeconfigError(f"this stand-in for the kubernetes plugin speaks to no {url.scheme} proxy")
    user = urllib.parse.unquote(url.auth) if url.auth else None
    headers = urllib3.make_headers(proxy_basic_auth=user) if user else None
    return urllib3.ProxyManager(url._replace(auth=None).url, proxy_headers=headers, **options)


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _answer(response: urllib3.BaseHTTPResponse) -> Object:
    try:
        answer: Object = json.loads(response.data)
    except ValueError:
        answer = {"message": response.data.decode(errors="replace")[:500]}
    if response.status >= 300:
        message = answer.get("message") or f"the server answered with status {response.status}"
        raise ApiError(response.status, answer.get("reason") or "", message, answer.get("details"))
    return answer


def _network_reason(error: Exception) -> str:
    text = str(error)
    if "407" in text:
        return "Proxy Authentication Required"
    if "Connection refused" in text:
        return "dial tcp: connection refused"
    if "timed out" in text:
        return "i/o timeout"
    if "Name or service not known" in text or "Failed to resolve" in text or "Temporary failure" in text:
        return "no such host"
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "tls: failed to verify certificate"
    return text.split("object at 0x")[-1][-300:]


def _context(access: kubeconfig.Access) -> ssl.SSLContext:
    # Between certificates a bundle may have any text, which OpenSSL takes in ASCII only.
    context = ssl.create_default_context(cadata="\n".join(re.findall(CERTIFICATE, access.ca)) or None)
    # RFC 5280 asks for key identifiers that certificates of older cluster tools do not have.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    if access.insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if access.certificate:
        with tempfile.TemporaryDirectory() as folder:  # mode 0700; ssl reads keys from files only
            path = os.path.join(folder, "client.pem")
            with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
                file.write(access.certificate + "\n" + access.key)
            context.load_cert_chain(path)
    return context
