"""What the settings about availability and monitoring mean for the rest of a stack file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from settings import base, checks, cluster, errors

if TYPE_CHECKING:
    from settings import model

NONE = "none"
"""Instead of a PriorityClass's name: an empty text is as good as a key that is left out."""


def priority_class(value: str) -> str:
    """The name of a PriorityClass, or NONE."""
    if not (len(value) <= 253 and all(checks.HOST_LABEL.fullmatch(part) for part in value.split("."))):
        fix = "write the name of one that the cluster has, such as system-cluster-critical, or none"
        raise base.refuse(f"{checks.show(value)} is no name of a PriorityClass", fix)
    return value


def warnings(settings: model.Settings) -> Iterator[errors.Mistake]:
    """What works, but does not give what `availability: high` is for, or has no effect."""
    place = settings.cluster
    if settings.availability == "high" and isinstance(place, cluster.IonosCluster):
        pools = {"ingressPool": settings.addons.ingress.enabled, "defaultPool": not place.extra_pools}
        for key, matters in pools.items():
            if matters and place.pools()[key].fewest_nodes < 2:
                problem = "with availability high its only node must not fail"
                yield errors.Mistake(f"cluster.{key}", problem, "give it two nodes, or write availability: single")
    if settings.monitoring_labels and not settings.monitoring:
        yield errors.Mistake("monitoringLabels", "nothing uses them", "write monitoring: true, or remove them")
