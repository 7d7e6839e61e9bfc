"""deploy.yml: which environment is deployed after what became of those before it, and which commit."""

from __future__ import annotations

import itertools
import os
import pathlib
import re
import subprocess
from typing import Any

import pytest
import yaml

from ops import stackfiles

WORKFLOWS = stackfiles.PROJECT / ".github/workflows"
RESULTS = ("success", "failure", "cancelled", "skipped")


def workflow(name: str) -> dict[str, Any]:
    return yaml.load((WORKFLOWS / f"{name}.yml").read_text(), Loader=yaml.BaseLoader)  # noqa: S506


JOBS = workflow("deploy")["jobs"]
STACKS = [name for name, job in JOBS.items() if "uses" in job]


def runs(condition: str, results: dict[str, str], stacks: list[str], *, cancelled: bool = False) -> bool:
    """Whether GitHub runs a job: what stands in `if`, and success() where that names no such function."""
    # https://docs.github.com/en/actions/reference/workflows-and-actions/expressions#status-check-functions
    python = re.sub(r"^\$\{\{(.*)\}\}$", r"\1", condition.strip(), flags=re.DOTALL)
    implicit = not re.search(r"\b(success|failure|cancelled|always)\(\)", python)
    python = re.sub(r"contains\(fromJSON\(needs\.changed\.outputs\.stacks\), ('\w+')\)", r"(\1 in stacks)", python)
    python = re.sub(r"needs\.(\w+)\.result", r"results['\1']", python)
    python = re.sub(r"!(?!=)", " not ", python.replace("&&", " and ").replace("||", " or "))
    names = {
        "results": results,
        "stacks": stacks,
        "cancelled": lambda: cancelled,
        "failure": lambda: "failure" in results.values(),
        "success": lambda: set(results.values()) <= {"success"},
        "always": lambda: True,
    }
    succeeded = not implicit or names["success"]()
    return succeeded and bool(eval(" ".join(python.split()), {"__builtins__": {}}, names))  # noqa: S307


@pytest.mark.parametrize("stack", STACKS)
def test_whatever_did_not_succeed_stops_those_after_it(stack: str) -> None:
    needs = JOBS[stack]["needs"]
    for results in itertools.product(RESULTS, repeat=len(needs)):
        found = dict(zip(needs, results, strict=True))
        before = [result for name, result in found.items() if name != "changed"]
        expected = found["changed"] == "success" and set(before) <= {"success", "skipped"}
        assert runs(JOBS[stack]["if"], found, STACKS) == expected, found
        assert not runs(JOBS[stack]["if"], found, [one for one in STACKS if one != stack]), "nothing changed for it"
        if len(needs) > 1:
            assert not runs(JOBS[stack]["if"], found, STACKS, cancelled=True)


def test_only_main_is_deployed() -> None:
    assert JOBS["changed"]["if"] == "github.ref == 'refs/heads/main'", "it can be started by hand on any branch"


@pytest.fixture
def history(tmp_path: pathlib.Path) -> dict[str, str]:
    """A repository with three commits on main, and one beside it."""

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}
        command = ["git", *identity, *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "--quiet", "--initial-branch", "main")
    found = {}
    for name in ("old", "ours", "new"):
        git("commit", "--quiet", "--allow-empty", "--message", name)
        found[name] = git("rev-parse", "HEAD")
    git("checkout", "--quiet", "-b", "beside", found["old"])
    git("commit", "--quiet", "--allow-empty", "--message", "beside")
    return {**found, "beside": git("rev-parse", "HEAD"), "unknown": "0" * 40}


@pytest.mark.parametrize(
    ("deployed", "allowed"),
    [
        ([], True),
        (["old"], True),
        (["ours", "old"], True),
        (["beside", "unknown"], True),
        (["new"], False),
        (["ours", "new", "old"], False),
    ],
)
def test_an_older_commit_is_not_put_over_a_newer_one(
    deployed: list[str], allowed: bool, history: dict[str, str], tmp_path: pathlib.Path
) -> None:
    done = up_to_date(tmp_path, history, "".join(f"echo {history[name]}\n" for name in deployed))
    assert (done.returncode == 0) == allowed, done.stderr
    assert allowed or history["new"] in done.stdout


def test_a_look_up_that_fails_lets_nothing_pass(history: dict[str, str], tmp_path: pathlib.Path) -> None:
    assert up_to_date(tmp_path, history, "exit 1\n").returncode


def up_to_date(folder: pathlib.Path, history: dict[str, str], gh: str) -> subprocess.CompletedProcess[str]:
    """The step of up.yml, with a `gh` that does what is given."""
    (folder / "gh").write_text(f"#!/bin/sh\n{gh}")
    (folder / "gh").chmod(0o755)
    steps = workflow("up")["jobs"]["up"]["steps"]
    place = next(place for place, one in enumerate(steps) if "merge-base" in one.get("run", ""))
    assert "secrets." not in str(steps[: place + 1])
    assert steps[0]["with"]["fetch-depth"] == "0", "the newer commit has to be there"
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "STACK": "sbx", "GITHUB_SHA": history["ours"]}
    environment |= {"GITHUB_REPOSITORY": "o/r", "GIT_CONFIG_GLOBAL": "/dev/null"}
    command = ["bash", "-eo", "pipefail", "-c", steps[place]["run"]]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
