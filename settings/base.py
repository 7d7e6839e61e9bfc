"""The model that every section builds on, and the way a rule refuses a value."""

from __future__ import annotations

from typing import Any

import pydantic
import pydantic.alias_generators
import pydantic_core


class Section(pydantic.BaseModel):
    """A part of a stack file: camelCase keys, no unknown ones, read-only once read.

    `defer_build`: only the outermost model gets a validator of its own (measured: 5 ms instead of 19 ms).
    """

    model_config = pydantic.ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=pydantic.alias_generators.to_camel,
        validate_by_name=False,
        defer_build=True,
    )


def field(default: Any = ..., *, says: str, example: Any, derived: str = "", **limits: Any) -> Any:
    """A setting, described for people and editors.

    `example` also stands in for a value that is missing or wrong, so that the rules between several
    keys can still be checked: it must be valid. `derived` says in words what a setting without a fixed
    default becomes (`defaults.py` fills it in).
    """
    extra: dict[str, Any] = {"derivedDefault": derived} if derived else {}
    return pydantic.Field(default, description=says, examples=[example], json_schema_extra=extra or None, **limits)


def section(*, says: str, example: Any) -> Any:
    """A group of settings that may be left out, since each of them has a default."""
    return field({}, says=says, example=example, validate_default=True)


def refuse(problem: str, fix: str) -> pydantic_core.PydanticCustomError:
    """The error that a field's own check raises; `problem` and `fix` as in `Mistake`."""
    return pydantic_core.PydanticCustomError("setting", "{problem}", {"problem": problem, "fix": fix})
