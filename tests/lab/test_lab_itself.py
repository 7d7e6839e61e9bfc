"""The lab when something is wrong with it: said plainly, and put right by the next command."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import signal
import socket
from collections.abc import Iterator

import engine as engines
import pytest

from lab import layout, processes, workspace


def pids(lab: layout.Lab) -> dict[str, int]:
    return {name: found.pid for name in processes.names(lab) if (found := processes.record(lab, name))}


def kill(lab: layout.Lab, name: str) -> None:
    os.kill(pids(lab)[name], signal.SIGKILL)
    engines.wait_for(lambda: not processes.alive(lab, name), 10, f"{name} is dead")


@contextlib.contextmanager
def listening(lab: layout.Lab, port: str) -> Iterator[None]:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((lab.address, lab.ports[port]))
        other.listen()
        yield


def test_a_process_that_died_is_named_and_only_that_one_is_started_again(
    engine: engines.Engine, control_plane: None
) -> None:
    before = pids(engine.lab)
    kill(engine.lab, "charts")
    status = engine.run("python", "-m", "lab", "status")
    assert status.code == 1
    assert "charts" in status.out.split("error:")[1]
    up = engine.run("python", "-m", "lab", "up")
    assert up.code == 0, up.text
    after = pids(engine.lab)
    assert {name for name in after if after[name] != before.get(name)} == {"charts"}
    assert engine.run("python", "-m", "lab", "status").code == 0


def test_a_port_in_use_is_named_with_the_way_out(engine: engines.Engine) -> None:
    kill(engine.lab, "charts")
    with listening(engine.lab, "charts"):
        up = engine.run("python", "-m", "lab", "up")
    assert up.code == 1
    assert f"{engine.lab.address}:{engine.lab.ports['charts']}" in up.text
    assert "Traceback" not in up.text
    assert engine.run("python", "-m", "lab", "up").code == 0


def test_a_machine_that_was_switched_off_is_no_loss(engine: engines.Engine) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kept"}}
    engine.cluster.create("/api/v1/namespaces", body)
    for name in processes.names(engine.lab):
        kill(engine.lab, name)
    up = engine.run("python", "-m", "lab", "up")
    assert up.code == 0, up.text
    assert engine.cluster.find("/api/v1/namespaces/kept"), "etcd kept it"
    engine.cluster.delete("/api/v1/namespaces/kept")


@pytest.mark.parametrize("content", [None, "{ damaged"], ids=["no lab", "a damaged one"])
def test_down_clears_away_whatever_is_there(
    engine: engines.Engine, tmp_path: pathlib.Path, content: str | None
) -> None:
    home = tmp_path / "other"
    if content:
        home.mkdir()
        (home / "lab.json").write_text(content)
    run = engine.run("python", "-m", "lab", "down", LAB_HOME=str(home))
    assert run.code == 0, run.text
    assert not home.exists()


def test_two_commands_do_not_work_on_one_lab_at_once(engine: engines.Engine) -> None:
    import fcntl

    with (engine.lab.home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run = engine.run("python", "-m", "lab", "up")
    assert run.code == 1
    assert "another command" in run.text


def test_down_destroys_the_stack_and_leaves_neither_process_nor_folder(
    engine: engines.Engine, tmp_path: pathlib.Path
) -> None:
    home = tmp_path / "second"

    def lab(*arguments: str) -> engines.Run:
        run = engine.run("python", "-m", "lab", *arguments, LAB_HOME=str(home))
        assert run.code == 0, run.text
        return run

    lab("up")
    # A small part is enough for a stack that has to be destroyed.
    made = lab("run", "--", "pulumi", "up", "--yes", "--skip-preview", "--target", "**::cluster")
    assert "ionoscloud:compute:Datacenter" in made.out
    assert workspace.has_resources(layout.load(home))
    assert "agent" in processes.marked(layout.load(home))
    down = lab("down")
    assert re.search(r"ionoscloud:compute:Datacenter cluster deleted", down.out), down.text
    assert re.search(r"ionoscloud:k8s:Cluster cluster deleted", down.out), down.text
    assert engines.processes_under(home) == []
    assert not home.exists()
    assert processes.alive(engine.lab, "agent"), "another lab is left alone"
