"""`python -m ops recover`: syncs of Argo CD that hold up the deletion of their Application."""

from __future__ import annotations

import json
from typing import Any

import pytest
import typer.testing

from components.gitops import application
from ops import __main__ as ops
from ops import recover, syncs
from ops.kubectl import ClusterError
from ops.stack import Lock

RUNNER = typer.testing.CliRunner()
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": json.dumps("canary")}
STATE = {
    "deployment": {
        "resources": [
            {"urn": "urn:pulumi:sbx::p::pulumi:pulumi:Stack::p-sbx", "type": "pulumi:pulumi:Stack"},
            {"urn": "urn:c", "type": syncs.PROVIDER, "id": "1", "inputs": {"kubeconfig": SECRET}},
        ]
    }
}


def one(name: str, *, deleted: bool = True, operation: bool = True, phase: str = "Running") -> dict[str, Any]:
    metadata = {"name": name, "namespace": "argocd", **({"deletionTimestamp": "now"} if deleted else {})}
    state = {"phase": phase, "message": "denied.\n  Retrying attempt #3"}
    return {"metadata": metadata, **({"operation": {}} if operation else {}), "status": {"operationState": state}}


class Cluster:
    """kubectl's part: what there is, and what was patched."""

    found: list[dict[str, Any]] = []
    error: str = ""
    patched: list[tuple[str, Any]] = []

    def __init__(self, kubeconfig: str) -> None:
        assert kubeconfig == "canary"

    def items(self, path: str) -> list[dict[str, Any]]:
        if self.error:
            raise ClusterError(self.error)
        return self.found

    def patch(self, kind: str, name: str, body: Any, manager: str, *, namespace: str) -> None:
        Cluster.patched.append((f"{namespace}/{name}", body))


class Stack:
    """A stack without anything pending, which a run may hold."""

    holder: Lock | None = None

    def __init__(self, name: str, directory: Any) -> None:
        self.name = name

    def export(self, *, secrets: bool = False) -> dict[str, Any]:
        return STATE

    def lock(self, root: str | None) -> Lock | None:
        return self.holder


@pytest.fixture(autouse=True)
def _parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncs, "Kubectl", Cluster)
    monkeypatch.setattr(recover, "Stack", Stack)
    monkeypatch.setattr(Stack, "holder", None)
    monkeypatch.setattr(Cluster, "patched", [])
    monkeypatch.setattr(Cluster, "error", "")
    monkeypatch.setattr(Cluster, "found", [one("held")])


def run(*arguments: str) -> Any:
    return RUNNER.invoke(ops.app, ["recover", "sbx", *arguments])


def test_the_sync_of_what_is_to_be_deleted_is_ended_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    others = [one("a", deleted=False), one("b", operation=False), one("c", phase="Terminating")]
    monkeypatch.setattr(Cluster, "found", [*others, one("held")])
    done = run("--yes", "--json")
    assert done.exit_code == 0, done.output
    assert Cluster.patched == [("argocd/held", {"status": {"operationState": {"phase": "Terminating"}}})]
    assert json.loads(done.stdout)["syncs"] == ["held"]
    assert "denied. Retrying attempt #3" in done.stderr, "what the sync failed with"


def test_a_dry_run_ends_nothing() -> None:
    done = run("--dry-run")
    assert done.exit_code == 0
    assert "Application held" in done.stderr
    assert Cluster.patched == []


def test_a_run_that_waits_for_the_deletion_is_left_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lock, "alive", property(lambda _: True))
    monkeypatch.setattr(Stack, "holder", Lock("ops", "here", 1, "now"))
    done = run("--yes")
    assert done.exit_code == 0, "there is nothing else to do"
    assert len(Cluster.patched) == 1
    assert "so does the run of ops" in done.stderr
    monkeypatch.setattr(Cluster, "found", [])
    assert run("--yes").exit_code == 1, "without a sync to end, a run that is alive is left alone"


def test_a_cluster_that_is_lost_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cluster, "error", "connection refused")
    done = run("--yes")
    assert done.exit_code == 0
    assert "warning: Argo CD's syncs could not be looked at: connection refused" in done.stderr


def test_all_tries_are_over_before_a_deletion_gives_up() -> None:
    backoff, limit = application.RETRY["backoff"], application.RETRY["limit"]
    seconds = [int(backoff[key].rstrip("s")) for key in ("duration", "maxDuration")]
    waits = [min(seconds[0] * backoff["factor"] ** (place + 1), seconds[1]) for place in range(limit)]
    assert sum(waits) <= 5 * 60, "half of `timeoutMinutes`, which the deletion has as well"
