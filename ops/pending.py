"""Operations that an interrupted run left open, and what becomes of each."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any, Literal

SECRET = "4dabf18193072939515e22adb298388d"  # noqa: S105  (Pulumi's mark on an encrypted value)

Action = Literal["adopt", "clear", "undecided"]


@dataclasses.dataclass(frozen=True)
class Pending:
    """A create of which nobody knows whether it happened. `resource` is its entry in the state, without an id."""

    resource: dict[str, Any]

    @property
    def urn(self) -> str:
        """Unique in the stack."""
        return str(self.resource["urn"])

    @property
    def type(self) -> str:
        """Such as `aws:iam/user:User`."""
        return str(self.resource["type"])

    @property
    def title(self) -> str:
        """For people: the type's last part and the resource's name."""
        return f"{self.type.rpartition(':')[2]} {self.urn.rpartition('::')[2]}"

    def input(self, key: str) -> Any:
        """A plain input; None for one that is missing, secret or was not known."""
        value = self.resource.get("inputs", {}).get(key)
        return None if isinstance(value, dict) and SECRET in value else value


@dataclasses.dataclass(frozen=True)
class Decision:
    """What becomes of a pending create, and why. `before` is done first, once it is certain that nobody else runs."""

    pending: Pending
    action: Action
    why: str
    id: str = ""
    before: Callable[[], None] | None = None


def creates(state: dict[str, Any]) -> list[Pending]:
    """Creates that are open, each URN once: its last attempt."""
    found: dict[str, Pending] = {}
    for operation in state["deployment"].get("pending_operations") or []:
        if operation["type"] == "creating":
            found[operation["resource"]["urn"]] = Pending(operation["resource"])
    return list(found.values())


def interrupted(state: dict[str, Any]) -> list[str]:
    """URNs of resources in state that were just being changed or deleted."""
    there = {resource["urn"] for resource in state["deployment"].get("resources") or []}
    operations = state["deployment"].get("pending_operations") or []
    urns = [operation["resource"]["urn"] for operation in operations if operation["type"] != "creating"]
    return [urn for urn in dict.fromkeys(urns) if urn in there]


def ids(state: dict[str, Any], type: str) -> set[str]:
    """Ids of the resources of a type that the state knows."""
    return {str(one.get("id")) for one in state["deployment"].get("resources") or [] if one["type"] == type}


def root(state: dict[str, Any]) -> str | None:
    """The URN of the stack itself."""
    resources = state["deployment"].get("resources") or []
    return next((str(one["urn"]) for one in resources if one["type"] == "pulumi:pulumi:Stack"), None)


def provider(state: dict[str, Any], pending: Pending) -> dict[str, Any]:
    """Inputs of the provider that a resource is made with."""
    urn = str(pending.resource.get("provider", "")).rpartition("::")[0]
    resources = state["deployment"].get("resources") or []
    return next((one.get("inputs", {}) for one in resources if one["urn"] == urn), {})


def resolved(state: dict[str, Any], decisions: list[Decision]) -> dict[str, Any]:
    """The state without pending operations and with what was adopted.

    An adopted resource gets its inputs as outputs: a plugin that finds outputs refreshes the object by its
    id, one that finds none takes it for an import, whose ids may be written otherwise.
    """
    result = copy.deepcopy(state)
    deployment = result["deployment"]
    deployment["pending_operations"] = []
    resources = deployment.setdefault("resources", [])
    for decision in decisions:
        if decision.action == "adopt":
            inputs = decision.pending.resource.get("inputs", {})
            resources.append({**decision.pending.resource, "id": decision.id, "outputs": copy.deepcopy(inputs)})
    return result
