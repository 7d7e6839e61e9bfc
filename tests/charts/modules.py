"""Real charts and CRDs out of Go modules, at the versions of the pins.

Some projects keep their chart beside their code, and so in their Go module, which the module proxy has. Its own
version number may be an older one than the pin's; the templates are those of the application's version.
"""

from __future__ import annotations

import functools
import json
import pathlib
import subprocess
import tempfile
from collections.abc import Iterator
from typing import Any

import yaml

from components.addons import charts
from lab.toolchain import gobuild

SECONDS = 300

CHARTS = {
    charts.SEALED_SECRETS: ("github.com/bitnami/sealed-secrets", "helm/sealed-secrets"),
    charts.EXTERNAL_DNS: ("sigs.k8s.io/external-dns", "charts/external-dns"),
    charts.CERT_MANAGER: ("github.com/cert-manager/cert-manager", "deploy/charts/cert-manager"),
}
"""Pin -> Go module of the application, and the chart's folder in it."""
DEFINITIONS = {
    charts.ARGO_CD: ("github.com/argoproj/argo-cd", "manifests/crds/*-crd.yaml"),
    charts.TRAEFIK: ("github.com/traefik/traefik", "docs/content/reference/dynamic-configuration/traefik.io_*.yaml"),
}
"""Pin -> Go module of the application (but for its major version) and the files of its CRDs; the chart is elsewhere."""


def chart(pin: charts.Chart) -> pathlib.Path:
    """The folder of a chart, for reading."""
    module, path = CHARTS[pin]
    return _module(module, pin.app_version) / path


def definitions() -> Iterator[dict[str, Any]]:
    """The CRDs of pinned applications whose chart is in no Go module."""
    for pin, (module, files) in DEFINITIONS.items():
        major = pin.app_version.lstrip("v").partition(".")[0]
        for file in sorted(_module(f"{module}/v{major}", pin.app_version).glob(files)):
            yield from yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader)


@functools.cache
def _module(module: str, version: str) -> pathlib.Path:
    asked = f"{module}@v{version.lstrip('v')}"
    # Outside of any module, so that no go.mod has a say.
    with tempfile.TemporaryDirectory() as nowhere:
        done = subprocess.run(
            [gobuild.go(), "mod", "download", "-json", asked], cwd=nowhere, env=gobuild.environment(),
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
    if done.returncode:
        raise AssertionError(f"Go module {asked} could not be fetched: {(done.stdout + done.stderr).strip()}")
    return pathlib.Path(json.loads(done.stdout)["Dir"])
