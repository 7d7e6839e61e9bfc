"""App owners as the stack's outputs and their namespaces in the cluster tell of them. Pure.

What is to be remembered stands in annotations of the owner's Namespace, so that the whole team sees it and it
outlives the ServiceAccount, which a revocation replaces. Owners can read it and not change it; no token is in it.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ops.stack import OpsError

Object = Mapping[str, Any]

MANAGER = "gitops-platform-access"
"""Our field manager. Pulumi would take the fields of one whose name begins with `kubectl` over, then remove them."""

PREFIX = "access.gitops-platform"
ISSUED, REVOKED, REPLACING = f"{PREFIX}/issued", f"{PREFIX}/revoked", f"{PREFIX}/replacing"
TOKEN_SECRETS = {"fieldSelector": "type=kubernetes.io/service-account-token"}
TOKEN_OF = "kubernetes.io/service-account"  # noqa: S105 (annotations, not a token)
KEPT = 20
"""How many issues are remembered of an owner: those that are valid longest."""


class RefusedError(OpsError):
    """The command was understood, but what it asks for is not to be; nothing was changed."""


@dataclasses.dataclass(frozen=True)
class Owner:
    """One namespace of an organization."""

    namespace: str
    organization: str
    service_account: str
    user: str
    context: str
    read_secrets: bool
    exec: bool
    permanent_token: bool

    @property
    def file(self) -> str:
        """The kubeconfig's usual name."""
        return f"kubeconfig-{self.context}.yaml"

    @property
    def rights(self) -> str:
        """What the owner may do beyond reading and sealing."""
        return ", ".join(
            name for name, given in (("readSecrets", self.read_secrets), ("exec", self.exec)) if given
        ) or "standard"  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Environment:
    """A stack that is up. `owners` by namespace."""

    kubeconfig: str = dataclasses.field(repr=False)
    stack: str
    owners: Mapping[str, Owner]

    def owner(self, namespace: str) -> Owner:
        """An owner; OpsError names those that there are."""
        if namespace not in self.owners:
            known = ", ".join(sorted(self.owners)) or "none: add appOwners to the stack file, then `pulumi up`"
            raise OpsError(f"stack {self.stack} has no app owner with namespace {namespace} (there are: {known})")
        return self.owners[namespace]


@dataclasses.dataclass(frozen=True)
class Issue:
    """One kubeconfig that was issued: when, and until when its token is valid."""

    at: datetime.datetime
    until: datetime.datetime


@dataclasses.dataclass(frozen=True)
class Record:
    """What is remembered of an owner.

    `replacing`: the ServiceAccount as it was when its replacement began; it is there only until that is done.
    """

    issued: tuple[Issue, ...] = ()
    revoked: datetime.datetime | None = None
    replacing: Object | None = None

    def with_issue(self, issue: Issue) -> Record:
        """One more issue, which also ends a revocation."""
        issued = sorted([*self.issued, issue], key=lambda one: one.until)[-KEPT:]
        return dataclasses.replace(self, issued=tuple(issued), revoked=None)

    def valid(self, now: datetime.datetime) -> list[Issue]:
        """The issues whose token has not expired."""
        return [one for one in self.issued if one.until > now]

    def annotations(self) -> dict[str, str | None]:
        """As annotations of the Namespace; None removes one."""
        issued = [{"at": stamp(one.at), "until": stamp(one.until)} for one in self.issued]
        return {
            ISSUED: json.dumps(issued) if issued else None,
            REVOKED: stamp(self.revoked) if self.revoked else None,
            REPLACING: json.dumps(self.replacing) if self.replacing else None,
        }


def environment(stack: str, outputs: Object) -> Environment:
    """What the stack's outputs say; OpsError when it is not up."""
    if not outputs.get("kubeconfig"):
        raise OpsError(f"stack {stack} is not up: run `pulumi up` first")
    try:
        owners = {
            namespace: Owner(
                namespace=namespace,
                organization=str(one.get("organization", "")),
                service_account=one["serviceAccount"],
                user=one["user"],
                context=one["context"],
                read_secrets=bool(one.get("readSecrets")),
                exec=bool(one.get("exec")),
                permanent_token=bool(one.get("permanentToken")),
            )
            for namespace, one in (outputs.get("appOwners") or {}).items()
        }
    except (KeyError, TypeError, AttributeError):
        raise OpsError(
            f"the output appOwners of stack {stack} is not what this version writes: `pulumi up` renews it"
        ) from None
    return Environment(outputs["kubeconfig"], stack, owners)


def record(namespace: Object) -> Record:
    """What a Namespace remembers. Raises `OpsError` when somebody wrote over it."""
    notes = namespace["metadata"].get("annotations") or {}
    try:
        return Record(
            issued=tuple(Issue(moment(one["at"]), moment(one["until"])) for one in json.loads(notes.get(ISSUED, "[]"))),
            revoked=moment(notes[REVOKED]) if notes.get(REVOKED) else None,
            replacing=json.loads(notes[REPLACING]) if notes.get(REPLACING) else None,
        )
    except (ValueError, KeyError, TypeError):
        name = namespace["metadata"]["name"]
        raise OpsError(
            f"the annotations {PREFIX}/* of namespace {name} cannot be read: mend or remove them with kubectl annotate"
        ) from None


def alive(stack: str, owner: Owner, revoked: datetime.datetime | None, uid: str, secrets: Sequence[Object]) -> str:
    """What is to be done about tokens that work in spite of a revocation; empty: there are none. Pure.

    `uid`: that of the ServiceAccount now. `pulumi up` makes the Secret of a `permanentToken` anew where it is missing.
    """
    held = {f"{TOKEN_OF}.name": owner.service_account, f"{TOKEN_OF}.uid": uid}
    for one in secrets if revoked else ():
        notes = one["metadata"].get("annotations") or {}
        if one["metadata"].get("namespace") == owner.namespace and held.items() <= notes.items():
            command = f"python -m ops access {{}} {stack} {owner.namespace}"
            end = f"`{command.format('revoke')}` ends it"
            if owner.permanent_token:
                end = "take permanentToken out of the stack file and run `pulumi up`"
            return (
                f"revoked, but the token in Secret {one['metadata']['name']} works and never expires: {end}; "
                f"if it is to work, `{command.format('issue')} --restore`"
            )
    return ""


def moment(text: str) -> datetime.datetime:
    """A point in time from what the API server writes."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def stamp(time: datetime.datetime) -> str:
    """A point in time as the API server writes it: UTC, whole seconds."""
    return time.astimezone(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def shown(time: datetime.datetime) -> str:
    """A point in time for people."""
    return time.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
