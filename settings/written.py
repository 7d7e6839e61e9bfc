"""How values and keys without quotes are written in a stack file, and which of them are read as something else."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from settings import defaults, errors, scalars, trees

NAMES = re.compile(r"tag|version|\w*(Tag|Version)")
"""Keys of chart values whose number is a name: 1.10 is another version than 1.1."""


@dataclasses.dataclass
class Written:
    """By place below the project's namespace: what stands there without quotes and is no text."""

    values: dict[trees.Place, str] = dataclasses.field(default_factory=dict[trees.Place, str])
    keys: dict[trees.Place, str] = dataclasses.field(default_factory=dict[trees.Place, str])

    def take(
        self, values: Mapping[trees.Place, str], keys: Mapping[trees.Place, str], below: trees.Place, key: str
    ) -> None:
        """Add what a document says at and below a place, as the setting `key`."""
        for mine, theirs in ((self.values, values), (self.keys, keys)):
            for place, text in theirs.items():
                if place[: len(below)] == below:
                    mine[(key, *place[len(below) :])] = text

    def doubts(self) -> Iterator[tuple[trees.Place, errors.Mistake]]:
        """Where what is read is surely not what is meant: each place, once for its key and once for its value."""
        of_keys = ((place, scalars.key_doubt(text)) for place, text in self.keys.items())
        of_values = ((place, scalars.doubt(text, _is_free_form(place))) for place, text in self.values.items())
        for place, doubt in itertools.chain(of_keys, of_values):
            if doubt:
                yield place, errors.Mistake(trees.text(place), *doubt)

    @staticmethod
    def dates(value: Any, place: trees.Place = ()) -> Iterator[tuple[trees.Place, errors.Mistake]]:
        """Texts that were dates without quotes, wherever the file that says so is not at hand."""
        if isinstance(value, str) and scalars.READ_DATE.fullmatch(value):
            fix = "put what you wrote in quotes"
            yield place, errors.Mistake(trees.text(place), f"it was read as a date, '{value}'", fix)
        for key, each in (*trees.mapping(value).items(), *enumerate(trees.items(value))):
            yield from Written.dates(each, (*place, key))

    def warnings(self) -> Iterator[errors.Mistake]:
        """Numbers in chart values that are names."""
        for place, text in self.values.items():
            if not _is_free_form(place) or not NAMES.fullmatch(str(place[-1])) or scalars.doubt(text, free_form=True):
                continue
            value = scalars.resolve(text)
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield errors.Mistake(trees.text(place), f"{text} is read as a number", f'put it in quotes: "{text}"')


def _is_free_form(place: trees.Place) -> bool:
    return any(part in defaults.FREE_FORM for part in place[1:-1])
