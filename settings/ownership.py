"""How external-dns marks the records that are its own, and which adjustments of its chart the program can read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from settings import base, checks, errors, trees

RECORD_TYPE = "%{record_type}"
TXT_PREFIX = f"{RECORD_TYPE}-edns."
"""Without a prefix the mark of a zone's apex is `a-<zone>`, outside of the zone. external-dns (seen with 0.21) leaves
it out, and then neither changes nor removes the record that it is for."""
VALUES = "addons.externalDns.values"

SHAPES: dict[type, tuple[str, ...]] = {
    dict: ("image", "nodeSelector", "podAnnotations"),
    list: (
        "domainFilters",
        "env",
        "excludeDomains",
        "extraVolumeMounts",
        "extraVolumes",
        "imagePullSecrets",
        "managedRecordTypes",
        "sources",
        "tolerations",
    ),
}
"""Values that external-dns's last run takes over, and in which shape the chart has them."""


def txt_prefix(value: str) -> str:
    """What the names of ownership records begin with; may be empty."""
    if not re.fullmatch(r"([a-z0-9_-]|%\{record_type\})([a-z0-9._-]|%\{record_type\})*", value) and value:
        fix = f'write one such as "{TXT_PREFIX}", or "" for none'
        raise base.refuse(f"{checks.show(value)} cannot begin a name", fix)
    return value


def txt_owner_id(value: str) -> str:
    """Whose records are whose: a word in a comma-separated list."""
    if not re.fullmatch(r"[A-Za-z0-9._/-]{1,100}", value):
        fix = "write letters, digits, -, _, . or /, such as ionos-dns"
        raise base.refuse(f"{checks.show(value)} cannot be an owner's id", fix)
    return value


def rules(values: Mapping[str, Any]) -> Iterator[errors.Mistake]:
    """What is wrong with adjustments that the program itself reads: the last run at destroy is made of them."""
    provider = values.get("provider")
    if provider is not None and not isinstance(provider, dict):
        problem = f"{checks.show(provider)} is the chart's old form"
        yield errors.Mistake(f"{VALUES}.provider", problem, "remove it: dns.provider says which provider it is")
    elif not isinstance(trees.mapping(provider).get("webhook") or {}, dict):
        yield errors.Mistake(f"{VALUES}.provider.webhook", "it is no map", "write its keys below it, or remove it")
    if not isinstance(values.get("extraArgs") or {}, dict | list):
        problem = f"{checks.show(values['extraArgs'])} is neither a map nor a list"
        yield errors.Mistake(f"{VALUES}.extraArgs", problem, "write {option: value}, or a list of --option=value")
    for shape, keys in SHAPES.items():
        word, fix = ("map", "write {key: value}") if shape is dict else ("list", "write a list, each entry after a -")
        for key in keys:
            if values.get(key) is not None and not isinstance(values[key], shape):
                yield errors.Mistake(f"{VALUES}.{key}", f"{checks.show(values[key])} is no {word}", fix)


def at_the_apex(prefix: str) -> Iterator[errors.Mistake]:
    """A warning where the mark of a zone's apex would lie outside of the zone: `a-example.org`."""
    if RECORD_TYPE not in prefix or not prefix.endswith("."):
        problem = "under it a record at a zone's apex (example.org itself) is made, but never changed or removed"
        fix = f'in an environment without records, write "{TXT_PREFIX}" (docs/variants.md)'
        yield errors.Mistake("addons.externalDns.txtPrefix", problem, fix)
