"""`python -m ops config`: stack files, checked without an engine and without a cloud."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterable
from typing import Annotated, Any

import typer

import settings
from ops import neighbours, stackfiles

app = typer.Typer(no_args_is_help=True, help="Stack files.")


@app.callback()
def _config() -> None:
    """Stack files (Pulumi.<stack>.yaml)."""


@app.command()
def check(
    stacks: Annotated[list[str] | None, typer.Argument(metavar="STACK", help="Stacks; none: all of them.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")] = False,
    directory: Annotated[
        pathlib.Path,
        typer.Option(help="Folder of the project.", file_okay=False, exists=True, show_default="this project's"),
    ] = stackfiles.PROJECT,
) -> None:
    """Say everything that is wrong with stack files, one line per mistake.

    Example: python -m ops config check sbx dev

    Needs no cloud, no engine and no passphrase: of secrets it only sees that they are there. Domains are
    compared with those of every other stack that has a file. Warnings do not count as mistakes. Exit codes:
    0 all is well, 1 there are mistakes, 2 wrong usage (no such stack).
    """
    there = stackfiles.names(directory)
    wanted = stacks or there
    missing = [stack for stack in wanted if stack not in there]
    if missing or not wanted:
        names = ", ".join(there) or "none"
        typer.echo(
            f"error: no stack file for {', '.join(missing) or 'any stack'} in {directory} (there are: {names})",
            err=True,
        )
        raise typer.Exit(2)
    try:
        reports = [report(directory, stack) for stack in wanted]
    except stackfiles.Unreadable as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    if as_json:
        typer.echo(json.dumps({"ok": all(not one["mistakes"] for one in reports), "stacks": reports}, indent=2))
    else:
        for one in reports:
            for mistake in one["mistakes"]:
                typer.echo(f"{one['file']}: {mistake['path']}: {mistake['problem']} → {mistake['fix']}")
            for warning in one["warnings"]:
                typer.echo(
                    f"{one['file']}: warning: {warning['path']}: {warning['problem']} → {warning['fix']}", err=True
                )
            if not one["mistakes"]:
                typer.echo(f"{one['file']}: ok")
    raise typer.Exit(1 if any(one["mistakes"] for one in reports) else 0)


def report(directory: pathlib.Path, stack: str) -> dict[str, Any]:
    """`{stack, file, mistakes, warnings}` of one stack; the last two are lists of `{path, problem, fix}`."""
    file = next(
        file for file in (directory / f"Pulumi.{stack}.yaml", directory / f"Pulumi.{stack}.yml") if file.exists()
    )
    found = stackfiles.read(file, stackfiles.project(directory))
    mistakes, warnings = list(found.mistakes), []
    mine, others = neighbours.of_section(stack, found.raw.get("dns")), neighbours.others(directory, stack)
    if found.readable:
        try:
            read = settings.parse(found.raw, stack, found.encrypted, found.written)
            warnings = [*settings.warnings(read, found.encrypted), *found.written.warnings()]
            warnings += neighbours.warnings(mine, others)
        except settings.SettingsError as error:
            wrong, unseen = _beside_esc(error.mistakes, found)
            mistakes, warnings = mistakes + wrong, unseen
        mistakes += neighbours.mistakes(mine, others)
    return {"stack": stack, "file": file.name, "mistakes": _plain(mistakes), "warnings": _plain(warnings)}


def _beside_esc(
    mistakes: Iterable[settings.Mistake], found: stackfiles.StackFile
) -> tuple[list[settings.Mistake], list[settings.Mistake]]:
    """Mistakes of a file, and instead of what it does not say at all a warning where Pulumi ESC may say it."""
    if not found.environments:
        return list(mistakes), []
    wrong = [one for one in mistakes if stackfiles.has(found.raw, one.path)]
    absent = ", ".join(dict.fromkeys(one.path for one in mistakes if one not in wrong))
    if not absent:
        return wrong, []
    problem = f"values of Pulumi ESC ({', '.join(found.environments)}) are not seen here; not in this file: {absent}"
    return wrong, [settings.Mistake("environment", problem, "run `pulumi preview`, which sees and checks them")]


def _plain(mistakes: list[settings.Mistake]) -> list[dict[str, str]]:
    return [{"path": one.path, "problem": one.problem, "fix": one.fix} for one in mistakes]
