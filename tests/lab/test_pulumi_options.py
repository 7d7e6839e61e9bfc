"""Each option of Pulumi's that a page, a workflow or a form shows is one of the real CLI's."""

from __future__ import annotations

import functools
import re
import subprocess

import pytest

from lab import toolchain
from tests import commands, documented

SHOWN = [*documented.blocks(), *documented.inline(), *documented.ci()]


def options(argv: list[str]) -> set[str]:
    """The options among a command's words, without their values."""
    return {word.split("=")[0] for word in argv if re.match(r"--?[a-z]", word)}


def shown() -> dict[tuple[str, ...], dict[str, str]]:
    """Command of Pulumi's -> option -> a place that shows it."""
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for block in SHOWN:
        for argv in block.commands():
            if argv[0] == "pulumi" and (one := commands.command(argv)):
                places = dict.fromkeys(options(argv), f"{block.page}:{block.line}")
                found[one.words] = places | found.get(one.words, {})
    return found


@functools.cache
def pulumi() -> str:
    return str(toolchain.ensure(["pulumi"])["pulumi"])


@functools.cache
def known(command: tuple[str, ...]) -> frozenset[str]:
    """The options that a command's help names; none if there is no such command."""
    done = subprocess.run([pulumi(), *command[1:], "--help"], capture_output=True, text=True, timeout=60, check=False)
    *parents, name = command
    # Of a name that it does not know Pulumi shows the help of what stands before it.
    usage = re.search(rf"^  {' '.join(parents)} ([a-z-]+)", done.stdout, re.MULTILINE)
    aliases = re.search(r"^Aliases:\n  (.*)", done.stdout, re.MULTILINE)
    if not usage or name not in (usage[1], *(aliases[1].split(", ") if aliases else ())):
        return frozenset()
    return frozenset(re.findall(r"(?<![\w-])--?[a-z][\w-]*", done.stdout))


@pytest.mark.parametrize(("command", "places"), [pytest.param(*each, id=" ".join(each[0])) for each in shown().items()])
def test_the_real_cli_knows_command_and_options(command: tuple[str, ...], places: dict[str, str]) -> None:
    assert known(command), f"no such command: {' '.join(command)}"
    assert {option: place for option, place in places.items() if option not in known(command)} == {}


def test_one_that_it_does_not_know_is_found() -> None:
    assert not known(("pulumi", "upp"))
    assert not known(("pulumi", "stack", "outputs"))
    assert "--suppress-output" not in known(("pulumi", "up"))
    assert {"--suppress-outputs", "-y"} <= known(("pulumi", "up"))


def test_workflows_are_looked_at() -> None:
    words = [" ".join(argv) for block in documented.ci() for argv in block.commands()]
    assert any("--suppress-outputs" in each for each in words), words
