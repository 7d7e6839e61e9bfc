"""What Argo CD makes of the health of Applications and ApplicationSets in another's folder: its own command says it."""

from __future__ import annotations

import os
import pathlib
import subprocess
from typing import Any

import pytest
import yaml

from components.gitops import health
from lab import toolchain

pytestmark = pytest.mark.may_skip("`make unit` builds no argocd; `make test` does")
AUTOMATED: dict[str, Any] = {"syncPolicy": {"automated": {"prune": True}}}
SOURCE = {"repoURL": "https://example.org/git", "path": "shop", "targetRevision": "HEAD"}


@pytest.fixture(scope="module")
def argocd() -> pathlib.Path:
    found = toolchain.find("argocd")
    if not found:
        pytest.skip("argocd is not built yet: `python -m lab.toolchain` builds it")
    return found


class Judge:
    """`argocd admin settings resource-overrides health` with the program's settings."""

    def __init__(self, argocd: pathlib.Path, folder: pathlib.Path) -> None:
        self._argocd, self._folder = argocd, folder
        config = {"apiVersion": "v1", "kind": "ConfigMap",
                  "metadata": {"name": "argocd-cm", "labels": {"app.kubernetes.io/part-of": "argocd"}},
                  "data": health.CUSTOMIZATIONS}  # fmt: skip
        (folder / "cm.yaml").write_text(yaml.safe_dump(config))

    def __call__(self, kind: str, spec: dict[str, Any], status: dict[str, Any] | None) -> tuple[str, str]:
        file = self._folder / "object.yaml"
        document = {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": {"name": "shop"}, "spec": spec}
        file.write_text(yaml.safe_dump(document | ({} if status is None else {"status": status})))
        command = ["admin", "settings", "resource-overrides", "health", str(file), "--load-cluster-settings=false"]
        done = subprocess.run(
            [str(self._argocd), *command, "--argocd-cm-path", str(self._folder / "cm.yaml")],
            env={**os.environ, "ARGOCD_BINARY_NAME": "argocd", "HOME": str(self._folder)},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        said = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
        return said["STATUS"], said.get("MESSAGE", "")


@pytest.fixture
def judge(argocd: pathlib.Path, tmp_path: pathlib.Path) -> Judge:
    return Judge(argocd, tmp_path)


def status(sync: str, of: str | None = "Healthy", **more: Any) -> dict[str, Any]:
    return {"sync": {"status": sync}, **({"health": {"status": of}} if of else {}), **more}


RETRIED = {"operationState": {"phase": "Running", "message": 'namespaces "x" not found. Retrying attempt #2'}}
FAILED = {"operationState": {"phase": "Failed", "message": "quota exceeded"}}
BROKEN = {"conditions": [{"type": "ComparisonError", "message": "authentication required"}]}
SHARED = {"conditions": [{"type": "SharedResourceWarning", "message": "IngressClass/nginx is part of two"}]}


@pytest.mark.parametrize(
    ("state", "expected", "said"),
    [
        (status("Synced"), "Healthy", ""),
        (status("Synced", **FAILED), "Healthy", ""),
        (status("Synced", **SHARED), "Healthy", ""),
        (status("Synced", "Degraded"), "Degraded", ""),
        (status("Synced", "Missing"), "Progressing", "its health is Missing"),
        (status("OutOfSync"), "Progressing", "it is OutOfSync"),
        (status("OutOfSync", **RETRIED), "Progressing", 'namespaces "x" not found. Retrying attempt #2'),
        (status("OutOfSync", **FAILED), "Degraded", "quota exceeded"),
        (status("OutOfSync", "Degraded"), "Degraded", "it is OutOfSync"),
        (status("Unknown", **BROKEN), "Degraded", "ComparisonError: authentication required"),
        (status("Unknown", "Unknown"), "Progressing", "it is Unknown"),
        (None, "Progressing", "it is not compared yet"),
    ],
)
def test_a_child_counts_as_healthy_only_if_it_is_synced_too(
    judge: Judge, state: dict[str, Any] | None, expected: str, said: str
) -> None:
    found, message = judge("Application", AUTOMATED, state)
    assert found == expected
    assert said in message, "the parent's tree says why"


@pytest.mark.parametrize("spec", [{}, {"syncPolicy": {"automated": {"enabled": False}}}, {"syncPolicy": {"retry": {}}}])
@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (status("OutOfSync", "Missing"), "Healthy"),
        (status("OutOfSync"), "Healthy"),
        (status("OutOfSync", "Degraded"), "Degraded"),
        (status("OutOfSync", "Progressing"), "Progressing"),
        (status("Synced", "Missing"), "Progressing"),
    ],
)
def test_a_child_that_people_sync_is_not_waited_for(
    judge: Judge, spec: dict[str, Any], state: dict[str, Any], expected: str
) -> None:
    assert judge("Application", spec, state)[0] == expected


HELM = {"valuesObject": {"a": 1, "list": [1, {"b": True}]}, "parameters": [{"name": "x", "value": "1"}]}


@pytest.mark.parametrize(
    ("spec", "compared", "expected"),
    [
        ({"source": SOURCE}, {"source": SOURCE}, "Healthy"),
        ({"source": {**SOURCE, "path": "new"}}, {"source": SOURCE}, "Progressing"),
        ({"source": {**SOURCE, "helm": HELM}}, {"source": {**SOURCE, "helm": HELM}}, "Healthy"),
        ({"source": {**SOURCE, "helm": {**HELM, "valuesObject": {"a": 2}}}}, {"source": {**SOURCE, "helm": HELM}},
         "Progressing"),
        # What Argo CD adds or leaves out when it copies a source.
        ({"source": {**SOURCE, "directory": {"recurse": True, "include": ""}}},
         {"source": {**SOURCE, "directory": {"recurse": True, "jsonnet": {}}}}, "Healthy"),
        ({"sources": [SOURCE, {"repoURL": "x", "ref": "values"}]},
         {"source": {"repoURL": ""}, "sources": [SOURCE, {"repoURL": "x", "ref": "values"}]}, "Healthy"),
        ({"sources": [{**SOURCE, "targetRevision": "2"}]}, {"sources": [SOURCE]}, "Progressing"),
        ({"source": SOURCE, "sources": [SOURCE]}, {"source": {"repoURL": ""}, "sources": [SOURCE]}, "Healthy"),
        ({"sourceHydrator": {"syncSource": {"path": "x"}}}, {"source": SOURCE}, "Healthy"),
    ],
)  # fmt: skip
def test_a_changed_source_is_waited_for(
    judge: Judge, spec: dict[str, Any], compared: dict[str, Any], expected: str
) -> None:
    state = status("Synced")
    state["sync"]["comparedTo"] = compared
    assert judge("Application", {**AUTOMATED, **spec}, state)[0] == expected


MADE = {"type": "ResourcesUpToDate", "status": "True", "message": "ApplicationSet up to date"}


def generated(sync: str, of: str | None) -> dict[str, Any]:
    return {"name": "shop-1", "status": sync, **({"health": {"status": of}} if of else {})}


@pytest.mark.parametrize(
    ("conditions", "resources", "expected"),
    [
        ([MADE], [generated("Synced", "Healthy")], "Healthy"),
        ([MADE], [], "Healthy"),
        ([MADE], [generated("Synced", "Healthy"), generated("OutOfSync", "Healthy")], "Progressing"),
        ([MADE], [generated("OutOfSync", "Missing")], "Progressing"),
        ([MADE], [generated("Synced", None)], "Progressing"),
        ([MADE], [generated("Synced", "Degraded")], "Degraded"),
        ([], [], "Progressing"),
        ([{**MADE, "status": "False"}], [], "Degraded"),
        ([{"type": "ErrorOccurred", "status": "True", "message": "no generator"}, MADE], [], "Degraded"),
    ],
)
def test_an_application_set_waits_for_what_it_generated(
    judge: Judge, conditions: list[dict[str, Any]], resources: list[dict[str, Any]], expected: str
) -> None:
    template = {"template": {"spec": AUTOMATED}}
    assert judge("ApplicationSet", template, {"conditions": conditions, "resources": resources})[0] == expected


def test_an_application_set_whose_applications_people_sync_is_not_waited_for(judge: Judge) -> None:
    state = {"conditions": [MADE], "resources": [generated("OutOfSync", "Missing")]}
    assert judge("ApplicationSet", {"template": {"spec": {}}}, state)[0] == "Healthy"
