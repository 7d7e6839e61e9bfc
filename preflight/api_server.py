"""One request to a cluster's API server, sent as kubectl would send it: its TLS, its credentials, its proxy."""

from __future__ import annotations

import base64
import gzip
import http.client
import os
import ssl
from collections.abc import Mapping
from typing import NamedTuple

from kubeconfigs import checking, proxy
from kubeconfigs.reading import Context, KubeconfigError
from preflight import client_certificate

SPOKEN = ("http",)
"""The kinds of proxy that a request can be sent through here; kubectl knows more."""

LIMIT = 10_000_000
"""Bytes of an answer that are read."""


class ProxyError(Exception):
    """What a proxy says instead of connecting: its status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Route(NamedTuple):
    """How a server is asked. `proxy` None: directly. `tls` None: not by TLS. `credentials`: what is shown, in words."""

    server: proxy.Url
    proxy: proxy.Url | None
    tls: ssl.SSLContext | None
    tls_name: str
    headers: dict[str, str]
    credentials: str | None

    @property
    def spoken(self) -> bool:
        """Whether a request can be sent from here."""
        return self.proxy is None or self.proxy.scheme in SPOKEN


def route(context: Context, environment: Mapping[str, str] = os.environ) -> Route:
    """How kubectl would ask. Raises `KubeconfigError`."""
    server = checking.server(context)
    try:
        through = proxy.for_server(server, context.cluster.get("proxy-url", ""), environment)
    except ValueError as error:
        raise KubeconfigError(f"{context.where}: proxy-url cannot be used: {error}") from None
    name = context.cluster.get("tls-server-name") or server.host
    if not context.secure:
        return Route(server, through, None, name, {}, None)  # nobody may read credentials on the way
    tls = _tls(context)
    certified = client_certificate.present(context, tls)
    token, user = checking.token(context), context.user.get("username")
    if token:
        return Route(server, through, tls, name, {"Authorization": f"Bearer {token}"}, "token")
    if user:
        pair = base64.b64encode(f"{user}:{context.user.get('password', '')}".encode()).decode()
        return Route(server, through, tls, name, {"Authorization": f"Basic {pair}"}, "password")
    return Route(server, through, tls, name, {}, "client certificate" if certified else None)


def ask(way: Route, path: str, seconds: float, *, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    """GET a path of the server: status and body (its first 10 MB, unpacked). `seconds`: for each step.

    Raises:
        ProxyError: the proxy does not connect.
        OSError, http.client.HTTPException, ValueError: there is no answer.
    """
    near = way.proxy or way.server
    port = near.port or proxy.PORTS[near.scheme]
    connection = http.client.HTTPConnection(near.host, port, timeout=seconds)
    path, sent = way.server.path.rstrip("/") + path, {**(headers or {}), **way.headers}
    if way.proxy and way.tls is None:
        path = f"{way.server.shown.removesuffix(way.server.path.rstrip('/'))}{path}"
        sent |= _for_proxy(way.proxy)
    try:
        connection.connect()
        if way.tls is not None:
            if way.proxy:
                _tunnel(connection, way)
            connection.sock = way.tls.wrap_socket(connection.sock, server_hostname=way.tls_name)
        host = _host_and_port(way.server.host, way.server.port)
        connection.request("GET", path, headers={"Host": host, **{key: value.encode() for key, value in sent.items()}})
        answer = connection.getresponse()
        if way.proxy and answer.status == http.HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            raise ProxyError(answer.status)
        body = answer.read(LIMIT)
        return answer.status, gzip.decompress(body) if answer.getheader("Content-Encoding") == "gzip" else body
    finally:
        connection.close()


def _tunnel(connection: http.client.HTTPConnection, way: Route) -> None:
    target = _host_and_port(way.server.host, way.server.port or proxy.PORTS[way.server.scheme])
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    lines += [f"{key}: {value}" for key, value in (_for_proxy(way.proxy) if way.proxy else {}).items()]
    connection.sock.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode("ascii"))
    answer = http.client.HTTPResponse(connection.sock, method="CONNECT")
    answer.begin()
    if answer.status != http.HTTPStatus.OK:
        raise ProxyError(answer.status)


def _for_proxy(through: proxy.Url) -> dict[str, str]:
    return {"Proxy-Authorization": through.authorization} if through.authorization else {}


def _host_and_port(host: str, port: int) -> str:
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{port}" if port else host


def _tls(context: Context) -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # As Go: names in the subject do not count, and any certificate that is trusted ends a chain.
    tls.hostname_checks_common_name = False
    tls.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    # On by default in some Pythons; clusters' certificates often lack the key identifiers that it wants.
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if context.cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        return tls
    trusted = 0
    authorities = checking.authorities(context)
    for one in authorities:
        try:
            tls.load_verify_locations(cadata=one.decode("ascii"))
            trusted += 1
        except ssl.SSLError:
            continue  # kubectl too goes by the others
    if authorities and not trusted:
        raise KubeconfigError(f"{context.where}: its certificate authority cannot be read")
    if not authorities:
        tls.load_default_certs()
    return tls
