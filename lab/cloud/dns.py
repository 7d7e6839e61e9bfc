"""The emulated IONOS Cloud DNS: zones and their records, as much of it as external-dns's webhook asks for.

Zones are made by people, not by the program: `POST /dns/zones`. Every change is done when it is answered.
https://api.ionos.com/docs/dns/v1/
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import threading
import typing
import uuid

from lab import layout
from lab.cloud import answers

Json = dict[str, typing.Any]

ROOT = "/dns"
"""Where the lab serves what IONOS serves at https://dns.de-fra.ionos.com."""
NAME_SERVERS = ("ns-ic.ui-dns.com", "ns-ic.ui-dns.de", "ns-ic.ui-dns.org", "ns-ic.ui-dns.biz")
TTL, NEGATIVE_TTL = 3600, 60

_ZONE = re.compile(r"/zones/(?P<zone>[^/]+)")
_RECORDS = re.compile(r"/zones/(?P<zone>[^/]+)/records")
_RECORD = re.compile(r"/zones/(?P<zone>[^/]+)/records/(?P<record>[^/]+)")


class Zones:
    """Zones by id, kept in a file: `{id: {"name", "records": {id: {name, type, content, ttl}}}}`.

    A record's name is relative to its zone; empty at its top.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._version = 0
        try:
            self._zones: dict[str, Json] = json.loads(path.read_text())
        except FileNotFoundError:
            self._zones = {}
        except ValueError:
            raise layout.LabError(f"{path} is damaged: `make down` clears it away") from None

    def answer(self, method: str, path: str, query: dict[str, str], body: typing.Any) -> tuple[int, Json | None]:
        """(status, JSON) of a call whose caller may make it; `path` below ROOT. ApiError for what is refused."""
        with self._lock:
            if path == "/zones" and method == "GET":
                wanted = query.get("filter.zoneName")
                found = [key for key, zone in self._zones.items() if wanted in (None, zone["name"])]
                return 200, _list("zones", [self._zone(key) for key in found])
            if path == "/zones" and method == "POST":
                return 202, self._add_zone(_text(body, "zoneName"))
            if path == "/records" and method == "GET":
                return 200, _list("records", self._find(query.get("filter.zoneId"), query.get("filter.name")))
            if (match := _RECORDS.fullmatch(path)) and method == "GET":
                self._known(match["zone"])
                return 200, _list("records", self._find(match["zone"], None))
            if match and method == "POST":
                return 202, self._add_record(match["zone"], body)
            if (match := _RECORD.fullmatch(path)) and method == "DELETE":
                if self._known(match["zone"])["records"].pop(match["record"], None) is None:
                    raise answers.missing()
                return self._changed()
            if (match := _ZONE.fullmatch(path)) and method == "DELETE":
                self._known(match["zone"])
                del self._zones[match["zone"]]
                return self._changed()
        raise answers.missing()

    def served(self) -> Json:
        """`{"version", "zones"}` as the lab's DNS server reads them (see `lab.dns.zones`)."""
        with self._lock:
            return {"version": self._version, "zones": [self._served(zone) for zone in self._zones.values()]}

    def _served(self, zone: Json) -> Json:
        soa = f"{NAME_SERVERS[0]}. hostmaster.{zone['name']}. {self._version} 10800 3600 604800 {NEGATIVE_TTL}"
        values: dict[tuple[str, str], Json] = {}
        for kind, found in (("SOA", [soa]), ("NS", [f"{name}." for name in NAME_SERVERS])):
            values["", kind] = {"ttl": TTL, "values": found}
        for record in zone["records"].values():
            entry = values.setdefault((record["name"], record["type"]), {"ttl": record["ttl"], "values": []})
            entry["values"].append(_zone_file(record))
        records = [
            {"name": _fqdn(name, zone), "type": kind, "alias": None, **entry} for (name, kind), entry in values.items()
        ]
        return {"name": zone["name"], "private": False, "records": records}

    def _known(self, key: str) -> Json:
        if key not in self._zones:
            raise answers.missing()
        return self._zones[key]

    def _add_zone(self, name: str) -> Json:
        name = name.rstrip(".").lower()
        if any(zone["name"] == name for zone in self._zones.values()):
            raise answers.ApiError(409, f"zone {name} exists already")
        key = str(uuid.uuid4())
        self._zones[key] = {"name": name, "records": {}}
        self._changed()
        return self._zone(key)

    def _add_record(self, key: str, body: typing.Any) -> Json:
        given = _properties(body)
        record = {
            "name": str(given.get("name", "")).lower(),
            "type": _text(body, "type").upper(),
            "content": _text(body, "content"),
            "ttl": int(given.get("ttl") or TTL),
        }
        same = ("name", "type", "content")
        for other in self._known(key)["records"].values():
            if all(other[part] == record[part] for part in same):
                raise answers.ApiError(409, f"record {record['type']} {record['name']} exists already")
        number = str(uuid.uuid4())
        self._zones[key]["records"][number] = record
        self._changed()
        return self._record(key, number)

    def _find(self, zone: str | None, name: str | None) -> list[Json]:
        return [
            self._record(key, number)
            for key, found in self._zones.items()
            for number, record in found["records"].items()
            if zone in (None, key) and name in (None, record["name"])
        ]

    def _zone(self, key: str) -> Json:
        zone = self._zones[key]
        return {
            "id": key,
            "type": "zone",
            "metadata": {"state": "AVAILABLE", "nameservers": list(NAME_SERVERS)},
            "properties": {"zoneName": zone["name"], "enabled": True},
        }

    def _record(self, key: str, number: str) -> Json:
        zone = self._zones[key]
        record = zone["records"][number]
        return {
            "id": number,
            "type": "record",
            "metadata": {"state": "AVAILABLE", "fqdn": _fqdn(record["name"], zone), "zoneId": key},
            "properties": {**record, "enabled": True},
        }

    def _changed(self) -> tuple[int, None]:
        """Keep it; the answer to a removal."""
        self._version += 1
        temporary = self._path.with_suffix(".new")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(self._zones, file)
        temporary.replace(self._path)
        return 202, None


def _fqdn(name: str, zone: Json) -> str:
    return f"{name}.{zone['name']}" if name else zone["name"]


def _zone_file(record: Json) -> str:
    text: str = record["content"]
    return f'"{text}"' if record["type"] == "TXT" and not text.startswith('"') else text


def _list(kind: str, items: list[Json]) -> Json:
    return {"id": kind, "type": "collection", "items": items, "offset": 0, "limit": 1000}


def _properties(body: typing.Any) -> Json:
    properties = body.get("properties") if isinstance(body, dict) else None
    if not isinstance(properties, dict):
        raise answers.ApiError(400, "properties are missing")
    return properties


def _text(body: typing.Any, name: str) -> str:
    value = _properties(body).get(name)
    if not isinstance(value, str) or not value:
        raise answers.ApiError(400, f"properties.{name} is missing")
    return value
