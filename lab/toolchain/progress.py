"""One line per build: its start and end in a log, an elapsed time that counts up on a terminal."""

import collections.abc
import pathlib
import resource
import shutil
import sys
import time
import types
import typing

ERASE = "\r\x1b[K"


def duration(seconds: float) -> str:
    """Return seconds as people read them: 7s, 3m12s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


class Watch:
    """What passes from here on: time, and processor time of the processes that this one started and that have ended."""

    def __init__(self) -> None:
        """Start it."""
        self._began = time.monotonic()
        self._used = _processor_seconds()

    def __str__(self) -> str:
        """Return both as people read them: 24m10s (43m02s of processor time)."""
        used = duration(_processor_seconds() - self._used)
        return f"{duration(time.monotonic() - self._began)} ({used} of processor time)"


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Line:
    """The progress line of one build: `building argocd v3.2.6 (4 of 9) …  3m12s`."""

    def __init__(self, what: str, report: collections.abc.Callable[[str], None], *, live: bool) -> None:
        """Prepare the line; live lets it be rewritten on standard output."""
        self._what = what
        self._report = report
        self._live = live
        self._began = 0.0

    def __enter__(self) -> typing.Self:
        """Say that the build starts."""
        self._began = time.monotonic()
        if not self._live:
            self._report(f"{self._what} …")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: types.TracebackType | None
    ) -> None:
        """Say how long it took; nothing on failure, which its error tells better."""
        if self._live:
            sys.stdout.write(ERASE)
            sys.stdout.flush()
        if kind is None:
            self._report(f"{self._what} …  {self._elapsed()}")

    def tick(self, log: pathlib.Path) -> None:
        """Rewrite the line with the time that has passed and the module that go is downloading, if it is."""
        if not self._live:
            return
        lines = log.read_text(errors="replace").splitlines()[-1:]
        doing = lines[0].removeprefix("go: ") if lines and lines[0].startswith("go: downloading") else "compiling"
        text = f"{self._what} …  {self._elapsed()}  {doing}"
        sys.stdout.write(ERASE + text[: shutil.get_terminal_size().columns - 1])
        sys.stdout.flush()

    def _elapsed(self) -> str:
        return duration(time.monotonic() - self._began)
