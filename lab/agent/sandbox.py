"""A container-like root for one process, made by bubblewrap: no container engine, no image, no root needed.

The process sees the machine's /usr read-only, a small /etc, the image's tools, the pod's volumes, its own /tmp and its
own processes; it shares the network. Its environment is handed over as the real environment and never on the command
line, which every user of the machine can read.
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

SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
ETC = ("/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/alternatives", "/etc/ld.so.cache", "/etc/mime.types")
TEMPORARY = "/tmp"  # noqa: S108 - the container's, not the machine's


@dataclasses.dataclass(frozen=True)
class Mount:
    """One thing of the machine that shows in the container."""

    source: pathlib.Path
    target: str
    read_only: bool = False


@dataclasses.dataclass(frozen=True)
class Root:
    """What a container's file system consists of. etc: files for /etc; hosts: the pod's hosts file."""

    bwrap: pathlib.Path
    etc: pathlib.Path
    hosts: pathlib.Path
    temporary: pathlib.Path
    home: str
    hostname: str
    tools: tuple[Mount, ...]
    links: tuple[tuple[str, str], ...]
    mounts: tuple[Mount, ...]


def arguments(root: Root, working_directory: str | None, argv: collections.abc.Sequence[str]) -> list[str]:
    """The whole command line, bubblewrap's first."""
    words = [str(root.bwrap), "--die-with-parent", "--unshare-pid", "--unshare-uts", "--hostname", root.hostname[:63]]
    if os.geteuid() == 0:
        words += ["--cap-add", "CAP_NET_BIND_SERVICE"]
    words += ["--ro-bind", "/usr", "/usr"]
    for path in SYSTEM:
        if os.path.islink(path):
            words += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            words += ["--ro-bind", path, path]
    # The tools need a place that can be written at mount time; /usr itself is read-only.
    words += ["--tmpfs", "/usr/local", "--dir", "/usr/local/bin"]
    words += ["--ro-bind-try", "/usr/local/share", "/usr/local/share"]
    for path in ETC:
        words += ["--ro-bind-try", path, path]
    for file in sorted(root.etc.iterdir()):
        words += ["--ro-bind", str(file), f"/etc/{file.name}"]
    words += ["--ro-bind", str(root.hosts), "/etc/hosts"]
    words += ["--proc", "/proc", "--dev", "/dev", "--dir", "/run", "--symlink", "../run", "/var/run"]
    words += ["--bind", str(root.temporary), TEMPORARY, "--dir", root.home]
    for mount in root.tools:
        words += ["--ro-bind", str(mount.source), mount.target]
    for path, target in root.links:
        words += ["--symlink", target, path]
    # A mount inside another one has to come after it.
    for mount in sorted(root.mounts, key=lambda each: each.target.count("/")):
        words += ["--ro-bind" if mount.read_only else "--bind", str(mount.source), mount.target]
    words += ["--chdir", working_directory or "/"]
    return [*words, "--", *argv]


class Process:
    """A process in its sandbox.

    Its starting thread has to outlive it: the kernel counts the thread, not the program, as the parent that
    `--die-with-parent` watches.
    """

    def __init__(
        self,
        root: Root,
        working_directory: str | None,
        argv: collections.abc.Sequence[str],
        variables: collections.abc.Mapping[str, str],
        log: pathlib.Path,
    ) -> None:
        """Start it, output appended to `log`; OSError when bubblewrap itself cannot be started."""
        reader, writer = os.pipe()
        try:
            words = arguments(root, working_directory, argv)
            words[1:1] = ["--info-fd", str(writer)]
            # O_APPEND, so that the file can be cut while the process writes to it.
            with log.open("ab") as output:
                self._bwrap = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=dict(variables),
                    pass_fds=(writer,),
                    start_new_session=True,
                )
        except BaseException:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        with os.fdopen(reader, "rb") as information:
            try:
                self._init = int(json.loads(information.read())["child-pid"])
            except (ValueError, KeyError):
                self._init = 0

    def poll(self) -> int | None:
        """The exit code (128 + n after signal n), None while it runs."""
        return self._bwrap.poll()

    def wait(self, seconds: float) -> int | None:
        """Wait for its end; None when it still runs."""
        try:
            return self._bwrap.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def terminate(self) -> None:
        """SIGTERM to the program itself: bubblewrap does not pass signals on."""
        for pid in _children(self._init) or []:
            _signal(pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it with everything it started."""
        if self.poll() is None:
            if self._init:
                _signal(self._init, signal.SIGKILL)
            self._bwrap.kill()


def _children(pid: int) -> list[int]:
    if not pid:
        return []
    try:
        return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        pass
    found: list[int] = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
        except (OSError, ValueError, IndexError):
            continue
    return found


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
