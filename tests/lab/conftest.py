"""One lab for all of these tests, in a folder of its own; nothing of it may be left at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator

import engine as engines
import pytest

from lab import layout, services, toolchain, workspace
from lab.plugins.kubernetes import cluster, kubeconfig


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[layout.Lab]:
    """A running lab: control plane, emulated clouds, plugins, node agent."""
    toolchain.ensure_system_packages(print, tests=True)
    toolchain.ensure(report=print)
    made = layout.create(tmp_path_factory.mktemp("lab"))
    os.environ["LAB_HOME"] = str(made.home)
    services.up(made, print)
    workspace.prepare(made)
    yield made
    services.down(made, print)
    left = engines.processes_under(made.home)
    assert left == [], "the lab stops everything that it started"


@pytest.fixture(scope="session")
def engine(lab: layout.Lab) -> engines.Engine:
    """The real Pulumi engine on the lab's stack."""
    return engines.Engine(lab)


@pytest.fixture(scope="module")
def control_plane(lab: layout.Lab) -> None:
    """An API server that answers: with a cluster that a test destroyed it went as well."""
    services.up(lab, print)


@pytest.fixture(scope="module")
def cluster_kubeconfig(lab: layout.Lab, control_plane: None) -> str:
    """Path of an administrator's kubeconfig for the lab's API server."""
    return str(lab.kubeconfig)


@pytest.fixture
def api(cluster_kubeconfig: str) -> cluster.Cluster:
    """The lab's API server, as the kubernetes plugin sees it."""
    return cluster.Cluster(kubeconfig.access(kubeconfig.parse(cluster_kubeconfig)))
