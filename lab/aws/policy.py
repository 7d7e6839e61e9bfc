"""Identity policies evaluated as IAM does: what no statement allows is denied, and a deny wins. Pure.

Every part of a statement is True, False or None (not understood, or the request's resource is not known). An allow
statement applies when all is True, a deny statement unless something is False.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lab.aws import conditions, patterns

ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
VERSIONS = {"2012-10-17", "2008-10-17"}

EXPLICIT = "with an explicit deny in an identity-based policy"


@dataclasses.dataclass(frozen=True)
class Document:
    """A policy document under the name that decisions call it by; None stands for one that cannot be read."""

    name: str
    content: Mapping[str, Any] | None

    @classmethod
    def parse(cls, name: str, text: str) -> Document:
        """A document from its JSON text."""
        try:
            content = json.loads(text, object_pairs_hook=_unique)
        except (ValueError, RecursionError):
            content = None
        return cls(name, content if isinstance(content, dict) else None)


@dataclasses.dataclass(frozen=True)
class Decision:
    """Whether a call is allowed, why in AWS's words, and which statement decided or came nearest."""

    allowed: bool
    reason: str
    detail: str


@dataclasses.dataclass(frozen=True)
class _Part:
    """One thing that a statement asks of a request."""

    holds: bool | None
    note: str


def evaluate(
    documents: Sequence[Document], action: str, resources: Sequence[str] | None, context: conditions.Context
) -> Decision:
    """The decision on one call; with several resources each has to be allowed.

    `resources`: ARNs, `*` for an action that knows none, None where they are not known (then only a statement on
    `*` allows, and every deny of the action applies).
    """
    decision = Decision(False, f"because no identity-based policy allows the {action} action", "no policy is attached")
    for resource in [None] if resources is None else resources:
        decision = _evaluate_one(documents, action, resource, context)
        if not decision.allowed:
            break
    return decision


def _evaluate_one(
    documents: Sequence[Document], action: str, resource: str | None, context: conditions.Context
) -> Decision:
    allowed_by = ""
    nearest = "no statement names the action" if documents else "no policy is attached"
    for where, effect, parts in _statements(documents, action, resource, context):
        missing = [part for part in parts if part.holds is not True]
        if effect == "Deny" and not any(part.holds is False for part in missing):
            return Decision(False, EXPLICIT, f"{where} denies it{_but(missing)}")
        if effect == "Allow" and not missing:
            allowed_by = allowed_by or where
        elif effect == "Allow" and parts[0].holds:
            nearest = f"{where} allows the action{_but(missing)}"
    if allowed_by:
        return Decision(True, f"{allowed_by} allows it", allowed_by)
    return Decision(False, f"because no identity-based policy allows the {action} action", nearest)


def _statements(
    documents: Sequence[Document], action: str, resource: str | None, context: conditions.Context
) -> Iterator[tuple[str, str, list[_Part]]]:
    for document in documents:
        content = document.content
        if content is None:
            yield f"policy {document.name}", "Deny", [_Part(None, "the document cannot be read")]
            continue
        general: list[_Part] = []
        if content.get("Version", "2008-10-17") not in VERSIONS or not content.keys() <= {"Version", "Id", "Statement"}:
            general.append(_Part(None, "its document has a version or elements that are not understood"))
        listed = content.get("Statement", [])
        for number, statement in enumerate(listed if isinstance(listed, list) else [listed], start=1):
            where = f"policy {document.name}, statement {number}"
            if not isinstance(statement, dict):
                yield where, "Deny", [_Part(None, "the statement is not an object")]
                continue
            effect = "Allow" if statement.get("Effect") == "Allow" else "Deny"
            parts = [_action(statement, action), _resource(statement, resource), *_conditions(statement, context)]
            unknown = sorted(statement.keys() - ELEMENTS)
            if unknown or statement.get("Effect") not in ("Allow", "Deny"):
                parts.append(_Part(None, f"{', '.join(unknown) or 'Effect'} is not understood"))
            yield where, effect, parts + general


def _action(statement: Mapping[str, Any], action: str) -> _Part:
    return _Part(
        _listed(statement, "Action", lambda pattern: patterns.matches(pattern, action, ignore_case=True)),
        "its actions are not understood",
    )


def _resource(statement: Mapping[str, Any], resource: str | None) -> _Part:
    if resource is not None:
        holds = _listed(statement, "Resource", lambda pattern: patterns.matches(pattern, resource))
        return _Part(holds, f"not on {resource}")
    everything = _listed(statement, "Resource", lambda pattern: pattern == "*")
    excepted = "NotResource" in statement
    return _Part(everything if everything is (not excepted) else None, "the call's resource is not known here")


def _conditions(statement: Mapping[str, Any], context: conditions.Context) -> list[_Part]:
    block = statement.get("Condition", {})
    if not isinstance(block, dict) or not all(isinstance(keys, dict) for keys in block.values()):
        return [_Part(None, "its Condition is not understood")]
    parts: list[_Part] = []
    for operator, keys in block.items():
        for key, expected in keys.items():
            actual = ", ".join(context.get(key.lower(), ())) or "nothing"
            holds = conditions.holds(operator, key, expected, context)
            parts.append(_Part(holds, f"its condition {operator} on {key} {_verdict(holds)} for {actual}"))
    return parts


def _listed(statement: Mapping[str, Any], element: str, match: Any) -> bool | None:
    """Whether `element`, or its negation `Not<element>`, covers the request; None when it cannot be read."""
    negation = f"Not{element}"
    if (element in statement) == (negation in statement):
        return None
    wanted = statement.get(element, statement.get(negation))
    listed = wanted if isinstance(wanted, list) else [wanted]
    unread = conditions.texts(listed) is None or not all(isinstance(pattern, str) for pattern in listed)
    found = any(match(pattern) for pattern in listed if isinstance(pattern, str) and "${" not in pattern)
    if unread and not found:
        return None
    return found != (negation in statement)


def _verdict(holds: bool | None) -> str:
    return "is not understood" if holds is None else "does not hold"


def _but(missing: Sequence[_Part]) -> str:
    return f", but {'; '.join(part.note for part in missing)}" if missing else ""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key is there twice")
    return dict(pairs)
