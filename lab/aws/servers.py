"""Two doors to the gate: plain HTTP, and an HTTPS proxy that speaks for AWS's own host names.

moto has a proxy too, but its certificate authority's key is in its package for all to have, and it hands requests
to moto itself, past any check.
"""

from __future__ import annotations

import ipaddress
import logging
import pathlib
import re
import selectors
import socket
import ssl
import threading
from typing import Any

from moto.moto_server import werkzeug_app
from werkzeug import serving

from lab import layout, pki
from lab.aws import gate

LOG = logging.getLogger("lab.aws")

_AWS_HOST = re.compile(r"([a-z0-9-]+\.)+amazonaws\.com")


class Handler(werkzeug_app.MotoRequestHandler):
    """moto's handler; without a log line for every request that went well."""

    timeout = 30

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Errors only: the lab's DNS server asks for the zones all the time, and denials have their own line."""
        if str(code) == "500":
            super().log_request(code, size)


class Certificates:
    """A TLS context per host name, its certificate signed by the lab's authority and made at first use."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._contexts: dict[str, ssl.SSLContext] = {}

    def context(self, host: str) -> ssl.SSLContext:
        """The context to serve as `host` with."""
        with self._lock:
            if host not in self._contexts:
                file = f"aws-{host}"
                # The subject's name holds 64 characters; clients look at the alternative names.
                pki.certificate(self._folder, file, host[:64], [host])
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(self._folder / f"{file}.crt", self._folder / f"{file}.key")
                self._contexts[host] = context
            return self._contexts[host]


class ProxyHandler(Handler):
    """CONNECT to an AWS host ends here, to a loopback address goes through, and to anything else is refused."""

    certificates: Certificates

    def do_CONNECT(self) -> None:
        """Become the TLS server that the client asked for, or a tunnel on this machine."""
        host, _, port = self.path.rpartition(":")
        host = host.strip("[]").lower()
        if len(host) < 200 and _AWS_HOST.fullmatch(host):
            self._serve_as(host)
        elif _loopback(host) and port.isdecimal():
            self._tunnel("127.0.0.1" if host == "localhost" else host, int(port))
        else:
            LOG.warning("refused a connection to %r: the lab's proxy knows AWS's hosts only", self.path)
            self.send_error(403, "The lab has no way out", "Only *.amazonaws.com, answered here, and loopback.")

    def run_wsgi(self) -> None:
        """Requests come through CONNECT only."""
        if isinstance(self.connection, ssl.SSLSocket):
            super().run_wsgi()
        else:
            self.send_error(403, "CONNECT only")

    def make_environ(self) -> dict[str, Any]:
        """As for a server that has TLS itself."""
        environ = super().make_environ()
        return {**environ, "wsgi.url_scheme": "https", "HTTPS": "on"}

    def finish(self) -> None:
        """Close the TLS connection too: the server only knows the socket that it wrapped."""
        try:
            super().finish()
        finally:
            self.connection.close()

    def _serve_as(self, host: str) -> None:
        context = self.certificates.context(host)
        self._established()
        try:
            self.connection = context.wrap_socket(self.connection, server_side=True)
        except (ssl.SSLError, OSError) as error:
            LOG.warning("no TLS as %s: %s (does the client trust the lab's ca.crt?)", host, error)
            self.close_connection = True
            return
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb")
        self.close_connection = False

    def _tunnel(self, host: str, port: int) -> None:
        self.close_connection = True
        try:
            other = socket.create_connection((host, port), timeout=self.timeout)
        except OSError as error:
            self.send_error(502, "Nothing answers there", str(error))
            return
        with other, selectors.DefaultSelector() as waiting:
            self._established()
            self.connection.settimeout(None)
            waiting.register(self.connection, selectors.EVENT_READ, other)
            waiting.register(other, selectors.EVENT_READ, self.connection)
            while waiting.get_map():
                for key, _ in waiting.select():
                    source: Any = key.fileobj
                    data = source.recv(65536)
                    if data:
                        key.data.sendall(data)
                    else:
                        waiting.unregister(source)
                        key.data.shutdown(socket.SHUT_WR)

    def _established(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.wfile.flush()


def plain(address: str, port: int, application: gate.Gate) -> serving.BaseWSGIServer:
    """The HTTP server; on loopback only."""
    return _server(address, port, application, Handler)


def proxy(address: str, port: int, application: gate.Gate, folder: pathlib.Path) -> serving.BaseWSGIServer:
    """The HTTPS proxy; `folder` holds the authority (`ca.crt`, `ca.key`) and gets the certificates."""
    handler = type("LabProxyHandler", (ProxyHandler,), {"certificates": Certificates(folder)})
    return _server(address, port, application, handler)


def _server(address: str, port: int, application: gate.Gate, handler: type[Handler]) -> serving.BaseWSGIServer:
    if not _loopback(address):
        raise layout.LabError(f"{address} is not a loopback address: the lab's AWS is for this machine only")
    return serving.make_server(address, port, application, threaded=True, request_handler=handler)


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
