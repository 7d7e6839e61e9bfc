"""The annotation `pulumi.com/waitFor`: JSONPath expressions and conditions. Pure functions.

Understood of JSONPath: `.name`, `['name']`, `[0]`, `[*]`, `.*`, and filters such as `[?(@.type=="Ready")]`.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing

from lab.plugins.kubernetes import model


class WaitError(ValueError):
    """The annotation cannot be understood, or selects something that cannot be compared."""


@dataclasses.dataclass(frozen=True)
class JsonPath:
    """`{.path}=value`, or without a value: the path exists."""

    path: str
    value: str | None

    def __str__(self) -> str:
        return self.path if self.value is None else f"{self.path}={self.value}"

    def check(self, obj: model.Object) -> tuple[bool, str]:
        """(holds, what to tell about it)."""
        seen = model.dig(obj, "status", "observedGeneration")
        if isinstance(seen, int) and seen < (model.dig(obj, "metadata", "generation") or 0):
            return False, f"Waiting for {self} (not observed yet)"
        found = select(obj, self.path.strip()[1:-1])
        if not found:
            return False, f"{self.path} selected nothing"
        if isinstance(found[0], dict | list):
            if self.value is None:
                return True, f"Found {self}"
            raise WaitError(f'"{self.path}" has a non-primitive value')
        text = _text(found[0])
        if self.value is None or text == self.value:
            return True, f"Found {self}"
        return False, f'Waiting for {self} (found "{text}")'


@dataclasses.dataclass(frozen=True)
class Condition:
    """`condition=Type` or `condition=Type=Status`, as in `kubectl wait`."""

    type: str
    status: str = "True"

    def __str__(self) -> str:
        return f"condition={self.type}" + ("" if self.status == "True" else f"={self.status}")

    def check(self, obj: model.Object) -> tuple[bool, str]:
        """(holds, what to tell about it)."""
        for item in model.dig(obj, "status", "conditions") or []:
            if str(item.get("type", "")).lower() == self.type.lower():
                generation, seen = model.dig(obj, "metadata", "generation"), item.get("observedGeneration")
                if isinstance(seen, int) and isinstance(generation, int) and seen < generation:
                    return False, f"Waiting for {self} (not observed yet)"
                if str(item.get("status", "")).lower() == self.status.lower():
                    return True, f"Found {self}"
                return False, f"Waiting for {self} (it is {item.get('status')})"
        return False, f"Waiting for {self}"


Check = JsonPath | Condition


def parse(text: str) -> list[Check]:
    """The checks of an annotation: one expression or a JSON array of them. WaitError when it is wrong."""
    try:
        expressions = json.loads(text)
    except ValueError:
        expressions = None
    if not isinstance(expressions, list) or not all(isinstance(item, str) for item in expressions):
        expressions = [text]
    if not expressions:
        raise WaitError("at least one condition must be specified")
    return [_parse_one(expression) for expression in expressions]


def _parse_one(text: str) -> Check:
    if text.startswith("condition="):
        kind, _, status = text.removeprefix("condition=").partition("=")
        return Condition(kind, status or "True")
    if not text.startswith("jsonpath="):
        raise WaitError(f'expected a "jsonpath=" or "condition=" prefix, got "{text}"')
    match = re.fullmatch(r"\s*(\{.*\})(?:=(.*))?", text.removeprefix("jsonpath="), re.DOTALL)
    if not match:
        raise WaitError(f'"{text}": the path belongs in braces: jsonpath={{.path}}=value')
    if match[2] == "":
        raise WaitError(f"{match[1]}= requires a value")
    steps(match[1][1:-1])
    return JsonPath(match[1], match[2])


_STEP = re.compile(
    r"""\.(?P<name>[\w\-$/]+|\*)
      | \[\s*(?P<index>-?\d+|\*)\s*\]
      | \[\s*(?P<quote>['"])(?P<quoted>.*?)(?P=quote)\s*\]
      | \[\?\(?\s*(?P<filter>@.*?)\s*\)?\]""",
    re.VERBOSE,
)
_FILTER = re.compile(r"""(?P<path>@[^\s=!]*)\s*(?:(?P<operator>==|!=)\s*(?P<value>"[^"]*"|'[^']*'|[\w.\-]+))?""")


def steps(path: str) -> list[re.Match[str]]:
    """The steps of a path such as `.status.conditions[0].type`; WaitError when it is no such path."""
    text, found = path.strip().removeprefix("$"), []
    while text:
        match = _STEP.match(text)
        if not match or (match["filter"] and not _FILTER.fullmatch(match["filter"])):
            raise WaitError(f'parsing "{{{path}}}": not understood at "{text}"')
        found.append(match)
        text = text[match.end() :]
    return found


def select(obj: typing.Any, path: str) -> list[typing.Any]:
    """Everything in `obj` that a path selects."""
    found = [obj]
    for step in steps(path):
        found = [item for value in found for item in _step(value, step)]
    return found


def _step(value: typing.Any, step: re.Match[str]) -> list[typing.Any]:
    items = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    if step["filter"]:
        return [item for item in items if _passes(item, step["filter"])]
    key = step["name"] or step["quoted"]
    if (key == "*" and step["name"]) or step["index"] == "*":
        return items
    if step["index"]:
        index = int(step["index"])
        return [value[index]] if isinstance(value, list) and -len(value) <= index < len(value) else []
    return [value[key]] if isinstance(value, dict) and key in value else []


def _passes(item: typing.Any, text: str) -> bool:
    match = _FILTER.fullmatch(text)
    if not match:
        raise WaitError(f'filter "{text}" is not understood')
    found = select(item, match["path"][1:])
    if not match["operator"]:
        return bool(found)
    wanted = match["value"].strip("\"'")
    return (bool(found) and _text(found[0]) == wanted) == (match["operator"] == "==")


def _text(value: typing.Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "<nil>" if value is None else str(value)
