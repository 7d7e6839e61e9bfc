"""Whether a chart makes the objects without a namespace that the program looks for before it installs it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from components.addons import cluster_wide
from tests.charts import cases


def wrong(case: cases.Case, rendered: Iterable[Mapping[str, Any]]) -> list[str]:
    """What `components.addons.cluster_wide` says too much or too little of; nothing for an unknown chart."""
    if case.chart not in cluster_wide.CHARTS:
        return []
    kinds = cluster_wide.KINDS
    made = {str(cluster_wide.Object(one["kind"], one["metadata"]["name"])) for one in rendered if one["kind"] in kinds}
    release = cluster_wide.Release(case.chart, case.release, case.namespace, case.values)
    known = {str(one) for one in cluster_wide.objects(release)}
    return [
        *(f"cluster_wide.py does not know that it makes {name}" for name in sorted(made - known)),
        *(f"cluster_wide.py says that it makes {name}, which it does not" for name in sorted(known - made)),
    ]
