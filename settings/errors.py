"""What is wrong with a stack's settings, said so that it can be mended."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable


@dataclasses.dataclass(frozen=True)
class Mistake:
    """One thing to mend in a stack file."""

    path: str
    """The key's place below the project's namespace, such as `cluster.ingressPool.ramMb`."""
    problem: str
    """What is wrong, without a full stop."""
    fix: str
    """What to write or run instead."""
    rests_on: tuple[str, ...] = ()
    """Other keys that this judgement rests on: while one of them is wrong itself, this is not said."""

    def __str__(self) -> str:
        return f"{self.path}: {self.problem} → {self.fix}"


class SettingsError(Exception):
    """Every mistake of one stack; nothing has been created when it is raised."""

    def __init__(self, stack: str, mistakes: Iterable[Mistake]) -> None:
        self.stack = stack
        self.mistakes = tuple(mistakes)
        super().__init__(stack, self.mistakes)

    def __str__(self) -> str:
        count = len(self.mistakes)
        heading = f"Pulumi.{self.stack}.yaml: {count} mistake{'' if count == 1 else 's'}; nothing was changed"
        return "\n".join([heading, *(f"  {mistake}" for mistake in self.mistakes)])
