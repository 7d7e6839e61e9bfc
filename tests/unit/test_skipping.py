"""What tests/conftest.py sees to: in CI a skipped test is a failure, and nothing is left waiting."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

CONFTEST = pathlib.Path(__file__).resolve().parent.parent / "conftest.py"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(CONFTEST.parents[1])}
"""The copy of the conftest imports from the project."""
TESTS = """
import pytest

def test_quiet():
    pytest.skip("no port 80")

@pytest.mark.may_skip("needs a real cloud")
def test_allowed():
    pytest.skip("no cloud")
"""


WAITING = """
import asyncio

LEFT = []  # until Python ends, when nothing keeps it from complaining

def test_it():
    LEFT.append(asyncio.get_event_loop().create_task(asyncio.sleep(3600)))
"""


def test_what_a_test_leaves_waiting_ends_without_a_complaint(tmp_path: pathlib.Path) -> None:
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "test_it.py").write_text(WAITING)
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False, env=ENVIRONMENT
    )
    assert "1 passed" in done.stdout
    assert "Task was destroyed" not in done.stdout + done.stderr


@pytest.mark.parametrize(("ci", "summary"), [("true", "1 failed, 1 skipped"), ("", "2 skipped")])
def test_a_skip_fails_in_ci_unless_it_is_marked(ci: str, summary: str, tmp_path: pathlib.Path) -> None:
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    env = {**ENVIRONMENT, "CI": ci}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert summary in done.stdout, done.stdout + done.stderr
    assert ("no port 80" in done.stdout) is bool(ci), "and says why"
