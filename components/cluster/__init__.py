"""Clusters: made on IONOS Cloud, or there already; to everything after them they look the same."""

from __future__ import annotations

from typing import TypeAlias

import pulumi

from components.cluster import existing, ionos

Cluster: TypeAlias = ionos.IonosCluster | existing.ExistingCluster
ClusterArgs: TypeAlias = ionos.IonosClusterArgs | existing.ExistingClusterArgs


def create(name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> Cluster:
    """The cluster that the arguments describe."""
    if isinstance(args, existing.ExistingClusterArgs):
        return existing.ExistingCluster(name, args)
    return ionos.IonosCluster(name, args, opts)
