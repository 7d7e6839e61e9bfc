"""Which copies of the tools the machine already has: the first one on PATH whose version will do."""

import collections.abc
import functools
import os
import pathlib
import subprocess

from lab.toolchain import cache, model

# A cold start of the largest of them took 1.2 s.
ASK_SECONDS = 20.0
QUIET = {"PULUMI_SKIP_UPDATE_CHECK": "1", "KUBECONFIG": os.devnull}


def candidates(name: str) -> collections.abc.Iterator[pathlib.Path]:
    """Yield every executable of this name on PATH, in order; none out of the tool cache, which is asked by itself."""
    ours = cache.root()
    for entry in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = pathlib.Path(entry or ".").absolute() / name
        if not path.is_relative_to(ours) and path.is_file() and os.access(path, os.X_OK):
            yield path


def version(path: pathlib.Path, fit: model.Fit, name: str | None = None) -> model.Version | None:
    """Return the version a binary tells, started under this name; None when it tells none."""
    status = path.stat()
    return _version(path, fit, name or str(path), (status.st_mtime_ns, status.st_size))


@functools.cache
def _version(path: pathlib.Path, fit: model.Fit, name: str, _seen: tuple[int, int]) -> model.Version | None:
    try:
        asked = subprocess.run(
            [name, *fit.ask],
            executable=path,
            env=os.environ | QUIET,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ASK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return fit.version(asked.stdout + asked.stderr)


def tool(wanted: model.Tool) -> dict[str, pathlib.Path] | None:
    """Return the tool's binaries when PATH has a copy that will do, else None.

    Companions have no version of their own to ask for, so only those beside the main binary's real path will do.
    """
    path = _first(wanted.name, wanted.fit)
    if not path:
        return None
    found = {wanted.name: path}
    if wanted.aliases:
        folder = cache.links(dict.fromkeys(wanted.aliases, path))
        found |= {name: folder / name for name in wanted.aliases}
    found |= {name: path.resolve().with_name(name) for name in wanted.companions}
    return found if all(os.access(binary, os.X_OK) for binary in found.values()) else None


def system(wanted: model.SystemTool) -> pathlib.Path | None:
    """Return the system's copy when it will do; a stand-in's path is a link in the cache that bears the right name."""
    if path := _first(wanted.name, wanted.fit):
        return path
    for path in candidates(wanted.stand_in) if wanted.stand_in else ():
        found = version(path, wanted.fit, wanted.name)
        if found and wanted.fit.accepts(found):
            return cache.links({wanted.name: path}) / wanted.name
    return None


def _first(name: str, fit: model.Fit) -> pathlib.Path | None:
    for path in candidates(name):
        found = version(path, fit)
        if found and fit.accepts(found):
            return path
    return None
