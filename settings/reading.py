"""From what a stack file says to settings, or to everything that is wrong with it."""

from __future__ import annotations

import copy
import dataclasses
import difflib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import pydantic
import pydantic_core

from settings import checks, defaults, errors, explain, model, scalars, trees
from settings import written as written_values

STAND_INS: dict[trees.Place, Any] = {
    ("cluster",): {"provider": "ionos", "kubernetesVersion": "1.34.3"},
    ("cluster", "kubernetesVersion"): "1.34.3",
    ("cluster", "name"): "example",
    ("dns",): {"domains": ["example.org"]},
    ("dns", "domains"): ["example.org"],
}
"""What is read on with where a setting that must be there is missing or wrong."""
OWNER_STAND_INS = {"organization": "missing-{}", "namespaces": ["missing-{}"]}
"""The same for one of `appOwners`, with its number: left out, it would change the others' numbers."""


def parse(
    raw: Mapping[str, Any],
    stack: str,
    secrets_present: Collection[str] = (),
    written: written_values.Written | None = None,
) -> model.Settings:
    """A stack's settings.

    Takes what stands below the project's namespace (keys without its prefix; mappings may be JSON texts, as
    the engine hands them over), the stack's name, which keys are there encrypted, and how the file writes it, where
    that is known. Raises `SettingsError` with every mistake there is, and nothing else.
    """
    secrets = set(secrets_present)
    written = written or written_values.Written()
    sections = _sections()
    mistakes = list(_top_level(raw, secrets))
    given = {key: decode(key, value) for key, value in raw.items() if key in sections and key not in secrets}
    given = {key: value for key, value in given.items() if value not in (None, "")}
    for key in [key for key, value in given.items() if trees.is_deep(value)]:
        mistakes.append(errors.Mistake(key, "it is nested too deeply", "write it flatter"))
        del given[key]
    filled = defaults.fill(copy.deepcopy(given), stack)
    settings, found, doubtful = _salvage(filled)

    hidden = secrets & set(sections)
    doubts = _doubts(written, given, found)
    mistakes += doubts.values()
    derived: list[pydantic_core.ErrorDetails] = []
    for error in found:
        place = explain.place_of(error)
        if place[0] in hidden or any(place[: len(one)] == one for one in doubts):
            continue
        if error["type"] == "missing" or _is_written(given, error):
            mistakes.append(explain.mistake(error, filled, written.values))
        else:
            derived.append(error)
    if settings is not None:
        paths = [*map(trees.text, doubtful), *map(trees.text, doubts), *hidden]
        mistakes += [one for one in model.rules(settings, secrets) if not _rests_on(one, paths)]
    if not mistakes:
        mistakes = [_about_default(explain.mistake(error, filled, written.values), stack) for error in derived]
    if mistakes or settings is None:
        raise errors.SettingsError(stack, dict.fromkeys(mistakes))
    return settings


def misspelt(full_keys: Iterable[str], project: str) -> Iterator[errors.Mistake]:
    """Keys whose namespace is nearly the project's: they belong to nobody, and Pulumi passes over them."""
    for full_key in full_keys:
        namespace, colon, key = full_key.partition(":")
        if colon and namespace != project and difflib.get_close_matches(namespace, [project], cutoff=0.8):
            yield errors.Mistake(full_key, f"{namespace} is not this project", f"write {project}:{key}")


def decode(key: str, value: Any) -> Any:
    """What a stack file says: the engine hands over mappings as JSON, and writes numbers back as texts."""
    if not isinstance(value, str) or key == "environment":
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _sections() -> list[str]:
    return [field.alias or name for name, field in model.Settings.model_fields.items()]


def _top_level(raw: Mapping[str, Any], secrets: set[str]) -> Iterator[errors.Mistake]:
    known = [*_sections(), *model.SECRETS]
    for key in dict.fromkeys([*map(str, raw), *sorted(secrets)]):
        if key not in known:
            section, dot, below = key.partition(".")
            fix = f"write {below} below {section} (`pulumi config set --path` does)" if dot and section in known else ""
            yield errors.Mistake(key or '""', "unknown key", fix or explain.suggestion(key, known))
        elif key in model.SECRETS and key not in secrets:
            fix = f"remove it, make a new one (Git remembers this one) and run `pulumi config set --secret {key}`"
            yield errors.Mistake(key, "this secret is in plain text", fix)
        elif key in secrets and key not in model.SECRETS:
            fix = f"write it in plain text; only {', '.join(model.SECRETS)} are secrets"
            yield errors.Mistake(key, "it is encrypted, or something in it is, and nobody can review it", fix)


def _salvage(
    filled: dict[str, Any],
) -> tuple[model.Settings | None, list[pydantic_core.ErrorDetails], set[trees.Place]]:
    """Settings without what is wrong, every error, and the places that were left out or replaced.

    So the rules between several keys are checked in the same run, on whatever could be read.
    """
    found: list[pydantic_core.ErrorDetails] = []
    doubtful: set[trees.Place] = set()
    rest = filled
    for _ in range(12):
        try:
            return model.Settings.model_validate(rest), found, doubtful
        except pydantic.ValidationError as error:
            now = error.errors(include_url=False)
        if not found:
            found, rest = now, copy.deepcopy(filled)
        wrong = [(explain.place_of(one), one["type"] == "missing") for one in now]
        # The last items of a list first, so that the others keep their numbers.
        wrong.sort(key=lambda one: [str(part).zfill(8) for part in one[0]], reverse=True)
        gone: list[trees.Place] = []
        for place, is_missing in wrong:
            if any(place[: len(one)] == one for one in gone):
                doubtful.add(place)
                continue  # what carried it was left out for another error: nothing around it is wrong
            mended = _mend(rest, place, is_missing)
            if mended and (isinstance(mended[-1], int) or trees.at(rest, mended) is None):
                gone.append(mended)
            # Without one of its items, a list's others have new numbers.
            numbered = mended and isinstance(mended[-1], int)
            doubtful.add(mended[:-1] if numbered else place)
    return None, found, doubtful


def _mend(rest: dict[str, Any], place: trees.Place, is_missing: bool) -> trees.Place:
    """Make one error go away: by a stand-in, or by leaving out the smallest thing that carries it.

    Returns the place of what was replaced or left out.
    """
    if place in STAND_INS and (is_missing or len(place) == 1):
        parent = trees.mapping(trees.at(rest, place[:-1]))
        parent[str(place[-1])] = copy.deepcopy(STAND_INS[place])
        return place
    match place:
        case ("appOwners", int(number), ("organization" | "namespaces") as key) if trees.at(rest, place[:-1]):
            text = json.dumps(OWNER_STAND_INS[key]).format(number)
            trees.mapping(trees.at(rest, place[:-1]))[key] = json.loads(text)
            return place
        case _:
            pass
    target = place[:-1] if is_missing else place
    while target and not trees.remove(rest, target):
        target = target[:-1]
    return target


def _is_written(given: dict[str, Any], error: pydantic_core.ErrorDetails) -> bool:
    """Whether a person wrote what the error is about, and it is not a default that follows from something else."""
    place = explain.place_of(error)
    for end in range(len(place)):
        parent = trees.at(given, place[:end])
        if not isinstance(parent, dict | list):
            return True
        if not trees.has(parent, place[end]):
            return False
    return True


def _doubts(
    written: written_values.Written, given: dict[str, Any], found: list[pydantic_core.ErrorDetails]
) -> dict[trees.Place, errors.Mistake]:
    """What is read as something else, by place; not inside of what is wrong as a whole, whose values are not shown."""
    wrong = {explain.place_of(error): error["type"] for error in found}
    doubts: dict[trees.Place, errors.Mistake] = {}
    for place, one in (*written.dates(given), *written.doubts()):
        around = any(place[:end] in wrong for end in range(1, len(place)))
        if place[0] not in given or around or wrong.get(place) == "extra_forbidden":
            continue
        # Where no number is good, none is to be written.
        fix = one.fix.partition(scalars.OR_WRITE)[0] if place in wrong else one.fix
        doubts[place] = dataclasses.replace(one, fix=fix)
    return doubts


def _rests_on(mistake: errors.Mistake, doubtful: list[str]) -> bool:
    """Whether a judgement rests on something that could not be read as it stands."""
    return any(
        one == bad or one.startswith((f"{bad}.", f"{bad}[")) or bad.startswith((f"{one}.", f"{one}["))
        for one in (mistake.path, *mistake.rests_on)
        for bad in doubtful
    )


def _about_default(mistake: errors.Mistake, stack: str) -> errors.Mistake:
    if mistake.path == "environment":
        problem = f"the stack's name {checks.show(stack)} does not serve as the environment's"
        return errors.Mistake("environment", problem, mistake.fix)
    return errors.Mistake(mistake.path, f"its default does not serve: {mistake.problem}", mistake.fix)
