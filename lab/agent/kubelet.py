"""The part of a kubelet's server that `kubectl logs` needs, for the API server's client certificate only."""

from __future__ import annotations

import collections.abc
import http.server
import pathlib
import ssl
import time
import typing
import urllib.parse

from lab import layout

FOLLOW_SECONDS = 0.3
BLOCK = 65536


class Log(typing.NamedTuple):
    """A container's log file, and whether more may come."""

    path: pathlib.Path
    open: collections.abc.Callable[[], bool]


Find = collections.abc.Callable[[str, str, str, bool], Log | None]
"""(namespace, pod, container, previous run) -> its log."""


def tail(data: bytes, lines: int) -> bytes:
    """The last so many lines."""
    if lines <= 0:
        return b""
    body = data[:-1] if data.endswith(b"\n") else data
    position = len(body)
    for _ in range(lines):
        position = body.rfind(b"\n", 0, position)
        if position < 0:
            return data
    return data[position + 1 :]


def serve(lab: layout.Lab, find: Find) -> http.server.ThreadingHTTPServer:
    """The server, bound to the lab's address; the caller runs it. LabError when the port is taken."""
    keys = lab.folder("pki")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys / "kubelet.crt", keys / "kubelet.key")
    context.load_verify_locations(keys / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        server = _Server((lab.address, lab.ports["kubelet"]), _Handler)
    except OSError as error:
        raise layout.LabError(
            f"the node agent cannot listen on {lab.address}:{lab.ports['kubelet']}: {error.strerror}"
        ) from None
    server.find = find
    # The handshake is the handler thread's, not the accepting loop's.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    find: Find

    def handle_error(self, request: typing.Any, client_address: typing.Any) -> None:
        """A client that went away, or one without the certificate, is no news."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        """`/containerLogs/<namespace>/<pod>/<container>`."""
        url = urllib.parse.urlsplit(self.path)
        words = url.path.strip("/").split("/")
        if len(words) != 4 or words[0] != "containerLogs":
            self._say(404, "the lab's node agent serves logs only")
            return
        query = {key: values[-1] for key, values in urllib.parse.parse_qs(url.query).items()}
        log = typing.cast(_Server, self.server).find(words[1], words[2], words[3], query.get("previous") == "true")
        if log is None:
            self._say(404, f"no log of container {words[3]} in pod {words[1]}/{words[2]}")
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._send(log, query)

    def log_message(self, format: str, *args: typing.Any) -> None:
        """Nobody reads an access log here."""

    def _send(self, log: Log, query: dict[str, str]) -> None:
        with log.path.open("rb") as file:
            left = int(query["limitBytes"]) if "limitBytes" in query else None
            if "tailLines" in query:
                left = self._chunk(tail(file.read(), int(query["tailLines"])), left)
            follow = query.get("follow") == "true"
            while left is None or left > 0:
                # Asked before reading: what is written before the end is still sent.
                more = follow and log.open()
                if data := file.read(BLOCK):
                    left = self._chunk(data, left)
                elif more:
                    time.sleep(FOLLOW_SECONDS)
                else:
                    break
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, data: bytes, left: int | None) -> int | None:
        data = data if left is None else data[:left]
        if data:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        return None if left is None else left - len(data)

    def _say(self, code: int, text: str) -> None:
        body = text.encode() + b"\n"
        self.send_response(code)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
