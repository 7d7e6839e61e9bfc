"""The lab's processes: found again by their record, never mistaken for another, stopped with all their children."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from lab import layout, processes

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def lab(tmp_path):
    made = layout.Lab(tmp_path, 77, dict(layout.PORTS))
    yield made
    processes.stop_all(made, 2)


def until(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_a_started_process_is_alive_until_it_is_stopped(lab):
    pid = processes.start(lab, "sleeper", SLEEP)
    assert processes.alive(lab, "sleeper")
    processes.stop(lab, "sleeper", 2)
    assert not processes.alive(lab, "sleeper")
    assert processes.started(pid) is None, "the process itself has to be gone, not only its record"


def test_starting_what_runs_already_starts_nothing(lab):
    assert processes.start(lab, "sleeper", SLEEP) == processes.start(lab, "sleeper", SLEEP)


def test_children_that_ended_are_reaped_whoever_stopped_them(lab):
    pid = processes.start(lab, "sleeper", SLEEP)
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: not processes.alive(lab, "sleeper"))
    again = processes.start(lab, "sleeper", SLEEP)
    processes.stop(lab, "sleeper", 2)
    assert not {pid, again} & processes._children.keys(), "Python warns of children that nobody waited for"


def test_a_record_whose_pid_went_to_another_program_is_stale(lab):
    record = {"pid": os.getpid(), "started": 1, "argv": ["etcd"]}
    (lab.folder("processes") / "etcd.json").write_text(json.dumps(record))
    assert not processes.alive(lab, "etcd"), "the start time tells this test's own process from the recorded one"
    processes.stop(lab, "etcd", 0)
    assert processes.names(lab) == [], "a stale record is cleared away; stopping it must not have killed this test"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}'])
def test_a_damaged_record_counts_as_none(lab, text):
    (lab.folder("processes") / "etcd.json").write_text(text)
    assert processes.record(lab, "etcd") is None


def test_a_process_that_ignores_sigterm_is_killed(lab):
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"
    )
    processes.start(lab, "stubborn", [sys.executable, "-c", stubborn])
    assert until(lambda: "on" in lab.log("stubborn").read_text())
    processes.stop(lab, "stubborn", 0.3)
    assert not processes.alive(lab, "stubborn")


def test_children_are_stopped_even_in_sessions_of_their_own(lab):
    child = "import subprocess, time; p = subprocess.Popen(['sleep', '60'], start_new_session=True); "
    child += "print(p.pid, flush=True); time.sleep(60)"
    processes.start(lab, "parent", [sys.executable, "-c", child])
    assert until(lambda: lab.log("parent").read_text().strip())
    pid = int(lab.log("parent").read_text())
    processes.stop_all(lab, 2)
    assert until(lambda: processes.started(pid) is None), "nothing that the lab started may outlive it"


def test_another_process_can_stop_what_this_one_started(lab):
    pid = processes.start(lab, "sleeper", SLEEP)
    code = "import pathlib, sys; from lab import layout, processes; "
    code += "processes.stop(layout.Lab(pathlib.Path(sys.argv[1]), 77, {}), 'sleeper', 2)"
    root = pathlib.Path(processes.__file__).parent.parent
    subprocess.run([sys.executable, "-c", code, str(lab.home)], cwd=root, check=True, timeout=30)
    assert processes.started(pid) is None


def test_another_lab_is_left_alone(lab, tmp_path_factory):
    other = layout.Lab(tmp_path_factory.mktemp("other"), 78, {})
    processes.start(other, "sleeper", SLEEP)
    processes.stop_all(lab, 1)
    assert processes.alive(other, "sleeper"), "two labs side by side do not meet"
    processes.stop_all(other, 2)


def test_waiting_for_a_process_that_dies_shows_the_end_of_its_log(lab):
    processes.start(lab, "broken", [sys.executable, "-c", "raise SystemExit('port taken')"])
    with pytest.raises(layout.LabError, match=r"broken ended while it was starting(?s:.*)port taken"):
        processes.wait(lab, "broken", lambda: False, 10)


def test_waiting_ends_when_the_time_is_up(lab):
    processes.start(lab, "slow", SLEEP)
    with pytest.raises(layout.LabError, match=r"slow is not ready after 0\.2 s"):
        processes.wait(lab, "slow", lambda: False, 0.2)


def test_a_program_that_is_not_there_is_named(lab):
    with pytest.raises(layout.LabError, match="etcd cannot be started: /nowhere/etcd: No such file"):
        processes.start(lab, "etcd", ["/nowhere/etcd"])


def test_what_is_foreign_to_the_lab_does_not_reach_its_processes(lab, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "theirs")
    show = "import os; print(sorted(n for n in os.environ if n.startswith(('AWS_', 'PULUMI_'))), flush=True)"
    processes.start(lab, "env", [sys.executable, "-c", show], env={"AWS_REGION": "x"})
    assert until(lambda: lab.log("env").read_text().strip())
    assert lab.log("env").read_text().strip() == "['AWS_REGION']"


def test_variables_come_on_top_of_the_environment_and_name_the_lab(lab):
    show = "import os; print(os.environ['X'], os.environ['LAB_HOME'], os.environ.get('PATH', '') != '', flush=True)"
    processes.start(lab, "env", [sys.executable, "-c", show], env={"X": "1"})
    assert until(lambda: lab.log("env").read_text().strip())
    assert lab.log("env").read_text().split() == ["1", str(lab.home), "True"]
