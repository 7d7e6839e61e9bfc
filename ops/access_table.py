"""Who has access, put together from the cluster's namespaces and service accounts."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Sequence
from typing import Any

from ops import access_owner
from ops.access_owner import Environment, Object, Owner, Record
from ops.kubectl import Kubectl
from ops.stack import OpsError


@dataclasses.dataclass(frozen=True)
class Row:
    """One owner; `issued` are the kubeconfigs that are still valid. `trouble`: what is to be done, if anything.

    `alive`: it is revoked, and has a token that works all the same.
    """

    owner: Owner
    issued: Sequence[access_owner.Issue] = ()
    revoked: datetime.datetime | None = None
    alive: bool = False
    trouble: str = ""

    @property
    def state(self) -> str:
        """In words."""
        if self.revoked:
            return f"revoked {access_owner.shown(self.revoked)}{'; A TOKEN WORKS' if self.alive else ''}"
        if self.issued:
            return f"{access_owner.shown(self.issued[-1].until)} ({len(self.issued)} issued)"
        return "nothing issued"

    def report(self) -> dict[str, Any]:
        """For programs."""
        owner = self.owner
        return {
            "namespace": owner.namespace,
            "organization": owner.organization,
            "serviceAccount": owner.service_account,
            "readSecrets": owner.read_secrets,
            "exec": owner.exec,
            "permanentToken": owner.permanent_token,
            "revoked": access_owner.stamp(self.revoked) if self.revoked else None,
            "tokenWorks": self.alive,
            "validUntil": access_owner.stamp(self.issued[-1].until) if self.issued else None,
            "issued": [
                {"at": access_owner.stamp(one.at), "validUntil": access_owner.stamp(one.until)} for one in self.issued
            ],
            "trouble": self.trouble or None,
        }


def look(environment: Environment, cluster: Kubectl, now: datetime.datetime) -> list[Row]:
    """A row per owner, by two or three calls however many there are. Raises `ClusterError`."""
    namespaces = {one["metadata"]["name"]: one for one in cluster.items("/api/v1/namespaces")}
    accounts = {
        (one["metadata"]["namespace"], one["metadata"]["name"]): one["metadata"]["uid"]
        for one in cluster.items("/api/v1/serviceaccounts")
    }
    rows = [
        row(environment.stack, owner, namespaces.get(name), (name, owner.service_account) in accounts, now)
        for name, owner in sorted(environment.owners.items())
    ]
    if not any(one.revoked for one in rows):
        return rows
    secrets = cluster.items("/api/v1/secrets", **access_owner.TOKEN_SECRETS)

    def with_tokens(one: Row) -> Row:
        uid = accounts.get((one.owner.namespace, one.owner.service_account), "")
        alive = access_owner.alive(environment.stack, one.owner, one.revoked, uid, secrets)
        return dataclasses.replace(one, alive=bool(alive), trouble=one.trouble or alive)

    return [with_tokens(one) for one in rows]


def row(stack: str, owner: Owner, namespace: Object | None, account: bool, now: datetime.datetime) -> Row:
    """One owner as the cluster has it. Pure."""
    if namespace is None:
        return Row(owner, trouble="the namespace is missing: `pulumi up --refresh` makes it again")
    trouble = ""
    try:
        record = access_owner.record(namespace)
    except OpsError as error:
        record, trouble = Record(), str(error)
    if record.replacing is not None:
        trouble = f"a revocation was interrupted: `python -m ops access revoke {stack} {owner.namespace}` finishes it"
    elif not account:
        trouble = f"service account {owner.service_account} is missing: `pulumi up --refresh` makes it again"
    return Row(owner, record.valid(now), record.revoked, trouble=trouble)


def lines(rows: Sequence[Row]) -> Iterator[str]:
    """A table for people."""
    head = ("NAMESPACE", "ORGANIZATION", "SERVICE ACCOUNT", "RIGHTS", "VALID UNTIL")
    table = [
        head,
        *(
            (one.owner.namespace, one.owner.organization, one.owner.service_account, one.owner.rights,
             one.state + ("; a token that never expires" if one.owner.permanent_token and not one.revoked else ""))
            for one in rows
        ),
    ]  # fmt: skip
    widths = [max(len(line[column]) for line in table) for column in range(len(head) - 1)]
    for line in table:
        yield "  ".join([*(f"{text:{width}}" for text, width in zip(line[:-1], widths, strict=True)), line[-1]])
