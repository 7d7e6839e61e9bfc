"""A word to the person who waits. On stderr, so that what a command prints stays what it is."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import typer

QUIET_SECONDS = 2.0
"""After this, a person is told what is waited for."""


def say(what: str) -> None:
    """Tell what is waited for."""
    typer.echo(f"waiting for {what} …", err=True)


@contextlib.contextmanager
def announced(what: str) -> Iterator[None]:
    """Tell what is waited for, once the block takes longer than `QUIET_SECONDS`."""
    timer = threading.Timer(QUIET_SECONDS, say, [what])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
