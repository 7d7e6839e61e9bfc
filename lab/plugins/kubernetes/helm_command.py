"""Runs the helm binary: private folders, nothing secret in its arguments, ended when the run is interrupted.

An interrupted helm notes that its release failed. One whose engine was killed is killed too, as a real plugin would
be, and leaves its release pending.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import typing

import yaml

from lab.plugins import base

CANCEL_SECONDS = 15
"""How long an interrupted helm may take to write down that its release failed, before it is killed."""


class HelmError(Exception):
    """What helm printed as its error."""


@dataclasses.dataclass
class Helm:
    """A helm command with a folder of its own, as `open` gives it."""

    binary: str
    folder: pathlib.Path
    call: base.Call

    def run(self, *arguments: str, values: typing.Any = None, environment: dict[str, str] | None = None) -> str:
        """Run helm and return what it printed. HelmError when it fails; `values` is given to it by a private file."""
        if values is not None:
            self.write("values.json", json.dumps(values))
            arguments = (*arguments, "--values", str(self.folder / "values.json"))
        process = subprocess.Popen(
            [self.binary, *arguments],
            env=self._environment() | (environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        output, errors = self._wait(process)
        if process.returncode != 0:
            raise HelmError(_reason(errors) or f"helm ended with status {process.returncode}")
        return output

    def write(self, name: str, text: str) -> pathlib.Path:
        """A file in the command's folder that only this user can read."""
        path = self.folder / name
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        return path

    def _wait(self, process: subprocess.Popen[str]) -> tuple[str, str]:
        interrupted = False
        while True:
            try:
                return process.communicate(timeout=CANCEL_SECONDS if interrupted else 0.5)
            except subprocess.TimeoutExpired:
                if interrupted or self.call.abandoned.is_set():
                    os.killpg(process.pid, signal.SIGKILL)
                elif self.call.cancelled.is_set():
                    interrupted = True
                    os.killpg(process.pid, signal.SIGTERM)

    def _environment(self) -> dict[str, str]:
        own = {
            "HELM_CACHE_HOME": "cache",
            "HELM_CONFIG_HOME": "config",
            "HELM_DATA_HOME": "data",
            "HELM_REGISTRY_CONFIG": "config/registry.json",
            "HELM_REPOSITORY_CONFIG": "repositories.yaml",
            "HELM_REPOSITORY_CACHE": "cache/repository",
        }
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("HELM_", "KUBE"))}
        kept |= {name: str(self.folder / path) for name, path in own.items()}
        if (self.folder / "kubeconfig").exists():
            kept["KUBECONFIG"] = str(self.folder / "kubeconfig")
        return kept


@contextlib.contextmanager
def open_command(call: base.Call, kubeconfig: typing.Any = None, context: str = "") -> typing.Iterator[Helm]:
    """A Helm whose folder (mode 0700, kubeconfig inside) is there for the `with` block only."""
    with tempfile.TemporaryDirectory(prefix="lab-helm-") as name:
        helm = Helm(_binary(), pathlib.Path(name), call)
        if kubeconfig is not None:
            chosen = {**kubeconfig, "current-context": context or kubeconfig.get("current-context", "")}
            helm.write("kubeconfig", yaml.safe_dump(chosen))
        yield helm


@functools.cache
def _binary() -> str:
    with contextlib.suppress(Exception):
        from lab import toolchain

        found = toolchain.find("helm")
        if found:
            return str(found)
    found = shutil.which("helm")
    if not found:
        raise base.PluginError("helm is not there: `python -m lab.toolchain helm` builds it")
    return found


def _reason(errors: str) -> str:
    lines = [line for line in errors.strip().splitlines() if not line.startswith(("WARNING:", "coalesce"))]
    starts = [index for index, line in enumerate(lines) if line.startswith("Error: ")]
    text = "\n".join(lines[starts[-1] :] if starts else lines[-3:]).removeprefix("Error: ")
    for prefix in ("INSTALLATION FAILED: ", "UPGRADE FAILED: "):
        text = text.removeprefix(prefix)
    return text.strip()
