"""`python -m ops seal`: Secrets that can be kept in Git."""

from __future__ import annotations

import json
import os
import pathlib
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from ops import stackfiles
from ops.stack import OpsError, Stack, UnaskedError

if TYPE_CHECKING:
    from ops import sealing
    from ops.sealing import Scope

SCOPES = ("strict", "namespace-wide", "cluster-wide")


def seal(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE | KEY=VALUE...]",
            help="A file with Secrets in YAML or JSON (- or none: stdin); with --name, the values themselves.",
            show_default=False,
        ),
    ] = None,
    stack: Annotated[str | None, typer.Option(help="Stack whose certificate is used.")] = None,
    cert: Annotated[
        pathlib.Path | None, typer.Option(help="The certificate in a PEM file, instead of --stack: works offline.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Make a Secret of this name from single values.")] = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="Its namespace, or that of Secrets that name none.")
    ] = None,
    from_file: Annotated[
        list[str] | None,
        typer.Option(metavar="[KEY=]PATH", help="With --name: a value from a file (- is stdin). Repeatable."),
    ] = None,
    ask: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="With --name: ask for a value, unseen. Repeatable.")
    ] = None,
    kind: Annotated[str, typer.Option("--type", help="With --name: the Secret's type.")] = "Opaque",
    scope: Annotated[
        str | None,
        typer.Option(metavar="|".join(SCOPES), help="Where it can be opened.", show_default="the Secret's, or strict"),
    ] = None,
    output: Annotated[pathlib.Path | None, typer.Option("--output", "-o", help="Write to this file.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write one JSON object (a List of several), not YAML.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file of --output.")] = False,
    directory: Annotated[
        pathlib.Path,
        typer.Option(help="Folder of the project.", file_okay=False, exists=True, show_default="this project's"),
    ] = stackfiles.PROJECT,
) -> None:
    """Seal Secrets with an environment's certificate, as kubeseal does: what comes out can be kept in Git.

    Example: python -m ops seal secret.yaml --stack sbx > sealed.yaml

    Example: python -m ops seal --name db -n marketplace --ask password --cert sealing.pem

    Strict: opened under this name in this namespace only. A KEY=VALUE is seen in the list of processes and
    stays in the shell's history: --ask and --from-file are not. Needs no cluster and no kubeseal. Exit codes:
    0 sealed, 1 refused (nothing is written), 2 wrong usage, or Pulumi cannot be asked.
    """
    if (stack is None) == (cert is None):
        _usage("give --stack or --cert: one of them names the certificate")
    if scope not in (None, *SCOPES):
        _usage(f"--scope is one of {', '.join(SCOPES)}")
    if name is None and (from_file or ask):
        _usage("--from-file and --ask need --name: they are values of one Secret")
    if name is None and len(what or []) > 1:
        _usage("one file at a time (it may hold several documents); for KEY=VALUE give --name")
    from ops import seal_input, seal_text, sealing  # cryptography takes 0.1 s to load

    wanted: Scope | None = sealing.Scope(scope) if scope else None
    try:
        certificate = sealing.Certificate(_certificate(stack, cert, directory))
        if name is None:
            found = seal_input.secrets(seal_text.decoded(_read((what or ["-"])[0])), namespace, wanted)
        else:
            found = seal_input.one(name, namespace, _values(what or [], from_file or [], ask or []), kind, wanted)
        manifests, told = _sealed(found, certificate)
        _write(_as_json(manifests) if as_json else _as_yaml(manifests), output, force)
        for warning in told:
            typer.echo(f"warning: {warning}", err=True)
    except UnaskedError as error:
        _usage(str(error))
    except OpsError as error:
        _refused(str(error))


def _sealed(
    found: list[tuple[dict[str, Any], Scope]], certificate: sealing.Certificate
) -> tuple[list[dict[str, Any]], list[str]]:
    """The SealedSecrets, and what may become of them later."""
    from ops import seal_rules, sealing

    manifests, told = list[dict[str, Any]](), list[str]()
    seen: set[tuple[str, str | None]] = set()
    for secret, scope in found:
        name = secret["metadata"]["name"]
        place = (name, secret["metadata"].get("namespace"))
        if place in seen:
            told.append(f"{name}: it stands there twice for one namespace, and a cluster keeps the last one only")
        seen.add(place)
        manifests.append(sealing.sealed_secret(secret, certificate, scope))
        try:
            warnings = seal_rules.warnings(secret, sealing.values(secret)) + seal_rules.check_sealed(manifests[-1])
        except OpsError as error:
            raise OpsError(f"{name}: {error}") from None
        told += [f"{name}: {one}" for one in warnings]
    return manifests, told


def _certificate(stack: str | None, file: pathlib.Path | None, directory: pathlib.Path) -> bytes:
    if file is not None:
        return _read(str(file))
    found = Stack(str(stack), directory).output("sealing").get("certificate")
    if not found:
        cause = "it is not up, or addons.sealedSecrets is off"
        raise OpsError(f"stack {stack} has no certificate: {cause}; run `pulumi up` with the add-on on, or give --cert")
    return str(found).encode()


def _values(pairs: list[str], files: list[str], asked: list[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}

    def add(key: str, value: bytes) -> None:
        if key in found:
            raise OpsError(f"the key {key} is given twice")
        found[key] = value

    if pairs:
        typer.echo("note: KEY=VALUE is seen by other users of this machine; --ask and --from-file are not", err=True)
    for number, pair in enumerate(pairs, 1):
        key, equals, value = pair.partition("=")
        if not equals:
            raise OpsError(f"value {number} is not of the form KEY=VALUE: a value in a file is --from-file KEY=PATH")
        add(key, os.fsencode(value))  # an argument may be no UTF-8
    if sum(pair.rpartition("=")[2] == "-" for pair in files) > 1:
        raise OpsError("stdin (-) is one value: give the others by files of their own, or by --ask")
    for pair in files:
        key, equals, path = pair.partition("=")
        add(key if equals else pathlib.Path(pair).name, _read(path if equals else pair))
    if asked and not _interactive():
        raise OpsError("nobody can be asked here: use --from-file KEY=- for a value on stdin")
    for key in asked:
        add(key, typer.prompt(key, hide_input=True, err=True).encode())
    return found


def _interactive() -> bool:
    return sys.stdin.isatty()


def _read(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        # The path of a KEY=VALUE that lacks --name would be its value.
        shown = f"{path.partition('=')[0]}=… (a value needs --name)" if "=" in path else path
        raise OpsError(f"cannot read {shown}: {error.strerror}") from None


def _as_yaml(manifests: list[dict[str, Any]]) -> str:
    return yaml.safe_dump_all(manifests, sort_keys=False, width=float("inf"))


def _as_json(manifests: list[dict[str, Any]]) -> str:
    several = {"apiVersion": "v1", "kind": "List", "items": manifests}
    return json.dumps(manifests[0] if len(manifests) == 1 else several, indent=2) + "\n"


def _write(text: str, output: pathlib.Path | None, force: bool) -> None:
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        with output.open("w" if force else "x") as file:
            file.write(text)
    except FileExistsError:
        raise OpsError(f"{output} is there already: give --force to replace it") from None
    except OSError as error:
        raise OpsError(f"cannot write {output}: {error.strerror}") from None


def _usage(problem: str) -> None:
    typer.echo(f"error: {problem}", err=True)
    raise typer.Exit(2)


def _refused(problem: str) -> None:
    typer.echo(f"error: {problem}", err=True)
    raise typer.Exit(1)
