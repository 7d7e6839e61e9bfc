"""The Applications that the handed-over folder describes, down to the last: each Synced and Healthy. Pure."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ops import ready_checks
from ops.ready_checks import Finding

Object = Mapping[str, Any]
GROUP = "argoproj.io"
UNREACHED = re.compile(
    "authentication|authorization|permission denied|connection|dial tcp|timeout|unable to resolve|path does not exist",
    re.IGNORECASE,
)
"""What a ComparisonError says that no file is the cause of."""


def findings(root: Object, applications: Mapping[str, Object], sets: Mapping[str, Object]) -> Iterator[Finding]:
    """One for each child of `root`, and of its children. Both mappings are by name, in Argo CD's namespace."""
    yield from _below(root, root, applications, sets, {str(root["metadata"]["name"])})


def unread(finding: Finding, root: str, folder: str) -> Finding:
    """A finding, with the way to the file where Argo CD cannot read the folder: its message may name none."""
    said = [one for one in finding.reasons if one.startswith("ComparisonError") and not UNREACHED.search(one)]
    if finding.check != f"application {root}" or not said:
        return finding
    step = (
        "if a file of the folder is wrong and none is named, look for those that are no Application, in a checkout: "
        f"grep -rLE '^apiVersion: *argoproj.io/' --include='*.y*ml' --include='*.json' {folder}"
    )
    return dataclasses.replace(finding, next=f"{step}; {finding.next}")


def _below(
    parent: Object, root: Object, applications: Mapping[str, Object], sets: Mapping[str, Object], seen: set[str]
) -> Iterator[Finding]:
    for one in (parent.get("status") or {}).get("resources") or []:
        # A set's status lists nothing but Applications, and may leave out that they are.
        kind, name = str(one.get("kind") or "Application"), str(one.get("name"))
        if (
            kind not in ("Application", "ApplicationSet")
            or one.get("group", GROUP) != GROUP
            or f"{kind}/{name}" in seen
        ):
            continue
        seen.add(f"{kind}/{name}")
        found = (applications if kind == "Application" else sets).get(name)
        yield _child(name, found, root) if kind == "Application" else _set(name, found)
        if found is None:
            continue
        yield from _below(found, root, applications, sets, seen)


def _child(name: str, found: Object | None, root: Object) -> Finding:
    check = f"application {name}"
    root_name = root["metadata"]["name"]
    if found is None:
        step = f"`kubectl describe application -n argocd {root_name}` says why it was not made; an excluded file?"
        return Finding(check, False, "it is in Git, and not in the cluster", _refusals(root, name), step)
    usual = ready_checks.application(name, found)
    status = found.get("status") or {}
    if by_hand(found):
        state = (status.get("health") or {}).get("status")
        met = state not in ("Degraded", "Progressing")
        return Finding(check, met, f"{usual.what}; its sync policy is manual", usual.reasons, usual.next)
    sync, health = (status.get("sync") or {}), (status.get("health") or {})
    met = (sync.get("status"), health.get("status")) == ("Synced", "Healthy")
    what = usual.what
    if tries := (status.get("operationState") or {}).get("retryCount"):
        what += f", tried again {tries} times"
    if met and (behind := _behind(found, root)):
        met, what = False, behind
    return Finding(check, met, what, usual.reasons, usual.next)


def by_hand(application: Object) -> bool:
    """Whether people sync an Application, so that nobody can wait for it."""
    automated = ((application.get("spec") or {}).get("syncPolicy") or {}).get("automated")
    return automated is None or automated.get("enabled") is False


def _behind(child: Object, root: Object) -> str:
    """What a child's status is older than: a commit that the root has, of the same repository and branch."""
    sources = [(one.get("spec") or {}).get("source") or {} for one in (child, root)]
    same = all(sources[0].get(key) == sources[1].get(key) for key in ("repoURL", "targetRevision"))
    revisions = [str(((one.get("status") or {}).get("sync") or {}).get("revision") or "") for one in (child, root)]
    if not same or not all(revisions) or revisions[0] == revisions[1]:
        return ""
    return f"Synced at {revisions[0][:7]}, while the folder is at {revisions[1][:7]}: Argo CD looks every few minutes"


def _refusals(root: Object, name: str) -> tuple[str, ...]:
    state = (root.get("status") or {}).get("operationState") or {}
    resources = (state.get("syncResult") or {}).get("resources") or []
    said = [str(one["message"]) for one in resources if one.get("name") == name and one.get("message")]
    return tuple(said or ([str(state["message"])] if state.get("message") else []))


def _set(name: str, found: Object | None) -> Finding:
    check = f"applicationset {name}"
    if found is None:
        return Finding(check, False, "it is in Git, and not in the cluster", next="look at Application root")
    conditions = {str(one.get("type")): one for one in (found.get("status") or {}).get("conditions") or []}
    for kind, bad in (("ErrorOccurred", "True"), ("ResourcesUpToDate", "False")):
        one = conditions.get(kind) or {}
        if one.get("status") == bad:
            step = f"kubectl describe applicationset -n argocd {name}"
            return Finding(check, False, f"{kind}: {one.get('message') or 'no reason given'}", next=step)
    met = (conditions.get("ResourcesUpToDate") or {}).get("status") == "True"
    return Finding(check, met, "its Applications are made" if met else "it has not made its Applications yet")
