"""What an app owner's namespace costs at preview and at `up`: the same stack without owners, with half and with all."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from typing import Any

import yaml

from lab import layout, workspace

OWNERS = int(os.environ.get("BENCH_OWNERS", "200"))
RUNS = 3


def measure(lab: layout.Lab, pulumi: Callable[..., None], seconds: Callable[..., float]) -> dict[str, float]:
    """Times for `OWNERS` namespaces on a stack that is up, which stays as it was.

    `preview_growth`: what the second half costs at preview by what the first half costs; 1 is linear.
    """
    file = workspace.config_file(lab)
    before = file.read_text()

    def owners(count: int, *, gone: int = 0) -> None:
        config: dict[str, Any] = yaml.safe_load(before)
        names = [f"bench-{number}" for number in range(max(count, gone))]
        section = config["config"].setdefault("gitops-platform:appOwners", [])
        if count:
            section.append({"organization": "bench", "namespaces": names[:count]})
        config["config"]["gitops-platform:confirmRemoval"] = names[:gone]
        file.write_text(yaml.safe_dump(config, sort_keys=False))

    try:
        counts = [0, OWNERS // 2, OWNERS]
        times: dict[int, list[float]] = {count: [] for count in counts}
        for _ in range(RUNS):
            for count in counts:
                owners(count)
                times[count].append(seconds(lambda: pulumi("preview")))
        none, half, full = (statistics.median(times[count]) for count in counts)
        owners(0)
        without = seconds(lambda: pulumi("up", "--yes", "--skip-preview"))
        owners(OWNERS)
        up = seconds(lambda: pulumi("up", "--yes", "--skip-preview"))
        owners(0, gone=OWNERS)
        pulumi("up", "--yes", "--skip-preview")
    finally:
        file.write_text(before)
    return {
        f"preview_{OWNERS}_owners_s": full,
        "preview_ms_per_owner": 1000 * (full - none) / OWNERS,
        "preview_growth": (full - half) / (half - none),
        "up_ms_per_owner": 1000 * (up - without) / OWNERS,
    }
