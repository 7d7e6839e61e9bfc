"""What becomes of external-dns's records when an environment is destroyed.

Deleting an Ingress is one thing, external-dns removing its record another, some seconds later; and records of
Ingresses that Pulumi knows nothing of stay when external-dns goes. A zone that was there before the environment
would keep them, pointing at addresses that are soon somebody else's. So `destroy` waits at two places:

    Ingresses of the platform  gone, then `Drained`: until external-dns has removed their records
    external-dns               gone, then `Swept`: removes the records that still carry this stack's mark
    IAM users, zones           gone

Both are Pulumi dynamic resources, which act at deletion without the program being run (resource hooks would need
`pulumi destroy --run-program`). Route53 is asked with the credentials of the environment, as Pulumi's provider does.
https://www.pulumi.com/docs/iac/concepts/resources/dynamic-providers/
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pulumi
from pulumi import dynamic

PATIENCE_SECONDS = 60.0
"""external-dns acts on a deletion within seconds (`triggerLoopOnEvent`)."""
POLL_SECONDS = 1.0
CLUSTER_LOST = "PULUMI_K8S_DELETE_UNREACHABLE"
"""The switch of Pulumi's kubernetes provider to give up a cluster that does not answer; external-dns is gone then."""
BATCH = 100

RecordSet = Mapping[str, Any]
"""As Route53 lists it: `Name`, `Type`, `ResourceRecords` and so on."""


@dataclasses.dataclass(frozen=True)
class RecordsArgs:
    """Zones by id, the mark of this stack's records, and the names that the platform's own Ingresses have."""

    zone_ids: Sequence[pulumi.Input[str]]
    owner: str
    hosts: Sequence[str]


class Drained(dynamic.Resource, module="dns", name="Drained"):
    """At deletion: waits until external-dns has removed the records of `hosts`, for PATIENCE_SECONDS at most.

    It never fails: what external-dns leaves, because it is broken, its cluster lost or its policy not `sync`,
    `Swept` removes.
    """

    def __init__(self, name: str, args: RecordsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {"zoneIds": list(args.zone_ids), "owner": args.owner, "hosts": list(args.hosts)}
        super().__init__(Draining(), name, props, opts)


class Swept(dynamic.Resource, module="dns", name="Swept"):
    """At deletion: removes every record that external-dns marked as `owner`'s, and the marks.

    So it has to be there as long as the environment is: an `up` that drops it takes every name away.
    """

    def __init__(self, name: str, args: RecordsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(Sweeping(), name, {"zoneIds": list(args.zone_ids), "owner": args.owner}, opts)


class _Remembering(dynamic.ResourceProvider):
    """Keeps what it is given; all that its resources do is done at deletion."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        return dynamic.CreateResult(id_=props["owner"], outs=_own(props))

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.DiffResult:
        return dynamic.DiffResult(changes=_own(_olds) != _own(_news))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.UpdateResult:
        return dynamic.UpdateResult(outs=_own(_news))


class Draining(_Remembering):
    """Provider of `Drained`."""

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        if os.environ.get(CLUSTER_LOST, "").lower() == "true":
            return
        end = time.monotonic() + PATIENCE_SECONDS
        names = {host.rstrip(".") + "." for host in _props["hosts"]}
        route53 = _client()
        while any(
            each["Name"] in names
            for zone in _props["zoneIds"]
            for each in owned(_listed(route53, zone), _props["owner"])
        ):
            if time.monotonic() > end:
                return
            time.sleep(POLL_SECONDS)


class Sweeping(_Remembering):
    """Provider of `Swept`."""

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        route53 = _client()
        for zone in _props["zoneIds"]:
            found = owned(_listed(route53, zone), _props["owner"])
            for start in range(0, len(found), BATCH):
                changes = [{"Action": "DELETE", "ResourceRecordSet": each} for each in found[start : start + BATCH]]
                route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})


def owned(records: Sequence[RecordSet], owner: str) -> list[RecordSet]:
    """The records that external-dns marked as `owner`'s, with their marks.

    A mark is a TXT record whose name is the marked record's with the type in front: `a-www.example.org`.
    https://kubernetes-sigs.github.io/external-dns/latest/docs/registry/txt/
    """
    marks = [each for each in records if each["Type"] == "TXT" and _marks(each, owner)]
    marked = {_marked(each["Name"]) for each in marks}
    return [each for each in records if (each["Type"], each["Name"]) in marked] + marks


def _marks(record: RecordSet, owner: str) -> bool:
    parts = [each["Value"].strip('"').split(",") for each in record.get("ResourceRecords", ())]
    return any("heritage=external-dns" in part and f"external-dns/owner={owner}" in part for part in parts)


def _marked(name: str) -> tuple[str, str]:
    kind, _, rest = name.partition("-")
    return kind.upper(), rest


def _listed(route53: Any, zone: str) -> list[RecordSet]:
    """Every record of a zone; none of a zone that is gone."""
    try:
        return list(_pages(route53, zone))
    except route53.exceptions.NoSuchHostedZone:
        return []


def _pages(route53: Any, zone: str) -> Iterator[RecordSet]:
    for page in route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone):
        yield from page["ResourceRecordSets"]


def _client() -> Any:
    import boto3  # 0.3 s, and only needed at deletion

    return boto3.client("route53")


def _own(props: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, without what the SDK adds."""
    return {key: value for key, value in props.items() if not key.startswith("__")}
