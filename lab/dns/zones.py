"""What hosted zones answer to a question, as Route53's name servers would. Pure: no sockets, no wire format.

Names are lower case without the trailing dot. Private zones answer nothing: nobody here is in their network.
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

LONGEST_CHAIN = 8
ALIAS_SECONDS = 60
DEFAULT_SECONDS = 300
NXDOMAIN, NOERROR = "NXDOMAIN", "NOERROR"


@dataclasses.dataclass(frozen=True)
class Record:
    """One line of an answer; `value` as zone files have it (TXT quoted)."""

    name: str
    type: str
    ttl: int
    value: str


@dataclasses.dataclass(frozen=True)
class Answer:
    """`code`: NOERROR or NXDOMAIN; `authority`: the zone's SOA where nothing was found; `known`: a zone of ours."""

    code: str = NXDOMAIN
    answers: Sequence[Record] = ()
    authority: Sequence[Record] = ()
    known: bool = False


class Zone:
    """One hosted zone: its records by name and type."""

    def __init__(self, name: str, records: Sequence[Mapping[str, Any]]) -> None:
        """`records`: dicts with name, type, ttl, values, alias (`{zone, name}` or None)."""
        self.name = normal(name)
        self._records: dict[str, dict[str, Mapping[str, Any]]] = {}
        for record in records:
            self._records.setdefault(normal(record["name"]), {})[record["type"].upper()] = record
        # A name with records below it exists, even without any of its own.
        self._names = {parent for name in self._records for parent in _ancestors(name, self.name)}

    def find(self, name: str) -> Mapping[str, Mapping[str, Any]] | None:
        """The records of a name by type (a wildcard's where one applies); None: there is no such name."""
        if name in self._names:
            return self._records.get(name, {})
        for parent in _ancestors(name, self.name):
            if found := self._records.get(f"*.{parent}"):
                return found
            # What exists hides the wildcards above it (RFC 4592).
            if parent in self._names:
                return None
        return None

    def soa(self) -> list[Record]:
        """The zone's SOA, with the time for which "no" may be remembered as its TTL."""
        record = self._records.get(self.name, {}).get("SOA")
        if not record or not record["values"]:
            return []
        value = str(record["values"][0])
        least = value.split()[-1]
        return [Record(self.name, "SOA", min(_ttl(record), int(least) if least.isdecimal() else 0), value)]

    def name_servers(self) -> list[str]:
        """Names of the servers that the zone is delegated to."""
        return [normal(value) for value in self._records.get(self.name, {}).get("NS", {}).get("values", ())]


class Zones:
    """All public zones; of two with one name the newer answers, as after a change of the delegation."""

    def __init__(self, known: Sequence[Mapping[str, Any]] = (), own_address: str = "") -> None:
        """`known`: dicts with name, private, records; `own_address`: where their name servers are."""
        public = [Zone(zone["name"], zone["records"]) for zone in known if not zone.get("private")]
        self._zones = {zone.name: zone for zone in public}
        self._servers = {server for zone in public for server in zone.name_servers()}
        self._own_address = own_address

    def answer(self, name: str, kind: str) -> Answer:
        """The answer to a question of this type (`A`, `TXT`, `ANY`, ...)."""
        name = normal(name)
        if name in self._servers and self._zone(name) is None:
            found = [Record(name, "A", DEFAULT_SECONDS, self._own_address)] if kind in ("A", "ANY") else []
            return Answer(NOERROR, found, known=True)
        chain: list[Record] = []
        for _ in range(LONGEST_CHAIN):
            zone = self._zone(name)
            if zone is None:
                # The rest of a chain that leads out of our zones is for the resolver to find.
                return Answer(NOERROR if chain else NXDOMAIN, chain, known=bool(chain))
            records = zone.find(name)
            if records is None:
                return Answer(NXDOMAIN, chain, zone.soa(), known=True)
            found = self._of_type(name, kind, records)
            if found:
                return Answer(NOERROR, [*chain, *found], known=True)
            target = next(iter(_plain(name, records["CNAME"])), None) if "CNAME" in records else None
            if target is None:
                return Answer(NOERROR, chain, zone.soa(), known=True)
            chain.append(target)
            name = normal(target.value)
        return Answer(NOERROR, chain, known=True)

    def _of_type(self, name: str, kind: str, records: Mapping[str, Mapping[str, Any]]) -> list[Record]:
        wanted = [record for each, record in records.items() if kind in (each, "ANY")]
        found: list[Record] = []
        for record in wanted:
            found += self._alias(name, record) if record.get("alias") else _plain(name, record)
        return found

    def _alias(self, name: str, record: Mapping[str, Any]) -> list[Record]:
        """What the alias's target answers, under the alias's name."""
        kind = record["type"].upper()
        target = normal(record["alias"]["name"])
        if target == name:
            return []
        there = self.answer(target, kind).answers
        return [Record(name, kind, ALIAS_SECONDS, each.value) for each in there if each.type == kind]

    def _zone(self, name: str) -> Zone | None:
        labels = name.split(".")
        parents = (".".join(labels[start:]) for start in range(len(labels)))
        return next((self._zones[parent] for parent in parents if parent in self._zones), None)


def normal(name: str) -> str:
    r"""Lower case, without the trailing dot, Route53's octal escapes (`\052` is an asterisk) undone."""
    plain = re.sub(r"\\([0-3][0-7]{2})", lambda found: chr(int(found.group(1), 8)), name)
    return plain.rstrip(".").lower()


def _plain(name: str, record: Mapping[str, Any]) -> list[Record]:
    return [Record(name, record["type"].upper(), _ttl(record), str(value)) for value in record["values"]]


def _ttl(record: Mapping[str, Any]) -> int:
    return int(record["ttl"]) if record.get("ttl") is not None else DEFAULT_SECONDS


def _ancestors(name: str, top: str) -> Iterator[str]:
    """The name and those above it, down to `top`."""
    while True:
        yield name
        if name == top or "." not in name:
            return
        name = name.partition(".")[2]
