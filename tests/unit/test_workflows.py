"""The workflows of .github: what they may do, what forks can reach, and the order of environments."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
import yaml

from lab.toolchain import table
from ops import __main__ as ops
from ops import changed_stacks, stackfiles
from tests.charts import dryrun

GITHUB = stackfiles.PROJECT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ACTIONS = sorted((GITHUB / "actions").glob("*/action.yml"))
SAME_REPOSITORY = "github.event.pull_request.head.repo.full_name == github.repository"
TEAMS = ["sbx", "dev", "dev2", "prd"]
"""The team's environments, in their order; others may stand between them."""
WRITES = {("pull-request", "comment"): {"pull-requests": "write"}, ("drift", "issue"): {"issues": "write"}}
READS = {("deploy", "changed"): {"contents": "read", "actions": "read"}}


def load(file: pathlib.Path) -> dict[str, Any]:
    # BaseLoader: `on` is a key and not True.
    return yaml.load(file.read_text(), Loader=yaml.BaseLoader)  # noqa: S506


def workflow(name: str) -> dict[str, Any]:
    return load(GITHUB / "workflows" / f"{name}.yml")


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for file in WORKFLOWS:
        for name, job in load(file)["jobs"].items():
            yield file.stem, name, job


def scripts() -> Iterator[str]:
    for _, _, job in jobs():
        yield from (step["run"] for step in job.get("steps", []) if "run" in step)
    for file in ACTIONS:
        yield from (step["run"] for step in load(file)["runs"]["steps"] if "run" in step)


def test_the_workflows_are_there() -> None:
    assert [file.stem for file in WORKFLOWS] == ["deploy", "drift", "pull-request", "up"]


def test_every_action_is_pinned_by_its_commit_and_says_its_version() -> None:
    used = [
        (file.name, line.strip())
        for file in (*WORKFLOWS, *ACTIONS)
        for line in file.read_text().splitlines()
        if re.match(r"\s*(- )?uses:", line)
    ]
    assert len(used) > 10
    for file, line in used:
        ours = re.search(r"uses: \./(\S+)$", line)
        pinned = re.search(r"uses: [\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)
        assert ours or pinned, f"{file}: `{line}`: a tag can be moved to other code, a commit cannot"
        if ours:
            there = stackfiles.PROJECT / ours[1]
            assert there.is_file() or (there / "action.yml").is_file(), f"{file}: {ours[1]} is not there"


def test_an_action_has_one_version_everywhere() -> None:
    text = "\n".join(file.read_text() for file in (*WORKFLOWS, *ACTIONS))
    pins = set(re.findall(r"uses: ([\w.-]+/[\w.-]+)@([0-9a-f]{40}) # (\S+)", text))
    assert len(pins) == len({name for name, _, _ in pins}), pins


def test_permissions_are_the_least_that_do() -> None:
    for file in WORKFLOWS:
        assert load(file)["permissions"] == {}, f"{file.name}: nothing is allowed unless a job says so"
    for name, job, content in jobs():
        brings_up = name == "up" or content.get("uses", "").endswith("/up.yml")
        least = {"contents": "read", **({"deployments": "read"} if brings_up else {})}
        allowed = WRITES.get((name, job)) or READS.get((name, job)) or least
        assert content["permissions"] == allowed, f"{name}: {job}"


def test_a_job_that_may_write_runs_nothing_out_of_the_repository() -> None:
    for name, job in WRITES:
        steps = workflow(name)["jobs"][job]["steps"]
        assert [step["uses"].split("@")[0] for step in steps if "uses" in step] == ["actions/download-artifact"]
        assert "secrets." not in str(steps)


def test_forks_see_no_secret() -> None:
    for file in WORKFLOWS:
        assert "pull_request_target" not in load(file)["on"], "it runs with secrets on code of strangers"
    concerned = [file.stem for file in WORKFLOWS if "pull_request" in load(file)["on"]]
    assert concerned == ["pull-request"]
    with_secrets = []
    for name, job in workflow("pull-request")["jobs"].items():
        if "secrets" in str(job) or "environment" in job:
            with_secrets.append(name)
            assert SAME_REPOSITORY in job["if"], f"{name} has secrets and must be closed to forks"
            assert "||" not in job["if"], "an alternative would open it again"
    assert with_secrets == ["preview"], "secrets are in one job only"


def test_the_preview_itself_never_leaves_its_job() -> None:
    for name, job in (("pull-request", "preview"), ("drift", "look")):
        steps = workflow(name)["jobs"][job]["steps"]
        uploaded = [step["with"]["path"] for step in steps if "upload-artifact" in step.get("uses", "")]
        assert uploaded == ["reports"], "whoever may read the repository may read its artifacts"
        script = next(step["run"] for step in steps if "pulumi preview" in step.get("run", ""))
        assert '> "previews/$STACK.json"' in script
        assert '> "reports/$STACK.json"' in script


def test_no_script_is_put_together_from_texts_of_others() -> None:
    for script in scripts():
        assert "${{" not in script, f"a branch's name would be run as code; hand it over in env:\n{script}"


def test_scripts_stop_at_a_failure_inside_a_pipe() -> None:
    for file in WORKFLOWS:
        assert load(file)["defaults"] == {"run": {"shell": "bash"}}, "GitHub gives pipefail only where bash is named"
    for script in scripts():
        assert "| head" not in script, "it ends what stands before it, or hides that it failed"
        assert not re.search(r"""echo ["']?[^\n]*\$\(""", script), f"echo hides a failure inside of it:\n{script}"


@pytest.mark.parametrize(
    ("code", "passes", "notice"), [(0, True, False), (1, False, False), (2, False, False), (3, True, True)]
)
def test_charts_fail_a_pull_request_unless_their_repository_does_not_answer_which_is_noted(
    tmp_path: pathlib.Path, code: int, passes: bool, notice: bool
) -> None:
    (tmp_path / "python").write_text(f'#!/bin/sh\ntest "$*" = "-m tests.charts" && exit {code}\n')
    (tmp_path / "python").chmod(0o755)
    *_, helm, _, tools, check = workflow("pull-request")["jobs"]["charts"]["steps"]
    assert helm["with"]["version"] == table.HELM, "the same that the lab renders with"
    assert tools["run"] == f"python -m lab.toolchain {' '.join(dryrun.TOOLS)}"
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = ["bash", "-eo", "pipefail", "-c", check["run"]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == passes
    assert ("::notice" in done.stdout) == notice


def test_plugins_come_before_any_secret() -> None:
    steps = load(GITHUB / "actions/pulumi/action.yml")["runs"]["steps"]
    installs = next(place for place, one in enumerate(steps) if "pulumi plugin install" in one.get("run", ""))
    assert steps[installs]["env"] == {"GITHUB_TOKEN": "${{ github.token }}"}
    assert all("inputs." not in str(one) for one in steps[: installs + 1])


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is missing: `make tools` installs it")
def test_plugins_are_those_of_the_packages(tmp_path: pathlib.Path) -> None:
    packages = {"ours": {"version": "1.2.3"}, "others": {"version": "4.5.6", "server": "github://api.github.com/o/r"}}
    for name, plugin in packages.items():
        folder = tmp_path / f".venv/lib/python3.11/site-packages/pulumi_{name}"
        folder.mkdir(parents=True)
        (folder / "pulumi-plugin.json").write_text(json.dumps({"resource": True, "name": name, **plugin}))
    (tmp_path / "pulumi").write_text('#!/bin/sh\necho "$@"\nexit "$CODE"\n')
    (tmp_path / "pulumi").chmod(0o755)
    steps = load(GITHUB / "actions/pulumi/action.yml")["runs"]["steps"]
    script = next(one["run"] for one in steps if "pulumi plugin install" in one.get("run", ""))

    def run(code: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CODE": code}
        command = ["bash", "-eo", "pipefail", "-c", script]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert run("0").stdout.splitlines() == [
        "plugin install resource others 4.5.6 --server github://api.github.com/o/r",
        "plugin install resource ours 1.2.3",
    ]
    assert run("1").returncode


def test_checkouts_leave_no_token_behind() -> None:
    for name, job, content in jobs():
        for step in content.get("steps", []):
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] == "false", f"{name}: {job}"


def test_every_job_ends_some_time() -> None:
    for name, job, content in jobs():
        assert "uses" in content or int(content["timeout-minutes"]) <= 240, f"{name}: {job}"


def test_environments_are_deployed_in_their_order_and_a_failure_stops_the_rest() -> None:
    chain = {name: job for name, job in workflow("deploy")["jobs"].items() if "uses" in job}
    order = list(chain)
    assert [stack for stack in order if stack in TEAMS] == TEAMS
    for place, (stack, job) in enumerate(chain.items()):
        assert job["needs"] == ["changed", *order[:place]], "a skipped one in between must not hide an earlier failure"
        assert job["with"] == {"stack": stack}
        assert f"'{stack}'" in job["if"], "an environment that nothing changed for is left out"


def test_every_committed_stack_is_deployed() -> None:
    committed = {stack for stack in stackfiles.names(stackfiles.PROJECT) if stack != changed_stacks.LAB}
    deployed = {name for name, job in workflow("deploy")["jobs"].items() if "uses" in job}
    assert committed == deployed, "add the environment to .github/workflows/deploy.yml, in its place"


def test_up_is_behind_its_github_environment_alone_and_looks_whether_it_works() -> None:
    job = workflow("up")["jobs"]["up"]
    assert job["environment"] == "${{ inputs.stack }}", "its reviewers and its secrets"
    assert job["concurrency"] == {"group": "up-${{ inputs.stack }}", "cancel-in-progress": "false"}


@pytest.mark.parametrize(
    ("up", "ready", "code", "asked"),
    [
        (0, 0, 0, "ready sbx"),
        (0, 1, 1, "ready sbx"),
        (7, 1, 7, "ready sbx --wait-minutes 0"),
        (7, 0, 7, "ready sbx --wait-minutes 0"),
    ],
)
def test_a_failed_up_is_explained_and_still_fails(
    tmp_path: pathlib.Path, up: int, ready: int, code: int, asked: str
) -> None:
    """The step as it is, under the shell that GitHub gives it, with commands that write down how they were called."""
    for name, ends in (("pulumi", up), ("python", ready)):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "{name} $@" >> {tmp_path}/calls\nexit {ends}\n')
        (tmp_path / name).chmod(0o755)
    script = workflow("up")["jobs"]["up"]["steps"][-1]["run"]
    variables = {"PATH": f"{tmp_path}:/usr/bin:/bin", "STACK": "sbx"}
    done = subprocess.run(["bash", "-e", "-c", script], env=variables, check=False)
    assert done.returncode == code, "the job's result is that of `pulumi up`, or else of the check"
    first, second = (tmp_path / "calls").read_text().splitlines()
    assert first.startswith("pulumi up --yes ")
    assert second == f"python -m ops {asked}", "why it failed is said; only what may still come is waited for"


def test_drift_is_looked_for_every_night() -> None:
    assert re.fullmatch(r"\d+ \d+ \* \* \*", workflow("drift")["on"]["schedule"][0]["cron"])
    assert "pulumi preview --refresh --json" in str(workflow("drift")["jobs"]["look"])


def test_the_commands_in_scripts_exist() -> None:
    tree, seen = typer.main.get_command(ops.app), set()
    makefile = (stackfiles.PROJECT / "Makefile").read_text()
    for script in scripts():
        for target in re.findall(r"^\s*make ([a-z-]+)", script, re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"
        for line in re.findall(r"python -m ops ([^|\n>)]*)", script.replace("\\\n", " ")):
            words = shlex.split(line)
            command = tree.commands.get(words[0])
            assert command, f"python -m ops {words[0]}"
            known = {option for one in command.params for option in one.opts}
            assert {word for word in words if word.startswith("--")} <= known, line
            seen.add(words[0])
    assert seen == {"changed-stacks", "preview-report", "ready"}
