"""A closed terminal or a `kill` ends a command as Ctrl-C does: with its clean-up."""

from __future__ import annotations

import signal
import sys
import types
import typing

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def clean_up() -> None:
    """End this process by SystemExit at these signals, except where its starter had it ignore them (`nohup`)."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def _stop(number: int, _frame: types.FrameType | None) -> typing.NoReturn:
    sys.exit(128 + number)
