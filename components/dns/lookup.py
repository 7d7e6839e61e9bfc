"""What Route53 has already: whether a zone that is given can be used, and whether one that is made has a namesake.

The provider is asked, since it alone has the credentials in every form that AWS knows; the answers come while other
resources are registered.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import pulumi

GET_ZONE = "aws:route53/getZone:getZone"
GET_ACCOUNT = "aws:index/getCallerIdentity:getCallerIdentity"
ABSENT = ("couldn't find resource", "NoSuchHostedZone")
"""The provider's errors for an id that no zone has; names of the next two are those for a name."""
NO_MATCH, SEVERAL = "no matching Route 53 Hosted Zone", "multiple Route 53 Hosted Zones matched"
RIGHTS = "route53:ListHostedZones, route53:GetHostedZone and route53:ListTagsForResource"
LONGEST = 300


@dataclasses.dataclass(frozen=True)
class Found:
    """A hosted zone that exists."""

    name_servers: list[str]


async def given(parent: pulumi.Resource, name: str, zone_id: str, environment: str) -> Found:
    """The zone with this id, which has to be a public one for the domain `name`.

    Raises:
        pulumi.RunError: it is another domain's, private, in another account, or it cannot be read.
    """
    try:
        zone = await _ask(parent, GET_ZONE, zoneId=zone_id)
    except Exception as error:
        raise pulumi.RunError(await _unreadable(parent, name, zone_id, str(error))) from None
    if problem := unusable(zone, name, zone_id):
        raise pulumi.RunError(problem)
    if _made_for(zone.get("tags")) == environment:
        pulumi.log.warn(
            f"dns.domains: zone {zone_id} was made by gitops-platform for environment {environment}: where this stack "
            f"made it, `up` now deletes it with every record, since zoneId says that it is not this stack's → remove "
            "zoneId; or, if the preview deletes no zone, go on"
        )
    return Found(list(zone["nameServers"]))


async def namesake(parent: pulumi.Resource, name: str, own: pulumi.Output[str]) -> None:
    """Warn when there is a public zone for the domain `name` already, which is not the stack's `own`.

    Never fails: without the rights it says that nothing was looked for.
    """
    try:
        zone = await _ask(parent, GET_ZONE, name=name)
    except Exception as error:
        if NO_MATCH not in str(error):
            pulumi.log.warn(_several(name) if SEVERAL in str(error) else _unknown(name, str(error)))
        return
    try:
        # Unknown at the preview of a zone that is yet to be made.
        mine = await own.future()
    except Exception:
        return  # the zone was not made: the engine says why
    if mine != zone["zoneId"]:
        pulumi.log.warn(_second(name, zone))


def unusable(zone: Mapping[str, Any], name: str, zone_id: str) -> str | None:
    """Why a zone cannot be the public zone of the domain `name`; None: it can."""
    domain = str(zone["name"]).rstrip(".")
    if domain != name:
        return (
            f"dns.domains: zone {zone_id} is for {domain}, not for {name} → "
            "give the id of that domain's zone, or leave zoneId out to have one created"
        )
    if zone.get("privateZone"):
        return (
            f"dns.domains: zone {zone_id} is private: nobody outside of its VPCs sees its records, Let's Encrypt "
            f"neither → give the id of a public zone for {name}, or leave zoneId out to have one created"
        )
    return None


def reason(error: str) -> str:
    """What AWS said, out of the provider's error, in one line."""
    text = re.sub(r"^.*\d errors? occurred:\s*\*\s*", "", " ".join(error.split()))
    text = re.sub(r"^(invocation|invoke|invoking) of? ?\S+ (failed|returned an error): ", "", text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


async def _ask(parent: pulumi.Resource, function: str, **args: str) -> dict[str, Any]:
    return await pulumi.runtime.invoke_async(function, args, pulumi.InvokeOptions(parent=parent)) or {}


async def _unreadable(parent: pulumi.Resource, name: str, zone_id: str, error: str) -> str:
    if not any(word in error for word in ABSENT):
        return (
            f"dns.domains: zone {zone_id} cannot be read: {reason(error)} → allow route53:GetHostedZone, or try again"
        )
    try:
        account = f"account {(await _ask(parent, GET_ACCOUNT))['accountId']}"
    except Exception:
        account = "this account"
    return (
        f"dns.domains: AWS {account} has no zone {zone_id} → choose the account that has it (AWS_PROFILE, or other "
        f"keys), or give the id of this account's zone for {name}, or leave zoneId out to have one created"
    )


def _second(name: str, zone: Mapping[str, Any]) -> str:
    maker = _made_for(zone.get("tags"))
    whose = f", made by gitops-platform for environment {maker}" if maker else ""
    return (
        f"dns.domains: Route53 has a public zone for {name} already ({zone['zoneId']}{whose}, "
        f"{int(zone.get('resourceRecordSetCount') or 0)} records), and this stack makes another one: nobody finds the "
        f"records of the one that the domain's registrar does not point to → to use it, write "
        f"{{name: {name}, zoneId: {zone['zoneId']}}}; if nothing needs it, delete it"
    )


def _several(name: str) -> str:
    return (
        f"dns.domains: Route53 has several public zones for {name}: nobody finds the records of those that the "
        f"domain's registrar does not point to → delete what nothing needs; to use one that this stack did not make, "
        f"write {{name: {name}, zoneId: Z…}}"
    )


def _unknown(name: str, error: str) -> str:
    return (
        f"dns.domains: whether Route53 has a zone for {name} already is not known: {reason(error)} → allow {RIGHTS}, "
        "or look yourself: a second zone is found by nobody"
    )


def _made_for(tags: Any) -> str | None:
    """The environment that gitops-platform made something with these tags for; None: somebody else made it."""
    known = tags if isinstance(tags, Mapping) else {}
    return str(known.get("environment")) if known.get("managed-by") == "gitops-platform" else None
