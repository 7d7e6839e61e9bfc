"""Finds a preview's JSON in what was handed over, and says what else that is. Pure.

`pulumi preview --json` prints one JSON object, indented. Before it there may be lines of a wrapper, after it Pulumi's
update notice; with `2>&1` all of stderr stands around it.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import Any, NamedTuple

KEYS = {"config", "steps", "diagnostics", "duration", "changeSummary"}
"""Of which a preview has at least one."""

EVENTS = "it is a stream of events: run the preview without PULUMI_ENABLE_STREAMING_JSON_PREVIEW"
SUMMARY = "it is the summary that `--output json` prints, without the single changes: run `pulumi preview --json`"


class Found(NamedTuple):
    """A preview (or the report of one), and what stands around it."""

    document: dict[str, Any]
    around: str


class UnreadableError(Exception):
    """The text holds no preview; the message says what it is, and what to do."""


def decoded(content: bytes) -> str:
    """The text of a file, as UTF-8 or, with a mark at its start, UTF-16 (PowerShell's >)."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    return content.decode("utf-8-sig", errors="replace")


def find(text: str) -> Found:
    """The one preview in a text. Raises `UnreadableError`."""
    text = text.removeprefix("\ufeff")
    documents = list[tuple[int, int, Any]]()
    broken: json.JSONDecodeError | None = None
    for start in _starts(text):
        if documents and start < documents[-1][1]:
            continue
        try:
            document, end = json.JSONDecoder().raw_decode(text, start)
            documents.append((start, end, document))
        except json.JSONDecodeError as error:
            # A line such as `[warn] …` fails at once, a preview that is cut off or mixed up far behind its start.
            if text[start] == "{" and (broken is None or error.pos > broken.pos):
                broken = error
        except ValueError:  # a number of thousands of digits
            raise UnreadableError("it holds a number that no preview has: run the preview again") from None
    known = [one for one in documents if isinstance(one[2], dict) and _is_known(one[2])]
    if len(known) == 1:
        start, end, document = known[0]
        return Found(_whole(document, text), text[:start] + text[end:])
    if known and all("sequence" in document for _, _, document in known):
        raise UnreadableError(EVENTS)
    if known:
        raise UnreadableError(f"it holds {len(known)} previews: write each into a file of its own, with > and not >>")
    if broken is not None:
        raise UnreadableError(_broken(text, broken))
    for _, _, document in documents:
        if isinstance(document, dict) and "result" in document and not KEYS - {"duration"} & document.keys():
            raise UnreadableError(SUMMARY)
    if documents:
        raise UnreadableError("")
    raise UnreadableError("it is not JSON: hand over what `pulumi preview --json` prints")


def _is_known(document: dict[str, Any]) -> bool:
    if "result" in document and not KEYS - {"duration"} & document.keys():
        return False
    return bool(document.keys() & {*KEYS, "stacks", "sequence"})


def _starts(text: str) -> list[int]:
    """Where a JSON document may begin: at the start of a line, since Pulumi indents all that is inside of one."""
    found = [one.start() for one in re.finditer(r"^[\[{]", text, re.MULTILINE)]
    indented = re.search(r"^[ \t]*(?=[\[{])", text, re.MULTILINE)
    return sorted({*found, *([indented.end()] if indented else [])})


def _broken(text: str, error: json.JSONDecodeError) -> str:
    rest = text[error.pos :].strip()
    if error.msg.startswith("Unterminated string") or (len(rest) < 12 and "\n" not in rest):
        return f"it is cut off after {len(text)} characters: the preview did not end; run it again"
    return f"line {error.lineno} is no JSON: hand over what `pulumi preview --json` prints, without its stderr"


def _whole(value: Any, text: str) -> Any:
    """Without halves of characters (`\\ud83d` alone), which can be written nowhere."""
    return _mended(value) if re.search(r"\\u[dD][89a-fA-F]", text) else value


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_mended(key): _mended(each) for key, each in value.items()}
    return [_mended(each) for each in value] if isinstance(value, list) else value
