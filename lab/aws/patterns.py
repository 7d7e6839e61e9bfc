"""Wildcards of IAM policies: `*` is any run of characters, `?` any one. Pure."""

from __future__ import annotations

import functools
import re


def matches(pattern: str, text: str, ignore_case: bool = False) -> bool:
    """Whether the whole text matches; a `*` also spans `:` and `/`."""
    return bool(_compiled(pattern, ignore_case).fullmatch(text))


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    # Runs of `*` would make the expression slow, and say no more than one does.
    parts = [".*" if part.startswith("*") else "." if part == "?" else re.escape(part) for part in _split(pattern)]
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _split(pattern: str) -> list[str]:
    return [part for part in re.split(r"(\*+|\?)", pattern) if part]
