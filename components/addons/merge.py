"""Helm values laid over one another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WHOLE = "resources"
"""A container's requests and limits go together: of one side's limit and the other's request no pod may come."""


def deep(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` on top, as Helm merges values files: maps key by key, all else replaced.

    Lists are replaced whole, and so are a container's `resources`. None takes this program's value away, so that
    the chart's own default applies (a null in Helm would drop that default too, but does not survive the way
    through Kubernetes). Neither argument is changed.
    """
    merged = {key: deep(value, {}) if isinstance(value, Mapping) else value for key, value in base.items()}
    for key, value in over.items():
        below = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            merged[key] = deep(below if isinstance(below, Mapping) and key != WHOLE else {}, value)
        else:
            merged[key] = value
    return merged
