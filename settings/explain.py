"""What a model's errors mean for the person who wrote the stack file."""

from __future__ import annotations

import difflib
import json
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

import pydantic_core

from settings import base, checks, errors, model, trees

KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a text",
    "string_sub_type": "a text",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "list_type": "a list",
}


def place_of(error: pydantic_core.ErrorDetails) -> trees.Place:
    """Where in the stack file an error is: its location without what only the models know."""
    loc = tuple(error["loc"])
    if loc[:1] == ("cluster",) and loc[1:2] in (("ionos",), ("existing",)):
        loc = loc[:1] + loc[2:]
    return tuple(part for part in loc if part != "[key]")


def mistake(
    error: pydantic_core.ErrorDetails, raw: dict[str, Any], written: Mapping[trees.Place, str] | None = None
) -> errors.Mistake:
    """One error of the models, in words; `written`: how the file writes what is no text.

    Values of unknown keys are never shown: they may be secrets.
    """
    place = place_of(error)
    problem, fix = _words(error, place, raw, written or {})
    if isinstance(trees.at(raw, place[:-1]), str):
        place = place[:-1]  # a text that stands for a mapping, as a domain's name does
    return errors.Mistake(trees.text(place), problem, fix)


def _words(
    error: pydantic_core.ErrorDetails, place: trees.Place, raw: dict[str, Any], written: Mapping[trees.Place, str]
) -> tuple[str, str]:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    example = _example(place, raw)
    if kind == "setting":
        return context["problem"], context["fix"]
    if kind == "extra_forbidden":
        section = _section(place[:-1], raw)
        return "unknown key", suggestion(str(place[-1]), _keys(section) if section else [])
    if kind == "missing":
        return "it is missing", f"write {place[-1]}: {example}"
    if kind in KINDS:
        if kind == "string_type" and isinstance(value, int | float):
            text = written.get(place) or written.get(place[:-1])
            what = "true or false" if isinstance(value, bool) else "a number"
            fix = f'put it in quotes: "{text}"' if text else f"put it in quotes as it was meant, such as {example}"
            return f"{text or checks.show(value)} is read as {what}, not as a text", fix
        if value is None and isinstance(place[-1], int):
            return "the list has an empty item", f"remove its `-`, or write what is meant behind it, such as {example}"
        meant = _meant(KINDS[kind], value) or example
        if isinstance(place[-1], int):
            return f"it must be {KINDS[kind]}, not {_kind_of(value)}", f"write one such as {meant}"
        return f"it must be {KINDS[kind]}, not {_kind_of(value)}", f"write {place[-1]}: {meant}"
    if kind == "greater_than_equal":
        return f"{value} is too little", f"write at least {context['ge']}"
    if kind == "less_than_equal":
        return f"{value} is too much", f"write at most {context['le']}"
    if kind == "literal_error":
        choices = context["expected"].replace(" or ", ", ").replace("'", "").split(", ")
        fix = suggestion(str(value), choices, "write one of", "write {}")
        return f"{checks.show(value)} is none of its values", fix
    if kind == "union_tag_invalid":
        return f"{checks.show(context['tag'])} is no provider", "write cluster.provider: ionos, or existing"
    if kind == "union_tag_not_found":
        return "provider is missing", "write cluster.provider: ionos, or existing"
    if kind in ("string_too_short", "too_short"):
        return "it is empty", f"write {place[-1]}: {example}"
    if kind == "string_pattern_mismatch":
        return f"{checks.show(value)} has the wrong form", f"write one such as {example}"
    return error["msg"][0].lower() + error["msg"][1:], f"write one such as {example}"


def suggestion(
    word: str,
    known: Iterable[str],
    otherwise: str = "remove it; known here:",
    close_one: str = "did you mean {}? Otherwise remove it",
) -> str:
    """What was probably meant, or everything that is known."""
    names = list(known)
    lower = {name.lower(): name for name in names}
    close = difflib.get_close_matches(word.lower().replace("_", ""), lower, n=1, cutoff=0.7)
    if close:
        return close_one.format(lower[close[0]])
    return f"{otherwise} {', '.join(names)}" if names else "remove it"


def _meant(kind: str, value: Any) -> str | None:
    """What a text was surely meant to be: a number in quotes, another word for yes."""
    word = str(value).strip().lower()
    if kind == KINDS["int_type"]:
        return word.removesuffix(".0") if word.removesuffix(".0").lstrip("-").isdigit() else None
    if kind == KINDS["bool_type"]:
        return {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}.get(word)
    return None


def _kind_of(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool | int | float):
        return checks.show(value)
    if isinstance(value, str):
        return f"the text {checks.show(value)}" if len(value) <= 60 else checks.show(value)
    return checks.show(value)


def _keys(section: type[base.Section]) -> list[str]:
    return [field.alias or name for name, field in section.model_fields.items()]


def _example(place: trees.Place, raw: dict[str, Any]) -> str:
    names = [part for part in place if isinstance(part, str)]
    section = _section(tuple(names[:-1]), raw)
    for name, field in section.model_fields.items() if section else ():
        if names and (field.alias or name) == names[-1] and field.examples:
            example: Any = field.examples[0]
            items = trees.items(example) if isinstance(place[-1], int) else []
            return json.dumps(items[0] if items else example)
    return "a value of the right kind"


def _section(place: trees.Place, raw: dict[str, Any]) -> type[base.Section] | None:
    """The model that describes what stands at a place; None inside of values and the like."""
    section: type[base.Section] | None = model.Settings
    below_names = False
    for part in place:
        if below_names or isinstance(part, int):
            below_names = False
            continue
        if section is None:
            return None
        field = next((f for n, f in section.model_fields.items() if (f.alias or n) == part), None)
        if field is None:
            return None
        below_names = typing.get_origin(field.annotation) is dict
        found = list(_sections_in(field.annotation))
        if len(found) > 1:
            found = found[1:] if trees.at(raw, ("cluster", "provider")) == "existing" else found[:1]
        section = found[0] if found else None
    return section


def _sections_in(annotation: Any) -> Iterable[type[base.Section]]:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, base.Section):
            yield annotation
        return
    for argument in typing.get_args(annotation):
        yield from _sections_in(argument)
