"""Requests at a steady rate, each on a connection of its own, and what became of them."""

from __future__ import annotations

import concurrent.futures
import http.client
import threading
import time
from typing import Self

SECONDS = 20.0
"""How long one request may take: what is slow on a busy machine is not lost."""


class Traffic:
    """GET `path` of `host` at an address, so many times a second, from entering the block to leaving it."""

    def __init__(self, where: tuple[str, int], host: str, path: str, per_second: int) -> None:
        self.lost: list[str] = []
        """Each request that was not answered 200: when it was sent (seconds from the beginning), and why."""
        self.sent = 0
        self.seconds = 0.0
        self._where, self._host, self._path, self._pause = where, host, path, 1 / per_second
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            while not self._end.is_set():
                late = began + self.sent * self._pause - time.monotonic()
                if late > 0:
                    self._end.wait(late)
                pool.submit(self._ask, time.monotonic() - began)
                self.sent += 1
            self.seconds = time.monotonic() - began

    def _ask(self, at: float) -> None:
        connection = http.client.HTTPConnection(*self._where, timeout=SECONDS)
        try:
            connection.request("GET", self._path, headers={"Host": self._host, "Connection": "close"})
            status = connection.getresponse().status
            if status != http.HTTPStatus.OK:
                self.lost.append(f"{at:.1f} s: {status}")
        except (OSError, http.client.HTTPException) as error:
            self.lost.append(f"{at:.1f} s: {error!r}")
        finally:
            connection.close()
