"""An HTTP proxy on loopback that wants a user and a password."""

from __future__ import annotations

import base64
import contextlib
import http.client
import http.server
import select
import socket
import threading
import urllib.parse
from collections.abc import Iterator

USER, PASSWORD = "proxy-user", "proxy-p@ss"


class Proxy(http.server.ThreadingHTTPServer):
    """`asked`: the targets of all requests, `host:port`; `refused`: how many came without the right credentials."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.refused = 0

    def url(self, password: str | None = PASSWORD) -> str:
        """Its URL with the user and a password, without both for None."""
        user = f"{USER}:{urllib.parse.quote(password, safe='')}@" if password is not None else ""
        return f"http://{user}127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Proxy

    def do_CONNECT(self) -> None:
        if not self._admitted(self.path):
            return
        host, _, port = self.path.rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=5) as upstream:
                self.send_response(200)
                self.end_headers()
                _pump(self.connection, upstream)
        except OSError:
            self.send_error(502)
        self.close_connection = True

    def do_GET(self) -> None:
        parts = urllib.parse.urlsplit(self.path)
        if not self._admitted(parts.netloc):
            return
        upstream = http.client.HTTPConnection(parts.netloc, timeout=5)
        upstream.request("GET", parts.path, headers={"Host": parts.netloc})
        answer = upstream.getresponse()
        self.send_response(answer.status)
        self.end_headers()
        self.wfile.write(answer.read())
        upstream.close()

    def _admitted(self, target: str) -> bool:
        self.server.asked.append(target)
        wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Proxy-Authorization") == wanted:
            return True
        self.server.refused += 1
        self.send_response(407)
        self.send_header("Proxy-Authenticate", "Basic")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


@contextlib.contextmanager
def running() -> Iterator[Proxy]:
    """A proxy that runs for the `with` block."""
    proxy = Proxy()
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()


def _pump(one: socket.socket, other: socket.socket) -> None:
    peers = {one: other, other: one}
    while True:
        for source in select.select(list(peers), [], [])[0]:
            data = source.recv(65536)
            if not data:
                return
            peers[source].sendall(data)
