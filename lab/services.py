"""The lab's processes: which there are, in what order they start, and when each is ready."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import pathlib
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator

from lab import control_plane, layout, processes, workspace

Report = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Service:
    """A process of the lab that listens on one or more of its ports."""

    name: str
    argv: tuple[str, ...]
    ports: tuple[str, ...]
    volatile: bool = False
    """Whether what it holds is gone when it stops, so that Pulumi's state has to be refreshed."""
    pulumi_environment: bool = False
    """Whether it acts with the user's cloud credentials, as a provider plugin does."""


def services(lab: layout.Lab) -> list[Service]:
    """Every process besides the control plane, in the order they start."""
    module = (sys.executable, "-m")
    stand_ins = [plugin for plugin in workspace.PLUGINS if not workspace.real_plugin(lab, plugin)]
    known = [
        Service("aws", (*module, "lab.aws"), ("aws", "aws_proxy"), volatile=True),
        Service("dns", (*module, "lab.dns"), ("dns",)),
        Service("acme", (*module, "lab.acme"), ("acme", "acme_management")),
        Service("charts", (*module, "lab.charts"), ("charts",)),
        Service("cloud", (*module, "lab.cloud"), ("ionos",)),
        Service("agent", (*module, "lab.agent"), ("kubelet",)),
    ]
    if stand_ins:
        ports = tuple(f"plugin_{plugin}" for plugin in stand_ins)
        argv = (*module, "lab.plugins", *stand_ins)
        known.append(Service("plugins", argv, ports, pulumi_environment=True))
    return known


def up(lab: layout.Lab, report: Report) -> None:
    """Start what does not run; see `lost` for what that may have cost."""
    if not _control_plane_runs(lab):
        report("control plane")
        control_plane.start(lab)
    started: list[Service] = []
    for service in services(lab):
        if processes.alive(lab, service.name):
            continue
        report(service.name)
        processes.stop(lab, service.name)  # children that outlived it still hold its ports
        _check_ports(lab, service)
        if service.volatile and workspace.has_resources(lab):
            _mark_of_loss(lab).touch()
        _start(lab, service)
        started.append(service)
    for service in started:
        _wait(lab, service)
    if lab.usable(443) != 443:
        report(f"ports below {layout.LOW} are for root here: the ingress is at {lab.usable(80)} and {lab.usable(443)}")


def lost(lab: layout.Lab) -> bool:
    """Whether something that the state tells of went with its process and no run with --refresh has been done since."""
    return _mark_of_loss(lab).exists()


def made_good(lab: layout.Lab) -> None:
    """Take note that the state is true again."""
    _mark_of_loss(lab).unlink(missing_ok=True)


def strays(lab: layout.Lab) -> list[str]:
    """Names of living processes of a lab whose folder was removed under them."""
    return processes.marked(lab)


def down_without_folder(lab: layout.Lab, report: Report) -> None:
    """Stop every process of a lab whose folder was removed; leaves no folder that was not there."""
    down(lab, report)
    for folder in (lab.home / "processes", lab.home):
        with contextlib.suppress(OSError):
            folder.rmdir()


def down(lab: layout.Lab, report: Report) -> None:
    """Stop every process of the lab."""
    report("stopping the lab's processes")
    processes.stop_all(lab)
    _stop_orphans(lab)


def remove(lab: layout.Lab) -> None:
    """Delete the lab's folder; only one that a lab made."""
    if not (lab.home / "lab.json").exists():
        raise layout.LabError(f"{lab.home} holds no lab.json: not removing a folder that is not a lab's")
    shutil.rmtree(lab.home)


def dead(lab: layout.Lab) -> list[str]:
    """Names of processes that should run and do not."""
    names = [service.name for service in services(lab) if not processes.alive(lab, service.name)]
    return names if _control_plane_runs(lab) else ["control plane", *names]


@contextlib.contextmanager
def exclusive(lab: layout.Lab, seconds: float = 1) -> Iterator[None]:
    """One command at a time may change this lab."""
    lock = (lab.home / "lock").open("w")
    deadline = time.monotonic() + seconds
    with lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise layout.LabError(f"another command is working on the lab in {lab.home}") from None
                time.sleep(0.1)
        yield


def _mark_of_loss(lab: layout.Lab) -> pathlib.Path:
    return lab.home / "lost"


def _control_plane_runs(lab: layout.Lab) -> bool:
    return all(processes.alive(lab, part) for part in control_plane.PARTS)


def _stop_orphans(lab: layout.Lab) -> None:
    """End the plugin hosts that a killed `pulumi` left behind: they do not notice that their engine is gone."""
    home = f"PULUMI_HOME={lab.home / 'pulumi' / 'home'}".encode()
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            hosts = (
                b"pulumi-language-" in (command := (entry / "cmdline").read_bytes()) or b"pulumi-resource-" in command
            )
            if hosts and home in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)


def _start(lab: layout.Lab, service: Service) -> None:
    base = {"LAB_HOME": str(lab.home), "PYTHONPATH": str(layout.PROJECT)}
    variables = workspace.process_environment(lab) if service.pulumi_environment else {}
    processes.start(lab, service.name, list(service.argv), env={**variables, **base}, cwd=lab.home)


def _wait(lab: layout.Lab, service: Service) -> None:
    processes.wait(lab, service.name, lambda: _listening(lab, service.ports), 60)


def _listening(lab: layout.Lab, ports: tuple[str, ...]) -> bool:
    for port in ports:
        try:
            socket.create_connection((lab.host(port), lab.ports[port]), timeout=1).close()
        except OSError:
            return False
    return True


def _check_ports(lab: layout.Lab, service: Service) -> None:
    for port in service.ports:
        if _listening(lab, (port,)):
            raise layout.LabError(
                f"{service.name} needs {lab.host(port)}:{lab.ports[port]}, where something else listens: stop "
                "that, or `python -m lab down --force` and `make demo` to have other ports chosen"
            )
