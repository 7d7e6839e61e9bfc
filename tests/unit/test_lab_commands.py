"""The lab's commands when something is lost, damaged or in the way; the lab itself is a fake."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import typer.testing

from lab import __main__ as cli
from lab import control_plane, layout, processes, services, summary, toolchain, workspace

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def lab(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[layout.Lab]:
    """A lab of two processes, one of which forgets what it holds, and a `pulumi` that always succeeds."""
    made = layout.Lab(tmp_path / "lab", 77, dict(layout.PORTS))
    made.folder("processes")
    made.save()
    monkeypatch.setenv("LAB_HOME", str(made.home))
    monkeypatch.setattr(layout, "create", lambda: made)
    fakes = [
        services.Service("aws", tuple(SLEEP), (), volatile=True),
        services.Service("cloud", tuple(SLEEP), ()),
    ]
    monkeypatch.setattr(services, "services", lambda _lab: fakes)
    monkeypatch.setattr(services, "_control_plane_runs", lambda _lab: True)
    for name in ("ensure", "ensure_system_packages"):
        monkeypatch.setattr(toolchain, name, lambda *_arguments, **_options: None)
    monkeypatch.setattr(workspace, "prepare", lambda _lab: None)
    monkeypatch.setattr(workspace, "left_behind", lambda _lab: [])
    monkeypatch.setattr(summary, "check", lambda *_arguments: {})
    monkeypatch.setattr(summary, "explain", lambda *_arguments: None)
    monkeypatch.setattr(summary, "show", lambda *_arguments: None)
    yield made
    processes.stop_all(made, 2)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that were run; the code that they end with is in `CODE`."""
    commands: list[list[str]] = []
    monkeypatch.setattr(cli, "_run", lambda _lab, command: commands.append(command) or int(os.environ.get("CODE", "0")))
    return commands


def state(lab: layout.Lab, *resources: str) -> pathlib.Path:
    folder = lab.folder("pulumi", "state", ".pulumi", "stacks", "gitops-platform")
    checkpoint = {"checkpoint": {"latest": {"resources": [{"urn": urn} for urn in resources]}}}
    (folder / "lab.json").write_text(json.dumps(checkpoint))
    return folder / "lab.json"


def call(*arguments: str) -> str:
    """The output of a command that has to succeed."""
    done = typer.testing.CliRunner().invoke(cli.app, list(arguments))
    assert done.exit_code == 0, done.output
    return done.output


def refused(*arguments: str) -> str:
    """The error that a command ends with."""
    done = typer.testing.CliRunner().invoke(cli.app, list(arguments))
    assert isinstance(done.exception, layout.LabError), done.output
    return str(done.exception)


def refreshed(ran: list[list[str]]) -> bool:
    return "--refresh" in ran[-1]


@pytest.mark.parametrize("between", ["lab up", "a demo that failed"])
def test_what_was_lost_is_refreshed_by_the_first_up_that_succeeds(
    lab: layout.Lab, ran: list[list[str]], monkeypatch: pytest.MonkeyPatch, between: str
) -> None:
    call("demo")
    state(lab, "urn:zone")
    call("demo")
    assert not refreshed(ran), "nothing was lost"
    processes.stop(lab, "aws", 0)
    if between == "lab up":
        assert "--refresh" in call("up")
    else:
        monkeypatch.setenv("CODE", "255")
        assert typer.testing.CliRunner().invoke(cli.app, ["demo"]).exit_code == 255
        monkeypatch.setenv("CODE", "0")
    call("demo")
    assert refreshed(ran), "the zones are gone, whoever started AWS again"
    call("demo")
    assert not refreshed(ran), "the state is true again"


def test_what_holds_its_data_or_held_none_is_no_loss(lab: layout.Lab, ran: list[list[str]]) -> None:
    call("up")
    state(lab, "urn:zone")
    processes.stop(lab, "cloud", 0)
    call("demo")
    assert not refreshed(ran)


@pytest.mark.parametrize("error", [layout.LabError("port 1 is in use"), toolchain.ToolchainError("etcd is not built")])
def test_a_lab_that_does_not_start_can_be_given_up(
    lab: layout.Lab, ran: list[list[str]], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    state(lab, "urn:zone")

    def broken(_lab: layout.Lab) -> None:
        raise error

    monkeypatch.setattr(services, "_control_plane_runs", lambda _lab: False)
    monkeypatch.setattr(control_plane, "start", broken)
    said = refused("down")
    assert str(error) in said
    assert "python -m lab down --force" in said
    assert lab.home.exists(), "a stack is given up by its owner only"
    call("down", "--force")
    assert not lab.home.exists()
    assert ran == [], "nothing was destroyed by Pulumi"


def test_an_unreadable_state_can_be_given_up(lab: layout.Lab) -> None:
    state(lab).write_text("{ half")
    assert "python -m lab down --force" in refused("down")
    call("down", "--force")
    assert not lab.home.exists()


def test_down_stops_what_runs_of_a_lab_whose_folder_is_gone(lab: layout.Lab) -> None:
    call("up")
    pids = [found.pid for name in ("aws", "cloud") if (found := processes.record(lab, name))]
    for file in sorted(lab.home.rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    lab.home.rmdir()
    said = call("down")
    assert "aws, cloud" in said
    assert [processes.started(pid) for pid in pids] == [None, None]
    assert not lab.home.exists()
    assert "nothing to do" in call("down")


def test_a_command_that_fails_in_the_lab_fails(lab: layout.Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "process_environment", lambda _lab: dict(os.environ))
    for code in (3, 0):
        monkeypatch.setattr(sys, "argv", ["lab", "run", "--", "sh", "-c", f"exit {code}"])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == code, "`make demo && ...` would go on after a failed `pulumi up`"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_of_the_lab_that_is_told_to_end_lets_pulumi_end_in_its_own_order(
    tmp_path: pathlib.Path, number: signal.Signals
) -> None:
    (tmp_path / "lab.json").write_text(json.dumps({"network": 77, "ports": layout.PORTS}))
    orderly = "trap 'echo $$ > ended; exit 5' TERM; echo $$ > running; while :; do sleep 0.05; done"
    code = (
        "import pathlib, sys; from lab import __main__ as cli, workspace; import os;"
        "workspace.process_environment = lambda _lab: dict(os.environ); cli.main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "run", "--", "sh", "-c", f"cd {tmp_path}; {orderly}"],
        cwd=layout.PROJECT,
        env={**os.environ, "LAB_HOME": str(tmp_path)},
        start_new_session=True,
        # Whoever runs the tests under `nohup` has them ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL) and None,
    )
    running = tmp_path / "running"
    end = time.monotonic() + 20
    while not (running.exists() and running.read_text()) and time.monotonic() < end:
        time.sleep(0.02)
    # A terminal that is closed tells the whole group.
    os.killpg(process.pid, number) if number == signal.SIGHUP else process.send_signal(number)
    assert process.wait(20) == 128 + number
    assert (tmp_path / "ended").read_text() == running.read_text(), "or its lock and half a state would stay"


IGNORED = "signal.signal(signal.SIGINT, signal.SIG_IGN)"


@pytest.mark.parametrize(
    "first",
    [
        "from lab import stopping; stopping.clean_up()",
        "from lab import stopping; stopping.hand_on_interrupts()",
    ],
)
def test_what_a_background_job_starts_can_be_interrupted_and_the_job_itself_cannot(first: str) -> None:
    asks = "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('not interrupted')"
    code = (
        f"import os, signal, subprocess, sys; {IGNORED}; {first};"
        f"child = subprocess.run([sys.executable, '-c', {asks!r}], capture_output=True, text=True);"
        "os.kill(os.getpid(), signal.SIGINT); print(child.stdout or child.returncode)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=layout.PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, "whoever started the job with `&` did not want Ctrl-C to end it" + done.stderr
    assert done.stdout.strip() == str(-signal.SIGINT), "the engine would wait 5 s for its language host at every call"


def test_the_tests_themselves_start_processes_that_can_be_interrupted() -> None:
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN, "each pulumi call would take 5 s longer"
