"""`python -m lab demo` around a `pulumi up` that fails, with commands that only write down the call."""

from __future__ import annotations

import pathlib
import sys

import pytest
import typer.testing

from lab import __main__ as command
from lab import layout, summary, workspace

RUNNER = typer.testing.CliRunner()


@pytest.fixture
def calls(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The file with the calls; `pulumi up` ends with code 7, whatever follows with code 1."""
    lab = layout.Lab(tmp_path / "lab", 77, dict(layout.PORTS))
    file = tmp_path / "calls"
    for name, code in (("pulumi", 7), ("python", 1)):
        fake = tmp_path / name
        fake.write_text(f'#!/bin/sh\necho "{name} $@" >> {file}\nexit {code}\n')
        fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(command, "_up", lambda: (lab, False))
    monkeypatch.setattr(workspace, "process_environment", lambda _: {"PATH": f"{tmp_path}:/usr/bin:/bin"})
    return file


def test_a_failed_up_is_explained_and_its_code_kept(calls: pathlib.Path) -> None:
    done = RUNNER.invoke(command.app, ["demo"])
    assert done.exit_code == 7, "the code is `pulumi up`'s, not the explanation's"
    up, ready = calls.read_text().splitlines()
    assert up.startswith("pulumi up --yes")
    assert ready.startswith("python -m ops ready lab "), "why it is not ready is said at once"
    assert ready.endswith("--wait-minutes 0"), "what failed is not waited for a second time"


def test_a_check_that_fails_after_the_up_is_an_error(calls: pathlib.Path) -> None:
    lab = layout.Lab(calls.parent / "lab", 77, dict(layout.PORTS))
    with pytest.raises(layout.LabError, match="not ready"):
        summary.check(lab, command.console)
    assert calls.read_text() == "python -m ops ready lab --json\n", "with its own limit"
