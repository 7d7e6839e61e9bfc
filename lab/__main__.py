"""The lab's command line: `python -m lab --help`."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import Annotated

import rich.console
import rich.table
import typer

from lab import layout, processes, services, stopping, summary, toolchain, workspace

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A whole environment on this machine: control plane, emulated clouds, Pulumi stack `lab`.\n\n"
    "Example: python -m lab demo && source .lab/env && pulumi stack output",
)
console = rich.console.Console(highlight=False, soft_wrap=True)


def _say(text: str) -> None:
    console.print(f"  {text}")


@app.command()
def tools() -> None:
    """Build the tools that this machine lacks (once; half an hour on two cores)."""
    toolchain.ensure_system_packages(_say)
    toolchain.ensure(report=print)


@app.command()
def up() -> None:
    """Start the lab and prepare Pulumi for it; leaves what runs alone."""
    _, lost = _up()
    if lost:
        _say("something of the emulated cloud was lost: `make demo` or `pulumi up --refresh` makes it again")


@app.command()
def demo() -> None:
    """Start the lab, run `pulumi up`, wait until the environment works, and say what there is now."""
    started = time.monotonic()
    lab, lost = _up()
    ready = time.monotonic()
    command = ["pulumi", "up", "--yes", "--skip-preview", "--suppress-outputs"]
    if lost:
        _say("something of the emulated cloud was lost: asking it what is left (--refresh)")
        command.append("--refresh")
    if behind := workspace.left_behind(lab):
        _say(
            f"Pulumi.lab.yaml has changed since this lab copied it ({', '.join(behind)}): change "
            f"{workspace.config_file(lab)} likewise, or `make down` first"
        )
    console.print(f"\n[bold]pulumi up[/] (stack {workspace.STACK})")
    code = _run(lab, command)
    if code:
        # Pulumi names what was not ready in time; why it was not, this says.
        summary.explain(lab, console)
        raise typer.Exit(code)
    services.made_good(lab)
    made = time.monotonic()
    found = summary.check(lab, console)
    took = {"lab": ready - started, "pulumi up": made - ready, "ready check": time.monotonic() - made}
    summary.show(lab, console, found, took)


@app.command()
def down(
    keep: Annotated[bool, typer.Option(help="Stop the processes, keep stack and folder.")] = False,
    force: Annotated[bool, typer.Option(help="Remove the lab without destroying its stack first.")] = False,
) -> None:
    """Destroy the stack, stop every process, remove the lab's folder."""
    home = layout.home()
    if not (home / "lab.json").exists():
        _stop_strays(layout.Lab(home, 0, {}))
        return
    try:
        lab, damaged = layout.load(home), False
    except layout.LabError as error:
        _say(f"{error}: the stack cannot be destroyed, its emulated cloud goes with the folder")
        lab, damaged = layout.Lab(home, 0, {}), True
    with services.exclusive(lab):
        if not keep and not force and not damaged and workspace.has_resources(lab):
            _destroy(lab)
        services.down(lab, _say)
        if not keep:
            services.remove(lab)


def _stop_strays(lab: layout.Lab) -> None:
    """What a lab leaves whose folder was removed while it ran."""
    if found := services.strays(lab):
        console.print(f"No lab in {lab.home}, but processes of one: {', '.join(found)}.")
        services.down_without_folder(lab, _say)
    else:
        console.print(f"No lab in {lab.home}: nothing to do.")


def _destroy(lab: layout.Lab) -> None:
    try:
        services.up(lab, _say)
        workspace.prepare(lab)
    except (layout.LabError, toolchain.ToolchainError) as error:
        raise layout.LabError(
            f"{error}\n"
            "The stack can be destroyed in a lab that runs only. `python -m lab down --force` removes the lab without "
            "that; the emulated cloud goes with it"
        ) from None
    command = ["pulumi", "destroy", "--yes", "--skip-preview", "--refresh=false"]
    if _run(lab, command):
        raise layout.LabError(
            "`pulumi destroy` failed (above); the lab still runs. Try again, or give it up with "
            "`python -m lab down --force`, which removes everything of this lab"
        )


@app.command()
def status() -> None:
    """Say which processes run; exit code 1 when one is missing."""
    lab = layout.load()
    missing = services.dead(lab)
    table = rich.table.Table("process", "state", "log")
    for name in [*missing, *processes.names(lab)]:
        state = "[red]not running[/]" if name in missing else "running"
        if name not in missing or name not in processes.names(lab):
            table.add_row(name, state, str(lab.log(name)))
    console.print(table)
    if missing:
        raise layout.LabError("not running: " + ", ".join(missing) + "; `make demo` starts it again")


@app.command()
def run(command: Annotated[list[str], typer.Argument(help="Command and arguments, after --.")]) -> None:
    """Run a command with the lab's environment: python -m lab run -- pulumi preview --diff"""
    raise typer.Exit(_run(layout.load(), command))


def _up() -> tuple[layout.Lab, bool]:
    toolchain.ensure_system_packages(_say)
    toolchain.ensure(report=print)
    lab = layout.create()
    with services.exclusive(lab):
        console.print(f"[bold]lab[/] in {lab.home}")
        started = time.monotonic()
        services.up(lab, _say)
        workspace.prepare(lab)
        _say(f"ready after {time.monotonic() - started:.1f} s")
    return lab, services.lost(lab)


def _run(lab: layout.Lab, command: list[str]) -> int:
    process = subprocess.Popen(
        command,
        cwd=layout.PROJECT,
        env=workspace.process_environment(lab),
        # A terminal that is closed would kill it, and its lock would stay: this process tells it to end instead.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN) and None,
    )
    interrupted = False
    while True:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            # The terminal's Ctrl-C reaches the command as well: let it end in its own order.
            interrupted = True
            continue
        except SystemExit:
            # A closed terminal or a `kill`, which may have reached this process alone.
            process.send_signal(signal.SIGTERM)
            process.wait()
            raise
        if interrupted and code:
            raise KeyboardInterrupt
        return code


def main() -> None:
    """Run a command; what the person can mend is said in one line, without a traceback."""
    stopping.clean_up()
    try:
        # typer.Exit arrives as the returned code.
        code = app(standalone_mode=False)
    except (layout.LabError, toolchain.ToolchainError) as error:
        console.print(f"[red]error:[/] {error}", style=None)
        sys.exit(1)
    except (KeyboardInterrupt, typer.Abort):
        console.print("\ninterrupted; `make demo` goes on from here, `make down` clears it away")
        sys.exit(130)
    sys.exit(code)


if __name__ == "__main__":
    main()
