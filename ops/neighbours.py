"""Domains of one environment against those of the others: the same ones, and those inside of one another."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

import settings
from ops import changed_stacks, stackfiles


@dataclasses.dataclass(frozen=True)
class Domain:
    """A domain of a stack. `made`: its hosted zone is one that the stack makes; `main`: it is the stack's first."""

    stack: str
    name: str
    path: str
    made: bool
    main: bool


def of_section(stack: str, dns: Any) -> list[Domain]:
    """The domains of a section `dns`, as far as they can be read."""
    listed = dns.get("domains") if isinstance(dns, dict) else None
    found: list[Domain] = []
    for place, one in enumerate(listed if isinstance(listed, list) else []):
        name, zone = (one.get("name"), one.get("zoneId")) if isinstance(one, dict) else (one, None)
        made = zone is None and dns.get("provider", "route53") == "route53"
        found.append(Domain(stack, str(name), f"dns.domains[{place}]", made, place == 0))
    return found


def others(folder: pathlib.Path, stack: str) -> list[Domain]:
    """The domains of every other stack that has a file here."""
    namespace = stackfiles.project(folder)
    found: list[Domain] = []
    for name in stackfiles.names(folder):
        if name not in (stack, changed_stacks.LAB):
            file = next(file for end in ("yaml", "yml") if (file := folder / f"Pulumi.{name}.{end}").exists())
            found += of_section(name, stackfiles.read(file, namespace).raw.get("dns"))
    return found


def mistakes(mine: Iterable[Domain], theirs: Iterable[Domain]) -> Iterator[settings.Mistake]:
    """Domains that two environments cannot both have."""
    for ours, other in _pairs(mine, theirs):
        if ours.name == other.name and (_both_make(ours, other) or _both_main(ours, other)):
            why = "make a zone of that name" if _both_make(ours, other) else "fight over its records"
            problem = f"{ours.name} is {other.stack}'s, and two environments would {why}"
            yield settings.Mistake(ours.path, problem, f"choose one of its own, such as {ours.stack}.{ours.name}")


def warnings(mine: Iterable[Domain], theirs: Iterable[Domain]) -> Iterator[settings.Mistake]:
    """Domains that two environments can both have, if somebody sees to it."""
    for ours, other in _pairs(mine, theirs):
        if ours.name == other.name:
            if not (_both_make(ours, other) or _both_main(ours, other)):
                problem = f"{ours.name} is {other.stack}'s as well: a record belongs to whoever wrote it first"
                yield settings.Mistake(ours.path, problem, "give no host the same name in both")
        elif ours.name.endswith(f".{other.name}"):
            problem = f"{ours.name} lies inside of {other.name}, which is {other.stack}'s"
            yield settings.Mistake(ours.path, problem, f"{_delegate(ours, other)}; {_APART}")
        elif other.name.endswith(f".{ours.name}"):
            problem = f"{other.name}, which is {other.stack}'s, lies inside of {ours.name}"
            yield settings.Mistake(ours.path, problem, f"{_delegate(other, ours)}; {_APART}")


_APART = "each external-dns leaves the other's records alone"


def _delegate(inner: Domain, outer: Domain) -> str:
    return f"write an NS record for {inner.name} with its name servers into the zone of {outer.name}"


def _both_make(one: Domain, other: Domain) -> bool:
    return one.made and other.made


def _both_main(one: Domain, other: Domain) -> bool:
    """Both write `ingress.<domain>` and, unless told otherwise, `argocd.<domain>`."""
    return one.main and other.main


def _pairs(mine: Iterable[Domain], theirs: Iterable[Domain]) -> Iterator[tuple[Domain, Domain]]:
    """Each with each; the lab's zones are on one machine only, so they are nobody's neighbours."""
    theirs = list(theirs)
    for ours in mine:
        for other in theirs:
            if changed_stacks.LAB not in (ours.stack, other.stack):
                yield ours, other
