"""What changed between two sets of properties, by path, in the form the engine shows."""

from __future__ import annotations

import collections.abc
import dataclasses
import re

from lab.plugins import values

ADD, UPDATE, DELETE = "add", "update", "delete"
Path = tuple[str | int, ...]


@dataclasses.dataclass
class Diff:
    """The answer to "what would change?"; no `changes` means nothing to do.

    changes: path -> "add" | "update" | "delete", paths as tuples: ("spec", "ports", 0, "port").
    replace: those paths (or prefixes of them) whose change needs a new resource.
    delete_before_replace: the old resource has to go first (its name is fixed).
    """

    changes: dict[Path, str] = dataclasses.field(default_factory=dict)
    replace: set[Path] = dataclasses.field(default_factory=set)
    delete_before_replace: bool = False

    def replaces(self, path: Path) -> bool:
        """Whether a change at `path` is covered by one of the paths in `replace`."""
        return any(path[: len(prefix)] == prefix for prefix in self.replace)


def compare(
    old: values.Value, new: values.Value, replace_on: collections.abc.Iterable[str] = (), *, null_is_absent: bool = True
) -> Diff:
    """Compare two property dicts, secrets by what they hold.

    An unknown new value counts as changed. `replace_on`: names of top-level properties, or dotted paths of
    dict keys, whose change needs a replacement. With `null_is_absent` a None is the same as no entry.
    """
    if null_is_absent:
        old, new = values.without_nulls(old), values.without_nulls(new)
    changes: dict[Path, str] = {}
    _walk(values.plain(old), values.plain(new), (), changes)
    rules = [tuple(rule.split(".")) for rule in replace_on]
    replace: set[Path] = set()
    for path in changes:
        for rule in rules:
            if path[: len(rule)] == rule:
                replace.add(rule)
            elif rule[: len(path)] == path:
                replace.add(path)  # the whole parent came or went
    return Diff(changes, replace)


def _walk(old: values.Value, new: values.Value, path: Path, changes: dict[Path, str]) -> None:
    if new is values.UNKNOWN:
        changes[path] = UPDATE
    elif isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() | new.keys():
            if key not in new:
                changes[(*path, key)] = DELETE
            elif key not in old:
                changes[(*path, key)] = ADD
            else:
                _walk(old[key], new[key], (*path, key), changes)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            if index >= len(new):
                changes[(*path, index)] = DELETE
            elif index >= len(old):
                changes[(*path, index)] = ADD
            else:
                _walk(old[index], new[index], (*path, index), changes)
    elif old != new or isinstance(old, bool) != isinstance(new, bool):
        changes[path] = UPDATE


_PLAIN_KEY = re.compile(r"[^.\[\]\"]+")


def path_text(path: Path) -> str:
    """A path as Pulumi writes it: `spec.ports[0].port`, `metadata.labels["a.b/c"]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            quoted = part.replace('"', '\\"')
            text += f'["{quoted}"]'
    return text
