"""`python -m ops preview-report`: what previews come to, as the text of a pull request's comment."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import sys
from typing import Annotated, Any

import typer

from ops import preview, preview_markdown, preview_text, scrub

_ORDER = ("sbx", "dev", "dev2", "prd")


def preview_report(
    previews: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="STACK=FILE | FOLDER",
            help="A stack and its preview (- is stdin), or a folder with a <stack>.json of every stack. A .err "
            "beside a .json is what the preview wrote to stderr, a .code its exit code. "
            "A report (--json) does as well as a preview. "
            "None: the text says that there was nothing to preview.",
        ),
    ] = None,
    title: Annotated[str, typer.Option(help="The comment's heading.")] = "Pulumi preview",
    marker: Annotated[
        str, typer.Option(help="Name in the hidden first line, by which CI finds the comment again.")
    ] = "preview",
    output: Annotated[
        pathlib.Path | None, typer.Option(metavar="FILE", help="Write the text there instead of to stdout.")
    ] = None,
    expect_no_changes: Annotated[
        bool, typer.Option("--expect-no-changes", help="Exit with 3 when anything would change.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over the file of --output.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object (the text is in it as well).")] = False,
    log: Annotated[
        bool, typer.Option("--log", help="Print all that a failed preview said to stderr, as a group of GitHub's log.")
    ] = False,
) -> None:
    """Make a comment in Markdown from the results of `pulumi preview --json`.

    Example: python -m ops preview-report sbx=preview-sbx.json dev=preview-dev.json --output comment.md

    Shows per stack how many resources change, first those that are replaced or deleted, and why to look twice;
    never a property's value. Messages are shown without what looks like a secret. Longer texts than
    GitHub takes are cut, and say so. Exit codes: 0 every preview went well, 1 one failed or cannot be read
    (the text says which and why, and is written all the same), 2 wrong usage (nothing is written), 3 with
    --expect-no-changes, something would change.
    """
    try:
        files = _files(previews or [])
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", marker):
            raise _Usage(f"--marker {marker!r} is no name: write lower-case words, such as drift")
        if output and output.exists() and not force:
            raise _Usage(f"{output} exists: add --force to write over it, or name another file")
        known = scrub.known(os.environ)
        found = [_read(stack, file, known) for stack, file in files.items()]
        comment = preview_markdown.render(found, _heading(title), preview_markdown.marker(marker))
        if output:
            _write(output, comment.text)
    except _Usage as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    if as_json:
        typer.echo(json.dumps(report(found, comment, marker), indent=2))
    elif not output:
        typer.echo(comment.text)
    bad = [one for one in found if one.outcome in ("failed", "unreadable")]
    for one in bad:
        typer.echo(f"error: {one.stack}: {one.problem or 'the preview failed: ' + one.errors[0]}", err=True)
        if log:
            _group(one, preview.told(_beside(files[one.stack], ".err") or "", known))
    changing = expect_no_changes and any(one.outcome != "unchanged" for one in found)
    raise typer.Exit(1 if bad else 3 if changing else 0)


def report(found: list[preview.Preview], comment: preview_markdown.Comment, marker: str) -> dict[str, Any]:
    """`{ok, marker, cut, stacks: [{stack, outcome, counts, changes, errors, warnings, problem}], markdown}`."""
    return {
        "ok": not any(one.outcome in ("failed", "unreadable") for one in found),
        "marker": preview_markdown.marker(marker),
        "cut": comment.cut,
        "stacks": [
            {
                "stack": one.stack,
                "outcome": one.outcome,
                "counts": dict(one.counts),
                "changes": [dataclasses.asdict(change) for change in one.changes],
                "errors": list(one.errors),
                "warnings": list(one.warnings),
                "problem": one.problem,
            }
            for one in found
        ],
        "markdown": comment.text,
    }


class _Usage(Exception):
    pass


def _files(arguments: list[str]) -> dict[str, pathlib.Path | None]:
    """Stack -> its preview; None is stdin."""
    found: dict[str, pathlib.Path | None] = {}
    for argument in arguments:
        stack, equals, name = argument.partition("=")
        if not equals:
            folder = pathlib.Path(argument)
            inside = sorted(folder.glob("*.json"), key=_place) if folder.is_dir() else []
            if not inside:
                raise _Usage(
                    f"{argument} is no folder with <stack>.json files: write STACK=FILE, or name such a folder"
                )
            pairs = [(file.stem, file) for file in inside]
        else:
            pairs = [(stack, None if name == "-" else pathlib.Path(name))]
        for one, file in pairs:
            if not re.fullmatch(r"[A-Za-z0-9_.-]+", one):
                raise _Usage(f"{one!r} is no name of a stack: write it as in Pulumi.<stack>.yaml")
            if one in found:
                raise _Usage(f"stack {one} is named twice")
            if equals and not name:
                raise _Usage(f"{argument} names no file: write {one}=FILE, or {one}=- for stdin")
            if file and file.is_dir():
                raise _Usage(f"{file} is a folder: write {one}=FILE, or the folder alone, without {one}=")
            if file and not file.is_file():
                raise _Usage(f"{file} is not there: write what `pulumi preview --json --stack {one}` prints into it")
            found[one] = file
    return found


def _place(file: pathlib.Path) -> tuple[int, str]:
    """The environments in the order in which they are deployed, then others by name."""
    return (_ORDER.index(file.stem) if file.stem in _ORDER else len(_ORDER), file.name)


def _read(stack: str, file: pathlib.Path | None, known: list[str]) -> preview.Preview:
    """A preview, with what it wrote to stderr and its exit code, if they are beside it."""
    if file is None:
        return preview.read(stack, preview_text.decoded(sys.stdin.buffer.read()), known=known)
    try:
        text = preview_text.decoded(file.read_bytes())
        return preview.read(stack, text, _beside(file, ".err") or "", known, _beside(file, ".code"))
    except OSError as error:
        raise _Usage(f"{file} cannot be read ({error.strerror})") from None


def _beside(file: pathlib.Path | None, suffix: str) -> str | None:
    """What stands in the file of that suffix beside a preview, if there is one."""
    other = file.with_suffix(suffix) if file else None
    return preview_text.decoded(other.read_bytes()) if other and other.is_file() else None


def _group(found: preview.Preview, said: str) -> None:
    """What a preview said, folded up in a job's log, each line behind a mark: GitHub runs one that begins with `::`."""
    texts = [*(error for error in found.errors if error not in said), said]
    lines = [line for text in texts for line in text.splitlines()]
    if lines:
        marked = "\n".join(f"| {line}" for line in lines)
        typer.echo(f"::group::All that the preview of {found.stack} said\n{marked}\n::endgroup::", err=True)


def _write(file: pathlib.Path, text: str) -> None:
    try:
        file.write_text(text + "\n", "utf-8")
    except OSError as error:
        raise _Usage(f"{file} cannot be written ({error.strerror}): name another --output") from None


def _heading(title: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>#|@])", r"\\\1", " ".join(title.split()))[:200]
