"""What other tools do with an environment: read its outputs from a shell and from another Pulumi program."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess

import engine as engines

from lab import layout
from tests import documented


def shell(engine: engines.Engine, script: str, folder: pathlib.Path) -> engines.Run:
    """A script as a user runs it in the project, who has sourced the lab's environment; files go to `folder`."""
    folder.mkdir(exist_ok=True)
    # `pulumi` and `python -m ops` want the project, and what a page writes must not stay there.
    for entry in layout.PROJECT.iterdir():
        if entry.name not in (".git", ".lab", "site") and not (folder / entry.name).exists():
            (folder / entry.name).symlink_to(entry)
    # Nobody is there to be asked.
    clean = {"HOME": os.environ["HOME"], "PATH": "/usr/bin:/bin", "PULUMI_SKIP_CONFIRMATIONS": "true"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"source {engine.lab.home}/env\n{script}"], cwd=folder, env=clean,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    return engines.Run(done.returncode, done.stdout, done.stderr)


def documented_blocks(engine: engines.Engine) -> list[tuple[str, str]]:
    """Every block that the documentation marks as run here, as the lab has to run it: where it stands, and its text."""
    found: list[tuple[str, str]] = []
    for block in documented.blocks():
        if block.run:
            text = block.text.replace("source .lab/env", f"source {engine.lab.home}/env")
            found.append((f"{block.page}:{block.line}", re.sub(r"\bsbx\b", "lab", text)))
    return found


def consumer(engine: engines.Engine, project: pathlib.Path) -> tuple[pathlib.Path, dict[str, str]]:
    """A copy of examples/consumer below `project`, and the environment with which plain `pulumi` runs it there."""
    folder = project / "examples" / "consumer"
    shutil.copytree(layout.PROJECT / "examples" / "consumer", folder)
    (project / ".venv").symlink_to(layout.PROJECT / ".venv")
    theirs = ("PULUMI_STACK", "PULUMI_OPTION_CONFIG_FILE")
    return folder, {key: value for key, value in engine.environment().items() if key not in theirs}
