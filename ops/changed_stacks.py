"""`python -m ops changed-stacks`: whose inputs did a change touch?"""

from __future__ import annotations

import json
import pathlib
import re
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
        if commit.startswith("-") or _git(folder, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")[0]:
            raise _GitError(f"commit {commit} is not here: fetch it (actions/checkout with fetch-depth: 0)")
    code, out = _git(folder, "diff", "--name-only", "--no-renames", "-z", "--relative", f"{base}...{head}")
    if code:
        raise _GitError(f"{base} and {head} have no commit in common: fetch more of the history, or say --all")
    return [file for file in out.split("\0") if file]


def _git(folder: pathlib.Path, *arguments: str) -> tuple[int, str]:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise _GitError("git is not on PATH: install it") from None
    return done.returncode, done.stdout
