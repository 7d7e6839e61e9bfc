"""Every command of ours that the documentation shows exists, with the options it is shown with.

Other programs (kubectl, jq) are not looked at here. What runs all of them: test_docs_run.py.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer.main

from lab import __main__ as lab
from ops import __main__ as ops
from tests import documented

TYPER = {"ops": typer.main.get_command(ops.app), "lab": typer.main.get_command(lab.app)}
MODULES = {"lab.toolchain", "reference", "venv", "pip", "pytest", "tests.charts"}
PULUMI = {
    "up", "preview", "refresh", "destroy", "cancel", "import", "login", "logout", "whoami", "stack", "config",
    "state", "plugin", "version", "about",
}  # fmt: skip
"""Commands of Pulumi; tests/lab/test_pulumi_options.py asks the real CLI for them and their options."""
TARGETS = set(re.findall(r"^([a-z-]+):", (documented.PROJECT / "Makefile").read_text(), re.MULTILINE))


def wrong(command: list[str], *, named_only: bool = False) -> str | None:
    """What does not exist of a command, or None. A sentence may name a command without its arguments."""
    program, *rest = command
    if program == "make":
        unknown = [word for word in rest if "=" not in word and not word.startswith("-") and word not in TARGETS]
        return f"no such target: {', '.join(unknown)}" if unknown else None
    if re.fullmatch(r"(\.venv/bin/)?python3?", program) and rest[:1] == ["-m"]:
        return None if rest[1] in MODULES else _typer(TYPER.get(rest[1]), rest[2:], named_only)
    if program == "pulumi":
        return None if rest and (rest[0] in PULUMI or rest[0].startswith("-")) else "no such command of pulumi"
    return None


def _typer(command: Any, words: list[str], named_only: bool) -> str | None:
    """Parse as the command itself would, without running it or looking at files.

    Typer has a copy of Click of its own, so what things are is told by what they have.
    """
    if command is None:
        return "no such module"
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return f"no such command: {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    if words == ["--help"] or (hasattr(command, "commands") and not words):
        return None  # it prints its help
    context = command.context_class(command, info_name="x")
    try:
        given, left, _ = command.make_parser(context).parse_args(list(words))
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return error.format_message()
    missing = [p.name for p in command.params if p.required and given.get(p.name) in (None, ())]
    if left or (missing and not named_only):
        return f"too many words: {left}" if left else f"missing: {missing}"
    return None


def shown(blocks: list[documented.Block]) -> list[Any]:
    return [
        pytest.param(command, id=f"{block.page}:{block.line} {' '.join(command)[:60]}")
        for block in blocks
        for command in block.commands()
    ]


@pytest.mark.parametrize("command", shown(documented.blocks()))
def test_a_documented_command_exists(command: list[str]) -> None:
    assert wrong(command) is None


@pytest.mark.parametrize("command", shown(documented.inline()))
def test_a_command_that_a_sentence_names_exists(command: list[str]) -> None:
    assert wrong(command, named_only=True) is None


@pytest.mark.parametrize(
    "line",
    [
        "make dmo",
        "python -m ops config chekc sbx",
        "python -m ops config check sbx --jsno",
        "python -m ops recover",
        "python -m oops",
        "pulumi upp",
        "x=$(python -m ops nothing) && make demo",
        "make demo | python -m lab nothing",
    ],
)
def test_one_that_does_not_is_found(line: str) -> None:
    assert any(wrong(command) for command in documented.simple(line)), line


def test_what_stands_behind_a_prompt_is_a_command_and_the_rest_is_output() -> None:
    block = documented.Block("x", 1, "$ python -m ops nothing\nmake dmo\n")
    assert block.commands() == [["python", "-m", "ops", "nothing"]]
    assert any(wrong(command) for command in block.commands())


def test_commands_are_read_as_a_shell_does() -> None:
    line = """A=1 make demo && pulumi stack output x --json | jq -r '.a | .b' > "file"  # and more"""
    expected = [["make", "demo"], ["pulumi", "stack", "output", "x", "--json"], ["jq", "-r", ".a | .b"]]
    assert documented.simple(line) == expected
    assert documented.simple("(umask 077 && cat < in > out) # no")[1] == ["cat"]
