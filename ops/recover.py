"""`python -m ops recover`: after an `up` that was killed, make the next one finish without a duplicate."""

from __future__ import annotations

import functools
import json
import pathlib
import sys
from typing import Annotated, Any

import typer

from ops import decide, pending, stackfiles, syncs
from ops.kubectl import Kubectl
from ops.pending import Decision
from ops.stack import OpsError, Stack, UnaskedError


def recover(
    stack: Annotated[str, typer.Argument(help="The stack whose run was killed.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object; with --yes or --dry-run.")] = False,
    take: Annotated[
        list[str] | None, typer.Option(metavar="URN=ID", help="Which object a pending create made. Repeatable.")
    ] = None,
    wait_minutes: Annotated[float, typer.Option(help="How long to wait for what IONOS Cloud is still making.")] = 180,
    directory: Annotated[
        pathlib.Path,
        typer.Option(help="Folder of the project.", file_okay=False, exists=True, show_default="this project's"),
    ] = stackfiles.PROJECT,
) -> None:
    """Put a stack right whose `pulumi up` was killed, so that the next one finishes.

    Example: python -m ops recover sbx --dry-run

    A killed run leaves a lock, and creates of which Pulumi does not know whether they happened. Each is
    looked up where it would be: what was made is taken into the state, what was not is forgotten, an access
    key whose secret nobody saw is deleted, a half-installed Helm release is made installable again, and one
    whose removal was refused ("has no deployed releases") can be upgraded again. A sync of Argo CD that holds up
    the deletion of its Application is ended, also while `pulumi destroy` still waits for it. Needs the
    credentials that `pulumi up` needs. Exit codes: 0 the next up can run, 1 something is left to do for you (nothing
    was changed), 2 wrong usage, or Pulumi cannot be asked.
    """
    say = functools.partial(typer.echo, err=True)
    try:
        taken = dict(_pair(one) for one in take or [])
        if not (dry_run or yes) and (as_json or not sys.stdin.isatty()):
            raise _Usage("nobody can be asked here: add --yes or --dry-run")
        code, report = _recover(Stack(stack, directory), taken, say, wait_minutes, dry_run, yes)
    except _Usage as error:
        say(f"error: {error}")
        raise typer.Exit(2) from None
    except OpsError as error:
        say(f"error: {error}")
        raise typer.Exit(2 if isinstance(error, UnaskedError) else 1) from None
    if as_json:
        typer.echo(json.dumps({"stack": stack, **report}, indent=2))
    raise typer.Exit(code)


class _Usage(Exception):
    pass


def _recover(
    stack: Stack, taken: dict[str, str], say: Any, minutes: float, dry_run: bool, sure: bool
) -> tuple[int, dict[str, Any]]:
    state = _export(stack, say, dry_run)
    # Looked at first: a run that only asks for the lock drops these from the state.
    changing = pending.interrupted(state)
    report: dict[str, Any] = {"unlocked": False, "done": False, "syncs": [], "pending": []}
    plain = functools.cache(lambda: stack.export(secrets=True))
    report["syncs"] = _end_syncs(syncs.in_state(plain, state, say), say, dry_run, sure)
    if report["syncs"] and not dry_run and (lock := stack.lock(pending.root(state))) and lock.alive:
        say(f"The deletion goes on, and so does the run of {lock.user} that waits for it.")
        return 0, {**report, "done": True}
    if not dry_run:
        report["unlocked"] = _unlock(stack, state, say, sure)
        state = stack.export()
    decider = decide.Decider(state, plain, say, minutes, taken)
    decisions = [decider.decide(one) for one in pending.creates(state)]
    interrupted = {urn: decider.repair(urn) for urn in changing}
    refused = {urn: mend for urn, mend in decider.half_removed().items() if urn not in interrupted}
    for decision in decisions:
        say(f"{decision.action:9} {decision.pending.title}{f' ({decision.id})' if decision.id else ''}: {decision.why}")
        report["pending"].append(
            {"urn": decision.pending.urn, "action": decision.action, "id": decision.id, "why": decision.why}
        )
    for urn in interrupted:
        say(f"refresh   {urn.rpartition('$')[2]}: a change of it was interrupted")
        report["pending"].append({"urn": urn, "action": "refresh", "id": "", "why": "a change of it was interrupted"})
    for urn in refused:
        say(f"mend      {urn.rpartition('$')[2]}: its removal was refused half-way, Helm could not upgrade it")
        report["pending"].append({"urn": urn, "action": "mend", "id": "", "why": "its removal was refused half-way"})
    if any(decision.action == "undecided" for decision in decisions):
        say("Nothing was changed.")
        return 1, report
    if not decisions and not interrupted and not refused:
        say("No operation is pending; the next `pulumi up` can run.")
        return 0, {**report, "done": not dry_run}
    if dry_run:
        say("Nothing was changed (--dry-run).")
        return 0, report
    if not sure and not typer.confirm("Do this?"):
        return 1, report
    for mend in refused.values():
        mend()
    if decisions or interrupted:
        _apply(stack, state, decisions, interrupted)
    say("Done; the next `pulumi up` can run.")
    return 0, {**report, "done": True}


def _end_syncs(found: list[tuple[Kubectl, syncs.Sync]], say: Any, dry_run: bool, sure: bool) -> list[str]:
    """End what holds up a deletion; the names of those Applications."""
    for _, sync in found:
        say(f"end sync  Application {sync.application} is to be deleted, and that waits for its sync: {sync.said}")
    if not found or dry_run or not (sure or typer.confirm("End these syncs?")):
        return [sync.application for _, sync in found] if dry_run else []
    for cluster, sync in found:
        syncs.end(cluster, sync)
    return [sync.application for _, sync in found]


def _export(stack: Stack, say: Any, dry_run: bool) -> dict[str, Any]:
    try:
        return stack.export()
    except OpsError as error:
        if dry_run or "failed to load checkpoint" not in str(error):
            raise
        removed = stack.repair_files()
        if not removed:
            raise
    for file in removed:
        say(f"repair    removed {file}, which was cut short")
    return stack.export()


def _unlock(stack: Stack, state: dict[str, Any], say: Any, sure: bool) -> bool:
    """Take a dead run's lock away. A run that is alive is left alone."""
    lock = stack.lock(pending.root(state))
    if lock is None:
        return False
    if lock.alive:
        raise OpsError(f"a run of {lock.user} is still going (pid {lock.pid}): wait for it, or end it first")
    say(f"unlock    stack {stack.name}: locked by {lock.user}@{lock.host} at {lock.time}, pid {lock.pid}")
    if not sure and not typer.confirm("Has that run ended?"):
        raise OpsError("the stack stays locked; nothing was changed")
    stack.cancel()
    return True


def _apply(stack: Stack, state: dict[str, Any], decisions: list[Decision], interrupted: dict[str, Any]) -> None:
    # Deletions first: run again after a failure in between, they find nothing to do.
    for before in [*(decision.before for decision in decisions), *interrupted.values()]:
        if before is not None:
            before()
    stack.restore(pending.resolved(state, decisions))
    look_at = [decision.pending.urn for decision in decisions if decision.action == "adopt"]
    if look_at or interrupted:
        stack.refresh([*look_at, *interrupted])


def _pair(text: str) -> tuple[str, str]:
    urn, equals, id = text.rpartition("=")
    if not equals or not urn.startswith("urn:"):
        raise _Usage("--take wants URN=ID, such as --take urn:pulumi:…=2f1c…")
    return urn, id
