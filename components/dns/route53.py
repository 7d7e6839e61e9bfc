"""Route53: the environment's hosted zones, and one narrowly scoped IAM user per controller.

Two users, so that a leaked key of one controller cannot do the other's work. The keys go from here
straight into the cluster's Secrets (credentials.py); nobody sees or copies them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from components import options
from components.dns import lookup, policies

EXTERNAL_DNS, CERT_MANAGER = "external-dns", "cert-manager"
POLICIES: Mapping[str, Callable[[Sequence[str]], dict[str, Any]]] = {
    EXTERNAL_DNS: policies.external_dns,
    CERT_MANAGER: policies.cert_manager,
}
"""What each controller may do, given the ids of the zones."""


@dataclasses.dataclass(frozen=True)
class Domain:
    """A DNS name, and the id of its hosted zone where that exists already."""

    name: str
    zone_id: str | None = None


@dataclasses.dataclass(frozen=True)
class Route53Args:
    """The domains served (first: the environment's own), who gets a key, and whether the zones are protected."""

    environment: str
    domains: Sequence[Domain]
    controllers: Sequence[str] = tuple(POLICIES)
    protect: bool = False


@dataclasses.dataclass(frozen=True)
class Zone:
    """A hosted zone as the other parts need it."""

    name: str
    id: pulumi.Output[str]
    name_servers: pulumi.Output[Sequence[str]]


@dataclasses.dataclass(frozen=True)
class AccessKey:
    """An IAM access key; `secret` is a secret output."""

    id: pulumi.Output[str]
    secret: pulumi.Output[str]


class Route53(pulumi.ComponentResource):
    """Hosted zones and IAM users of one environment.

    Children: an `aws.route53.Zone` per domain without an id; per controller an `aws.iam.User`, its inline
    `aws.iam.UserPolicy` and an `aws.iam.AccessKey`.
    """

    zones: list[Zone]
    keys: dict[str, AccessKey]
    """By controller."""

    def __init__(self, name: str, args: Route53Args, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("platform:dns:Route53", name, None, opts)
        self.zones = [self._zone(domain, args, opts) for domain in args.domains]
        ids = pulumi.Output.all(*[zone.id for zone in self.zones])
        self.keys = {controller: self._user(controller, ids, args, opts) for controller in args.controllers}
        self.register_outputs({"zoneIds": ids})

    def _zone(self, domain: Domain, args: Route53Args, opts: pulumi.ResourceOptions | None) -> Zone:
        if domain.zone_id:
            # The coroutine is of no type that the SDK's stub knows; it takes any awaitable.
            given = lookup.given(self, domain.name, domain.zone_id, args.environment)
            found = pulumi.Output.from_input(given)
            return Zone(domain.name, found.apply(lambda _: str(domain.zone_id)), found.apply(lambda f: f.name_servers))
        zone = aws.route53.Zone(
            domain.name,
            name=domain.name,
            comment=f"gitops-platform {args.environment}",
            tags=_tags(args.environment),
            # Records outlive a cluster that was lost, and with it the controllers that would remove them.
            # Route53 deletes empty zones only.
            force_destroy=True,
            opts=options.child(self, opts, protect=args.protect or None),
        )
        # An output, so that the SDK waits for it.
        pulumi.Output.from_input(lookup.namesake(self, domain.name, zone.zone_id))
        return Zone(domain.name, zone.zone_id, zone.name_servers)

    def _user(
        self,
        controller: str,
        zone_ids: pulumi.Output[list[str]],
        args: Route53Args,
        opts: pulumi.ResourceOptions | None,
    ) -> AccessKey:
        user = aws.iam.User(
            controller,
            name=f"{controller}-{args.environment}",
            path="/gitops-platform/",
            tags=_tags(args.environment),
            opts=options.child(self, opts),
        )
        granted = aws.iam.UserPolicy(
            controller,
            name="route53",
            user=user.name,
            policy=zone_ids.apply(lambda ids: json.dumps(POLICIES[controller](ids))),
            opts=options.child(self, opts),
        )
        # After the policy: a controller must not start with a key that may do nothing yet.
        key = aws.iam.AccessKey(controller, user=user.name, opts=options.child(self, opts, depends_on=[granted]))
        return AccessKey(key.id, pulumi.Output.secret(key.secret))


def _tags(environment: str) -> dict[str, str]:
    return {"managed-by": "gitops-platform", "environment": environment}
