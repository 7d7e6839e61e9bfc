"""Helm as the check uses it: fetch a chart, read it, render it."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import tarfile
from typing import Any

import yaml

from tests.charts import keys

SECONDS = 120

STATUS = re.compile(r"(?: : |status(?: code)? |: )([1-5]\d\d)\b")
"""How helm 3.21 tells a server's answer: `failed to fetch URL : 404 Not Found`, `response status code 503: …`."""
SILENCE = re.compile(
    r"no such host|server misbehaving|failure in name resolution|time(?:d )?out|deadline exceeded"
    r"|connection refused|connection reset|network is unreachable|no route to host|\bEOF\b",
    re.IGNORECASE,
)
"""What Go's network package says when there was no answer at all."""


class Unreachable(Exception):
    """Nobody answered, or not with an answer: nothing is known about the chart."""


class Refused(Exception):
    """The repository has no such chart, or the chart does not render with these values."""


def fetch(helm: str, chart: str, version: str, repository: str, folder: pathlib.Path) -> pathlib.Path:
    """The chart's archive; HELM_* variables, proxies and registry logins apply as they do to `helm pull`.

    The list of repositories that `helm repo add` keeps does not, unless HELM_REPOSITORY_CONFIG names one: `helm pull`
    fails when any repository in it is stale (seen with 3.21).

    Raises:
        Refused: the repository answered, and has no such chart under this version.
        Unreachable: it did not answer, or with an error of its own (5xx).
    """
    own = {"HELM_REPOSITORY_CONFIG": str(folder / "repositories.yaml"), "HELM_REPOSITORY_CACHE": str(folder / "cache")}
    source = [f"{repository}/{chart}"] if repository.startswith("oci://") else [chart, "--repo", repository]
    folder.mkdir(parents=True)
    try:
        _run(helm, "pull", *source, "--version", version, "--destination", str(folder), defaults=own)
    except Refused as error:
        if unanswered(str(error)):
            raise Unreachable(str(error)) from None
        raise
    return next(folder.glob("*.tgz"))


def unanswered(message: str) -> bool:
    """Whether Helm's message (its exit code is always 1) says that nothing is known of what was asked for.

    A repository that answers 404, with a page that is no index, or with an index that lacks the chart, has answered.
    """
    status = STATUS.search(message)
    if status:
        # 429: asked too often, the one answer below 500 that says nothing of the chart.
        return int(status[1]) >= 500 or status[1] == "429"
    return bool(SILENCE.search(message))


def read(source: pathlib.Path) -> keys.Chart:
    """What a chart (an archive or a folder) says of its values; a subchart's name is a key."""
    texts = _folder(source) if source.is_dir() else _archive(source)
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
    helm: str, source: pathlib.Path, release: str, namespace: str, kubernetes: str, values: Any
) -> list[dict[str, Any]]:
    """`helm template`: its objects, CRDs among them; Refused with Helm's words when that fails."""
    target = ["--namespace", namespace, "--kube-version", kubernetes, "--include-crds", "--values", "-"]
    text = _run(helm, "template", release, str(source), *target, stdin=yaml.safe_dump(values))
    try:
        return [document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document]
    except yaml.YAMLError as error:
        raise Refused(f"what it renders is no YAML: {error}") from None


def _archive(path: pathlib.Path) -> dict[str, str]:
    with tarfile.open(path) as packed:
        return {
            member.name.partition("/")[2]: file.read().decode(errors="replace")
            for member in packed.getmembers()
            if (file := packed.extractfile(member)) is not None
        }


def _folder(path: pathlib.Path) -> dict[str, str]:
    files = [file for file in path.rglob("*") if file.is_file()]
    return {str(file.relative_to(path)): file.read_text(errors="replace") for file in files}


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
