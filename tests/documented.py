"""The commands that the documentation shows: where each stands, and how a lab runs it."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import shlex

PROJECT = pathlib.Path(__file__).resolve().parent.parent
PAGES = sorted([*(PROJECT / "docs").rglob("*.md"), PROJECT / "README.md", PROJECT / "lab" / "README.md"])
RUN_BY_A_LAB = "<!-- a lab test runs this -->"
"""Stands before a block that tests/lab runs as it is written."""


@dataclasses.dataclass(frozen=True)
class Block:
    """A shell block of a page."""

    page: str
    line: int
    text: str
    run: bool

    def commands(self) -> list[list[str]]:
        """Its simple commands as words, without redirections, assignments and comments."""
        joined = re.sub(r"\\\n\s*", " ", typed(self.text))
        return [command for line in joined.splitlines() for command in simple(line)]


def typed(text: str) -> str:
    """What somebody types of a block: where it has prompts, the lines behind them; the others are output."""
    prompted = re.findall(r"^\$ (.*(?:\\\n.*)*)", text, re.MULTILINE)
    return "\n".join(prompted) if prompted else text


def blocks() -> list[Block]:
    """Every block of shell commands, page by page."""
    found: list[Block] = []
    for page in PAGES:
        text = page.read_text("utf-8")
        for match in re.finditer(r"^( *)```(?:sh|shell|bash|console)\n(.*?)^\1```", text, re.MULTILINE | re.DOTALL):
            before = text[: match.start()].rstrip().rsplit("\n", 1)[-1]
            line = text[: match.start()].count("\n") + 2
            found.append(Block(str(page.relative_to(PROJECT)), line, match[2], before == RUN_BY_A_LAB))
    return found


def inline() -> list[Block]:
    """Commands of ours inside of sentences and tables, each as a block."""
    found: list[Block] = []
    for page in PAGES:
        fenced = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
        text = fenced.sub(lambda match: re.sub(r"[^\n]", "", match[0]), page.read_text("utf-8"))
        name = str(page.relative_to(PROJECT))
        spans = re.finditer(r"`((?:[A-Z_]+=\S+ )*(?:python -m|make|pulumi)\s[^`]+)`", text)
        found += [
            Block(name, text[: span.start()].count("\n") + 1, re.sub(r"\s+", " ", span[1]), False) for span in spans
        ]
    return found


def simple(line: str) -> list[list[str]]:
    """`A=1 b --c | d > e` -> `[[b, --c], [d]]`. What is inside of `$(…)` counts as commands of its own.

    `<stack>` is a word to fill in, no redirection.
    """
    line = re.sub(r"<([a-z][a-z -]*)>", lambda found: found[1].replace(" ", "-"), line)
    inner = [found for inside in re.findall(r"\$\(([^()]*)\)", line) for found in simple(inside)]
    lexer = shlex.shlex(re.sub(r"\$\([^()]*\)", "substituted", line), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    commands: list[list[str]] = [[]]
    redirected = False
    for word in lexer:
        if word.startswith("#"):
            break
        if set(word) <= set("<>") and word:
            redirected = True
        elif set(word) <= set("();<>|&"):
            commands.append([])
        elif redirected:
            redirected = False
        elif commands[-1] or not re.fullmatch(r"[A-Za-z_]\w*=.*", word):
            commands[-1].append(word)
    return [*(command for command in commands if command), *inner]
