"""What makes a run faster has to be there before the first resource."""

from __future__ import annotations

import ast
import os
import pathlib
import subprocess
import sys

import pytest

from tests import sources

PROJECT = pathlib.Path(__file__).resolve().parents[2]
ENDING = "import startup, atexit, gc; atexit._run_exitfuncs(); print(gc.get_freeze_count() > 10_000)"
SHOWN = "import startup, gc, pulumi; print(pulumi.log.debug is startup.quiet, gc.get_threshold()[0])"


def test_it_is_the_first_import_of_the_program() -> None:
    story = sources.parsed(PROJECT / "__main__.py")
    first = next(node for node in story.body if isinstance(node, ast.Import | ast.ImportFrom))
    assert ast.unparse(first) == "import startup", "what is imported before it is not made faster"


@pytest.mark.parametrize(("asked", "silent"), [({}, "True"), ({"GITOPS_PLATFORM_SDK_MESSAGES": "1"}, "False")])
def test_debug_messages_are_sent_on_request_only(asked: dict[str, str], silent: str) -> None:
    done = subprocess.run([sys.executable, "-c", SHOWN], cwd=PROJECT, env={**os.environ, **asked},
                          capture_output=True, text=True, timeout=60, check=True)  # fmt: skip
    assert done.stdout.split() == [silent, "100000"]


def test_what_is_there_at_the_end_is_not_looked_through_again() -> None:
    done = subprocess.run([sys.executable, "-c", ENDING], cwd=PROJECT, capture_output=True, text=True, timeout=60,
                          check=True)  # fmt: skip
    assert done.stdout.split() == ["True"]
