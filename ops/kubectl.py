"""A cluster, by way of kubectl: it knows every way of signing in that a kubeconfig can name."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import urllib.parse
from collections.abc import Iterator
from typing import Any

from ops import progress
from ops.stack import OpsError

SECONDS = 20


class ClusterError(OpsError):
    """The API server cannot be reached, or says no."""


class Kubectl:
    """kubectl with a kubeconfig given as text, which neither its arguments nor a file of others ever hold."""

    def __init__(self, kubeconfig: str) -> None:
        self._kubeconfig = kubeconfig

    def get(self, path: str, **query: str) -> dict[str, Any] | None:
        """What is at a path of the API, such as `/api/v1/nodes`; None: nothing. Raises `ClusterError`."""
        url = f"{path}?{urllib.parse.urlencode(query)}" if query else path
        try:
            # Raw, since asking by kind first reads the whole list of kinds: 0.1 s instead of 0.3 s.
            return json.loads(self.run("get", "--raw", url))
        except ClusterError as error:
            if "(NotFound)" in str(error):
                return None
            raise

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        """The objects of a collection; none if the cluster does not know the kind."""
        return (self.get(path, **query) or {}).get("items") or []

    def log(self, namespace: str, pod: str, container: str, lines: int, *, previous: bool = False) -> list[str]:
        """The last lines that a container wrote (`previous`: before its last restart); none if there is no log."""
        query = {"container": container, "tailLines": str(lines), **({"previous": "true"} if previous else {})}
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log?{urllib.parse.urlencode(query)}"
        try:
            return self.run("get", "--raw", path).splitlines()
        except ClusterError:
            return []

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST to a path of the API; the answer. Raises `ClusterError`."""
        return json.loads(self.run("create", "--raw", path, "-f", "-", stdin=json.dumps(body)))

    def delete(self, path: str, options: dict[str, Any]) -> None:
        """DELETE with a body of DeleteOptions. Raises `ClusterError`."""
        self.run("delete", "--raw", path, "-f", "-", stdin=json.dumps(options))

    def patch(self, kind: str, name: str, body: Any, manager: str, *, namespace: str = "", how: str = "merge") -> None:
        """PATCH an object as a field manager (`how`: merge | json). Raises `ClusterError`."""
        where = ["--namespace", namespace] if namespace else []
        # In arguments, which others can read: patches never hold secrets.
        self.run("patch", kind, name, *where, "--type", how, "--field-manager", manager, "--patch", json.dumps(body))

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl prints. Raises `ClusterError` when it fails."""
        with _file(self._kubeconfig) as (name, descriptor), progress.announced("the cluster"):
            command = ["kubectl", "--kubeconfig", name, "--request-timeout", f"{SECONDS}s", *arguments]
            try:
                done = subprocess.run(
                    command, input=stdin, capture_output=True, text=True, timeout=3 * SECONDS, check=False,
                    pass_fds=[descriptor],
                )  # fmt: skip
            except FileNotFoundError:
                raise OpsError("kubectl is not on PATH: install it, or `source .lab/env` for the lab") from None
            except subprocess.TimeoutExpired:
                raise ClusterError(f"no answer within {3 * SECONDS} s") from None
        if done.returncode:
            said = done.stderr.strip() or done.stdout.strip() or f"kubectl ended with code {done.returncode}"
            raise ClusterError(said.splitlines()[-1][-500:])
        return done.stdout


@contextlib.contextmanager
def _file(text: str) -> Iterator[tuple[str, int]]:
    """A file with this content, by its name for a child that gets the descriptor.

    On Linux in memory alone, so that whatever ends this process leaves nothing behind.
    """
    if not hasattr(os, "memfd_create"):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:  # created for its owner only
            file.write(text)
            file.flush()
            yield file.name, file.fileno()
        return
    with os.fdopen(os.memfd_create("kubeconfig"), "w", encoding="utf-8") as memory:
        os.fchmod(memory.fileno(), 0o600)
        memory.write(text)
        memory.flush()
        yield f"/dev/fd/{memory.fileno()}", memory.fileno()
