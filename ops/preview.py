"""What `pulumi preview --json` says, read into few plain values. Pure; never a value of a resource, only names.

Its shape, as Pulumi 3 prints it: `{config, steps: [{op, urn, oldState, newState, detailedDiff, diffReasons,
replaceReasons}], diagnostics: [{urn, message, severity}], changeSummary: {op: count}}`. A failed preview prints
the same with what it came to, and an error among the diagnostics. One that was interrupted prints it without
changeSummary and without an error: only stderr and the exit code tell.
"""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from ops import login, preview_text, scrub
from ops.preview_model import NOTHING, Change, Preview

_SAME_AS = {
    "create-replacement": "replace",
    "delete-replaced": "replace",
    "import-replacement": "replace",
    "import": "import",
    "discard-replaced": "replace",
    "remove-pending-replace": "replace",
}
_HARM = {
    "ionoscloud:k8s/nodePool:NodePool": "node pool: its nodes go, and every pod on them has to move",
    "ionoscloud:k8s/cluster:Cluster": "cluster: everything on it goes",
    "ionoscloud:compute/datacenter:Datacenter": "datacenter: everything in it goes",
    "ionoscloud:compute/lan:Lan": "LAN: what is in it, such as managed databases, is reached by nobody afterwards",
    "ionoscloud:compute/iPBlock:IPBlock": "reserved addresses: clients reach the ingress by other ones afterwards",
    "aws:route53/zone:Zone": "hosted zone: its registrar has to point to other name servers",
    "tls:index/privateKey:PrivateKey": "sealing key: what was sealed for it cannot be opened any more",
    "kubernetes:helm.sh/v3:Release": "Helm release: it is uninstalled",
}
"""What it means when one of these is replaced or deleted."""

_PLATFORM_NAMESPACES = "platform:cluster:Namespaces"


def read(stack: str, text: str, said: str = "", known: Iterable[str] = (), code: str | None = None) -> Preview:
    """The preview of a stack: `text` is what Pulumi printed, `said` what it wrote to stderr, `known` secrets.

    `code` is its exit code, if that was written down.
    Never raises: what cannot be read is said in `problem`.
    """
    known = list(known)
    if not text.strip():
        return Preview(stack, problem=_silent(stack, said, known))
    try:
        found, around = preview_text.find(text)
        if "outcome" in str(found.get("stacks"))[:1000]:
            return _reported(stack, found["stacks"])
        return _read(stack, found, _Ending(f"{said}\n{around}", known, code))
    except RecursionError:
        return Preview(stack, problem=_ODD)
    except (_Odd, preview_text.UnreadableError) as odd:
        return Preview(stack, problem=str(odd) or _ODD)


def told(said: str, known: Iterable[str] = ()) -> str:
    """What a preview wrote to stderr, as others may read it: without secrets, colours and control characters."""
    return scrub.scrub(_plain(said), known)


class _Odd(Exception):
    pass


_ODD = (
    "it does not have the shape that `pulumi preview --json` of Pulumi 3 has: run the preview with the version of "
    "requirements.txt, and hand over what it prints as it is"
)


_UNKNOWN = (
    "the preview's exit code is not known: one that a mandatory policy refused prints the same as one that went well; "
    "write it beside the preview (<stack>.code)"
)
"""Pulumi's JSON has nothing of policies: https://github.com/pulumi/pulumi/blob/v3.259.0/pkg/backend/display/json.go"""


class _Ending(NamedTuple):
    """What tells how a preview ended, beside its JSON."""

    said: str
    known: list[str]
    code: str | None

    def errors(self) -> tuple[str, ...]:
        """Errors that the JSON lacks."""
        text = told(self.said, self.known)
        if found := re.findall(r"^error: (.+(?:\n[ \t].+)*)", text, re.MULTILINE):
            return tuple(dict.fromkeys(found))
        if self.code is None or self.code.strip() == "0":
            return ()
        return (
            f"`pulumi preview` ended with exit code {_plain(self.code)[:20] or 'unknown'}: {text[-600:]}".strip(": "),
        )


def _read(stack: str, found: dict[str, Any], ending: _Ending) -> Preview:
    if "sequence" in found:
        raise _Odd(preview_text.EVENTS)
    if not preview_text.KEYS & found.keys():
        raise _Odd
    steps = [_step(one) for one in _list(found.get("steps"))]
    others = sorted({one[1] for one in steps} - {stack})
    if others:
        raise _Odd(f"it is a preview of stack {', '.join(others)}: name the file of {stack}")
    listed: dict[str, list[Change]] = {}
    for step, _ in steps:
        if step["op"] not in NOTHING:
            listed.setdefault(step["urn"], []).append(_change(step))
    changes = [_one(of_a_resource) for of_a_resource in listed.values()]
    errors, warnings = _messages(_list(found.get("diagnostics")), ending.known)
    errors = errors or ending.errors()
    if not errors and not isinstance(found.get("changeSummary"), dict):
        return Preview(stack, problem=_unfinished(stack, ending))
    if not errors and ending.code is None:
        warnings = (*warnings, _UNKNOWN)
    born = any(step["op"] == "create" and "::pulumi:pulumi:Stack::" in step["urn"] for step, _ in steps)
    order = sorted(changes, key=lambda one: (not one.drastic, one.harm is None, one.op != "delete"))
    return Preview(stack, _counts(found.get("changeSummary"), steps), tuple(order), errors, warnings, new=born)


def _reported(stack: str, stacks: Any) -> Preview:
    """A preview out of the report that `preview-report --json` made of it elsewhere."""
    one = next((one for one in _list(stacks) if isinstance(one, dict) and one.get("stack") == stack), None)
    if one is None:
        raise _Odd(f"it is a report without stack {stack}: name the file of {stack}")
    try:
        changes = tuple(
            Change(
                *(_text(change[field]) for field in ("op", "type", "name")),
                keys=tuple(map(_text, change["keys"])),
                reasons=tuple(map(_text, change["reasons"])),
                harm=None if change["harm"] is None else _text(change["harm"]),
            )
            for change in one["changes"]
        )
        errors, warnings = tuple(map(_text, one["errors"])), tuple(map(_text, one["warnings"]))
        counts = {op: _number(count) for op, count in one["counts"].items()}
        problem = None if one["problem"] is None else _text(one["problem"])
        return Preview(stack, counts, changes, errors, warnings, one["outcome"] == "new", problem)
    except (KeyError, TypeError, AttributeError):
        raise _Odd from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _Odd
    return value


def _number(value: Any) -> int:
    if type(value) is not int:
        raise _Odd
    return value


def _silent(stack: str, said: str, known: list[str]) -> str:
    if advice := login.advice(said):
        return f"the preview could not begin: {advice}"
    if said.strip():
        return f"the preview could not begin: {told(said, known)[-600:]}"
    return f"the preview printed nothing: it could not begin; the log of `pulumi preview --stack {stack}` says why"


def _unfinished(stack: str, ending: _Ending) -> str:
    text = told(ending.said, ending.known)[-600:]
    return f"the preview did not end: {text or f'run `pulumi preview --stack {stack}` again'}"


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _Odd
    return value


def _step(step: Any) -> tuple[dict[str, Any], str]:
    """A step and the stack it belongs to."""
    if not isinstance(step, dict) or not isinstance(step.get("op"), str) or not isinstance(step.get("urn"), str):
        raise _Odd
    parts = step["urn"].split("::", 3)
    if len(parts) != 4 or not parts[0].startswith("urn:pulumi:"):
        raise _Odd
    return step, parts[0].removeprefix("urn:pulumi:")


def _change(step: dict[str, Any]) -> Change:
    _, _, chain, name = step["urn"].split("::", 3)
    kind, op = chain.rpartition("$")[2], _operation(step["op"])
    detailed = step.get("detailedDiff")
    keys = list(detailed) if isinstance(detailed, dict) else _texts(step.get("diffReasons"))
    change = Change(op, kind, name, tuple(keys), tuple(_texts(step.get("replaceReasons"))))
    return dataclasses.replace(change, harm=_harm(kind, chain) if change.drastic else None)


_STRENGTH = ("update", "create", "replace", "delete")


def _one(changes: list[Change]) -> Change:
    """What is listed of one resource, as one change: the strongest, with what every one of them concerns."""
    strongest = max(changes, key=lambda one: _STRENGTH.index(one.op) if one.op in _STRENGTH else -1)
    replaced = {"create", "delete"} <= {one.op for one in changes}
    return dataclasses.replace(
        strongest,
        op="replace" if replaced else strongest.op,
        keys=tuple(dict.fromkeys(key for one in changes for key in one.keys)),
        reasons=tuple(dict.fromkeys(reason for one in changes for reason in one.reasons)),
    )


def _operation(op: str) -> str:
    return _SAME_AS.get(op, op)


def _harm(kind: str, chain: str) -> str | None:
    if kind.startswith("pulumi:providers:"):
        return "provider: everything that was made through it may be replaced too"
    if kind == "kubernetes:core/v1:Namespace":
        whose = "namespace" if _PLATFORM_NAMESPACES in chain else "app owner's namespace"
        return f"{whose}: everything in it goes"
    return _HARM.get(kind)


def _counts(summary: Any, steps: list[tuple[dict[str, Any], str]]) -> dict[str, int]:
    counts = collections.Counter[str]()
    if isinstance(summary, dict) and all(type(count) is int for count in summary.values()):
        for op, count in summary.items():
            counts[_operation(op)] += count
    else:
        counts.update(_operation(step["op"]) for step, _ in steps)
    return dict(counts)


def _messages(diagnostics: list[Any], known: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Errors and warnings, each once, without secrets."""
    found: dict[str, list[str]] = {"error": [], "warning": []}
    for one in diagnostics:
        if not isinstance(one, dict) or not isinstance(one.get("message"), str):
            raise _Odd
        severity = str(one.get("severity"))
        if severity not in found:
            continue
        text = scrub.scrub(_plain(one["message"]).removeprefix(f"{severity}: "), known)
        urn = one.get("urn")
        name = urn.rpartition("::")[2] if isinstance(urn, str) and "pulumi:pulumi:Stack::" not in urn else ""
        text = f"{name}: {text}" if name and not text.startswith(name) else text
        if text and text not in found[severity]:
            found[severity].append(text)
    told = [text for text in found["error"] if "program exited with non-zero exit code" not in text]
    return tuple(told or found["error"]), tuple(found["warning"])


def _plain(text: str) -> str:
    """Without colours, Pulumi's own colour marks, and control characters."""
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]|<\{%[^%]*%\}>", "", text)
    return "".join(one for one in text if one in "\n\t" or one.isprintable()).strip()


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
