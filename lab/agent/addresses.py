"""Addresses for pods, from the lab's pod network; one that was given back comes round again only after all others."""

from __future__ import annotations

import collections.abc
import ipaddress
import threading


class Addresses:
    """Hands out addresses between `first` and `last`, leaving out those that end in .0 and .255."""

    def __init__(self, first: str, last: str, used: collections.abc.Mapping[str, str] | None = None) -> None:
        """`used`: pod uid -> the address that it has already."""
        self._first, self._last = int(ipaddress.IPv4Address(first)), int(ipaddress.IPv4Address(last))
        self._lock = threading.Lock()
        self._of: dict[str, int] = {}
        for uid, address in (used or {}).items():
            number = int(ipaddress.IPv4Address(address))
            if self._first <= number <= self._last:
                self._of[uid] = number
        self._next = max(self._of.values(), default=self._first - 1) + 1

    def take(self, uid: str) -> str:
        """The pod's address; the same one for as long as it lives."""
        with self._lock:
            if uid not in self._of:
                self._of[uid] = self._free()
            return str(ipaddress.IPv4Address(self._of[uid]))

    def give_back(self, uid: str) -> None:
        """The pod is gone."""
        with self._lock:
            self._of.pop(uid, None)

    def _free(self) -> int:
        used = set(self._of.values())
        for _ in range(self._last - self._first + 1):
            if self._next > self._last:
                self._next = self._first
            number, self._next = self._next, self._next + 1
            if number & 0xFF not in (0, 255) and number not in used:
                return number
        raise RuntimeError("every pod address of the lab is in use")
