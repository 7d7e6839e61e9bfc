"""`python -m lab.toolchain`: have the lab's tools ready, or see where they are."""

import argparse
import signal
import sys

from lab import stopping, toolchain
from lab.toolchain import cache, onpath

EXAMPLE = """\
examples:
  python -m lab.toolchain                 everything that `make demo` needs
  python -m lab.toolchain helm kubectl    these two
  python -m lab.toolchain --list          which version, and where it is
  export PATH="$(python -m lab.toolchain --bin-dir):$PATH"

A tool on PATH is used if its version fits. Built tools are kept in $GITOPS_PLATFORM_CACHE, else in
$XDG_CACHE_HOME/gitops-platform, else in ~/.cache/gitops-platform; removing that folder is safe.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m lab.toolchain",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="TOOL", help="tools to have ready (default: all)")
    parser.add_argument("--list", action="store_true", help="show each tool and where it is; build nothing")
    parser.add_argument("--bin-dir", action="store_true", help="print one folder for PATH with them; build nothing")
    options = parser.parse_args(arguments)
    stopping.clean_up()
    try:
        if options.list:
            _list()
        elif options.bin_dir:
            print(toolchain.bin_dir(options.names or None))
        else:
            _ensure(options.names)
    except toolchain.ToolchainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; what was compiled is kept, the same command goes on from there", file=sys.stderr)
        return 128 + signal.SIGINT
    return 0


def _ensure(names: list[str]) -> None:
    system = {tool.name for tool in toolchain.SYSTEM_TOOLS}
    if not names or system & set(names):
        toolchain.ensure_system_packages()
    ours = [name for name in names if name not in system]
    if ours or not names:
        toolchain.ensure(ours or None)
    print(f"ready: {toolchain.bin_dir(names or None)}")


def _list() -> None:
    rows: list[tuple[str, str, str]] = []
    for tool in toolchain.TOOLS:
        have = onpath.tool(tool)
        wanted = str(tool.fit) if have else tool.version
        where = have or cache.built(tool)
        rows.append((tool.name, wanted, str(where[tool.name]) if where else "not built yet"))
    for system in toolchain.SYSTEM_TOOLS:
        path = onpath.system(system)
        rows.append((system.name, str(system.fit), str(path) if path else f"not installed (package {system.package})"))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for name, version, where in rows:
        print(f"{name:<{widths[0]}}  {version:<{widths[1]}}  {where}")


if __name__ == "__main__":
    sys.exit(main())
