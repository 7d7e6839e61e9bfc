"""Which loopback networks the labs of this user hold, so that two labs made at the same instant do not meet.

A claim is a link, named by the network, to the `lab.json` of the lab that holds it. It holds as long as that file
names the network: removing a lab's folder, by whatever means, gives its network back.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
from collections.abc import Iterator


def folder() -> pathlib.Path:
    """Where the claims lie: gitops-platform/networks in $XDG_STATE_HOME or ~/.local/state."""
    base = os.environ.get("XDG_STATE_HOME", "")
    # The XDG specification: a relative path is to be ignored.
    state = pathlib.Path(base) if os.path.isabs(base) else pathlib.Path.home() / ".local" / "state"
    return state / "gitops-platform" / "networks"


@contextlib.contextmanager
def choosing() -> Iterator[None]:
    """Only one lab at a time looks for a network, until its `lab.json` is written."""
    claims = folder()
    claims.mkdir(parents=True, exist_ok=True)
    with (claims / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def held(network: int) -> bool:
    """Whether a lab holds this network, running or not."""
    try:
        return bool(json.loads((folder() / str(network)).read_text())["network"] == network)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def claim(network: int, lab_file: pathlib.Path) -> None:
    """Take a network that nobody holds for the lab of this file; to be called while `choosing`."""
    link = folder() / str(network)
    link.unlink(missing_ok=True)
    link.symlink_to(lab_file)
