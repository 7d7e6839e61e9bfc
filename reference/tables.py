"""Schemas as Markdown: a table per section, a row with an anchor per key."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

KINDS = {"string": "text", "integer": "whole number", "boolean": "true or false", "object": "mapping", "null": "null"}


def flow(value: Any) -> str:
    """A value as it is written in YAML on one line."""
    if isinstance(value, str):
        plain = yaml.safe_dump(value, width=1000, allow_unicode=True).removesuffix("\n").removesuffix("...").strip()
        return f'"{value}"' if plain.startswith("'") else plain
    return (
        yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False).strip().removesuffix("...").strip()
    )


def code(text: str) -> str:
    """Code in a table's cell."""
    return f"`{text}`".replace("|", "\\|") if text else ""


def prose(text: str) -> str:
    """Words in a table's cell, in which `<name>` is no tag."""
    outside = text.split("`")
    outside[::2] = [part.replace("<", "&lt;") for part in outside[::2]]
    return "`".join(outside).replace("|", "\\|")


def name_of(node: dict[str, Any]) -> str | None:
    """The definition that a schema refers to, whole or as one of several shapes."""
    found = re.search(r'"#/definitions/(\w+)"', json.dumps({k: node[k] for k in ("$ref", "allOf") if k in node}))
    return found[1] if found else None


def kind(node: dict[str, Any], links: dict[str, str]) -> str:
    """What a value has to be, in words. `links` has the anchor of each definition."""
    if name := name_of(node):
        return f"[section](#{links[name]})" if name in links else "section"
    if "const" in node:
        return code(flow(node["const"]))
    if "enum" in node:
        return " or ".join(code(flow(value)) for value in node["enum"])
    if shapes := node.get("anyOf") or node.get("oneOf"):
        return " or ".join(dict.fromkeys(kind(one, links) for one in shapes))
    if node.get("type") == "array":
        return f"list: {kind(node.get('items', {}), links)}"
    if isinstance(node.get("additionalProperties"), dict) and node["additionalProperties"]:
        return f"mapping of names: {kind(node['additionalProperties'], links)}"
    types = node.get("type", "object")
    words = " or ".join(KINDS[one] for one in ([types] if isinstance(types, str) else types))
    return words + _range(node)


def _range(node: dict[str, Any]) -> str:
    low, high = node.get("minimum"), node.get("maximum")
    if low is not None and high is not None:
        text = f", {low} to {high}"
    else:
        text = f", {low} or more" if low is not None else f", at most {high}" if high is not None else ""
    return text + (f", a multiple of {node['multipleOf']}" if "multipleOf" in node else "")


def default(node: dict[str, Any], required: bool) -> str:
    """What a key is when it is left out."""
    if required:
        return "**required**"
    if "derivedDefault" in node:
        return prose(str(node["derivedDefault"]))
    value = node.get("default")
    return code(flow(value)) if value not in (None, {}, [], "") else ""


def table(node: dict[str, Any], path: str, links: dict[str, str], *, defaults: bool = True) -> list[str]:
    """The rows of a mapping's keys; `path` is where the mapping stands, for the anchors."""
    heads = ["key", "value", *(["default"] if defaults else []), "meaning", "example"]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for key, value in node["properties"].items():
        anchor = f'<a id="{f"{path}.{key}".lstrip(".")}"></a>{code(key)}'
        example = code(flow(value["examples"][0])) if value.get("examples") and _tells_more(value) else ""
        cells = [
            anchor,
            kind(value, links),
            *([default(value, key in node.get("required", []))] if defaults else []),
            prose(value.get("description", "")),
            example,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _tells_more(node: dict[str, Any]) -> bool:
    example = node["examples"][0]
    return example not in ({}, [], node.get("default")) and not isinstance(example, bool) and "const" not in node
