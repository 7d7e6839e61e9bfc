"""Faults that a test orders: the next matching requests fail, are slow, or end badly."""

from __future__ import annotations

import dataclasses
import re
import threading
import typing

from lab.cloud import answers

FIELDS = {"method", "path", "status", "message", "state", "seconds", "times"}


@dataclasses.dataclass
class Fault:
    """What happens to the next `times` requests whose method and path (a whole-path pattern below the root) match.

    `status` (with `message`): that is the answer, and nothing else happens. Otherwise the request is carried out,
    takes `seconds`, and leaves its object in `state` (such as FAILED).
    """

    method: str = "[A-Z]+"
    path: str = ".*"
    status: int | None = None
    message: str = "fault ordered by a test"
    state: str | None = None
    seconds: float | None = None
    times: int = 1


class Faults:
    """The orders that are still open. A restarted emulator has none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[Fault] = []

    def order(self, body: typing.Any) -> None:
        """Add one; ApiError 422 when it is none."""
        if not isinstance(body, dict) or set(body) - FIELDS:
            raise answers.ApiError(422, f"a fault is an object with some of {', '.join(sorted(FIELDS))}")
        with self._lock:
            self._open.append(Fault(**body))

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._open.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The first order for such a request, one time used up; ApiError when it says to answer so."""
        with self._lock:
            for fault in self._open:
                if re.fullmatch(fault.method, method) and re.fullmatch(fault.path, path):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._open.remove(fault)
                    if fault.status is not None:
                        raise answers.ApiError(fault.status, fault.message)
                    return fault
        return None

    def show(self) -> list[dict[str, typing.Any]]:
        """The open orders."""
        with self._lock:
            return [dataclasses.asdict(fault) for fault in self._open]
