"""Every command that the documentation shows is run by a test, or says why it is not."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from tests import commands, documented

BLOCKS = documented.blocks()
RUN_BY_THE_LAB = [tuple(argv) for block in BLOCKS if block.run for argv in block.commands()]
TESTS = [str(file.relative_to(documented.PROJECT)) for file in documented.PROJECT.glob("tests/*/test_*.py")]


def lacking(block: documented.Block) -> list[str]:
    """What of a block none of the tests that it names runs; also those tests that do not exist."""
    gone = [file for file in block.tests if not (documented.PROJECT / file).is_file()]
    run = [argv for file in block.tests for argv in commands.of(file)]
    asked = [each for argv in block.commands() for each in commands.wanted(argv)]
    return gone + [str(each) for each in asked if not any(each.in_(argv) for argv in run)]


def where(block: documented.Block) -> str:
    return f"{block.page}:{block.line}"


@pytest.mark.parametrize("block", BLOCKS, ids=where)
def test_a_block_says_what_runs_it(block: documented.Block) -> None:
    assert block.run or block.tests or block.excused, (
        f"before it: <!-- {documented.RUN_HERE} -->, <!-- run by tests/… -->, or <!-- not run: … --> with one of "
        f"{documented.NOT_RUN}"
    )


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.tests], ids=where)
def test_the_named_tests_run_the_blocks_commands(block: documented.Block) -> None:
    assert lacking(block) == []


def test_every_reason_is_needed() -> None:
    given = {block.note for block in BLOCKS if block.excused}
    assert given == {f"not run: {reason}" for reason in documented.NOT_RUN}


def named() -> dict[commands.Command, str]:
    """What sentences and tables name, each once, with a place where it stands."""
    found: dict[commands.Command, str] = {}
    for block in [*documented.inline(), *documented.subcommands()]:
        for argv in block.commands():
            for each in commands.wanted(argv):
                found.setdefault(each, where(block))
    return found


@pytest.mark.parametrize("asked", [pytest.param(each, id=f"{place} {each}") for each, place in named().items()])
def test_some_test_runs_what_a_sentence_names(asked: commands.Command) -> None:
    run = any(asked.in_(argv) for argv in RUN_BY_THE_LAB) or any(
        asked.in_(argv) for file in TESTS for argv in commands.of(file)
    )
    assert run, "run it in a test, or say in tests/commands.py why not"


def test_what_is_excused_is_still_named() -> None:
    shown = {
        str(commands.command(argv))
        for block in [*BLOCKS, *documented.inline()]
        for argv in block.commands()
        if not block.excused
    }
    shown |= {f"make {word}" for each in shown if each.startswith("make ") for word in each.split()[1:]}
    assert set(commands.NOT_RUN) <= shown, "nobody names it any more"


# The checks themselves


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("python -m ops access issue sbx x", []),
        ("python -m ops access issue sbx x --restore", []),
        ("python -m ops access issue sbx x --forever", ["python -m ops access issue --forever"]),
        ("python -m ops recover sbx", ["python -m ops recover"]),
        ("x=$(pulumi cancel) && jq . x", ["pulumi cancel"]),
        ("make down", ["python -m lab down"]),
        ("make test", []),
    ],
)
def test_what_a_named_test_does_not_run_is_found(text: str, missing: list[str]) -> None:
    block = documented.Block("x", 1, text, "run by tests/lab/test_access.py")
    assert lacking(block) == missing
    assert lacking(documented.Block("x", 1, text, "run by tests/lab/test_gone.py"))[0] == "tests/lab/test_gone.py"


def test_a_note_has_one_of_three_forms() -> None:
    def block(note: str) -> documented.Block:
        return documented.Block("x", 1, "make demo", note)

    assert block("a lab test runs this").run
    assert block("run by a.py, b.py and c.py").tests == ["a.py", "b.py", "c.py"]
    assert block("not run: needs accounts at IONOS Cloud and AWS").excused
    for note in ("", "not run: no time", "not run", "a lab test runs this, once"):
        assert (block(note).run, block(note).tests, block(note).excused) == (False, [], False), note


def test_what_a_page_writes_stays_in_the_copy(tmp_path: pathlib.Path) -> None:
    copy = tmp_path / "copy"
    documented.copy_of_the_project(copy)
    links = [path for path in copy.rglob("*") if path.is_symlink() and ".git" not in path.parts]
    assert links == [copy / ".venv"], "or `> Pulumi.sbx.yaml` writes into the project"
    (copy / "README.md").write_text("x")
    (copy / "kubeconfig").write_text("x")
    documented.as_copied(copy)
    assert (copy / "README.md").read_text() == (documented.PROJECT / "README.md").read_text()
    assert not (copy / "kubeconfig").exists()
    assert (copy / ".venv").exists()


SOURCE = """
import engine as engines
from ops import __main__ as ops

def access(engine, command, *more):
    return engine.run("python", "-m", "ops", "access", command, "lab", *more)

def test_x(engine, words):
    place = ("--cert", "x.pem")
    engine.run("kubeseal", *place, "--validate")
    access(engine, "issue", "plain", "--restore")
    engine.pulumi("destroy --yes", "--refresh")
    RUNNER.invoke(ops.app, ["seal", *words])
    raise ValueError("pulumi up failed")
"""


def test_commands_are_read_out_of_a_tests_source(tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    (tmp_path / "test_x.py").write_text(SOURCE)
    (tmp_path / "engine.py").write_text((documented.PROJECT / "tests" / "lab" / "engine.py").read_text())
    monkeypatch.setattr(documented, "PROJECT", tmp_path)
    assert commands.of.__wrapped__("test_x.py") == {
        ("python", "-m", "ops", "access", "issue", "lab", "plain", "--restore"),
        ("python", "-m", "ops", "access", commands.COMPUTED, "lab", commands.COMPUTED),
        ("kubeseal", "--cert", "x.pem", "--validate"),
        ("pulumi", "destroy", "--yes", "--refresh", "--non-interactive"),
        ("python", "-m", "ops", "seal", commands.COMPUTED),
    }
