"""Helm as the check uses it: fetch a chart, read it, render it."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import tarfile
from typing import Any

import yaml

from tests.charts import keys

SECONDS = 120


class Unreachable(Exception):
    """A chart could not be fetched; nothing is known about it."""


class Refused(Exception):
    """The repository has no such chart, or the chart does not render with these values."""


def fetch(helm: str, chart: str, version: str, repository: str, folder: pathlib.Path) -> pathlib.Path:
    """The chart's archive; HELM_* variables, proxies and registry logins apply as they do to `helm pull`.

    The list of repositories that `helm repo add` keeps does not, unless HELM_REPOSITORY_CONFIG names one: `helm pull`
    fails when any repository in it is stale (seen with 3.21).
    """
    own = {"HELM_REPOSITORY_CONFIG": str(folder / "repositories.yaml"), "HELM_REPOSITORY_CACHE": str(folder / "cache")}
    source = [f"{repository}/{chart}"] if repository.startswith("oci://") else [chart, "--repo", repository]
    folder.mkdir(parents=True)
    try:
        _run(helm, "pull", *source, "--version", version, "--destination", str(folder), defaults=own)
    except Refused as error:
        # Helm says both with exit code 1.
        if f'version "{version}" not found' in str(error):
            raise
        raise Unreachable(str(error)) from None
    return next(folder.glob("*.tgz"))


def read(archive: pathlib.Path) -> keys.Chart:
    """What a chart says of its values; a subchart's name is a key."""
    with tarfile.open(archive) as packed:
        texts = {
            member.name.partition("/")[2]: file.read().decode(errors="replace")
            for member in packed.getmembers()
            if (file := packed.extractfile(member)) is not None
        }
    defaults: dict[str, Any] = yaml.safe_load(texts.get("values.yaml", "")) or {}
    subcharts = {path.split("/")[1] for path in texts if path.startswith("charts/") and path.endswith("/Chart.yaml")}
    schema = texts.get("values.schema.json")
    return keys.Chart(
        name=yaml.safe_load(texts["Chart.yaml"])["name"],
        defaults={**dict.fromkeys(subcharts), **defaults},
        schema=json.loads(schema) if schema else None,
        templates="".join(text for path, text in texts.items() if path.startswith("templates/")),
    )


def render(
    helm: str, archive: pathlib.Path, release: str, namespace: str, kubernetes: str, values: Any
) -> list[dict[str, Any]]:
    """What `helm template` makes; Refused with Helm's words when that fails."""
    target = ["--namespace", namespace, "--kube-version", kubernetes, "--include-crds", "--values", "-"]
    text = _run(helm, "template", release, str(archive), *target, stdin=yaml.safe_dump(values))
    return [document for document in yaml.load_all(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if document]


def _run(helm: str, *arguments: str, stdin: str | None = None, defaults: dict[str, str] | None = None) -> str:
    variables = {**(defaults or {}), **os.environ}
    try:
        done = subprocess.run(
            [helm, *arguments], env=variables, input=stdin, capture_output=True, text=True, timeout=SECONDS,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Unreachable(f"helm {arguments[0]} took longer than {SECONDS} s") from None
    if done.returncode:
        raise Refused(done.stderr.strip().removeprefix("Error: ") or f"helm ended with {done.returncode}")
    return done.stdout
