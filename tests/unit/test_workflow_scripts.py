"""Scripts of the workflows, run under GitHub's shell with a `gh` and a `pulumi` that answer as told."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest
import yaml

from ops import stackfiles

RECORDED = pathlib.Path(__file__).parent / "recorded"
MARKER = "<!-- gitops-platform:x -->"
BOT, PERSON = "github-actions[bot]", "ann"

pytestmark = [
    pytest.mark.skipif(not shutil.which("jq"), reason="jq is missing: the lab's tests install it"),
    pytest.mark.may_skip("`make unit` installs no jq; GitHub's machines have it"),
]

GH = """#!/bin/sh
echo "$@" >> "$CALLS"
[ -z "$GH_FAILS" ] || exit 1
case "$*" in *--method*) exit 0 ;; esac
while [ "$1" != --jq ]; do shift; done
exec jq -r "$2" "$ANSWER"
"""
PULUMI = """#!/bin/sh
cat "$PREVIEW"
echo "$SAID" >&2
exit "$CODE"
"""


class Runner:
    """Runs a job's script in a folder."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        project = '${PROJECT:+--directory "$PROJECT"}'
        python = f'#!/bin/sh\n[ -z "$PYTHON_FAILS" ] || exit 9\nexec {sys.executable} "$@" {project}\n'
        for name, text in {"gh": GH, "pulumi": PULUMI, "python": python}.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        for name in ("calls", "output", "summary"):
            (folder / name).touch()

    def run(self, workflow: str, job: str, words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """The step of the job whose script has these words."""
        text = (stackfiles.PROJECT / f".github/workflows/{workflow}.yml").read_text()
        steps = yaml.safe_load(text)["jobs"][job]["steps"]
        script = next(step["run"] for step in steps if words in step.get("run", ""))
        environment = {"PATH": f"{self.folder}:{os.environ['PATH']}", "PYTHONPATH": str(stackfiles.PROJECT)}
        environment |= {"CALLS": f"{self.folder}/calls", "ANSWER": f"{self.folder}/answer"}
        environment |= {"GITHUB_OUTPUT": f"{self.folder}/output", "GITHUB_STEP_SUMMARY": f"{self.folder}/summary"}
        environment |= {"GITHUB_REPOSITORY": "o/r", "NUMBER": "7", "RUNNER_TEMP": str(self.folder), "STACK": "lab"}
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=self.folder, env=environment | env, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def posted(self, workflow: str, job: str, pages: list[list[Any]], **env: str) -> list[str]:
        """The changing calls that a job makes when GitHub has these pages of comments or issues."""
        (self.folder / "answer").write_text("\n".join(map(json.dumps, pages)))
        (self.folder / "calls").write_text("")
        for name in ("comment.md", "issue.md"):
            (self.folder / name).write_text(f"{MARKER}\n## X\n")
        done = self.run(workflow, job, "--paginate", **env)
        assert done.returncode == (1 if "GH_FAILS" in env else 0), done.stderr
        made = [line for line in (self.folder / "calls").read_text().splitlines() if "--method" in line]
        return [re.sub(r"api --method (\w+) (\S+).*", r"\1 \2", line) for line in made]


@pytest.fixture
def runner(tmp_path: pathlib.Path) -> Runner:
    return Runner(tmp_path)


def comment(number: int, body: str | None = f"{MARKER}\n## old", author: str = BOT) -> dict[str, Any]:
    return {"id": number, "number": number, "body": body, "user": {"login": author}}


OTHERS = [comment(1, "hello"), comment(2, author=PERSON), comment(3, f"> {MARKER}")]


def test_one_comment_is_made_and_then_updated(runner: Runner) -> None:
    run = lambda pages, stacks: runner.posted("pull-request", "comment", pages, STACKS=stacks)  # noqa: E731
    assert run([OTHERS], '["dev"]') == ["POST repos/o/r/issues/7/comments"]
    assert run([OTHERS, [comment(41), comment(42)]], '["dev"]') == ["PATCH repos/o/r/issues/comments/41"]
    assert run([[comment(41)], [comment(42)]], "[]") == ["PATCH repos/o/r/issues/comments/41"], (
        "it is not true any more"
    )
    assert run([OTHERS], "[]") == [], "a change of the docs needs no comment"


def test_one_issue_is_opened_updated_and_closed(runner: Runner) -> None:
    run = lambda pages, clean: runner.posted("drift", "issue", pages, CLEAN=clean)  # noqa: E731
    others = [comment(1, "hello"), comment(2, None)]
    assert run([others], "false") == ["POST repos/o/r/issues"]
    assert run([others, [comment(9)]], "false") == ["PATCH repos/o/r/issues/9"]
    assert run([[comment(9)]], "true") == ["POST repos/o/r/issues/9/comments", "PATCH repos/o/r/issues/9"]
    assert run([others], "true") == []


def test_a_look_up_that_fails_makes_no_second_comment_or_issue(runner: Runner) -> None:
    assert runner.posted("pull-request", "comment", [[]], STACKS='["dev"]', GH_FAILS="1") == []
    assert runner.posted("drift", "issue", [[]], CLEAN="false", GH_FAILS="1") == []


@pytest.mark.parametrize(("workflow", "job"), [("pull-request", "preview"), ("drift", "look")])
@pytest.mark.parametrize(
    ("code", "said", "outcome"),
    [("0", "", "unchanged"), ("255", "error: preview canceled", "failed"), ("1", "", "failed")],
)
def test_a_preview_that_failed_is_reported_as_such(
    workflow: str, job: str, code: str, said: str, outcome: str, runner: Runner
) -> None:
    preview = f"{RECORDED}/preview-unchanged.json"
    done = runner.run(workflow, job, "pulumi preview", PREVIEW=preview, CODE=code, SAID=said)
    assert done.returncode == (1 if outcome == "failed" else 0), done.stderr
    found = json.loads((runner.folder / "reports/lab.json").read_text())
    assert [one["outcome"] for one in found["stacks"]] == [outcome]


@pytest.mark.parametrize(("workflow", "job"), [("pull-request", "preview"), ("drift", "look")])
def test_what_a_failed_preview_said_is_in_the_log_without_secrets(workflow: str, job: str, runner: Runner) -> None:
    said = "error: no way in\n  password=hunter2, plainword\n::warning::x"
    preview = f"{RECORDED}/preview-unchanged.json"
    log = runner.run(
        workflow, job, "pulumi preview", PREVIEW=preview, CODE="1", SAID=said, IONOS_TOKEN="plainword"
    ).stderr
    head = "::group::All that the preview of lab said\n"
    assert log.endswith(f"{head}| error: no way in\n|   password=[secret], [secret]\n| ::warning::x\n::endgroup::\n")
    assert not re.search(r"^\s*::(?!group|endgroup)", log, re.MULTILINE), "GitHub would run it"
    assert "hunter2" not in log
    assert "plainword" not in log
    shutil.rmtree(runner.folder / "previews")
    shutil.rmtree(runner.folder / "reports")
    done = runner.run(workflow, job, "pulumi preview", PREVIEW=preview, CODE="0", SAID="warning: new version")
    assert "::group::" not in done.stderr, "one that went well has nothing to explain"


def test_a_pull_request_concerns_what_it_changes_and_not_what_main_did_meanwhile(
    runner: Runner, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a checkout as GitHub makes it: the merge of the branch into main, no deeper than the workflow asks for."""
    origin, checkout = (tmp_path_factory.mktemp(name) for name in ("origin", "checkout"))
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "x")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "x@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")

    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=origin, check=True, capture_output=True)

    def commit(file: str) -> None:
        (origin / file).write_text(f"config: {{a: {file}}}\n")
        git("add", "--all")
        git("commit", "--quiet", "--message", file)

    git("init", "--quiet", "--initial-branch", "main")
    for stack in ("dev", "dev2", "sbx"):
        commit(f"Pulumi.{stack}.yaml")
    git("checkout", "--quiet", "-b", "topic")
    (origin / "README.md").write_text("x")
    (origin / "Pulumi.dev.yaml").write_text("config: {}\n")
    commit("README.md")
    git("checkout", "--quiet", "main")
    (origin / "Pulumi.sbx.yaml").write_text("config: {}\n")
    commit("README2.md")
    git("merge", "--quiet", "--no-ff", "--message", "merge", "topic")
    text = (stackfiles.PROJECT / ".github/workflows/pull-request.yml").read_text()
    (depth,) = [
        str(step["with"]["fetch-depth"])
        for step in yaml.safe_load(text)["jobs"]["changed"]["steps"]
        if "checkout" in step.get("uses", "")
    ]
    git("clone", "--quiet", "--depth", depth, f"file://{origin}", str(checkout))
    done = runner.run("pull-request", "changed", "changed-stacks", PROJECT=str(checkout))
    assert done.returncode == 0, done.stderr
    assert (runner.folder / "output").read_text() == 'stacks=["dev"]\n', "sbx was changed on main"


def reports(runner: Runner, kind: str) -> None:
    """The report of a preview of the stack `lab`, as the job before hands it on."""
    runner.run("drift", "look", "pulumi preview", PREVIEW=f"{RECORDED}/preview-{kind}.json", CODE="0", SAID="")


@pytest.mark.parametrize(
    ("kind", "clean"), [("unchanged", "true"), ("drift", "false"), ("failed-settings", "false"), (None, "false")]
)
def test_drift_is_clean_only_if_every_stack_is(kind: str | None, clean: str, runner: Runner) -> None:
    if kind:
        reports(runner, kind)
    done = runner.run("drift", "report", "preview-report", STACKS='["lab"]')
    assert done.returncode == 0, done.stderr
    assert (runner.folder / "output").read_text() == f"clean={clean}\n"
    assert (runner.folder / "issue.md").read_text().startswith("<!-- gitops-platform:drift -->")


def test_drift_says_nothing_when_its_text_cannot_be_made(runner: Runner) -> None:
    reports(runner, "unchanged")
    done = runner.run("drift", "report", "preview-report", STACKS='["lab"]', PYTHON_FAILS="1")
    assert (done.returncode, (runner.folder / "output").read_text()) == (9, "")


@pytest.mark.parametrize(("kind", "words"), [("update", "changes"), (None, "**no preview**")])
def test_a_stack_without_a_report_is_in_the_comment(kind: str | None, words: str, runner: Runner) -> None:
    if kind:
        reports(runner, kind)
    done = runner.run("pull-request", "report", "preview-report", STACKS='["lab"]')
    assert done.returncode == 0, done.stderr
    assert f"| `lab` | {words} |" in (runner.folder / "comment.md").read_text()


def test_without_stacks_the_comment_says_so(runner: Runner) -> None:
    assert runner.run("pull-request", "report", "preview-report", STACKS="[]").returncode == 0
    assert "No stack is concerned." in (runner.folder / "comment.md").read_text()


@pytest.mark.parametrize(("workflow", "job"), [("deploy", "changed"), ("drift", "stacks"), ("pull-request", "changed")])
def test_stacks_that_cannot_be_found_out_are_not_none(workflow: str, job: str, runner: Runner) -> None:
    done = runner.run(workflow, job, "changed-stacks", ALL="true", PYTHON_FAILS="1")
    assert done.returncode
    assert (runner.folder / "output").read_text() == ""


def test_all_stacks_are_deployed_on_demand_and_looked_at_every_night(runner: Runner) -> None:
    for workflow, job in (("deploy", "changed"), ("drift", "stacks")):
        (runner.folder / "output").write_text("")
        assert runner.run(workflow, job, "changed-stacks", ALL="true").returncode == 0
        found = json.loads((runner.folder / "output").read_text().removeprefix("stacks="))
        assert set(found) == {name for name in stackfiles.names(stackfiles.PROJECT) if name != "lab"}
