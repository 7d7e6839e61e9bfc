"""The folder of built tools: outside the work tree, named by what went into each tool, filled under a lock."""

import collections.abc
import contextlib
import fcntl
import hashlib
import os
import pathlib
import platform
import shutil
import time

from lab.toolchain import errors, model

# Bumped when the way of building changes, so that older builds are not taken for current ones.
RECIPE = "1"
MODULES = pathlib.Path(__file__).resolve().parents[1] / "tools"

Report = collections.abc.Callable[[str], None]


def root() -> pathlib.Path:
    """Return the cache folder: $GITOPS_PLATFORM_CACHE, else gitops-platform in $XDG_CACHE_HOME or ~/.cache."""
    if chosen := os.environ.get("GITOPS_PLATFORM_CACHE"):
        return pathlib.Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a relative path is to be ignored.
    folder = pathlib.Path(base) if os.path.isabs(base) else pathlib.Path.home() / ".cache"
    return folder / "gitops-platform"


def tool_dir(tool: model.Tool) -> pathlib.Path:
    """Return the folder of this tool at this version, built or not."""
    digest = hashlib.sha256()
    for part in (RECIPE, platform.system(), platform.machine(), repr((tool.builds, tool.aliases, tool.scripts))):
        digest.update(part.encode() + b"\0")
    if tool.wheel:
        digest.update(repr(tool.wheel).encode() + b"\0")
    for module in tool.modules:
        for name in ("go.mod", "go.sum"):
            digest.update((MODULES / module / name).read_bytes() + b"\0")
    return root() / "tools" / f"{tool.name}-{tool.version}-{digest.hexdigest()[:10]}"


def built(tool: model.Tool) -> dict[str, pathlib.Path] | None:
    """Return the tool's binaries when it is in the cache, else None."""
    folder = tool_dir(tool) / "bin"
    found = {name: folder / name for name in tool.binaries}
    return found if all(os.access(path, os.X_OK) for path in found.values()) else None


@contextlib.contextmanager
def lock(report: Report) -> collections.abc.Generator[None]:
    """Hold the cache's only build lock: go uses every core, so two builds at once would only slow each other."""
    folder = root() / "tools"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / ".lock").open("a+")
    except OSError as error:
        raise errors.ToolchainError(
            f"cannot write to the tool cache {folder}: {error.strerror}; set GITOPS_PLATFORM_CACHE to a folder of yours"
        ) from error
    with handle:
        waiting = False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waiting:
                    handle.seek(0)
                    report(f"another build is running (process {handle.read().strip() or '?'}), waiting for it")
                    waiting = True
                time.sleep(0.2)
        handle.truncate(0)
        handle.write(f"{os.getpid()}\n")
        handle.flush()
        # Whoever left these died without cleaning up: it no longer holds the lock.
        for left in folder.glob(".tmp-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def links(found: dict[str, pathlib.Path]) -> pathlib.Path:
    """Return one folder with a link to each of these binaries; it is named by its content and never changed."""
    content = "\0".join(f"{name}={path}" for name, path in sorted(found.items()))
    folder = root() / "bin" / hashlib.sha256(content.encode()).hexdigest()[:10]
    if folder.is_dir():
        return folder
    fresh = folder.with_name(f".tmp-{folder.name}-{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for name, path in found.items():
        (fresh / name).symlink_to(path)
    try:
        fresh.rename(folder)
    except OSError:
        # Somebody else made the same one first.
        shutil.rmtree(fresh, ignore_errors=True)
        if not folder.is_dir():
            raise
    return folder
