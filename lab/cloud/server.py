"""HTTP in front of the emulators: `/cloudapi/v6/...` and `/dns/...` as IONOS serves them, `/lab/...` for tests."""

from __future__ import annotations

import base64
import binascii
import http.server
import json
import logging
import re
import typing
import urllib.parse

from lab.cloud import answers, catalogue, dns, emulator, faults

Json = dict[str, typing.Any]

LOG = logging.getLogger("lab.cloud")
REFUSED = "bad"
"""The token or password that is answered with 401."""

CHANGE = ("PUT", "PATCH")

COLLECTIONS = {
    re.compile(r"/datacenters"): "datacenter",
    re.compile(r"/ipblocks"): "ipblock",
    re.compile(r"/k8s"): "k8s",
    re.compile(r"/k8s/(?P<parent>[^/]+)/nodepools"): "nodepool",
    re.compile(r"/datacenters/(?P<parent>[^/]+)/lans"): "lan",
}


class Server(http.server.ThreadingHTTPServer):
    """Serves one emulator; `serve_forever()`, `shutdown()`, `server_close()`."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        address: tuple[str, int],
        cloud: emulator.Emulator,
        token: str | None = None,
        zones: dns.Zones | None = None,
        dns_token: str | None = None,
    ) -> None:
        """`token`, `dns_token`: the only one (or password) that each API lets in; None: every one but `bad`."""
        super().__init__(address, Handler)
        self.cloud = cloud
        self.token = token
        self.zones = zones
        self.dns_token = dns_token


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    server_version = "lab"
    # Headers and body in one packet: apart they meet delayed acknowledgements, 40 ms per request.
    wbufsize = -1

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, format: str, *args: typing.Any) -> None:
        LOG.debug(format, *args)

    def _serve(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        path, query = url.path.rstrip("/"), dict(urllib.parse.parse_qsl(url.query))
        try:
            body = self._body()
            if path.startswith("/lab/"):
                self._answer(200, self._lab(path, body))
            elif path == answers.ROOT or path.startswith(answers.ROOT + "/"):
                self._authenticate(self.server.token)
                self._cloud(path.removeprefix(answers.ROOT), query, body)
            elif path.startswith(dns.ROOT + "/") and self.server.zones:
                self._authenticate(self.server.dns_token)
                found = self.server.zones.answer(self.command, path.removeprefix(dns.ROOT), query, body)
                self._answer(*found)
            else:
                raise answers.missing()
        except answers.ApiError as error:
            self._answer(error.status, error.body())
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        except Exception as error:
            LOG.exception("%s %s", self.command, self.path)
            self._answer(500, answers.ApiError(500, f"{type(error).__name__}: {error}").body())

    def _cloud(self, path: str, query: dict[str, str], body: typing.Any) -> None:
        cloud, method = self.server.cloud, self.command
        fault = cloud.faults.take(method, path)
        for pattern, kind in COLLECTIONS.items():
            if match := pattern.fullmatch(path):
                parent = match.groupdict().get("parent")
                if method == "GET":
                    depth = int(query.get("depth", "1"))
                    return self._answer(200, cloud.list(kind, parent, depth))
                if method == "POST":
                    return self._accepted(*cloud.create(kind, _properties(body), parent, fault))
                raise answers.ApiError(405, f"{method} is not possible here")
        if method == "GET" and self._read(path):
            return None
        collection, _, key = path.rpartition("/")
        for pattern, kind in COLLECTIONS.items():
            if match := pattern.fullmatch(collection):
                return self._element(kind, key, match.groupdict().get("parent"), body, fault)
        raise answers.missing()

    def _element(self, kind: str, key: str, parent: str | None, body: typing.Any, fault: faults.Fault | None) -> None:
        cloud = self.server.cloud
        if self.command == "GET":
            self._answer(200, cloud.get(kind, key, parent))
        elif self.command == "DELETE":
            self._accepted(None, cloud.delete(kind, key, parent, fault))
        elif self.command in CHANGE:
            # The real API takes a PATCH's properties without their envelope.
            given = body if self.command == "PATCH" and "properties" not in (body or {}) else _properties(body)
            self._accepted(*cloud.change(kind, key, given, parent, fault))
        else:
            raise answers.ApiError(405, f"{self.command} is not possible here")

    def _read(self, path: str) -> bool:
        """Answer the paths that are not simply an object; False for others."""
        cloud = self.server.cloud
        if path == "":
            self._answer(200, {"href": cloud.endpoint + answers.ROOT, "name": "CLOUD API", "version": "6.0"})
        elif path == "/k8s/versions":
            self._answer(200, list(reversed(catalogue.VERSIONS)))
        elif path == "/k8s/versions/default":
            self._answer(200, catalogue.DEFAULT_VERSION)
        elif path == "/contracts":
            contract = {"type": "contract", "properties": {"contractNumber": 1, "owner": "lab", "status": "BILLABLE"}}
            self._answer(200, {"id": "contracts", "type": "collection", "items": [contract]})
        elif path == "/locations":
            items = [{"id": name, "type": "location", "properties": {"name": name}} for name in catalogue.LOCATIONS]
            self._answer(200, {"id": "locations", "type": "collection", "items": items})
        elif match := re.fullmatch(r"/requests/([^/]+)(/status)?", path):
            status, message = cloud.store.request_status(match[1])
            state = {"status": status, "message": message, "etag": "", "targets": []}
            self._answer(200, {"id": match[1], "type": "request-status", "href": self.path, "metadata": state})
        elif match := re.fullmatch(r"/k8s/([^/]+)/kubeconfig", path):
            # Whatever the Accept header says: the official SDK takes the body as the kubeconfig's text.
            self._answer(200, cloud.kubeconfig(match[1]).encode(), "application/yaml")
        elif match := re.fullmatch(r"/datacenters/([^/]+)/lans/([^/]+)/nics", path):
            items = cloud.nics(match[1], match[2])
            self._answer(200, {"id": path.strip("/"), "type": "collection", "items": items})
        elif match := re.fullmatch(r"/k8s/([^/]+)/nodepools/([^/]+)/nodes(/[^/]+)?", path):
            nodes = cloud.nodes(match[1], match[2])
            if not match[3]:
                self._answer(200, {"id": path.strip("/"), "type": "collection", "items": nodes})
            else:
                self._answer(200, _first(node for node in nodes if node["id"] == match[3][1:]))
        else:
            return False
        return True

    def _lab(self, path: str, body: typing.Any) -> typing.Any:
        cloud = self.server.cloud
        if path == "/lab/objects" and self.command == "GET":
            return cloud.objects()
        if path == "/lab/stranded" and self.command == "GET":
            return cloud.stranded
        if path == "/lab/dns/zones" and self.server.zones:
            return self.server.zones.served()
        if path == "/lab/faults":
            if self.command == "POST":
                cloud.faults.order(body)
            elif self.command == "DELETE":
                cloud.faults.clear()
            return cloud.faults.show()
        raise answers.missing()

    def _authenticate(self, only: str | None) -> None:
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            try:
                user, _, value = base64.b64decode(value).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                user = ""
            value = value if user else ""
        wrong = value != only if only is not None else value in ("", REFUSED)
        if scheme not in ("Bearer", "Basic") or wrong:
            raise answers.ApiError(401, "Unauthorized")

    def _body(self) -> typing.Any:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            return json.loads(data) if data else None
        except ValueError:
            raise answers.ApiError(400, "The request body is no JSON") from None

    def _accepted(self, element: Json | None, request: str) -> None:
        location = f"{self.server.cloud.endpoint}{answers.ROOT}/requests/{request}/status"
        self._answer(202, element, location=location)

    def _answer(
        self, status: int, body: typing.Any, content: str = "application/json", location: str | None = None
    ) -> None:
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body, indent=2).encode()
        self.send_response(status)
        self.send_header("Content-Type", content)
        self.send_header("Content-Length", str(len(data)))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(data)


def _properties(body: typing.Any) -> Json:
    properties = body.get("properties") if isinstance(body, dict) else None
    if not isinstance(properties, dict):
        raise answers.ApiError(422, "Attribute 'properties' is required")
    return properties


def _first(nodes: typing.Iterator[Json]) -> Json:
    for node in nodes:
        return node
    raise answers.missing()
