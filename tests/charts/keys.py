"""Which value keys a chart knows: those in its values.yaml, its values.schema.json or its templates. Pure."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

FREE = frozenset(
    {
        "affinity",
        "annotations",
        "containerSecurityContext",
        "labels",
        "limits",
        "nodeSelector",
        "podAnnotations",
        "podSecurityContext",
        "requests",
        "resources",
        "securityContext",
        "spec",
        "strategy",
        "updateStrategy",
    }
)
"""Maps of Kubernetes itself: any key goes, also where the chart has some by default. What is misspelt in those with
fields of their own, the dry run finds in what is rendered."""
FREE_IN = {"argo-cd": frozenset({"configs.cm", "configs.params", "configs.rbac"})}
"""Maps that a chart copies as they are, by chart."""
NAMED_IN = {"traefik": frozenset({"ports"})}
"""Maps whose keys are names of the user's own, by chart: an entry knows the keys of all entries there by default."""


@dataclasses.dataclass(frozen=True)
class Chart:
    """What a chart says of its values: the defaults, the schema (if it has one), the text of its templates."""

    name: str
    defaults: Mapping[str, Any]
    schema: Mapping[str, Any] | None = None
    templates: str = ""


def unknown(chart: Chart, values: Mapping[str, Any]) -> list[str]:
    """Dotted paths in `values` that the chart does not know; lists are not looked into.

    Known is what stands in the defaults or in the schema, everything below a map that is empty (or null) by default,
    and what a template reads by its whole path: some keys are in values.yaml as a comment only.
    """
    return list(_unknown(chart, "", values, chart.defaults, chart.schema or {}))


def _unknown(
    chart: Chart, at: str, values: Mapping[str, Any], defaults: Mapping[str, Any], schema: Mapping[str, Any]
) -> Iterator[str]:
    described = schema.get("properties") or {}
    named = at in NAMED_IN.get(chart.name, ())
    for key, value in values.items():
        path = f"{at}.{key}".lstrip(".")
        if key not in defaults and key not in described and not named:
            if path != "global" and not re.search(rf"\.Values\.{re.escape(path)}\b", chart.templates):
                yield path
            continue
        if not isinstance(value, Mapping) or key in FREE or path in FREE_IN.get(chart.name, ()):
            continue
        default, below = defaults.get(key), described.get(key) or {}
        if named:
            default = functools.reduce(_both, defaults.values(), {})
        if (isinstance(default, Mapping) and default) or below.get("properties"):
            yield from _unknown(chart, path, value, default if isinstance(default, Mapping) else {}, below)


def _both(one: Any, other: Any) -> Any:
    """Two maps' keys together, the second's values first."""
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return one if other is None else other
    return {key: _both(one.get(key), other.get(key)) for key in {**one, **other}}
