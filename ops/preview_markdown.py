"""A comment in Markdown from previews: what goes away first and in bold, the rest folded up. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ops.preview_model import APP_OWNER, OPERATIONS, Change, Preview

LIMIT = 65_536
"""GitHub takes no longer body of a comment or issue."""

_NAME, _KEYS, _OWNERS = 120, 6, 50
_RESULTS = {
    "unreadable": "**no preview**",
    "failed": "**failed**",
    "drastic": "**replaces or deletes**",
    "new": "new, nothing exists yet",
    "changes": "changes",
    "unchanged": "no change",
}


class Comment(NamedTuple):
    """`cut`: whether something had to be left out."""

    text: str
    cut: bool


class _Room(NamedTuple):
    """How much of a stack is shown: of other changes and of drastic ones how many, of messages how much."""

    others: int
    drastic: int
    messages: int
    characters: int


_ROOMS = [
    _Room(10_000, 10_000, 100, 8000),
    _Room(100, 10_000, 30, 3000),
    _Room(20, 500, 10, 1500),
    _Room(0, 100, 5, 800),
    _Room(0, 20, 3, 300),
    _Room(0, 5, 1, 200),
    _Room(0, 0, 0, 0),
]


def marker(name: str) -> str:
    """The hidden line by which the comment is found again, to be updated in place."""
    return f"<!-- gitops-platform:{name} -->"


def render(previews: Sequence[Preview], title: str, mark: str, limit: int = LIMIT) -> Comment:
    """The comment, at most `limit` characters long (counted as GitHub's strictest: bytes)."""
    for room in _ROOMS:
        sections = [_section(one, room) for one in previews]
        text = "\n".join([*_head(previews, title, mark), *(line for section, _ in sections for line in section)])
        if len(text.encode()) <= limit:
            return Comment(text, any(cut for _, cut in sections))
    return _shortened(_head(previews, title, mark), limit)


def code(text: str) -> str:
    """Any text as a piece of code inside of a line: nothing in it is Markdown, a mention or HTML any more."""
    text = " ".join(re.sub(r"[^\S ]|[^ -\U0010ffff]", " ", text).split()) or " "
    text = text if len(text) <= _NAME else text[: _NAME - 1] + "…"
    fence = "`" * (max(map(len, re.findall(r"`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def block(text: str) -> list[str]:
    """Any text as a block of code."""
    fence = "`" * max(3, max(map(len, re.findall(r"`+", text)), default=0) + 1)
    return [f"{fence}text", *text.splitlines(), fence]


def _head(previews: Sequence[Preview], title: str, mark: str) -> list[str]:
    if not previews:
        return [mark, f"## {title}", "", "No stack is concerned.", ""]
    operations = [*OPERATIONS, *sorted({op for one in previews for op in one.counts} - {*OPERATIONS, *_HIDDEN})]
    columns = ["stack", "result", *operations, "unchanged"]
    lines = [mark, f"## {title}", "", _row(columns), _row(["---"] * len(columns))]
    for one in previews:
        counts = [_count(op, one.counts.get(op, 0)) for op in operations]
        known = one.outcome != "unreadable"
        cells = [*counts, str(one.counts.get("same", 0))] if known else [""] * (len(operations) + 1)
        lines.append(_row([_cell(code(one.stack)), _RESULTS[one.outcome], *cells]))
    return [*lines, ""]


_HIDDEN = ("same", "read", "refresh", "read-replacement", "discard", "read-discard")


def _section(one: Preview, room: _Room) -> tuple[list[str], bool]:
    """The lines of one stack, and whether some had to be left out."""
    if one.outcome == "unchanged" and not one.warnings:
        return [], False
    lines, left = [f"### {code(one.stack)}", ""], 0
    if one.problem:
        return [*lines, "**There is no preview:**", "", *block(one.problem[: room.characters or 200]), ""], False
    if one.errors:
        lines += ["**The preview failed.** What follows it is only what it came to.", ""]
        left += _messages(lines, one.errors, room, one.stack)
    if one.new and not one.errors:
        lines += ["This stack was never up: everything in it is created.", ""]
    lines += _owners(one.changes)
    drastic = [change for change in one.changes if change.drastic]
    others = [change for change in one.changes if not change.drastic]
    if drastic:
        lines += [f"**Replaced or deleted ({len(drastic)})**", "", *map(_change, drastic[: room.drastic])]
        left += _more(lines, len(drastic) - room.drastic, one.stack)
    if others:
        lines += ["<details>", f"<summary>{_summary(others)}</summary>", "", *map(_change, others[: room.others])]
        left += _more(lines, len(others) - room.others, one.stack)
        lines += ["</details>", ""]
    if one.warnings:
        count = len(one.warnings)
        lines += ["<details>", f"<summary>{count} warning{'s' if count > 1 else ''}</summary>", ""]
        left += _messages(lines, one.warnings, room, one.stack)
        lines += ["</details>", ""]
    return lines, bool(left)


def _owners(changes: Sequence[Change]) -> list[str]:
    """Who is let in and who is shut out: never folded up."""
    named = [
        (words, [change.name for change in changes if (change.type, change.op) == (APP_OWNER, op)])
        for words, op in (("added", "create"), ("removed", "delete"))
    ]
    lines = [f"**App owners {words}:** {', '.join(map(code, names[:_OWNERS]))}" for words, names in named if names]
    return [part for line in lines for part in (line, "")]


def _change(change: Change) -> str:
    op, what = _operation(change.op), f"{code(change.name)} ({code(change.type)})"
    line = f"- **{op} {what}**" if change.drastic else f"- {op} {what}"
    if change.op == "replace" and change.reasons:
        line += f", because of {_names(change.reasons)}"
    elif change.op == "replace":
        line += ", because something that it depends on is replaced"
    elif change.keys:
        line += f": {_names(change.keys)}"
    return line + (f" ⚠️ **{change.harm}**" if change.harm else "")


def _summary(changes: Iterable[Change]) -> str:
    every = [change.op for change in changes]
    return ", ".join(f"{every.count(op)} to {_operation(op)}" for op in dict.fromkeys(every))


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _KEYS} more" if len(names) > _KEYS else ""
    return ", ".join(map(code, names[:_KEYS])) + more


def _messages(lines: list[str], messages: Sequence[str], room: _Room, stack: str) -> int:
    """Add the messages there is room for; returns how many are left out or cut."""
    cut = 0
    for text in messages[: room.messages]:
        short = text if len(text) <= room.characters else text[: room.characters] + " … (cut)"
        cut += short != text
        lines += [*block(short), ""]
    left = max(0, len(messages) - room.messages)
    if left:
        lines += [f"*{left} more messages are cut: see* {code(f'pulumi preview --stack {stack}')}", ""]
    return cut + left


def _more(lines: list[str], left: int, stack: str) -> int:
    """Close a list, with a note of what it leaves out."""
    if left > 0:
        note = f"{left} more are cut, a comment has at most {LIMIT:,} characters: see"
        lines.append(f"- *{note}* {code(f'pulumi preview --stack {stack}')}")
    lines.append("")
    return max(0, left)


def _shortened(head: list[str], limit: int) -> Comment:
    note = f"\n*The rest is cut: a comment has at most {LIMIT:,} characters.*\n"
    lines, size = list[str](), len(note.encode())
    for line in head:
        size += len(line.encode()) + 1
        if size > limit:
            break
        lines.append(line)
    return Comment("\n".join(lines) + "\n" + note, True)


def _operation(op: str) -> str:
    return op if re.fullmatch("[a-z-]+", op) else code(op)


def _count(op: str, count: int) -> str:
    return f"**{count}**" if count and op in ("replace", "delete") else str(count)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
