"""What holds for every test: the longest first, an event loop of its own, and no quiet skip.

A test that is skipped proves nothing: in CI that is a failure, unless its marker says why it may be.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Generator
from typing import Any

import pytest

from lab import stopping


def pytest_configure(config: pytest.Config) -> None:
    stopping.hand_on_interrupts()
    config.addinivalue_line("markers", "may_skip(reason): this test may be skipped in CI, too")


LONGEST = ("test_lifecycle.py", "test_faults.py")
"""Files that take five minutes or more: with several workers they begin first, and the others fill the gaps."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(autouse=True)
def _loop() -> Generator[None, None, None]:
    """An event loop for each test. What waits on it for good, such as an Output outside of a run, ends with it."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    report = yield
    quiet = report.skipped and not hasattr(report, "wasxfail") and not item.get_closest_marker("may_skip")
    if quiet and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped: {report.longrepr[2]}"
    return report
