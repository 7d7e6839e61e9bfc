"""Check the real charts against the values that the program sets for every committed stack and variant.

Each pinned chart is fetched from where it is published, has to know every key, has to render, each container has to ask
for CPU and memory, and an API server has to accept what is rendered (a strict dry run).

Exit code 0: all of that holds. 1: a fault: a chart does not know a key, does not render, has a container that asks for
nothing, or renders what the API server refuses; or its repository answers and does not have the pinned version. 3:
nothing of that, but a repository did not answer (no such name, a refused connection, a time-out, 5xx), so that nothing
is known about its charts. 2: wrong usage, or a tool is missing.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import tempfile
from collections.abc import Iterable

from lab import layout, toolchain
from tests.charts import cases, checking, dryrun, helm

FINE, WRONG, USAGE, UNKNOWN = 0, 1, 2, 3
TOOLS = ("helm", *dryrun.TOOLS)


def main(arguments: list[str] | None = None) -> int:
    """Run the check; the exit code."""
    words = argparse.ArgumentParser(prog="python -m tests.charts", description=__doc__,
                                    formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    words.add_argument("--mirror", metavar="URL", help="fetch every chart from this repository instead of its own")
    words.add_argument("--chart", metavar="NAME", action="append", help="check this chart only (may be repeated)")
    given = words.parse_args(arguments)
    found = {name: toolchain.find(name) for name in TOOLS}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        print(f"error: no {', no '.join(missing)}: run `python -m lab.toolchain {' '.join(missing)}`", file=sys.stderr)
        return USAGE
    wanted = [case for case in cases.everything() if not given.chart or case.chart in given.chart]
    if not wanted:
        print(f"error: the program installs no chart named {', '.join(given.chart)}", file=sys.stderr)
        return USAGE
    try:
        with tempfile.TemporaryDirectory() as folder, dryrun.serving(pathlib.Path(folder)) as server:
            return check(str(found["helm"]), wanted, given.mirror, server)
    except layout.LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE


def check(helm_path: str, wanted: Iterable[cases.Case], mirror: str | None, server: dryrun.Server) -> int:
    """Check these cases, telling what was found; the exit code."""
    by_source: dict[tuple[str, str, str], list[cases.Case]] = {}
    for case in wanted:
        repository = (mirror or case.repository).rstrip("/")
        by_source.setdefault((case.chart, case.version, repository), []).append(case)
    wrong, unknown = 0, 0
    every = dryrun.Rendered()
    with tempfile.TemporaryDirectory() as scratch:
        for number, (source, same) in enumerate(by_source.items()):
            name, version, repository = source
            try:
                archive = helm.fetch(helm_path, name, version, repository, pathlib.Path(scratch, str(number)))
            except helm.Unreachable as error:
                unknown += 1
                _say(f"UNKNOWN  {name} {version}: {repository} does not answer", [str(error)])
                continue
            except helm.Refused as error:
                wrong += 1
                _say(f"WRONG    {name} {version}: not in {repository}", [str(error)])
                continue
            wrong += _tell(f"{name} {version} ({', '.join(case.environment for case in same)})",
                           checking.lines(checking.look(helm_path, archive, same, every)))  # fmt: skip
    # After all of them, since a chart may use a kind that another one brings.
    if len(every):
        refused = [*server.install(every.definitions()), *checking.lines(every.problems(server))]
        wrong += _tell(f"strict dry run of {len(every)} objects", refused)
    if unknown:
        advice = "nothing is known about them: try again later, check the network, or give --mirror"
        print(f"error: {unknown} of {len(by_source)} charts could not be fetched; {advice}", file=sys.stderr)
    if wrong:
        print(f"error: {wrong} finding{'' if wrong == 1 else 's'}: mend the values or the pin", file=sys.stderr)
    return WRONG if wrong else UNKNOWN if unknown else FINE


def _tell(label: str, problems: list[str]) -> int:
    _say(f"{'WRONG   ' if problems else 'ok      '} {label}", problems)
    return len(problems)


def _say(line: str, details: Iterable[str]) -> None:
    print(line)
    for detail in details:
        print("\n".join(f"           {part}" for part in detail.splitlines()), flush=True)


if __name__ == "__main__":
    sys.exit(main())
