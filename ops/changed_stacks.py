"""`python -m ops changed-stacks`: whose inputs did a change touch?"""

from __future__ import annotations

import json
import os
import pathlib
import re
import shlex
import subprocess
from collections.abc import Iterable
from typing import Annotated

import typer

from ops import stackfiles

LAB = "lab"
"""The stack of the lab on one machine: there is nothing to deploy it to."""

NO_INPUT = (
    "docs/", "examples/", "reference/", "schemas/", "tests/", "lab/", "ops/", ".github/", ".ci/", "mkdocs.yml",
    "Makefile", "pyproject.toml", "requirements-dev.txt", ".gitignore", ".editorconfig", "renovate.json", "LICENSE",
    "CODEOWNERS",
)  # fmt: skip
"""What `pulumi up` reads nothing of. All else counts as program: a new module is not forgotten."""


def changed_stacks(
    base: Annotated[
        str | None, typer.Option(metavar="COMMIT", help="What to compare with, such as origin/main. Empty: all stacks.")
    ] = None,
    head: Annotated[str, typer.Option(metavar="COMMIT", help="What is compared.")] = "HEAD",
    every: Annotated[bool, typer.Option("--all", help="Say all stacks that can be deployed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: {stacks, why}.")] = False,
    directory: Annotated[
        pathlib.Path,
        typer.Option(help="Folder of the project.", file_okay=False, exists=True, show_default="this project's"),
    ] = stackfiles.PROJECT,
) -> None:
    """Say which stacks a change concerns, one per line: those whose file changed, all when the program did.

    Example: python -m ops changed-stacks --base origin/main --json

    Compares with the last commit that both have in common. The stack lab is never among them, nor one
    whose file is gone. Exit codes: 0 done (there may be none), 2 wrong usage, or Git cannot compare.
    """
    there = [stack for stack in stackfiles.names(directory) if stack != LAB]
    try:
        if every or base == "":
            found = dict.fromkeys(there, "all stacks are asked for" if every else "there is nothing to compare with")
        elif base is None:
            raise _GitError("say what to compare with (--base origin/main), or --all")
        else:
            found = concerned(_changed(directory, base, head), there)
    except _GitError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    if as_json:
        typer.echo(json.dumps({"stacks": list(found), "why": found}, indent=2))
        return
    for stack, why in found.items():
        typer.echo(stack)
        typer.echo(f"{stack}: {why}", err=True)


def concerned(files: Iterable[str], there: Iterable[str]) -> dict[str, str]:
    """Which of the stacks these changed files are inputs of, each with the reason. Pure."""
    there, found = list(there), dict[str, str]()
    for file in sorted(files):
        if stack := re.fullmatch(r"Pulumi\.([A-Za-z0-9_.-]+)\.ya?ml", file):
            found.setdefault(stack[1], file)
        elif not _is_no_input(file):
            found = {**dict.fromkeys(there, file), **found}
    return {stack: found[stack] for stack in there if stack in found}


def _is_no_input(file: str) -> bool:
    return file.startswith(NO_INPUT) or ("/" not in file and file.endswith(".md"))


class _GitError(Exception):
    pass


def _changed(folder: pathlib.Path, base: str, head: str) -> list[str]:
    for commit in (base, head):
        # A name that begins with a dash would be an option.
        if not commit.startswith("-"):
            code, _, said = _git(folder, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
            if not code:
                continue
            _explained(folder, said)
        raise _GitError(f"commit {commit} is not here: {_fetch(folder)}")
    code, out, said = _git(folder, "diff", "--name-only", "--no-renames", "-z", "--relative", f"{base}...{head}")
    if code:
        _explained(folder, said)
        if "no merge base" not in said:
            raise _GitError(f"Git cannot compare {base} and {head}: {said}")
        raise _GitError(f"{base} and {head} have no commit in common: {_fetch(folder)}, or say --all")
    return [file for file in out.split("\0") if file]


def _explained(folder: pathlib.Path, said: str) -> None:
    """Raises if Git refuses the folder as such, whatever it is asked."""
    if owned := re.search(r"dubious ownership in repository at '([^'\n]+)'", said):
        raise _GitError(
            f"{owned[1]} belongs to another user, so Git refuses to read it (as in a container that runs as root): "
            f"`git config --global --add safe.directory {shlex.quote(owned[1])}`, or let its owner run this"
        )
    if "not a git repository" in said:
        raise _GitError(
            f"{folder} is in no Git repository: clone it (a downloaded archive has no history), or say --all"
        )
    if "must be run in a work tree" in said:
        raise _GitError(f"{folder} is a bare repository: run this in a clone of it")
    if said and not re.search("unknown revision|Needed a single revision|bad revision|no merge base", said):
        raise _GitError(f"Git cannot read {folder}: {said}")


def _fetch(folder: pathlib.Path) -> str:
    """How the missing part of the history comes here."""
    if _git(folder, "rev-parse", "--is-shallow-repository")[1].strip() == "true":
        return "this clone is shallow: `git fetch --unshallow` (actions/checkout with fetch-depth: 0)"
    return "fetch it (`git fetch origin`; actions/checkout with fetch-depth: 0), and look at its spelling"


def _git(folder: pathlib.Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, output, and the last line of what Git said."""
    # Messages are looked at, so they have to be English.
    environment = {**os.environ, "LC_ALL": "C"}
    command = ["git", *arguments]
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    except FileNotFoundError:
        raise _GitError("git is not on PATH: install it") from None
    lines = [
        line for line in done.stderr.decode(errors="replace").splitlines() if line.startswith(("fatal:", "error:"))
    ]
    return done.returncode, os.fsdecode(done.stdout), lines[0] if lines else ""
