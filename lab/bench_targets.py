"""What the measurements of the bench have to stay within. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

TARGETS: dict[str, float] = {
    "program_start_s - sdk_import_s": 0.2,
    "preview_ratio": 1.6,
    "noop_up_ratio": 2.1,
    "up_s": 120,
    "lab_ready_s": 20,
    "lab_rss_mb": 4096,
    "resources": 100,
    "state_bytes": 1e6,
    "up_ready_ratio": 1,
    "preview_ms_per_owner": 50,
}
"""What is measured, or a difference of two such -> the most that it may be."""


def table(result: Mapping[str, float]) -> Iterator[str]:
    """A line per target: met or missed, what was measured, the limit."""
    width = max(map(len, TARGETS))
    for name, limit in TARGETS.items():
        first, *others = name.split(" - ")
        value = result[first] - sum(result[other] for other in others)
        verdict = "met   " if value <= limit else "MISSED"
        yield f"{verdict}  {name:{width}}  {value:>12,.3f}  <= {limit:,g}"
