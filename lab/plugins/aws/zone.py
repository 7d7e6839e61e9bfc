"""Route53 hosted zones."""

from __future__ import annotations

import typing
import uuid

import botocore.exceptions

from lab.plugins import base, values
from lab.plugins.aws import session

GONE = "NoSuchHostedZone"
COMMENT = "Managed by Pulumi"
BATCH = 100


class Zone(session.Tagged):
    """A public hosted zone; its id is the zone id."""

    replace_on = ("name", "delegationSetId")

    def check(self, call: base.Call, olds: base.Properties, news: base.Properties) -> base.Properties:
        if news.get("vpcs"):
            raise base.Invalid({"vpcs": "private hosted zones are not supported by this plugin"})
        given = base.autoname(call, olds, super().check(call, olds, news))
        name = values.plain(given["name"])
        if isinstance(name, str):
            given["name"] = name.rstrip(".")
        return {"comment": COMMENT, "forceDestroy": False, **given}

    def create(self, call: base.Call, inputs: base.Properties) -> base.Created:
        plain = values.plain(inputs)
        optional = {"DelegationSetId": plain["delegationSetId"]} if plain.get("delegationSetId") else {}
        with session.errors(f"creating Route53 Hosted Zone ({plain['name']})"):
            answer = call.client.route53.create_hosted_zone(
                Name=plain["name"],
                CallerReference=str(uuid.uuid4()),
                HostedZoneConfig={"Comment": plain["comment"], "PrivateZone": False},
                **optional,
            )
        id = _short(answer["HostedZone"]["Id"])
        outputs = {**inputs, **_identity(answer, id)}
        try:
            self._settle(call, answer["ChangeInfo"]["Id"])
            self._tag(call, id, {}, inputs)
        except base.PluginError as error:
            raise base.InitFailed(id, outputs, [str(error)]) from None
        return base.Created(id, outputs)

    def read(self, call: base.Call, state: base.State) -> base.State | None:
        id = _short(state.id)
        with session.errors(f"reading Route53 Hosted Zone ({id})"), session.ignoring(GONE):
            answer = call.client.route53.get_hosted_zone(Id=id)
            zone = answer["HostedZone"]
            inputs = {
                "forceDestroy": False,
                **state.inputs,
                "name": zone["Name"].rstrip("."),
                "comment": zone.get("Config", {}).get("Comment", ""),
            }
            tags = call.client.route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=id)
            inputs = session.with_tags(call, inputs, tags["ResourceTagSet"]["Tags"])
            return base.State(id, inputs, {**inputs, **_identity(answer, id)})
        return None

    def update(self, call: base.Call, state: base.State, inputs: base.Properties) -> base.Properties:
        old, new = values.plain(state.inputs), values.plain(inputs)
        with session.errors(f"updating Route53 Hosted Zone ({state.id})"):
            if old.get("comment") != new["comment"]:
                call.client.route53.update_hosted_zone_comment(Id=state.id, Comment=new["comment"])
            # What it has, not what state says: a run that was interrupted may not have come to its tags.
            answer = call.client.route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=state.id)
        actual = {tag["Key"]: tag["Value"] for tag in answer["ResourceTagSet"]["Tags"]}
        self._tag(call, state.id, actual, inputs)
        return {**state.outputs, **inputs}

    def delete(self, call: base.Call, state: base.State) -> None:
        """Fails with HostedZoneNotEmpty while there are records, unless `forceDestroy`."""
        with session.errors(f"deleting Route53 Hosted Zone ({state.id})"), session.ignoring(GONE):
            if values.plain(state.inputs.get("forceDestroy")):
                self._empty(call, state.id)
            answer = call.client.route53.delete_hosted_zone(Id=state.id)
            self._settle(call, answer["ChangeInfo"]["Id"])

    def _empty(self, call: base.Call, id: str) -> None:
        name = call.client.route53.get_hosted_zone(Id=id)["HostedZone"]["Name"]
        pages = call.client.route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=id)
        records = [
            record
            for page in pages
            for record in page["ResourceRecordSets"]
            if not (record["Name"] == name and record["Type"] in ("NS", "SOA"))
        ]
        for start in range(0, len(records), BATCH):
            changes = [{"Action": "DELETE", "ResourceRecordSet": record} for record in records[start : start + BATCH]]
            call.client.route53.change_resource_record_sets(HostedZoneId=id, ChangeBatch={"Changes": changes})

    def _tag(self, call: base.Call, id: str, old: dict[str, str], inputs: base.Properties) -> None:
        tags = session.tag_list(inputs)
        removed = sorted(old.keys() - {tag["Key"] for tag in tags})
        change: dict[str, typing.Any] = {"AddTags": tags, "RemoveTagKeys": removed}
        if tags or removed:
            with session.errors(f"tagging Route53 Hosted Zone ({id})"):
                call.client.route53.change_tags_for_resource(
                    ResourceType="hostedzone", ResourceId=id, **{key: value for key, value in change.items() if value}
                )

    def _settle(self, call: base.Call, change: str) -> None:
        settle(call, change)


def settle(call: base.Call, change: str) -> None:
    """Return when a change is in effect on all of Route53's servers."""

    def in_sync() -> bool:
        with session.errors(f"waiting for Route53 change {change}"):
            return call.client.route53.get_change(Id=change)["ChangeInfo"]["Status"] == "INSYNC"

    call.wait(in_sync, "waiting for Route53 to be in sync", default=1800)


def get_zone(call: base.Call, args: base.Properties) -> base.Properties:
    """A hosted zone by `zoneId`, or by `name` (a public one unless `privateZone`)."""
    plain = values.plain(args)
    route53 = call.client.route53
    if plain.get("zoneId"):
        id = _short(plain["zoneId"])
    elif plain.get("name"):
        id = _by_name(route53, plain["name"], private=plain.get("privateZone") is True)
    else:
        raise base.PluginError("one of zoneId and name must be set")
    try:
        answer = route53.get_hosted_zone(Id=id)
    except botocore.exceptions.ClientError as error:
        if session.code(error) == GONE:
            raise base.PluginError("couldn't find resource") from None
        with session.errors("reading Route53 Hosted Zone"):
            raise
    with session.errors(f"listing Route 53 Hosted Zone ({id}) tags"):
        tags = route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=id)["ResourceTagSet"]["Tags"]
    zone = answer["HostedZone"]
    config, service = zone.get("Config", {}), zone.get("LinkedService", {})
    return {
        **_identity(answer, id),
        "id": id,
        "name": zone["Name"].rstrip("."),
        "callerReference": zone.get("CallerReference", ""),
        "comment": config.get("Comment", ""),
        "enableAcceleratedRecovery": False,
        "linkedServiceDescription": service.get("Description", ""),
        "linkedServicePrincipal": service.get("ServicePrincipal", ""),
        "privateZone": bool(config.get("PrivateZone")),
        "resourceRecordSetCount": zone.get("ResourceRecordSetCount", 0),
        "tags": {tag["Key"]: tag["Value"] for tag in tags},
        "vpcId": "",
    }


def _by_name(route53: typing.Any, name: str, *, private: bool) -> str:
    wanted = name.lower().rstrip(".") + "."
    with session.errors("reading Route 53 Hosted Zones"):
        found = [
            zone
            for page in route53.get_paginator("list_hosted_zones").paginate()
            for zone in page["HostedZones"]
            if zone["Name"] == wanted and bool(zone.get("Config", {}).get("PrivateZone")) is private
        ]
    if not found:
        raise base.PluginError("no matching Route 53 Hosted Zone found")
    if len(found) > 1:
        narrower = "use additional constraints to reduce matches to a single Route 53 Hosted Zone"
        raise base.PluginError(f"multiple Route 53 Hosted Zones matched; {narrower}")
    return _short(found[0]["Id"])


def _identity(answer: dict[str, typing.Any], id: str) -> base.Properties:
    servers = sorted(answer.get("DelegationSet", {}).get("NameServers", []))
    first = answer.get("DelegationSet", {}).get("NameServers", [""])
    return {
        "arn": f"arn:aws:route53:::hostedzone/{id}",
        "zoneId": id,
        "nameServers": servers,
        "primaryNameServer": first[0] if first else "",
    }


def _short(id: str) -> str:
    return id.rpartition("/")[2]
