"""What moto holds, read in this process: users by access key with their policies, and the zones' records.

Callers keep moto from changing meanwhile (the gate's lock): its dictionaries are not made for several threads.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import Any

from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.route53 import models

from lab.aws import policy

PARTITION = "aws"


@dataclasses.dataclass(frozen=True)
class User:
    """The owner of an access key; `secret` never goes into a log or an answer."""

    name: str
    arn: str
    id: str
    active: bool
    policies: tuple[policy.Document, ...]
    secret: str = dataclasses.field(repr=False)


def user(key_id: str) -> User | None:
    """The user whose access key this is, with everything that its own and its groups' policies say."""
    for found in _backend("iam").users.values():
        for key in found.access_keys:
            if key.access_key_id == key_id:
                documents = tuple(_documents(found))
                return User(
                    found.name, found.arn, found.id, key.status == "Active", documents, secret=key.secret_access_key
                )
    return None


def _documents(user: Any) -> Iterator[policy.Document]:
    for owner in (user, *_backend("iam").get_groups_for_user(user.name)):
        for name, text in owner.policies.items():
            yield policy.Document.parse(name, text)
        for arn, managed in owner.managed_policies.items():
            default = [version for version in managed.versions if version.version_id == managed.default_version_id]
            yield policy.Document.parse(arn, default[0].document if default else "")


def like_route53() -> None:
    """Mend, in this process, where moto's Route53 differs from AWS's so that the controllers notice.

    - Zone ids begin with any letter: such a one is refused as a `zoneId`.
    - A record that was there once cannot be made again: the journal of changes is taken for the records.
    """
    identifier: Any = models.HostedZoneIdentifier
    backend: Any = models.Route53Backend
    generate, change = identifier.generate, backend.change_resource_record_sets

    def changed(self: Any, zoneid: str, change_list: list[dict[str, Any]]) -> None:
        change(self, zoneid, change_list)
        zone = self.get_hosted_zone(zoneid)
        there = {(record.type, record.name.strip(".")) for record in zone.rrsets}
        zone.rr_changes[:] = [
            one
            for one in zone.rr_changes
            if (one["ResourceRecordSet"]["Type"], one["ResourceRecordSet"]["Name"].strip(".")) in there
        ]

    identifier.generate = lambda *given, **named: f"Z{generate(*given, **named)[1:]}"
    backend.change_resource_record_sets = changed


class Zones:
    """The hosted zones as JSON; `version` grows with every change of a record, over restarts too."""

    def __init__(self) -> None:
        self._version = time.time_ns() // 1_000_000
        self._seen: list[dict[str, Any]] = []

    def read(self) -> dict[str, Any]:
        """`{version, zones: [{id, name, private, records: [{name, type, ttl, values, alias}]}]}`."""
        zones = [_zone(zone) for zone in _backend("route53").zones.values()]
        if zones != self._seen:
            self._seen = zones
            self._version += 1
        return {"version": self._version, "zones": zones}


def _zone(zone: Any) -> dict[str, Any]:
    return {
        "id": zone.resource_id,
        "name": zone.name,
        "private": bool(zone.private_zone),
        "records": [_record(record) for record in zone.rrsets],
    }


def _record(record: Any) -> dict[str, Any]:
    alias = record.alias_target
    return {
        "name": record.name,
        "type": record.type,
        "ttl": int(record.ttl) if record.ttl else None,
        "values": [value["Value"] if isinstance(value, dict) else str(value) for value in record.records or ()],
        "alias": {"zone": alias.get("HostedZoneId"), "name": alias.get("DNSName")} if alias else None,
    }


def _backend(service: Any) -> Any:
    backends: Any = get_backend(service)
    return backends[DEFAULT_ACCOUNT_ID][PARTITION]
