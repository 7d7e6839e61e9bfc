"""Measure the program and the lab: `make bench`. Before its end it says which targets (`lab.bench_targets`) are met
and missed, which is no failure; the last line printed is one JSON object.

Times are wall seconds, medians of at least three runs; what is compared is run in turn, A B A B, since a
shared machine's speed drifts. Quote ratios, not seconds. `up_s` is one run, and so are `up_ready_s` (from nothing until
`python -m ops ready` is content) and `manual_ready_s` (`lab.manual`, until the same check is), on the same lab.
"""

from __future__ import annotations

import ast
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

import yaml

from lab import bench_owners, bench_targets, layout, manual, processes, services, stopping, toolchain, workspace

RUNS = 5
SDKS = "import pulumi, pulumi_kubernetes, pulumi_aws, pulumi_ionoscloud, pulumi_tls"


def main() -> int:
    """Run every measurement in a lab of its own and print the result."""
    stopping.hand_on_interrupts()
    toolchain.ensure_system_packages(print)
    toolchain.ensure(report=print)
    with tempfile.TemporaryDirectory(prefix="gitops-platform-bench-") as folder:
        os.environ["LAB_HOME"] = folder + "/lab"
        lab = layout.create(pathlib.Path(folder) / "lab")
        try:
            result = _measure(lab, pathlib.Path(folder))
        finally:
            services.down(lab, _say)
    _say("targets")
    for line in bench_targets.table(result):
        _say(line)
    print(json.dumps(result))
    return 0


def _measure(lab: layout.Lab, scratch: pathlib.Path) -> dict[str, float]:
    _say("program start")
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "STACK_CONFIG": _stack_config("sbx")}
    start = _start()
    started, imported = _alternate(
        lambda: _run([sys.executable, "-c", start], environment),
        lambda: _run([sys.executable, "-c", SDKS], environment),
    )
    _say("lab, three times from nothing; the last one stays")
    ready = statistics.median([*(_fresh_lab(scratch / f"lab-{number}") for number in range(2)), _ready(lab)])
    environment = {**workspace.process_environment(lab), "PYTHONDONTWRITEBYTECODE": ""}
    empty = _empty_project(scratch, environment)

    def pulumi(*arguments: str) -> None:
        _run(["pulumi", *arguments, "--non-interactive"], environment)

    def empty_preview() -> None:
        _run(["pulumi", "preview", "--non-interactive"], _outside(environment), cwd=empty)

    _say("preview of a fresh stack, and of an empty program")
    preview, empty_first = _alternate(lambda: pulumi("preview"), empty_preview)
    _say("up from nothing")
    up = _seconds(lambda: pulumi("up", "--yes", "--skip-preview"))
    check = _seconds(lambda: _run([sys.executable, "-m", "ops", "ready", workspace.STACK], environment))
    _say("up without changes, and preview of an empty program")
    noop, empty_second = _alternate(lambda: pulumi("up", "--yes", "--skip-preview"), empty_preview)
    state = _output(["pulumi", "stack", "export"], environment)
    result = {
        "program_start_s": started,
        "sdk_import_s": imported,
        "empty_preview_s": statistics.median([empty_first, empty_second]),
        "preview_s": preview,
        "preview_ratio": preview / empty_first,
        "noop_up_s": noop,
        "noop_up_ratio": noop / empty_second,
        "up_s": up,
        "lab_ready_s": ready,
        "lab_rss_mb": _memory(lab),
        "resources": len(json.loads(state)["deployment"]["resources"]),
        "state_bytes": len(state),
    }
    _say(f"{bench_owners.OWNERS} app owners")
    result |= bench_owners.measure(lab, pulumi, _seconds)
    _say("destroy")
    pulumi("destroy", "--yes", "--skip-preview")
    _say("the same by hand")
    by_hand = _seconds(lambda: manual.make(lab, _say))
    result |= {"up_ready_s": up + check, "manual_ready_s": by_hand, "up_ready_ratio": (up + check) / by_hand}
    return {key: round(value, 3) for key, value in result.items()}


def _ready(lab: layout.Lab) -> float:
    return _seconds(lambda: (services.up(lab, _say), workspace.prepare(lab)))


def _fresh_lab(folder: pathlib.Path) -> float:
    lab = layout.create(folder)
    try:
        return _ready(lab)
    finally:
        services.down(lab, _say)


def _start() -> str:
    """What the program does before its first resource: the imports of `__main__.py`, then the settings."""
    story = ast.parse((layout.PROJECT / "__main__.py").read_text())
    imports = [ast.unparse(node) for node in story.body if isinstance(node, ast.Import | ast.ImportFrom)]
    parse = 'import json, os; config.parse(json.loads(os.environ["STACK_CONFIG"]), "sbx", set())'
    return "\n".join([SDKS, *imports, parse])


def _stack_config(stack: str) -> str:
    """A committed stack's configuration as the engine hands it over: mappings are JSON texts in a JSON object."""
    given = yaml.safe_load((layout.PROJECT / f"Pulumi.{stack}.yaml").read_text())["config"]
    return json.dumps({key.partition(":")[2]: json.dumps(value) for key, value in given.items()})


def _alternate(first: Callable[[], None], second: Callable[[], None]) -> tuple[float, float]:
    """Medians of both, run in turn after one run of each that does not count."""
    first()
    second()
    pairs = [(_seconds(first), _seconds(second)) for _ in range(RUNS)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def _seconds(action: Callable[[], object]) -> float:
    begin = time.monotonic()
    action()
    return time.monotonic() - begin


def _run(argv: Sequence[str], environment: dict[str, str], cwd: pathlib.Path = layout.PROJECT) -> None:
    _output(argv, environment, cwd)


def _output(argv: Sequence[str], environment: dict[str, str], cwd: pathlib.Path = layout.PROJECT) -> str:
    done = subprocess.run(argv, cwd=cwd, env=environment, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(argv[:3])} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def _empty_project(scratch: pathlib.Path, environment: dict[str, str]) -> pathlib.Path:
    project = scratch / "empty"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: empty\nruntime: python\n")
    (project / "__main__.py").write_text("import pulumi\n")
    _run(["pulumi", "stack", "init", "empty", "--non-interactive"], _outside(environment), cwd=project)
    return project


def _outside(environment: dict[str, str]) -> dict[str, str]:
    """The environment without what names the lab's stack."""
    return {k: v for k, v in environment.items() if k not in ("PULUMI_STACK", "PULUMI_OPTION_CONFIG_FILE")}


def _memory(lab: layout.Lab) -> float:
    """Proportional memory of the lab's processes and all their descendants, in MB."""
    parents: dict[int, int] = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    ours = {found.pid for name in processes.names(lab) if (found := processes.record(lab, name))}
    size = 0
    while size != len(ours):
        size = len(ours)
        ours |= {pid for pid, parent in parents.items() if parent in ours}
    total = 0
    for pid in ours:
        try:
            lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def _say(text: str) -> None:
    print(f"  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
