"""What a stack file says before it has been checked: mappings, lists and values of any shape."""

from __future__ import annotations

from typing import Any, cast

Place = tuple[str | int, ...]
"""Keys and list positions from the top: `("cluster", "defaultPool", "publicIps", 0)`."""


MOST_LEVELS = 100
"""How deep a file may be nested; Python itself gives up not far beyond."""


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is a mapping, else an empty one that belongs to nobody."""
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one that belongs to nobody."""
    return cast(list[Any], value) if isinstance(value, list) else []


def has(value: Any, part: str | int) -> bool:
    """Whether a mapping has a key, or a list a position."""
    return part < len(items(value)) if isinstance(part, int) else part in mapping(value)


def at(value: Any, place: Place) -> Any:
    """What stands at a place; None where nothing does."""
    for part in place:
        if not has(value, part):
            return None
        value = value[part]
    return value


def remove(value: Any, place: Place) -> bool:
    """Delete what stands at a place. Returns whether there was anything."""
    parent = at(value, place[:-1])
    if not has(parent, place[-1]):
        return False
    del parent[place[-1]]
    return True


def is_deep(value: Any) -> bool:
    """Whether something is nested deeper than any setting, and too deep to be copied."""
    level = [value]
    for _ in range(MOST_LEVELS):
        level = [below for each in level for below in (*mapping(each).values(), *items(each))]
    return bool(level)


def text(place: Place) -> str:
    """`cluster.extraPools.data.publicIps[0]`; a key with dots is put in brackets."""
    path = ""
    for part in place:
        if isinstance(part, int):
            path += f"[{part}]"
        elif "." in part or not part:
            path += f'["{part}"]'
        else:
            path += f".{part}" if path else part
    return path
