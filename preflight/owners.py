"""App owners that come, go and move: named at preview, and none goes or moves unless the stack file says so twice.

What was there is read from the stack's own outputs, which the engine has at hand: measured 0.1 s, where all
resources take 0.8 s. They are those of the last `up` whose program ended: deletions come after that, so a confirmed
removal whose deletion fails is out of them already, and the next `up` deletes without asking again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

import settings as config


def problems(settings: config.Settings) -> Iterator[config.Mistake]:
    """Owners that would be deleted without a word. Tells of the others that come and go."""
    before = recorded()
    wanted = {name: owner.organization for owner in settings.app_owners for name in owner.namespaces}
    if pulumi.runtime.is_dry_run():
        for line in changes(before, wanted):
            pulumi.log.info(line)
    for name in moved(before, wanted):
        if name in settings.confirm_removal:
            pulumi.log.warn(f"namespace {name}: {_keys(before[name], name)}")
    for warning in stale(before, wanted, settings.confirm_removal):
        pulumi.log.warn(str(warning))
    yield from unconfirmed(before, wanted, settings.confirm_removal)


def recorded() -> dict[str, str]:
    """Namespaces of app owners in the stack's outputs, with their organizations; nothing for a new stack."""
    stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    answer = pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", {"name": stack}).value
    outputs: Mapping[str, Any] = (answer or {}).get("outputs") or {}
    return {name: str(owner["organization"]) for name, owner in (outputs.get("appOwners") or {}).items()}


def changes(before: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[str]:
    """Every namespace that is new, goes or moves, in words."""
    for name in sorted(wanted.keys() - before.keys()):
        yield f"app owner added: namespace {name} of {wanted[name]}"
    for name in sorted(before.keys() - wanted.keys()):
        yield f"app owner removed: namespace {name} of {before[name]}, with all in it"
    for name in moved(before, wanted):
        yield f"app owner changed: namespace {name} moves from {before[name]} to {wanted[name]}, with all in it"


def moved(before: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """Namespaces that get another organization. The service account stays, so every token of it does."""
    return sorted(name for name in before.keys() & wanted.keys() if before[name] != wanted[name])


def _keys(organization: str, name: str) -> str:
    command = f"python -m ops access revoke {pulumi.get_stack()} {name}"
    return f"kubeconfigs of {organization} stay valid until `{command}`: run it after `up`"


def unconfirmed(before: Mapping[str, str], wanted: Mapping[str, str], confirmed: list[str]) -> Iterator[config.Mistake]:
    """Every namespace that goes or moves without being named in `confirmRemoval`."""
    gone = sorted(before.keys() - wanted.keys() - set(confirmed))
    if gone:
        names = ", ".join(gone)
        problem = (
            f"{names} {'is' if len(gone) == 1 else 'are'} gone from it: the namespace would be deleted with all in it"
        )
        fix = f"put it back, or write confirmRemoval: [{names}]"
        yield config.Mistake("appOwners", problem, fix)
    for name in moved(before, wanted):
        if name not in confirmed:
            problem = f"namespace {name} moves from {before[name]} to {wanted[name]}, with all in it"
            fix = f"put it back, or write confirmRemoval: [{name}]; {_keys(before[name], name)}"
            yield config.Mistake("appOwners", problem, fix)


def stale(before: Mapping[str, str], wanted: Mapping[str, str], confirmed: list[str]) -> Iterator[config.Mistake]:
    """Names in `confirmRemoval` that nothing is left of."""
    for place, name in enumerate(confirmed):
        if name not in before and name not in wanted:
            yield config.Mistake(f"confirmRemoval[{place}]", f"{name} is not there (any more)", "remove it")
