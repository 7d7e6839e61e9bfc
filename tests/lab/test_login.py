"""Pulumi that is not logged in, or has not the right passphrase: what the day-2 commands make of its own words."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import pty
import shutil
import subprocess

import engine as engines
import pytest

from lab import layout

CANARY, PASSPHRASE = "canary-of-the-kubeconfig", "canary-of-the-passphrase"
SIGNATURE, SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
ROOT = "urn:pulumi:lab::gitops-platform::pulumi:pulumi:Stack::gitops-platform-lab"


class Terminal:
    """Commands as a person at a terminal runs them, on a state of their own."""

    def __init__(self, engine: engines.Engine, folder: pathlib.Path) -> None:
        self.folder, self.project = folder, folder / "project"
        self._variables = engine.environment()
        for name in ("PULUMI_STACK", "PULUMI_OPTION_CONFIG_FILE", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_ACCESS_TOKEN"):
            self._variables.pop(name, None)
        for name in ("project", "state", "empty"):
            (folder / name).mkdir()
        for name, text in {"passphrase": PASSPHRASE, "wrong": "wrong"}.items():
            (folder / name).write_text(text)
        self._variables |= {
            "PULUMI_BACKEND_URL": f"file://{folder}/state",
            "PULUMI_CONFIG_PASSPHRASE_FILE": f"{folder}/passphrase",
        }
        shutil.copy(layout.PROJECT / "Pulumi.yaml", self.project)
        for stack in ("lab", "new"):  # the committed file: the lab's own copy has a passphrase already
            shutil.copy(layout.PROJECT / "Pulumi.lab.yaml", self.project / f"Pulumi.{stack}.yaml")

    def run(self, *argv: str, **env: str | None) -> engines.Run:
        """Run a command to its end, with a terminal at which nobody types; None takes a variable away."""
        variables = {name: value for name, value in {**self._variables, **env}.items() if value is not None}
        ours, theirs = pty.openpty()
        try:
            done = subprocess.run(
                argv, cwd=self.project, env={**variables, "PYTHONPATH": str(layout.PROJECT)}, stdin=theirs,
                capture_output=True, text=True, timeout=120, check=False, start_new_session=True,
            )  # fmt: skip
        finally:
            for descriptor in (ours, theirs):
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        assert CANARY not in done.stdout + done.stderr
        assert PASSPHRASE not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return engines.Run(done.returncode, done.stdout, done.stderr)

    def ops(self, command: str, **env: str | None) -> engines.Run:
        return self.run("python", "-m", "ops", *command.split(), **env)


@pytest.fixture(scope="module")
def terminal(engine: engines.Engine, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A stack `lab` with a secret output, and a stack `new` that was never up."""
    made = Terminal(engine, tmp_path_factory.mktemp("terminal"))
    for stack in ("lab", "new"):
        run = made.run("pulumi", "stack", "init", stack, "--secrets-provider", "passphrase", "--non-interactive")
        assert run.code == 0, run.text
    state = json.loads(made.run("pulumi", "stack", "export", "--stack", "lab").out)
    outputs = {"kubeconfig": {SIGNATURE: SECRET, "plaintext": json.dumps(CANARY)}}
    root = {"urn": ROOT, "custom": False, "type": "pulumi:pulumi:Stack", "outputs": outputs}
    state["deployment"]["resources"] = [root]
    (made.folder / "state.json").write_text(json.dumps(state))
    run = made.run("pulumi", "stack", "import", "--stack", "lab", "--file", f"{made.folder}/state.json")
    assert run.code == 0, run.text
    (made.folder / "state.json").unlink()
    return made


def troubles(folder: pathlib.Path) -> dict[str, tuple[dict[str, str | None], str]]:
    """What is wrong -> variables, and the words of the next step."""
    nowhere = {"PULUMI_BACKEND_URL": None, "PULUMI_HOME": f"{folder}/empty", "HOME": f"{folder}/empty"}
    file = "PULUMI_CONFIG_PASSPHRASE_FILE"
    return {
        "no login": (nowhere, "`pulumi login s3://<bucket>`, or set PULUMI_BACKEND_URL"),
        "no state": ({"PULUMI_BACKEND_URL": f"file://{folder}/nowhere"}, "make it, or correct PULUMI_BACKEND_URL"),
        "wrong passphrase": ({file: f"{folder}/wrong"}, f"correct {file} or PULUMI_CONFIG_PASSPHRASE"),
        "no passphrase": ({file: None}, f"set {file} to a file that holds it, or PULUMI_CONFIG_PASSPHRASE"),
        "no passphrase file": ({file: f"{folder}/nowhere"}, f"correct {file}, or set PULUMI_CONFIG_PASSPHRASE"),
    }


TROUBLES = list(troubles(pathlib.Path()))
COMMANDS = (
    "ready {} --wait-minutes 0 --directory .",
    "access list {} --directory .",
    "recover {} --yes --directory .",
)


def said(run: engines.Run) -> str:
    """The one error of a command."""
    errors = [line for line in run.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, run.text
    return errors[0]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_command_says_in_a_sentence_what_to_do(terminal: Terminal, trouble: str, command: str) -> None:
    variables, words = troubles(terminal.folder)[trouble]
    run = terminal.ops(command.format("lab"), **variables)
    assert (run.code, run.out) == (2, ""), run.text
    assert words in said(run)


@pytest.mark.parametrize("trouble", TROUBLES)
def test_the_report_of_a_preview_that_could_not_begin_says_why(terminal: Terminal, trouble: str) -> None:
    variables, words = troubles(terminal.folder)[trouble]
    preview = terminal.run("pulumi", "preview", "--json", "--stack", "lab", "--non-interactive", **variables)
    assert preview.code != 0
    for suffix, text in {"json": preview.out, "err": preview.err, "code": str(preview.code)}.items():
        (terminal.folder / f"lab.{suffix}").write_text(text)
    run = terminal.ops(f"preview-report lab={terminal.folder}/lab.json")
    assert run.code == 1, run.text
    assert words in said(run)
    assert words in run.out, "the comment says it as well"


@pytest.mark.parametrize("trouble", TROUBLES)
def test_config_check_asks_neither_state_nor_passphrase(terminal: Terminal, trouble: str) -> None:
    run = terminal.ops("config check lab --directory .", **troubles(terminal.folder)[trouble][0])
    assert (run.code, run.out) == (0, "Pulumi.lab.yaml: ok\n"), run.text


@pytest.mark.parametrize("command", COMMANDS)
def test_a_stack_that_is_not_there_is_said(terminal: Terminal, command: str) -> None:
    run = terminal.ops(command.format("nowhere"))
    assert (run.code, run.out) == (2, ""), run.text
    assert "`pulumi stack init nowhere`, or log in where it is" in said(run)


def test_a_stack_that_was_never_up_is_said(terminal: Terminal) -> None:
    for command in COMMANDS[:2]:
        run = terminal.ops(command.format("new"))
        assert (run.code, run.out) == (2, ""), run.text
        assert said(run).startswith("error: stack new is not up: ")
        assert "`pulumi up`" in said(run)
    run = terminal.ops(COMMANDS[2].format("new"))
    assert (run.code, run.err) == (0, "No operation is pending; the next `pulumi up` can run.\n"), run.text
    run = terminal.ops("config check nowhere --directory .")
    assert (run.code, run.out) == (2, ""), run.text
    assert "there are: lab, new" in said(run)
