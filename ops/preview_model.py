"""A preview in few plain values. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

OPERATIONS = ("create", "update", "replace", "delete")
NOTHING = ("same", "read", "refresh", "read-replacement", "discard", "read-discard")
"""Operations that change nothing that exists."""

APP_OWNER = "platform:access:AppOwner"


@dataclasses.dataclass(frozen=True)
class Change:
    """One resource that would change. `keys`: paths of properties; `harm`: why to look twice, if there is a reason."""

    op: str
    type: str
    name: str
    keys: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    harm: str | None = None

    @property
    def drastic(self) -> bool:
        """Whether something that exists goes away."""
        return self.op in ("replace", "delete")


@dataclasses.dataclass(frozen=True)
class Preview:
    """A stack's preview. `problem`: why it cannot be read, and what to do; then the rest is empty."""

    stack: str
    counts: Mapping[str, int] = dataclasses.field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    new: bool = False
    problem: str | None = None

    @property
    def outcome(self) -> str:
        """`unreadable`, `failed`, `drastic` (something goes away), `new`, `changes` or `unchanged`."""
        if self.problem:
            return "unreadable"
        if self.errors:
            return "failed"
        if any(self.counts.get(op) for op in ("replace", "delete")) or any(one.drastic for one in self.changes):
            return "drastic"
        if self.new:
            return "new"
        changing = any(count for op, count in self.counts.items() if op not in NOTHING)
        return "changes" if changing or self.changes else "unchanged"
