"""What other tools do with an environment: read its outputs from a shell and from another Pulumi program."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import pty
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from typing import Any

import engine as engines
import yaml

from lab import layout
from tests import documented

READ_AS = {r"\bsbx\b|<stack>": "lab", r"(?<![\w/])\.lab/": "{home}/"}
"""What a page says, as a pattern, and what the lab runs instead."""
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "marketplace"},
          "stringData": {"password": "of a page"}}  # fmt: skip
GIVEN = {
    "secret.yaml": yaml.safe_dump(SECRET),
    **dict.fromkeys(("server.key", "private-key.pem", "token"), "of a page\n"),
}
"""Files that the pages take for granted."""
TYPED = {"access revoke": "y\n", "new-environment": "\n-\n"}
"""What is typed where a command of a page asks: yes; the default place, and no e-mail address."""


def shell(engine: engines.Engine, script: str, folder: pathlib.Path) -> engines.Run:
    """A script as a user runs it at a terminal in a copy of the project, who has sourced the lab's environment."""
    if not folder.exists():
        documented.copy_of_the_project(folder)
    clean = {
        "HOME": os.environ["HOME"], "PATH": "/usr/bin:/bin", "PULUMI_SKIP_CONFIRMATIONS": "true", "PASSWORD": "pages",
    }  # fmt: skip
    user, terminal = pty.openpty()
    try:
        os.write(user, "".join(text for command, text in TYPED.items() if command in script).encode())
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"source {engine.lab.home}/env\n{script}"], cwd=folder, env=clean,
            stdin=terminal, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
    finally:
        os.close(user)
        os.close(terminal)
    return engines.Run(done.returncode, done.stdout, done.stderr)


def documented_blocks(engine: engines.Engine) -> dict[str, dict[int, str]]:
    """Page -> line -> each block marked as run here, as the lab has to run it; what stands twice is there once."""
    found: dict[str, dict[int, str]] = {}
    seen: set[str] = set()
    for block in documented.blocks():
        text = documented.typed(block.text)
        if block.run and text not in seen:
            seen.add(text)
            for pattern, instead in READ_AS.items():
                text = re.sub(pattern, instead.format(home=engine.lab.home), text)
            found.setdefault(block.page, {})[block.line] = text
    return found


@contextlib.contextmanager
def zones_taken_back(engine: engines.Engine) -> Iterator[None]:
    """Zones that are made at IONOS DNS meanwhile are deleted at the end."""
    api = f"{engine.lab.endpoint('ionos')}/dns/zones"

    def call(method: str, url: str) -> Any:
        token = {"Authorization": f"Bearer {engine.lab.secret('ionos-dns-token')}"}
        with urllib.request.urlopen(urllib.request.Request(url, method=method, headers=token), timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    before = [zone["id"] for zone in call("GET", api)["items"]]
    try:
        yield
    finally:
        for zone in call("GET", api)["items"]:
            if zone["id"] not in before:
                call("DELETE", f"{api}/{zone['id']}")


def consumer(engine: engines.Engine, project: pathlib.Path) -> tuple[pathlib.Path, dict[str, str]]:
    """A copy of examples/consumer below `project`, and the environment with which plain `pulumi` runs it there."""
    folder = project / "examples" / "consumer"
    shutil.copytree(layout.PROJECT / "examples" / "consumer", folder)
    (project / ".venv").symlink_to(layout.PROJECT / ".venv")
    theirs = ("PULUMI_STACK", "PULUMI_OPTION_CONFIG_FILE")
    return folder, {key: value for key, value in engine.environment().items() if key not in theirs}
