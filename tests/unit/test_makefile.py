"""The virtual environment that every target of the Makefile needs: made whole, or made again by the next run."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# `-m venv` of a Debian without python3-venv leaves a Python without pip behind, as the real one does.
PYTHON = """\
#!/bin/sh
home=$(dirname "$0")
case "$*" in
  "-c "*) exit 0 ;;
  "-m venv "*)
    echo venv >> "$home/asked"
    mkdir -p "$3/bin" && cp "$home/inside" "$3/bin/python"
    test -e "$home/has-venv" || { echo "ensurepip is not available"; exit 1; } ;;
esac
"""
INSIDE = """\
#!/bin/sh
test -e "{home}/has-venv" || {{ echo "No module named pip"; exit 1; }}
case "$*" in
  "-m pip install "*) echo install >> "{home}/asked"; test ! -e "{home}/fails" ;;
esac
"""


class Machine:
    """`python3` and what it puts into a virtual environment; `asked` has what they were asked to do."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.put("python", PYTHON)
        self.put("inside", INSIDE.format(home=folder))

    def put(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)

    def make(self) -> subprocess.CompletedProcess[str]:
        words = ["make", "venv", f"PYTHON={self.folder}/python", f"VENV={self.folder}/venv"]
        ours = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        return subprocess.run(words, cwd=ROOT, env=ours, capture_output=True, text=True, timeout=30, check=False)

    @property
    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text().split()


@pytest.fixture
def machine(tmp_path: pathlib.Path) -> Machine:
    return Machine(tmp_path)


def test_a_machine_without_venv_is_told_so_every_time_until_it_has_it(machine: Machine) -> None:
    for _ in range(2):
        refused = machine.make()
        assert refused.returncode
        assert "install your distribution's python3-venv" in refused.stdout
        assert "No module named pip" not in refused.stdout + refused.stderr
    (machine.folder / "has-venv").touch()
    assert machine.make().returncode == 0


def test_an_installation_that_was_broken_off_is_done_again(machine: Machine) -> None:
    (machine.folder / "has-venv").touch()
    (machine.folder / "fails").touch()
    assert machine.make().returncode
    (machine.folder / "fails").unlink()
    assert machine.make().returncode == 0
    assert machine.asked == ["venv", "install", "install"]
    assert machine.make().returncode == 0
    assert len(machine.asked) == 3, "what is done is done"
