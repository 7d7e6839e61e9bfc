"""IONOS DNS in the lab: the zones' API, the webhook in front of it, and what the DNS server makes of both."""

from __future__ import annotations

import json
import pathlib
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from lab import ionos_webhook
from lab.cloud import answers, dns, server
from lab.dns import zones

TOKEN = "dns-token-of-a-test"
OWNER = '"heritage=external-dns,external-dns/owner=gitops-platform-sbx"'


@pytest.fixture
def cloud(tmp_path: pathlib.Path) -> Iterator[tuple[str, dns.Zones]]:
    """URL of an IONOS DNS with the zone example.org, and its zones."""
    known = dns.Zones(tmp_path / "dns.json")
    known.answer("POST", "/zones", {}, {"properties": {"zoneName": "example.org"}})
    http = server.Server(("127.0.0.1", 0), None, "cloud-token", known, TOKEN)  # pyright: ignore[reportArgumentType]
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_address[1]}/dns", known
    http.shutdown()
    http.server_close()


class Webhook:
    """The webhook as external-dns sees it."""

    def __init__(self, url: str, token: str) -> None:
        variables = {
            "IONOS_API_URL": url, "IONOS_API_KEY": token, "DOMAIN_FILTER": "example.org",
            "SERVER_HOST": "127.0.0.1", "SERVER_PORT": "0",
            "METRICS_HOST": "127.0.0.1", "METRICS_PORT": "0",
        }  # fmt: skip
        self.servers = ionos_webhook.serve(variables)
        self.port, self.health = (each.server_port for each in self.servers)

    def call(self, path: str, body: Any = None, port: int | None = None) -> tuple[int, str, Any]:
        """(status, content type, JSON)."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{port or self.port}{path}", data)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                text = answer.read()
                return answer.status, answer.headers["Content-Type"], json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, error.headers["Content-Type"], None

    def close(self) -> None:
        for each in self.servers:
            each.shutdown()
            each.server_close()


@pytest.fixture
def webhook(cloud: tuple[str, dns.Zones]) -> Iterator[Webhook]:
    made = Webhook(cloud[0], TOKEN)
    yield made
    made.close()


def endpoint(name: str, kind: str, *targets: str, ttl: int = 0) -> dict[str, Any]:
    """As external-dns writes one."""
    return {"dnsName": name, "recordType": kind, "targets": list(targets), **({"recordTTL": ttl} if ttl else {})}


def answer(known: dns.Zones, name: str, kind: str = "A") -> list[str]:
    return [each.value for each in zones.Zones(known.served()["zones"], "127.77.0.1").answer(name, kind).answers]


def test_external_dns_and_the_webhook_agree_on_protocol_and_domains(webhook: Webhook) -> None:
    assert webhook.call("/") == (200, ionos_webhook.MEDIA_TYPE, {"include": ["example.org"]})
    wanted = [endpoint("a.example.org", "A", "203.0.113.1")]
    assert webhook.call("/adjustendpoints", wanted)[2] == wanted, "IONOS DNS has no properties of its own"
    assert webhook.call("/healthz", port=webhook.health)[0] == 200, "what the chart's probes ask"


def test_records_come_change_and_go(cloud: tuple[str, dns.Zones], webhook: Webhook) -> None:
    first = endpoint("a.example.org", "A", "203.0.113.1", "203.0.113.2", ttl=300)
    owner = endpoint("a-a.example.org", "TXT", OWNER)
    assert webhook.call("/records", {"create": [first, owner, endpoint("example.org", "A", "203.0.113.9")]})[0] == 204
    assert answer(cloud[1], "a.example.org") == ["203.0.113.1", "203.0.113.2"]
    assert answer(cloud[1], "a-a.example.org", "TXT") == [OWNER]
    assert answer(cloud[1], "example.org") == ["203.0.113.9"], "the top of a zone is a name as well"
    there = {each["dnsName"]: each for each in webhook.call("/records")[2]}
    assert there["a.example.org"] == first, "what is there equals what was asked for, or every pass changes it again"
    second = endpoint("a.example.org", "A", "203.0.113.3", ttl=300)
    assert webhook.call("/records", {"updateOld": [first], "updateNew": [second]})[0] == 204
    assert answer(cloud[1], "a.example.org") == ["203.0.113.3"]
    assert webhook.call("/records", {"delete": [second, owner]})[0] == 204
    assert answer(cloud[1], "a.example.org") == []
    assert answer(cloud[1], "example.org") == ["203.0.113.9"]


def test_other_zones_of_the_account_are_left_alone(cloud: tuple[str, dns.Zones], webhook: Webhook) -> None:
    key = cloud[1].answer("POST", "/zones", {}, {"properties": {"zoneName": "other.test"}})[1]["id"]
    record = {"properties": {"name": "www", "type": "A", "content": "203.0.113.7"}}
    cloud[1].answer("POST", f"/zones/{key}/records", {}, record)
    assert webhook.call("/records")[2] == []
    webhook.call("/records", {"create": [endpoint("a.nowhere.test", "A", "203.0.113.1")]})
    assert answer(cloud[1], "a.nowhere.test") == []


def test_a_wrong_token_is_an_error_that_names_it(
    cloud: tuple[str, dns.Zones], capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = Webhook(cloud[0], "somebody-elses")
    try:
        assert wrong.call("/records")[0] == 500, "external-dns says so and tries again"
    finally:
        wrong.close()
    said = capsys.readouterr().out
    assert "error: IONOS DNS answers 401 to GET /records" in said
    assert "somebody-elses" not in said


def test_the_dns_token_opens_nothing_else(cloud: tuple[str, dns.Zones]) -> None:
    for path, token in (("/cloudapi/v6/k8s", TOKEN), ("/dns/zones", "cloud-token")):
        url = cloud[0].removesuffix("/dns") + path
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=5)
        assert refused.value.code == 401


def test_zones_outlive_a_restart_and_a_name_is_taken_once(tmp_path: pathlib.Path) -> None:
    known = dns.Zones(tmp_path / "dns.json")
    body = {"properties": {"zoneName": "Example.org."}}
    known.answer("POST", "/zones", {}, body)
    again = dns.Zones(tmp_path / "dns.json")
    assert [each["properties"]["zoneName"] for each in again.answer("GET", "/zones", {}, None)[1]["items"]] == [
        "example.org"
    ]
    with pytest.raises(answers.ApiError) as refused:
        again.answer("POST", "/zones", {}, body)
    assert refused.value.status == 409
    assert (tmp_path / "dns.json").stat().st_mode & 0o077 == 0


def test_what_is_not_there_is_answered_with_the_zones_soa(cloud: tuple[str, dns.Zones]) -> None:
    found = zones.Zones(cloud[1].served()["zones"], "127.77.0.1").answer("none.example.org", "A")
    assert found.code == zones.NXDOMAIN
    assert [each.type for each in found.authority] == ["SOA"]
