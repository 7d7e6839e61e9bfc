"""A stack, by way of Pulumi's own command line; the only place that runs it."""

from __future__ import annotations

import json
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import urllib.parse
from typing import Any, NamedTuple

from ops import login, progress

LOCKED = re.compile(r"created by (?P<user>\S+?)@(?P<host>\S+) \(pid (?P<pid>[0-9]+)\) at (?P<time>\S+)")


class OpsError(Exception):
    """Something that a command cannot go on with; the message is for the person who ran it."""


class UnaskedError(OpsError):
    """Pulumi cannot be asked about the stack at all: it is not installed, not logged in, or knows no such stack."""


class Lock(NamedTuple):
    """Who holds a stack, as Pulumi tells it. `pid` 0: unknown (a service keeps the lock)."""

    user: str
    host: str
    pid: int
    time: str

    @property
    def alive(self) -> bool:
        """Whether that run is still going, as far as this machine can tell."""
        if not self.pid or self.host != socket.gethostname():
            return False
        try:
            return b"pulumi" in pathlib.Path(f"/proc/{self.pid}/cmdline").read_bytes()
        except OSError:
            return False


class Stack:
    """One stack of the project in `directory`."""

    def __init__(self, name: str, directory: pathlib.Path) -> None:
        self.name = name
        self._directory = directory

    def export(self, *, secrets: bool = False) -> dict[str, Any]:
        """The state; values that are secret stay encrypted unless `secrets`."""
        return json.loads(self._run("stack", "export", *(["--show-secrets"] if secrets else [])))

    def outputs(self) -> dict[str, Any]:
        """The outputs, secret ones readable; none before the first `up` and after `destroy`."""
        return json.loads(self._run("stack", "output", "--json", "--show-secrets"))

    def output(self, name: str) -> dict[str, Any]:
        """One output that is a mapping and no secret; empty before the first `up` and after `destroy`."""
        return (json.loads(self._run("stack", "output", "--json")) or {}).get(name) or {}

    def repair_files(self) -> list[str]:
        """Make a state readable that was killed while it was written. Returns the files that were removed.

        In a folder (`file://`), Pulumi replaces the state itself at one blow, but not the little `.attrs` file
        beside it: cut short, it makes the state unreadable ("failed to load checkpoint: EOF"), while a
        missing one does not matter. A backend URL that ends in `?metadata=skip` does without these files.
        """
        url = urllib.parse.urlsplit(str(json.loads(self._run("whoami", "--json", on_stack=False)).get("url", "")))
        if url.scheme != "file":
            return []
        root = pathlib.Path(urllib.parse.unquote(url.netloc + url.path)).expanduser() / ".pulumi"
        broken = [file for folder in ("stacks", "locks") for file in (root / folder).rglob("*.attrs") if _is_cut(file)]
        for file in broken:
            file.unlink()
        return [str(file) for file in broken]

    def restore(self, state: dict[str, Any]) -> None:
        """Put a state in the place of the present one. Pulumi drops every pending operation on the way."""
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:  # created for its owner only
            json.dump(state, file)
            file.flush()
            self._run("stack", "import", "--file", file.name)

    def refresh(self, urns: list[str]) -> None:
        """Look at what these resources really are; what is gone leaves the state. Keeps pending creates."""
        targets = [part for urn in urns for part in ("--target", urn)]
        self._run("refresh", "--yes", "--skip-preview", "--skip-pending-creates", "--suppress-outputs", *targets)

    def lock(self, root: str | None) -> Lock | None:
        """Who holds the stack. Pulumi says so only when a run begins: one that looks at the `root` alone."""
        try:
            if root is None:
                self.restore(self.export())
            else:
                self.refresh([root])
        except OpsError as error:
            if found := LOCKED.search(str(error)):
                return Lock(found["user"], found["host"], int(found["pid"]), found["time"])
            if "currently locked" in str(error) or "Another update is currently in progress" in str(error):
                return Lock("somebody", "another machine", 0, "an unknown time")
            raise
        return None

    def cancel(self) -> None:
        """Take the lock away from whoever holds it."""
        self._run("cancel", "--yes")

    def _run(self, *arguments: str, on_stack: bool = True) -> str:
        command = ["pulumi", *arguments, "--non-interactive", "--color", "never"]
        if on_stack:
            command += ["--stack", self.name]
        environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "1"}
        shown = f"`pulumi {' '.join(arguments[:2])}`"
        try:
            process = subprocess.Popen(
                command, cwd=self._directory, env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
        except FileNotFoundError:
            raise UnaskedError("pulumi is not on PATH: install it, or `source .lab/env` for the lab") from None
        with process, progress.announced(shown):
            out, err = process.communicate()
        if process.returncode:
            said = (err.strip() or out.strip())[-2000:]
            if sentence := login.advice(said):
                raise UnaskedError(f"{sentence}\n  ({said.splitlines()[-1]})")
            raise OpsError(f"{shown} failed:\n{said}")
        return out


def _is_cut(file: pathlib.Path) -> bool:
    try:
        json.loads(file.read_bytes())
    except ValueError:
        return True
    return False
