"""`python -m ops sweep-records`: empty the zones of an environment whose cluster is lost."""

from __future__ import annotations

import json
import pathlib
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import typer

from ops import clouds, stackfiles
from ops.stack import OpsError, Stack, UnaskedError

RecordSet = Mapping[str, Any]
"""As Route53 lists it: `Name`, `Type`, `ResourceRecords` and so on."""

FILTER = "zone-id-filter"
RECORD_TYPE = "%{record_type}"
APPLICATION = "kubernetes:argoproj.io/v1alpha1:Application"


class Ours(NamedTuple):
    """Which records are meant: ids of the zones, the owner that external-dns wrote beside them, its marks' prefix."""

    zones: list[str]
    owner: str
    prefix: str = ""


def sweep_records(
    stack: Annotated[str, typer.Argument(help="The stack whose cluster is lost.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object; with --yes or --dry-run.")] = False,
    directory: Annotated[
        pathlib.Path,
        typer.Option(help="Folder of the project.", file_okay=False, exists=True, show_default="this project's"),
    ] = stackfiles.PROJECT,
) -> None:
    """Remove the records that external-dns wrote for a stack, where the cluster cannot do that any more.

    Example: python -m ops sweep-records sbx --dry-run

    `pulumi destroy` lets external-dns do it; run this before a destroy without the cluster, for zones that
    stay (`zoneId`). Only records with this stack's mark are touched, and the marks. Route53 only, with the
    credentials that `pulumi up` needs. Exit codes: 0 done, 1 it could not be done, 2 wrong usage, or Pulumi cannot be
    asked.
    """
    if not (dry_run or yes) and (as_json or not sys.stdin.isatty()):
        typer.echo("error: nobody can be asked here: add --yes or --dry-run", err=True)
        raise typer.Exit(2)
    try:
        ours = find(Stack(stack, directory).export())
        aws = clouds.Aws()
        found = {zone: owned(aws.records(zone), ours.owner, ours.prefix) for zone in ours.zones}
        for zone, records in found.items():
            for one in records:
                typer.echo(f"{zone}  {one['Type']:5} {one['Name']}", err=as_json)
        sure = yes or (not dry_run and any(found.values()) and typer.confirm("Remove these?"))
        if sure and not dry_run:
            for zone, records in found.items():
                aws.delete_records(zone, records)
    except OpsError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2 if isinstance(error, UnaskedError) else 1) from None
    removed = sure and not dry_run
    if as_json:
        zones = {zone: [{"type": one["Type"], "name": one["Name"]} for one in found[zone]] for zone in found}
        typer.echo(json.dumps({"stack": stack, "owner": ours.owner, "removed": removed, "zones": zones}, indent=2))
    count = sum(map(len, found.values()))
    typer.echo(f"{count} records {'removed' if removed else 'found, none removed'}", err=as_json)


def find(state: Mapping[str, Any]) -> Ours:
    """What external-dns was told, out of the stack's state. Raises `OpsError` if it is not there or not on Route53."""
    resources = state.get("deployment", {}).get("resources") or []
    values = next(
        (
            _values(one.get("inputs", {}))
            for one in resources
            if one["type"] == APPLICATION and one["urn"].endswith("::external-dns")
        ),
        None,
    )
    if values is None:
        raise OpsError("the state holds no external-dns: look into the zones yourself")
    if values.get("provider", {}).get("name") != "aws":
        raise OpsError("its zones are at IONOS DNS: remove the records there (DCD, or its API)")
    if values.get("txtSuffix"):
        raise OpsError("its marks have names of their own (txtSuffix): remove the records in Route53")
    zones = _zones(values.get("extraArgs") or {})
    if not zones:
        raise OpsError(f"external-dns was given no --{FILTER}: look into the zones yourself")
    return Ours(zones, str(values["txtOwnerId"]), str(values.get("txtPrefix") or ""))


def _zones(extra: Mapping[str, Any] | Sequence[Any]) -> list[str]:
    """The zones' ids, out of the chart's `extraArgs`: a mapping, or a list of arguments."""
    if isinstance(extra, Mapping):
        found = extra.get(FILTER) or []
        return [found] if isinstance(found, str) else [str(one) for one in found]
    words = " ".join(map(str, extra)).replace(f"--{FILTER} ", f"--{FILTER}=").split()
    return [word.partition("=")[2] for word in words if word.startswith(f"--{FILTER}=")]


def _values(inputs: Mapping[str, Any]) -> dict[str, Any]:
    spec = inputs.get("spec", {})
    source = spec.get("source") or (spec.get("sources") or [{}])[0]
    return source.get("helm", {}).get("valuesObject", {})


def owned(records: Sequence[RecordSet], owner: str, prefix: str = "") -> list[RecordSet]:
    """The records that external-dns marked as `owner`'s under `prefix` (its option `--txt-prefix`), with their marks.

    A mark is a TXT record whose name is the marked record's with prefix and type in front: `a-www.example.org` without
    a prefix, `a-edns.www.example.org` with `%{record_type}-edns.`. An alias of type A is marked as a CNAME.
    https://kubernetes-sigs.github.io/external-dns/latest/docs/registry/txt/
    """
    form = _form(prefix)
    marks = [each for each in records if each["Type"] == "TXT" and form.fullmatch(each["Name"]) and _marks(each, owner)]
    found = [form.fullmatch(each["Name"]) for each in marks]
    marked = {(match["type"].upper(), match["name"]) for match in found if match}
    return [each for each in records if (_marked_as(each), each["Name"]) in marked] + marks


def _form(prefix: str) -> re.Pattern[str]:
    """What the name of a mark looks like; the type comes after the prefix, unless the prefix says where."""
    kind = "(?P<type>[a-z]+)"
    before = re.escape(prefix.lower())
    template = re.escape(RECORD_TYPE)
    start = before.replace(template, kind, 1) if template in before else f"{before}{kind}-"
    return re.compile(f"{start}(?P<name>.+)")


def _marked_as(record: RecordSet) -> str:
    return "CNAME" if record["Type"] == "A" and "AliasTarget" in record else record["Type"]


def _marks(record: RecordSet, owner: str) -> bool:
    parts = [each["Value"].strip('"').split(",") for each in record.get("ResourceRecords", ())]
    return any("heritage=external-dns" in part and f"external-dns/owner={owner}" in part for part in parts)
