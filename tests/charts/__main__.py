"""Render the real charts with the values that the program sets for every committed stack and variant.

Exit code 0: all charts were fetched, know every key and render, and each container asks for CPU and memory. 1: a chart
does not know a key, does not render, has a container that asks for nothing, or its repository does not have the pinned
version. 3: nothing of that, but a chart could not be fetched, so that nothing is known about it. 2: wrong usage, or no
helm.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import tempfile
from collections.abc import Iterable, Iterator

from lab import toolchain
from tests.charts import cases, containers, helm, keys

FINE, WRONG, USAGE, UNKNOWN = 0, 1, 2, 3


def main(arguments: list[str] | None = None) -> int:
    """Run the check; the exit code."""
    words = argparse.ArgumentParser(prog="python -m tests.charts", description=__doc__,
                                    formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    words.add_argument("--mirror", metavar="URL", help="fetch every chart from this repository instead of its own")
    words.add_argument("--chart", metavar="NAME", action="append", help="check this chart only (may be repeated)")
    given = words.parse_args(arguments)
    found = toolchain.find("helm")
    if found is None:
        print("error: no helm: install version 3, or run `python -m lab.toolchain helm`", file=sys.stderr)
        return USAGE
    wanted = [case for case in cases.everything() if not given.chart or case.chart in given.chart]
    if not wanted:
        print(f"error: the program installs no chart named {', '.join(given.chart)}", file=sys.stderr)
        return USAGE
    return check(str(found), wanted, given.mirror)


def check(helm_path: str, wanted: Iterable[cases.Case], mirror: str | None) -> int:
    """Check these cases, telling what was found; the exit code."""
    by_source: dict[tuple[str, str, str], list[cases.Case]] = {}
    for case in wanted:
        repository = (mirror or case.repository).rstrip("/")
        by_source.setdefault((case.chart, case.version, repository), []).append(case)
    wrong, unknown = 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        for number, (source, same) in enumerate(by_source.items()):
            name, version, repository = source
            try:
                archive = helm.fetch(helm_path, name, version, repository, pathlib.Path(scratch, str(number)))
            except helm.Unreachable as error:
                unknown += 1
                _say(f"UNKNOWN  {name} {version}: could not be fetched from {repository}", [str(error)])
                continue
            except helm.Refused as error:
                wrong += 1
                _say(f"WRONG    {name} {version}: not in {repository}", [str(error)])
                continue
            problems = _problems(helm_path, archive, same)
            wrong += len(problems)
            label = f"{name} {version} ({', '.join(case.environment for case in same)})"
            _say(f"{'WRONG   ' if problems else 'ok      '} {label}", problems)
    if unknown:
        advice = "nothing is known about them: check the network, or give --mirror"
        print(f"error: {unknown} of {len(by_source)} charts could not be fetched; {advice}", file=sys.stderr)
    if wrong:
        print(f"error: {wrong} finding{'' if wrong == 1 else 's'}: mend the values or the pin", file=sys.stderr)
    return WRONG if wrong else UNKNOWN if unknown else FINE


def _problems(helm_path: str, archive: pathlib.Path, same: Iterable[cases.Case]) -> list[str]:
    """What is wrong with one chart, each thing once with the environments that have it."""
    chart = helm.read(archive)
    found: dict[str, list[str]] = {}
    rendered: dict[str, list[str]] = {}
    for case in same:
        for path in keys.unknown(chart, case.values):
            found.setdefault(f"the chart does not know {path}", []).append(case.environment)
        # Environments that differ in nothing that this chart sees are rendered once.
        text = repr((case.values, case.release, case.namespace, case.kubernetes_version))
        if text not in rendered:
            rendered[text] = list(_rendering(helm_path, archive, case))
        for problem in rendered[text]:
            found.setdefault(problem, []).append(case.environment)
    return [f"{problem} ({', '.join(environments)})" for problem, environments in found.items()]


def _rendering(helm_path: str, archive: pathlib.Path, case: cases.Case) -> Iterator[str]:
    """What is wrong with the chart as it renders for one case."""
    try:
        made = helm.render(helm_path, archive, case.release, case.namespace, case.kubernetes_version, case.values)
    except helm.Refused as error:
        yield f"does not render: {error}"
        return
    for container in containers.without_amounts(made):
        yield f"without requests of CPU and memory or without a limit of memory: {container}"


def _say(line: str, details: Iterable[str]) -> None:
    print(line)
    for detail in details:
        print("\n".join(f"           {part}" for part in detail.splitlines()), flush=True)


if __name__ == "__main__":
    sys.exit(main())
