"""`python -m ops access`: kubeconfigs for app owners, who has one, taking access away, and what it allows."""

from __future__ import annotations

import contextlib
import datetime
import functools
import json
import pathlib
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from ops import access_check, access_issue, access_owner, access_revoke, access_table, stack_outputs, stackfiles
from ops.access_owner import Environment, RefusedError
from ops.kubectl import ClusterError, Kubectl
from ops.stack import OpsError

app = typer.Typer(no_args_is_help=True, help="Access of app owners.")
say = functools.partial(typer.echo, err=True)

StackName = Annotated[str, typer.Argument(metavar="STACK", help="The environment's stack.")]
Namespace = Annotated[str, typer.Argument(metavar="NAMESPACE", help="The owner's namespace.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")]
Outputs = Annotated[
    typer.FileText | None,
    typer.Option(help="The stack's outputs in JSON, secrets shown (- is stdin), instead of asking Pulumi for them."),
]
Directory = Annotated[
    pathlib.Path,
    typer.Option(help="Folder of the project.", file_okay=False, exists=True, show_default="this project's"),
]


@app.callback()
def _access() -> None:
    """Access of app owners: kubeconfigs that expire, who has them, and what they allow."""


@app.command()
def issue(
    stack: StackName,
    namespace: Namespace,
    ttl: Annotated[str, typer.Option(metavar="DURATION", help="How long it is valid: 720h, 30d, 90m.")] = "720h",
    output: Annotated[
        pathlib.Path | None,
        typer.Option(metavar="FILE", help="Where to write it.", show_default="kubeconfig-<namespace>-<env>.yaml"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    restore: Annotated[bool, typer.Option("--restore", help="Give back access that was revoked.")] = False,
    as_json: AsJson = False,
    outputs: Outputs = None,
    directory: Directory = stackfiles.PROJECT,
) -> None:
    """Write a kubeconfig for an app owner, with a token that expires.

    Example: python -m ops access issue dev til --ttl 720h

    Only you can read the file; the token is shown nowhere else. Several such files work together:
    KUBECONFIG=kubeconfig-til-dev.yaml:kubeconfig-in2-dev.yaml. A cluster may have a limit for --ttl, which the
    error names. Exit codes: 0 written, 1 refused (the file exists, revoked, over the limit; nothing was changed),
    2 wrong usage, the stack is not up, or its cluster does not answer.
    """
    with _errors(stack):
        seconds = access_issue.duration(ttl)
        environment, cluster = _environment(stack, outputs, directory)
        owner = environment.owner(namespace)
        file = output or pathlib.Path(owner.file)
        issued = access_issue.issue(environment, cluster, owner, seconds, file, force=force, restore=restore)
    if as_json:
        facts = {"stack": stack, "namespace": namespace, "file": str(issued.file)}
        typer.echo(json.dumps({**facts, **_names(owner), "validUntil": access_owner.stamp(issued.until)}, indent=2))
        return
    typer.echo(f"{issued.file}: valid until {access_owner.shown(issued.until)}, context {owner.context}")


@app.command("list")
def list_owners(
    stack: StackName, as_json: AsJson = False, outputs: Outputs = None, directory: Directory = stackfiles.PROJECT
) -> None:
    """Say who has access: app owners, what they may do, and until when their kubeconfigs are valid.

    Example: python -m ops access list dev

    Knows the kubeconfigs that `access issue` wrote, on whichever machine (the newest 20 of an owner). Exit codes:
    0 all is well, 1 something is to be done (a revocation was interrupted, a service account is missing), 2 wrong
    usage, the stack is not up, or its cluster does not answer.
    """
    with _errors(stack):
        environment, cluster = _environment(stack, outputs, directory)
        found = access_table.look(environment, cluster, datetime.datetime.now(datetime.UTC))
    if as_json:
        typer.echo(json.dumps({"stack": stack, "owners": [one.report() for one in found]}, indent=2))
    else:
        for line in access_table.lines(found):
            typer.echo(line)
    for one in found:
        if one.trouble:
            say(f"error: {one.owner.namespace}: {one.trouble}")
    raise typer.Exit(1 if any(one.trouble for one in found) else 0)


@app.command()
def revoke(
    stack: StackName,
    namespace: Namespace,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object; with --yes.")] = False,
    outputs: Outputs = None,
    directory: Directory = stackfiles.PROJECT,
) -> None:
    """Make all tokens of an app owner stop working, those that never expire too.

    Example: python -m ops access revoke dev til

    Takes effect within seconds and lasts: `access issue` refuses the owner until it is told --restore. What the
    owner has in the cluster stays. If it is interrupted, run it again. Exit codes: 0 revoked, 1 not done, 2 wrong
    usage, the stack is not up, or its cluster does not answer.
    """
    if not yes and (as_json or not sys.stdin.isatty()):
        say("error: nobody can be asked here: add --yes")
        raise typer.Exit(2)
    with _errors(stack):
        environment, cluster = _environment(stack, outputs, directory)
        owner = environment.owner(namespace)
        question = f"Make every token of {owner.service_account} ({owner.organization}) stop working?"
        if not yes and not typer.confirm(question, err=True):
            raise RefusedError("nothing was changed")
        access_revoke.revoke(cluster, owner, say)
    if as_json:
        typer.echo(json.dumps({"stack": stack, "namespace": namespace, "revoked": True}, indent=2))
    else:
        typer.echo(f"revoked: no token of {owner.service_account} works any more (the API server may take 10 s)")
    if owner.permanent_token:
        say(
            "its kubeconfig in the stack's outputs is dead, too: take permanentToken out of the stack file and run "
            "`pulumi up --refresh`; left in, that makes a new one"
        )


@app.command()
def check(
    stack: StackName,
    namespace: Namespace,
    as_json: AsJson = False,
    outputs: Outputs = None,
    directory: Directory = stackfiles.PROJECT,
) -> None:
    """Ask the API server what an app owner may do, and compare it with what is promised.

    Example: python -m ops access check dev til

    Every verb with every kind that the cluster has: in the owner's namespace, in other namespaces, and in the
    whole cluster. Needs no token of the owner. Exit codes: 0 as promised, 1 wider or narrower, 2 wrong usage, the
    stack is not up, or its cluster does not answer.
    """
    with _errors(stack):
        environment, cluster = _environment(stack, outputs, directory)
        owner = environment.owner(namespace)
        result = access_check.check(environment, cluster, owner, say)
    deviations = [*result.wider, *result.narrower]
    if as_json:
        report = {"stack": stack, "namespace": namespace, "ok": result.ok, "asked": len(result.answers)}
        allowed = [one for one, yes in result.answers.items() if yes]
        lists = {"wider": result.wider, "narrower": result.narrower, "allowed": allowed}
        plain = {
            key: [{"scope": q.scope, "kind": q.kind, "verb": q.verb} for q in found] for key, found in lists.items()
        }
        typer.echo(
            json.dumps(
                {**report, **plain, "unguarded": list(result.unguarded), "alive": result.alive or None}, indent=2
            )
        )
    else:
        for line in access_check.table(result, owner):
            typer.echo(line)
        if unread := result.unreadable():
            say(f"owners cannot read these kinds, since no role adds them to ClusterRole `view`: {', '.join(unread)}")
    for one in deviations:
        say(f"error: {access_check.told(one, owner)}")
    for what in result.unguarded:
        say(
            f"error: {what} is missing: without it roles allow more than promised; `pulumi up --refresh` makes it again"
        )
    if result.alive:
        say(f"error: {result.alive}")
    if not result.ok:
        raise typer.Exit(1)
    if not as_json:
        typer.echo(f"as promised: {len(result.answers)} questions answered by the API server")


def _environment(stack: str, outputs: typer.FileText | None, directory: pathlib.Path) -> tuple[Environment, Kubectl]:
    found = access_owner.environment(stack, stack_outputs.read(stack, outputs, directory))
    return found, Kubectl(found.kubeconfig)


def _names(owner: access_owner.Owner) -> dict[str, Any]:
    return {"user": owner.user, "context": owner.context, "serviceAccount": owner.service_account}


@contextlib.contextmanager
def _errors(stack: str) -> Iterator[None]:
    """Errors as a sentence and an exit code."""
    try:
        yield
    except RefusedError as error:
        say(f"error: {error}")
        raise typer.Exit(1) from None
    except ClusterError as error:
        say(
            f"error: the cluster of stack {stack} cannot be asked: {error}; if its address or credentials changed, "
            "`pulumi up --refresh` renews the stack's outputs"
        )
        raise typer.Exit(2) from None
    except (OpsError, ValueError) as error:
        say(f"error: {error}")
        raise typer.Exit(2) from None
