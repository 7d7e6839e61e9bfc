"""Route53 records with values or an alias; no routing policies."""

from __future__ import annotations

import typing

from lab.plugins import base, values
from lab.plugins.aws import session, zone

GONE = "NoSuchHostedZone"
NOT_HERE = (
    "cidrRoutingPolicy", "failoverRoutingPolicies", "geolocationRoutingPolicies", "geoproximityRoutingPolicy",
    "healthCheckId", "latencyRoutingPolicies", "multivalueAnswerRoutingPolicy", "setIdentifier",
    "weightedRoutingPolicies",
)  # fmt: skip


class Record(base.Resource):
    """A record set; its id is `<zone id>_<name>_<type>`."""

    replace_on = ("zoneId", "name", "type")
    delete_before_replace = True

    def check(self, call: base.Call, olds: base.Properties, news: base.Properties) -> base.Properties:
        refused = {name: "not supported by this plugin" for name in NOT_HERE if name in news}
        if not refused and bool(news.get("records")) == bool(news.get("aliases")):
            refused = {"records": "one of `alias,records` must be specified"}
        if refused:
            raise base.Invalid(refused)
        records = news.get("records")
        if isinstance(records, list) and not values.contains(records, values.UNKNOWN):
            return {**news, "records": sorted(records, key=lambda item: str(values.plain(item)))}
        return news

    def create(self, call: base.Call, inputs: base.Properties) -> base.Created:
        plain = values.plain(inputs)
        self._change(call, "UPSERT" if plain.get("allowOverwrite") else "CREATE", plain)
        id = f"{plain['zoneId']}_{plain['name']}_{plain['type']}"
        return base.Created(id, {**inputs, "fqdn": _fqdn(call, plain)})

    def read(self, call: base.Call, state: base.State) -> base.State | None:
        zone_id, name, kind = state.id.split("_", 1)[0], *state.id.split("_", 1)[1].rsplit("_", 1)
        wanted = _fqdn(call, {"zoneId": zone_id, "name": name}) + "."
        with session.errors(f"reading Route53 Record ({state.id})"), session.ignoring(GONE):
            answer = call.client.route53.list_resource_record_sets(
                HostedZoneId=zone_id, StartRecordName=wanted, StartRecordType=kind, MaxItems="1"
            )
            for found in answer["ResourceRecordSets"]:
                if (found["Name"].replace("\\052", "*"), found["Type"]) != (wanted, kind):
                    continue
                inputs = {**state.inputs, "zoneId": zone_id, "name": name, "type": kind, **_content(found)}
                return base.State(state.id, inputs, {**state.outputs, **inputs, "fqdn": wanted.rstrip(".")})
        return None

    def update(self, call: base.Call, state: base.State, inputs: base.Properties) -> base.Properties:
        self._change(call, "UPSERT", values.plain(inputs))
        return {**state.outputs, **inputs}

    def delete(self, call: base.Call, state: base.State) -> None:
        current = self.read(call, state)
        if current is not None:
            self._change(call, "DELETE", values.plain(current.inputs))

    def _change(self, call: base.Call, action: str, plain: base.Properties) -> None:
        record: dict[str, typing.Any] = {"Name": _fqdn(call, plain), "Type": plain["type"]}
        if plain.get("aliases"):
            alias = plain["aliases"][0]
            record["AliasTarget"] = {
                "HostedZoneId": alias["zoneId"],
                "DNSName": alias["name"],
                "EvaluateTargetHealth": bool(alias.get("evaluateTargetHealth")),
            }
        else:
            record["TTL"] = plain.get("ttl", 0)
            record["ResourceRecords"] = [{"Value": _quoted(plain["type"], value)} for value in plain["records"]]
        with session.errors(f"changing Route53 Record ({plain['name']} {plain['type']})"):
            answer = call.client.route53.change_resource_record_sets(
                HostedZoneId=plain["zoneId"],
                ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]},
            )
        zone.settle(call, answer["ChangeInfo"]["Id"])


def _content(found: dict[str, typing.Any]) -> base.Properties:
    if "AliasTarget" in found:
        target = found["AliasTarget"]
        return {
            "aliases": [
                {
                    "zoneId": target["HostedZoneId"],
                    "name": target["DNSName"].rstrip("."),
                    "evaluateTargetHealth": target["EvaluateTargetHealth"],
                }
            ]
        }
    texts = [entry["Value"] for entry in found["ResourceRecords"]]
    plain = [text.strip('"') if found["Type"] in ("TXT", "SPF") else text for text in texts]
    return {"ttl": found["TTL"], "records": sorted(plain)}


def _quoted(kind: str, value: str) -> str:
    return f'"{value}"' if kind in ("TXT", "SPF") and not value.startswith('"') else value


def _fqdn(call: base.Call, plain: base.Properties) -> str:
    with session.errors(f"reading Route53 Hosted Zone ({plain['zoneId']})"):
        domain = call.client.route53.get_hosted_zone(Id=plain["zoneId"])["HostedZone"]["Name"].rstrip(".")
    name = plain["name"].rstrip(".")
    return name if name == domain or name.endswith("." + domain) else f"{name}.{domain}" if name else domain
