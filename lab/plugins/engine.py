"""The environment of the engine at the other end of a connection.

A real plugin is started by the engine and inherits its environment; an attached one has to look. Linux only, and
only for processes of the same user; {} when it cannot be told.
"""

from __future__ import annotations

import contextlib
import pathlib

PROC = pathlib.Path("/proc")


def environment(peer: str) -> dict[str, str]:
    """The environment of the process that connected from `peer` ("ipv4:127.0.0.1:50123").

    Takes some 20 ms: ask only when the answer matters.
    """
    inode = _inode(peer)
    process = _holder(inode) if inode else None
    if process is None:
        return {}
    try:
        text = (process / "environ").read_bytes().decode(errors="replace")
    except OSError:
        return {}
    return dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)


def owner(peer: str, port: int) -> int | None:
    """The user id of the process that connected from `peer` to this port; None when there is no such connection."""
    found = _row(peer, port)
    return int(found[7]) if found else None


def _inode(peer: str) -> str:
    found = _row(peer)
    return found[9] if found else ""


def _row(peer: str, to: int | None = None) -> list[str]:
    """The fields of the kernel's table that tell of the connection's other end.

    `to`: the port that it goes to; another user may have the peer's address and port in a connection elsewhere.
    """
    scheme, address, port = peer.rsplit(":", 2) if peer.count(":") == 2 else ("", "", "")
    if scheme != "ipv4" or not port.isdigit():
        return []
    little = "".join(f"{int(part):02X}" for part in reversed(address.split(".")))
    mapped = "0000000000000000FFFF0000" + little
    wanted = {f"{little}:{int(port):04X}", f"{mapped}:{int(port):04X}"}
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (PROC / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                goes_there = to is None or fields[2].endswith(f":{to:04X}")
                if fields[1] in wanted and goes_there and fields[9] != "0":
                    return fields
    return []


def _holder(inode: str) -> pathlib.Path | None:
    for process in PROC.iterdir():
        if not process.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if any(_target(link) == f"socket:[{inode}]" for link in (process / "fd").iterdir()):
                return process
    return None


def _target(link: pathlib.Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""
