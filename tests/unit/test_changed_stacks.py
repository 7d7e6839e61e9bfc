"""`python -m ops changed-stacks`: what CI previews and deploys."""

from __future__ import annotations

import json
import pathlib
import subprocess

import pytest
import typer.testing

from ops import __main__ as ops
from ops import changed_stacks, stackfiles

RUNNER = typer.testing.CliRunner()
STACKS = ["dev", "prd", "sbx"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["Pulumi.dev.yaml"], ["dev"]),
        (["Pulumi.sbx.yml", "Pulumi.prd.yaml", "README.md"], ["prd", "sbx"]),
        (["components/cluster/ionos.py"], STACKS),
        (["settings/model.py", "Pulumi.dev.yaml"], STACKS),
        (["requirements.txt"], STACKS),
        (["Pulumi.yaml"], STACKS),
        (["__main__.py"], STACKS),
        (["a_module_of_tomorrow.py"], STACKS),
        (["requirements-dev.txt", "docs/ci.md", "tests/unit/test_x.py", "ops/ready.py", ".github/workflows/x.yml"], []),
        (["reference/pages.py", "examples/x/y.yaml", "schemas/x.json"], []),
        (["Pulumi.lab.yaml"], []),
        (["Pulumi.gone.yaml"], []),
        ([], []),
    ],
)
def test_a_stack_file_concerns_its_stack_and_the_program_all(files: list[str], expected: list[str]) -> None:
    assert list(changed_stacks.concerned(files, STACKS)) == expected


def test_every_part_of_the_program_is_an_input() -> None:
    loaded = ["__main__.py", "arguments.py", "outputs.py", "Pulumi.yaml", "requirements.txt"]
    folders = [folder for folder in ("components", "settings", "preflight") if (stackfiles.PROJECT / folder).is_dir()]
    for file in (*loaded, *(f"{folder}/x.py" for folder in folders)):
        assert list(changed_stacks.concerned([file], STACKS)) == STACKS, file


@pytest.fixture
def repository(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A project in Git: `base`, and on top of it a change of dev."""
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "x")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "x@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    for name in ("dev", "lab", "sbx"):
        (tmp_path / f"Pulumi.{name}.yaml").write_text("config: {}\n")
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    commit(tmp_path)
    git(tmp_path, "tag", "base")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {a: b}\n")
    commit(tmp_path)
    return tmp_path


def git(folder: pathlib.Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: pathlib.Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "x")


def run(folder: pathlib.Path, *arguments: str) -> typer.testing.Result:
    return RUNNER.invoke(ops.app, ["changed-stacks", *arguments, "--directory", str(folder)])


def test_lines_for_people_and_json_for_a_matrix(repository: pathlib.Path) -> None:
    result = run(repository, "--base", "base")
    assert (result.stdout, result.stderr) == ("dev\n", "dev: Pulumi.dev.yaml\n")
    assert json.loads(run(repository, "--base", "base", "--json").stdout) == {
        "stacks": ["dev"],
        "why": {"dev": "Pulumi.dev.yaml"},
    }


def test_what_main_got_meanwhile_is_not_this_changes(repository: pathlib.Path) -> None:
    git(repository, "checkout", "--quiet", "-b", "other", "base")
    (repository / "Pulumi.sbx.yaml").write_text("config: {c: d}\n")
    commit(repository)
    assert run(repository, "--base", "main").stdout == "sbx\n"


def test_a_moved_stack_file_and_odd_names_are_seen(repository: pathlib.Path) -> None:
    git(repository, "mv", "Pulumi.sbx.yaml", "Pulumi.two.yaml")
    (repository / "ä\nb.py").write_text("x")
    commit(repository)
    assert run(repository, "--base", "base").stdout == "dev\ntwo\n"


def test_all_and_nothing_to_compare_with_are_every_stack_but_the_lab(repository: pathlib.Path) -> None:
    assert run(repository, "--all").stdout == "dev\nsbx\n"
    assert run(repository, "--base", "").stdout == "dev\nsbx\n", "the first deployment has no one before it"


@pytest.mark.parametrize("commit", ["nowhere", "0" * 40, "--output=/tmp/x"])
def test_a_commit_that_is_not_here_says_how_to_get_it(commit: str, repository: pathlib.Path) -> None:
    result = run(repository, f"--base={commit}")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "fetch-depth: 0" in result.stderr


def test_without_a_base_it_says_what_to_write(repository: pathlib.Path) -> None:
    result = run(repository)
    assert (result.exit_code, result.stderr) == (2, "error: say what to compare with (--base origin/main), or --all\n")


def test_histories_without_a_common_commit_are_said(repository: pathlib.Path) -> None:
    git(repository, "checkout", "--quiet", "--orphan", "new")
    commit(repository)
    result = run(repository, "--base", "main")
    assert result.exit_code == 2
    assert "no commit in common" in result.stderr


# What Git says instead


def refused(folder: pathlib.Path, *arguments: str) -> str:
    result = run(folder, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_a_repository_of_another_user_is_named_with_the_command_that_helps(
    repository: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    told = refused(repository, "--base", "base")
    assert f"git config --global --add safe.directory {repository}" in told
    assert "is not here" not in told
    assert run(repository, "--all").exit_code == 0, "all stacks need no Git"


def test_a_folder_without_a_repository_is_said_to_be_none(tmp_path: pathlib.Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    assert "is in no Git repository" in refused(tmp_path, "--base", "HEAD^")


def test_a_shallow_clone_is_said_to_be_one(repository: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    clone = tmp_path_factory.mktemp("clone")
    git(clone, "clone", "--quiet", "--depth", "1", f"file://{repository}", ".")
    told = refused(clone, "--base", "HEAD^1")
    assert "commit HEAD^1 is not here: this clone is shallow: `git fetch --unshallow`" in told


def test_a_detached_head_is_compared_like_any_other(repository: pathlib.Path) -> None:
    git(repository, "checkout", "--quiet", "--detach")
    assert run(repository, "--base", "base").stdout == "dev\n"


def test_a_broken_repository_is_shown_with_gits_own_words(repository: pathlib.Path) -> None:
    (repository / ".git" / "config").write_text("[core\n")
    assert "bad config" in refused(repository, "--base", "base")


def test_without_git_it_says_so(repository: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    assert "git is not on PATH" in refused(repository, "--base", "base")
