"""From what a stack file says to settings, or to everything that is wrong with it."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pydantic

from settings import checks, defaults, errors, explain, model

STAND_INS: dict[explain.Place, Any] = {
    ("cluster",): {"provider": "ionos", "kubernetesVersion": "1.34.3"},
    ("cluster", "kubernetesVersion"): "1.34.3",
    ("cluster", "name"): "example",
    ("dns",): {"domains": ["example.org"]},
    ("dns", "domains"): ["example.org"],
}
"""What is read on with where a setting that must be there is missing or wrong."""


def parse(raw: Mapping[str, Any], stack: str, secrets_present: Collection[str] = ()) -> model.Settings:
    """A stack's settings.

    Takes what stands below the project's namespace (plain keys without the prefix), the stack's name, and
    which keys are there encrypted. Raises `SettingsError` with every mistake there is, and nothing else.
    """
    secrets = set(secrets_present)
    mistakes = list(_top_level(raw, secrets))
    given = {key: value for key, value in raw.items() if key in _sections() and key not in secrets}
    hidden = [key for key in secrets if key in _sections()]
    filled = defaults.fill(copy.deepcopy(given), stack)
    settings, found, doubtful = _salvage(filled)

    derived = [error for error in found if error["type"] != "missing" and not _is_written(given, error)]
    for error in found:
        if error not in derived and explain.place_of(error)[0] not in hidden:
            mistakes.append(explain.mistake(error, filled))
    if settings is not None:
        doubtful |= {(key,) for key in hidden}
        paths = [explain.path_text(place) for place in doubtful]
        mistakes += [one for one in model.rules(settings, secrets) if not _touches(one, paths)]
    if not mistakes and derived:
        mistakes = [_about_default(explain.mistake(error, filled), stack) for error in derived]
    if mistakes or settings is None:
        raise errors.SettingsError(stack, dict.fromkeys(mistakes))
    return settings


def _sections() -> dict[str, str]:
    return {field.alias or name: name for name, field in model.Settings.model_fields.items()}


def _top_level(raw: Mapping[str, Any], secrets: set[str]) -> Iterator[errors.Mistake]:
    known = [*_sections(), *model.SECRETS]
    for key in dict.fromkeys([*map(str, raw), *sorted(secrets)]):
        if key not in known:
            yield errors.Mistake(key, "unknown key", explain.suggestion(key, known))
        elif key in model.SECRETS and key not in secrets:
            fix = f"remove it, make a new one (this one is in Git's history), and run `pulumi config set --secret {key}`"
            yield errors.Mistake(key, "this secret is in plain text", fix)
        elif key in secrets and key not in model.SECRETS:
            fix = f"write it in plain text; only {', '.join(model.SECRETS)} are secrets"
            yield errors.Mistake(key, "it is encrypted, or something in it is, and nobody can review it", fix)


def _salvage(filled: dict[str, Any]) -> tuple[model.Settings | None, list[Any], set[explain.Place]]:
    """Settings without what is wrong, every error, and the places that were left out or replaced.

    So the rules between several keys are checked in the same run, on whatever could be read.
    """
    found: list[Any] = []
    doubtful: set[explain.Place] = set()
    rest = filled
    for _ in range(8):
        try:
            return model.Settings.model_validate(rest), found, doubtful
        except pydantic.ValidationError as error:
            now = error.errors(include_url=False)
        if not found:
            found, rest = now, copy.deepcopy(filled)
        places = [(explain.place_of(one), one["type"] == "missing") for one in now]
        # Last items of a list first, so that the others keep their numbers.
        for place, is_missing in sorted(places, key=lambda pair: [str(part).zfill(8) for part in pair[0]], reverse=True):
            numbers = [at for at, part in enumerate(place) if isinstance(part, int)]
            doubtful.add(place[: numbers[0]] if numbers else place)
            _mend(rest, place, is_missing)
    return None, found, doubtful


def _mend(rest: dict[str, Any], place: explain.Place, is_missing: bool) -> None:
    """Make one error go away: by a stand-in, or by leaving out the smallest thing that carries it."""
    if place in STAND_INS and (is_missing or len(place) == 1):
        parent = _at(rest, place[:-1])
        if isinstance(parent, dict):
            parent[place[-1]] = copy.deepcopy(STAND_INS[place])
            return
    target = place[:-1] if is_missing and len(place) > 1 else place
    while target:
        parent, last = _at(rest, target[:-1]), target[-1]
        if (isinstance(parent, dict) and last in parent) or (
            isinstance(parent, list) and isinstance(last, int) and last < len(parent)
        ):
            del parent[last]
            return
        target = target[:-1]


def _at(value: Any, place: explain.Place) -> Any:
    for part in place:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def _is_written(given: dict[str, Any], error: Any) -> bool:
    """Whether a person wrote what the error is about, and it is not a default that follows from something else."""
    place = explain.place_of(error)
    parent = _at(given, place[:-1])
    return place[-1] in parent if isinstance(parent, dict) else parent is not None


def _touches(mistake: errors.Mistake, doubtful: list[str]) -> bool:
    """Whether a judgement rests on something that could not be read as it stands."""
    concerned = (mistake.path, *mistake.rests_on)
    return any(
        one == bad or one.startswith((f"{bad}.", f"{bad}[")) or bad.startswith((f"{one}.", f"{one}["))
        for one in concerned
        for bad in doubtful
    )


def _about_default(mistake: errors.Mistake, stack: str) -> errors.Mistake:
    if mistake.path == "environment":
        problem = f"the stack's name {checks.show(stack)} does not serve as the environment's"
        return errors.Mistake("environment", problem, mistake.fix.replace("write ", "set environment to ", 1))
    return errors.Mistake(mistake.path, f"its default does not serve: {mistake.problem}", mistake.fix)
