"""Condition operators of IAM policies, in three values: True, False, and None where it cannot be said. Pure.

A deny statement with a None applies and an allow statement with one does not, so that what is not understood
never opens anything. Not understood: dates, addresses, ARN operators, policy variables (`${...}`).
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
"""

from __future__ import annotations

import operator as comparison
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lab.aws import patterns

Context = Mapping[str, Sequence[str]]
"""Condition key in lower case -> its values in this request."""

_OPERATOR = re.compile(r"(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?")


def _numeric(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def test(actual: str, expected: str) -> bool:
        return _is_number(actual) and compare(float(actual), float(expected))

    return test


_TESTS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda actual, expected: actual == expected,
    "StringEqualsIgnoreCase": lambda actual, expected: actual.casefold() == expected.casefold(),
    "StringLike": lambda actual, expected: patterns.matches(expected, actual),
    "Bool": lambda actual, expected: actual.lower() == expected.lower(),
    "NumericEquals": _numeric(comparison.eq),
    "NumericLessThan": _numeric(comparison.lt),
    "NumericLessThanEquals": _numeric(comparison.le),
    "NumericGreaterThan": _numeric(comparison.gt),
    "NumericGreaterThanEquals": _numeric(comparison.ge),
}
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "NumericNotEquals": "NumericEquals",
}


def holds(operator: str, key: str, expected: Any, context: Context) -> bool | None:
    """Whether `{operator: {key: expected}}` holds; None when the operator or a value is not understood."""
    wanted = texts(expected)
    parsed = _OPERATOR.fullmatch(operator)
    if wanted is None or parsed is None:
        return None
    qualifier, name, if_exists = parsed.groups()
    values = context.get(key.lower(), ())
    if name == "Null":
        if qualifier or if_exists or not _booleans(wanted):
            return None
        return any((value.lower() == "true") != bool(values) for value in wanted)
    negated = name in _NEGATED
    positive = _NEGATED.get(name, name)
    test = _TESTS.get(positive)
    if test is None or not _readable(positive, wanted):
        return None
    if not values:
        if if_exists or qualifier == "ForAllValues":
            return True
        return negated and qualifier is None

    def one(value: str) -> bool:
        return any(test(value, text) for text in wanted) != negated

    if qualifier:
        return (all if qualifier == "ForAllValues" else any)(one(value) for value in values)
    return one(values[0]) if len(values) == 1 else None


def texts(value: Any) -> tuple[str, ...] | None:
    """A policy's value or list of values as texts; None when empty, of another kind, or with a policy variable."""
    listed = value if isinstance(value, list) else [value]
    found: list[str] = []
    for item in listed:
        if isinstance(item, bool):
            found.append(str(item).lower())
        elif isinstance(item, str | int | float) and "${" not in str(item):
            found.append(str(item))
        else:
            return None
    return tuple(found) or None


def _readable(name: str, wanted: Sequence[str]) -> bool:
    if name == "Bool":
        return _booleans(wanted)
    return not name.startswith("Numeric") or all(_is_number(value) for value in wanted)


def _booleans(wanted: Sequence[str]) -> bool:
    return all(value.lower() in ("true", "false") for value in wanted)


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"-?\d+(\.\d+)?", text))
