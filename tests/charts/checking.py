"""What is wrong with charts as environments install them: keys that a chart does not know, what does not render,
containers that ask for nothing, and what an API server refuses of that which renders."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable

from tests.charts import cases, containers, dryrun, helm, keys, names

Problems = dict[str, list[str]]
"""Problem -> the environments that have it."""


def look(helm_path: str, source: pathlib.Path, same: Iterable[cases.Case], rendered: dryrun.Rendered) -> Problems:
    """Read a chart (an archive or a folder) and render it for these cases, adding to `rendered` what comes out."""
    chart = helm.read(source)
    found: Problems = {}
    done: dict[str, list[dryrun.Object] | str] = {}
    for case in same:
        for path in keys.unknown(chart, case.values):
            found.setdefault(f"the chart does not know {path}", []).append(case.environment)
        # Environments that differ in nothing that this chart sees are rendered once.
        text = repr((case.values, case.release, case.namespace, case.kubernetes_version))
        if text not in done:
            done[text] = _render(helm_path, source, case)
        objects = done[text]
        if isinstance(objects, str):
            found.setdefault(f"does not render: {objects}", []).append(case.environment)
        else:
            rendered.add(objects, case.namespace, case.environment)
            for problem in names.wrong(case, objects):
                found.setdefault(problem, []).append(case.environment)
            for container in containers.without_amounts(objects):
                problem = f"without requests of CPU and memory or without a limit of memory: {container}"
                found.setdefault(problem, []).append(case.environment)
    return found


def lines(problems: Problems) -> list[str]:
    """Each problem once, with the environments that have it."""
    return [f"{problem} ({', '.join(environments)})" for problem, environments in problems.items()]


def _render(helm_path: str, source: pathlib.Path, case: cases.Case) -> list[dryrun.Object] | str:
    try:
        return [*helm.render(helm_path, source, case.release, case.namespace, case.kubernetes_version, case.values)]
    except helm.Refused as error:
        return str(error)
