"""Helm values laid over one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

WHOLE = "resources"
"""A container's requests and limits go together: of one side's limit and the other's request no pod may come."""

IDENTITIES = (("mountPath",), ("topologyKey", "whenUnsatisfiable"), ("name",), ("kind", "metadata"))
"""What tells the entries of a list apart, as in Kubernetes itself: of a volume mount it is not the name."""


def deep(base: Mapping[str, Any], over: Mapping[str, Any], at: str = "values") -> dict[str, Any]:
    """`base` with `over` on top: maps key by key, lists of objects entry by entry, all else replaced.

    A list of objects keeps the entries of `base`: those of `over` are added, and one that has the same identity takes
    its place. Helm would replace the list, and with a list of environment variables or volumes this program's
    credentials were gone. A list of plain values is replaced whole, and so are a container's `resources`.
    None takes this program's value away, so that the chart's own default applies (a null in Helm would drop that
    default too, but does not survive the way through Kubernetes). Neither argument is changed. `at` is for messages.

    Raises:
        pulumi.RunError: `over` has something else where `base` has a map or a list.
    """
    merged = {key: deep(value, {}) if isinstance(value, Mapping) else value for key, value in base.items()}
    for key, value in over.items():
        below = merged.get(key)
        if value is None:
            merged.pop(key, None)
            continue
        _require_same_kind(f"{at}.{key}", below, value)
        if isinstance(value, Mapping):
            own = below if isinstance(below, Mapping) and key != WHOLE else {}
            merged[key] = deep(own, value, f"{at}.{key}")
        elif isinstance(below, list) and isinstance(value, list):
            merged[key] = _lists(below, value)
        else:
            merged[key] = value
    return merged


def _require_same_kind(path: str, below: Any, value: Any) -> None:
    for kind, words in ((Mapping, "a map"), (list, "a list")):
        if isinstance(below, kind) and not isinstance(value, kind):
            raise pulumi.RunError(f"{path} has to be {words}: write one, or null to have the chart's own default")


def _lists(base: Sequence[Any], over: Sequence[Any]) -> list[Any]:
    if not all(isinstance(entry, Mapping) for entry in [*base, *over]):
        return list(over)
    own = {_identity(entry): entry for entry in over}
    taken = [own.pop(_identity(entry), entry) for entry in base]
    return [*taken, *own.values()]


def _identity(entry: Mapping[str, Any]) -> str:
    for keys in IDENTITIES:
        if all(key in entry for key in keys):
            return repr([_name(entry[key]) for key in keys])
    return repr(sorted(entry.items()))


def _name(value: Any) -> Any:
    """A whole object is known by its kind, its namespace and its name."""
    return (value.get("namespace"), value.get("name")) if isinstance(value, Mapping) else value
