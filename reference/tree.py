"""A whole schema as Markdown: its own table, then a heading and a table for every section in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from reference import tables


def sections(made: dict[str, Any], *, defaults: bool) -> str:
    """The tables, the outermost first; a section that stands at several places is shown once."""
    found = places(made)
    links = {name: slug(heading(there)) for name, there in found.items()}
    lines = [*tables.table(made, "", links, defaults=defaults), ""]
    for name, there in found.items():
        node = made["definitions"][name]
        lines += [f"## {tables.prose(heading(there))}\n"]
        if len(there) > 1:
            lines += [f"The same at {', '.join(f'`{path}`' for path, _ in there[1:])}.\n"]
        lines += [f"{node['description']}\n", *tables.table(node, there[0][0], links, defaults=defaults), ""]
    return _unique_anchors("\n".join(lines), set(links.values()))


def slug(heading: str) -> str:
    """The anchor that a heading gets, on the site and on GitHub alike."""
    return re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")


def heading(found: list[tuple[str, str]]) -> str:
    path, shape = found[0]
    return f"{path}, {shape}" if shape else path


def places(made: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """Every definition with the paths at which it stands and which shape it is there, in the order of reading."""
    places: dict[str, list[tuple[str, str]]] = {}

    def visit(node: dict[str, Any], path: str) -> None:
        for key, value in node.get("properties", {}).items():
            for name, place, shape in _refers(value, f"{path}.{key}".lstrip("."), made["definitions"]):
                places.setdefault(name, []).append((place, shape))
                visit(made["definitions"][name], place)

    visit(made, "")
    return places


def _refers(node: dict[str, Any], path: str, known: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The definitions that a value is made of: name, path, and in words which of several shapes it is."""
    if "$ref" in node:
        yield node["$ref"].rsplit("/", 1)[1], path, ""
    for one in node.get("anyOf", []):
        yield from _refers(one, path, known)
    for one in node.get("oneOf", []):
        for name, place, _ in _refers(one, path, known):
            chosen = ((key, value["const"]) for key, value in known[name]["properties"].items() if "const" in value)
            yield name, place, ", ".join(f"{key} {value}" for key, value in chosen)
    if isinstance(node.get("items"), dict):
        yield from _refers(node["items"], f"{path}[]", known)
    if isinstance(node.get("additionalProperties"), dict):
        yield from _refers(node["additionalProperties"], f"{path}.<name>", known)


def _unique_anchors(text: str, taken: set[str]) -> str:
    """Without the anchors that a heading has, or that stand twice: two shapes of a section can have the same key."""
    seen = {f'<a id="{name}"></a>' for name in taken}

    def keep(found: re.Match[str]) -> str:
        known = found[0] in seen
        seen.add(found[0])
        return "" if known else found[0]

    return re.sub(r'<a id="[^"]*"></a>', keep, text)
