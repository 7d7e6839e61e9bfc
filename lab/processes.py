"""The lab's processes: started apart from their starter, found again by any process of the lab, stopped by id.

A record (pid, start time in clock ticks, argv) in the lab's folder names each one. The kernel gives pids out again, so
a record counts only while the start time in /proc is the same. Children that lost their parent are found by the
variable MARK, which every process inherits.
"""

from __future__ import annotations

import collections.abc
import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import time

from lab import foreign, layout

MARK = "LAB_PROCESS"
"""`<lab folder>|<name>` in the environment of each process of the lab and of its children."""

POLL_SECONDS = 0.05
TAIL_LINES = 15
LOG_LIMIT = 20 * 1024 * 1024

_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclasses.dataclass(frozen=True)
class Record:
    """What is known of a started process; `started` in clock ticks since boot, as in /proc/PID/stat."""

    name: str
    pid: int
    started: int
    argv: tuple[str, ...]

    @property
    def running(self) -> bool:
        """Whether this very process lives (a zombie does not)."""
        if child := _children.get(self.pid):
            child.poll()
        return started(self.pid) == self.started


def start(
    lab: layout.Lab,
    name: str,
    argv: collections.abc.Sequence[str | os.PathLike[str]],
    env: collections.abc.Mapping[str, str] | None = None,
    cwd: pathlib.Path | None = None,
) -> int:
    """Start a process in a session of its own, output appended to `lab.log(name)`; return its pid.

    `env` comes on top of this process's environment without what is `foreign`. One that runs already is left alone.
    LabError when the program cannot be started.
    """
    found = record(lab, name)
    if found and found.running:
        return found.pid
    words = tuple(os.fspath(word) for word in argv)
    environment = {**foreign.without(os.environ), **(env or {}), "LAB_HOME": str(lab.home), MARK: _mark(lab, name)}
    log = lab.log(name)
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".log.old"))
    try:
        with log.open("ab") as output:
            child = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                cwd=cwd,
                start_new_session=True,
            )
    except OSError as error:
        raise layout.LabError(f"{name} cannot be started: {words[0]}: {error.strerror or error}") from None
    _children[child.pid] = child
    _write(lab, Record(name, child.pid, started(child.pid) or 0, words))
    return child.pid


def record(lab: layout.Lab, name: str) -> Record | None:
    """What was written about a process; None when nothing (or nothing readable) is there."""
    try:
        facts = json.loads(_path(lab, name).read_text())
        return Record(name, int(facts["pid"]), int(facts["started"]), tuple(facts["argv"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def alive(lab: layout.Lab, name: str) -> bool:
    """Whether the process that was started under this name runs."""
    found = record(lab, name)
    return found is not None and found.running


def names(lab: layout.Lab) -> list[str]:
    """The names of all processes on record, alive or not."""
    return sorted(path.stem for path in lab.folder("processes").glob("*.json"))


def marked(lab: layout.Lab) -> list[str]:
    """The names of all living processes with this lab's mark, on record or not."""
    return sorted(set(_marked(lab).values()))


def stop(lab: layout.Lab, name: str, timeout: float = 10) -> None:
    """End a process with its whole group: SIGTERM, SIGKILL after `timeout` seconds (at once when 0). Idempotent."""
    _stop(lab, [name], timeout)


def stop_all(lab: layout.Lab, timeout: float = 10) -> None:
    """End everything that this lab started, side by side, whoever started it."""
    _stop(lab, [*names(lab), *_marked(lab).values()], timeout)


def wait(lab: layout.Lab, name: str, condition: collections.abc.Callable[[], object], seconds: float) -> None:
    """Return once `condition` is true; LabError with the end of the log when the process dies or time runs out."""
    end = time.monotonic() + seconds
    while not condition():
        if not alive(lab, name):
            raise layout.LabError(f"{name} ended while it was starting; the end of {lab.log(name)}:\n{tail(lab, name)}")
        if time.monotonic() > end:
            raise layout.LabError(
                f"{name} is not ready after {seconds:g} s; the end of {lab.log(name)}:\n{tail(lab, name)}"
            )
        time.sleep(POLL_SECONDS)


def tail(lab: layout.Lab, name: str, lines: int = TAIL_LINES) -> str:
    """The last lines of a process's log, indented."""
    try:
        with lab.log(name).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 16384))
            text = log.read().decode(errors="replace")
    except OSError:
        return "    (no log)"
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:]) or "    (empty)"


def started(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when there is none, or only a zombie of it."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The program's name, field 2, may hold spaces and brackets.
    fields = stat.rpartition(")")[2].split()
    # A zombie whose other threads still end holds its ports.
    return None if fields[0] in "ZX" and int(fields[17]) <= 1 else int(fields[19])


def _stop(lab: layout.Lab, wanted: list[str], timeout: float) -> None:
    records = [found for name in wanted if (found := record(lab, name)) and found.running]
    _signal(records, _marked(lab, wanted), signal.SIGTERM if timeout else signal.SIGKILL)
    end = time.monotonic() + timeout
    while _living(lab, records, wanted) and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
    end = time.monotonic() + 5
    while (left := _living(lab, records, wanted)) and time.monotonic() < end:
        _signal([found for found in records if found.running], left, signal.SIGKILL)
        time.sleep(POLL_SECONDS)
    for name in set(wanted):
        _path(lab, name).unlink(missing_ok=True)
    _reap()


def _reap() -> None:
    """Forget children that have ended, also those that somebody else stopped."""
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            _children.pop(pid, None)


def _living(lab: layout.Lab, records: list[Record], wanted: list[str]) -> dict[int, str]:
    return {found.pid: found.name for found in records if found.running} | _marked(lab, wanted)


def _signal(records: list[Record], marked: dict[int, str], number: signal.Signals) -> None:
    for found in records:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(found.pid, number)
    for pid in marked:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _marked(lab: layout.Lab, wanted: list[str] | None = None) -> dict[int, str]:
    """Pid -> name of the living processes with this lab's mark, all or those of some names; never this process."""
    prefix = f"{MARK}={_mark(lab, '')}".encode()
    found: dict[int, str] = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        for variable in variables:
            if variable.startswith(prefix) and started(int(entry.name)) is not None:
                found[int(entry.name)] = variable[len(prefix) :].decode()
    return {pid: name for pid, name in found.items() if wanted is None or name in wanted}


def _mark(lab: layout.Lab, name: str) -> str:
    return f"{lab.home}|{name}"


def _path(lab: layout.Lab, name: str) -> pathlib.Path:
    return lab.folder("processes") / f"{name}.json"


def _write(lab: layout.Lab, new: Record) -> None:
    path = _path(lab, new.name)
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps({"pid": new.pid, "started": new.started, "argv": new.argv}) + "\n")
    temporary.replace(path)
