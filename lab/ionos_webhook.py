"""Stands in for external-dns's webhook for IONOS DNS: a program of its own, run in a pod by the node agent.

Between external-dns (the webhook provider's protocol) and the zones of the emulated IONOS DNS. It reads the real
one's variables: IONOS_API_KEY, IONOS_API_URL, DOMAIN_FILTER, SERVER_HOST and _PORT (localhost, 8888), METRICS_HOST
and _PORT (8080, with /healthz). Standard library only: nothing else of the lab is in its container.
https://kubernetes-sigs.github.io/external-dns/latest/docs/tutorials/webhook-provider/
"""

from __future__ import annotations

import http.server
import json
import os
import socketserver
import sys
import threading
import typing
import urllib.error
import urllib.request

Json = dict[str, typing.Any]

MEDIA_TYPE = "application/external.dns.webhook+json;version=1"
UPSTREAM_SECONDS = 10


class Refused(Exception):
    """IONOS DNS did not do what it was asked; the message says what and why."""


class Upstream:
    """The zones and records of one account."""

    def __init__(self, url: str, token: str, domains: typing.Sequence[str]) -> None:
        """`domains`: records outside of them are none of ours; empty: all are."""
        self._url, self._token, self.domains = url.rstrip("/"), token, list(domains)

    def records(self) -> list[Json]:
        """All endpoints, records of one name and type together."""
        found: dict[tuple[str, str, int], Json] = {}
        for record in self._call("GET", "/records")["items"]:
            name, properties = record["metadata"]["fqdn"], record["properties"]
            if self.domains and not any(name == each or name.endswith(f".{each}") for each in self.domains):
                continue
            key = (name, properties["type"], properties["ttl"])
            entry = {"dnsName": name, "recordType": properties["type"], "recordTTL": properties["ttl"], "targets": []}
            found.setdefault(key, entry)["targets"].append(properties["content"])
        return list(found.values())

    def apply(self, changes: Json) -> None:
        """Do what external-dns planned: removals first, since an update is both."""
        zones = {zone["properties"]["zoneName"]: zone["id"] for zone in self._call("GET", "/zones")["items"]}
        there = self._call("GET", "/records")["items"]
        for endpoint in (changes.get("delete") or []) + (changes.get("updateOld") or []):
            for record in there:
                properties = record["properties"]
                if (
                    (record["metadata"]["fqdn"], properties["type"]) == (endpoint["dnsName"], endpoint["recordType"])
                    and properties["content"] in endpoint["targets"]
                ):  # fmt: skip
                    self._call("DELETE", f"/zones/{record['metadata']['zoneId']}/records/{record['id']}")
                    print(f"removed {endpoint['recordType']} {endpoint['dnsName']}", flush=True)
        for endpoint in (changes.get("create") or []) + (changes.get("updateNew") or []):
            name = endpoint["dnsName"]
            zone = max((each for each in zones if name == each or name.endswith(f".{each}")), key=len, default=None)
            if zone is None:
                print(f"no zone for {name}: left out", flush=True)
                continue
            for target in endpoint["targets"]:
                properties: Json = {"name": name.removesuffix(zone).rstrip("."), "type": endpoint["recordType"]}
                properties |= {"content": target, "enabled": True}
                if endpoint.get("recordTTL"):
                    properties["ttl"] = endpoint["recordTTL"]
                self._call("POST", f"/zones/{zones[zone]}/records", {"properties": properties})
            print(f"made {endpoint['recordType']} {name}", flush=True)

    def _call(self, method: str, path: str, body: Json | None = None) -> Json:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self._url + path, data, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=UPSTREAM_SECONDS) as answer:  # noqa: S310
                text = answer.read()
        except urllib.error.HTTPError as error:
            said = error.read(500).decode(errors="replace")
            raise Refused(f"IONOS DNS answers {error.code} to {method} {path}: {' '.join(said.split())}") from None
        except OSError as error:
            raise Refused(f"IONOS DNS cannot be reached at {self._url}: {error}") from None
        return json.loads(text) if text and text != b"null" else {}


class Handler(http.server.BaseHTTPRequestHandler):
    """The webhook provider's protocol."""

    upstream: Upstream

    def do_GET(self) -> None:
        if self.path == "/":
            self._answer(200, {"include": self.upstream.domains})
        elif self.path == "/records":
            self._do(lambda: (200, self.upstream.records()))
        else:
            self._answer(404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
        if self.path == "/records":
            self._do(lambda: (204, self.upstream.apply(body or {})))
        elif self.path == "/adjustendpoints":
            self._answer(200, body or [])
        else:
            self._answer(404)

    def log_message(self, format: str, *args: typing.Any) -> None:
        """Only failures are worth a line; see `_do`."""

    def _do(self, work: typing.Callable[[], tuple[int, typing.Any]]) -> None:
        try:
            self._answer(*work())
        except Refused as error:
            print(f"error: {error}", flush=True)
            self._answer(500)

    def _answer(self, status: int, body: typing.Any = None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", MEDIA_TYPE)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Health(http.server.BaseHTTPRequestHandler):
    """/healthz."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: typing.Any) -> None:
        """A probe every second is no news."""


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


def serve(environment: typing.Mapping[str, str]) -> list[http.server.HTTPServer]:
    """Both servers, listening; KeyError without IONOS_API_KEY or IONOS_API_URL, OSError when a port is taken.

    Both listen on `localhost`, also where they are told 0.0.0.0: in a pod of the lab that is the pod's own address.
    """
    domains = [each for each in environment.get("DOMAIN_FILTER", "").split(",") if each]
    upstream = Upstream(environment["IONOS_API_URL"], environment["IONOS_API_KEY"], domains)
    handler = type("Webhook", (Handler,), {"upstream": upstream})
    servers: list[http.server.HTTPServer] = []
    for kind, name, port in ((handler, "SERVER", "8888"), (Health, "METRICS", "8080")):
        host = environment.get(f"{name}_HOST", "localhost")
        address = ("localhost" if host == "0.0.0.0" else host, int(environment.get(f"{name}_PORT", port)))  # noqa: S104
        servers.append(_Server(address, kind))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
    return servers


def main() -> int:
    """Serve until the end of the pod; 1 when it cannot."""
    try:
        serve(os.environ)
    except KeyError as error:
        print(f"error: the variable {error} is not set", flush=True)
        return 1
    print("serving external-dns at localhost:8888, health at port 8080", flush=True)
    threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
