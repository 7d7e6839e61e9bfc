"""What Pulumi makes of a value that stands in a stack file without quotes.

Pulumi reads YAML by gopkg.in/yaml.v3 into any type, writes it as YAML and reads it again, and hands JSON to the
program. So `0755` is 493, `0815` is 815 (no octal number, so a decimal one), `1e3` is 1000 and `yes` is a text.
https://github.com/go-yaml/yaml/blob/v3/resolve.go
"""

from __future__ import annotations

import calendar
import dataclasses
import decimal
import math
import re
from typing import Any

WORDS: dict[str, Any] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
BASES = ((re.compile(r"0[bB]([01]+)"), 2), (re.compile(r"0[oO]?([0-7]+)"), 8), (re.compile(r"0[xX]([0-9a-fA-F]+)"), 16))
SIGN_INSIDE = ((re.compile(r"0b([-+][01]+)"), 2), (re.compile(r"0o([-+][0-7]+)"), 8))
"""Nobody writes that, and yaml.v3 takes it."""
DECIMAL = re.compile(r"[1-9][0-9]*|0")
POINT_FIRST = re.compile(r"\.[0-9]+(_[0-9]+)*([eE][-+]?[0-9]+(_[0-9]+)*)?")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
TIME = r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,]([0-9]+))?"
DATE = re.compile(
    rf"([0-9]{{4}})-([0-9]{{1,2}})-([0-9]{{1,2}})(?:(?:[Tt]{TIME}(Z|[+-][0-9]{{2}}:[0-9]{{2}}))|(?: +{TIME}))?"
)
READ_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)? [+-][0-9]{4} \S+")
"""What the program is given where a date stands."""
MOST_DIGITS = 400
"""More digits than any number has that fits into 64 bits."""
EXACT = 2**53
"""Whole numbers up to here survive in the engine, where every number is a floating-point one."""


@dataclasses.dataclass(frozen=True)
class Date:
    """A point in time, by what the program is given for it."""

    text: str


def resolve(text: str) -> Any:
    """The value of a plain scalar: a text, bool, int, float (also infinite), None, or a `Date`."""
    if text in WORDS:
        return WORDS[text]
    if not text or text[0] not in "+-.0123456789":
        return text
    if text[0] == ".":
        return _float(text.replace("_", ""), text) if POINT_FIRST.fullmatch(text) else text
    if (date := _date(text)) is not None:
        return date
    plain = text.replace("_", "")
    if (number := _int(plain)) is not None:
        return number
    return _float(plain, text) if FLOAT.fullmatch(plain) else text


def as_json(value: Any) -> Any:
    """A resolved value as it comes to the program: whole floats as int, dates as text."""
    if isinstance(value, Date):
        return value.text
    if isinstance(value, int) and value >= 2**63:
        # Read a second time, as JSON: there it is none of Go's whole numbers.
        value = float(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(decimal.Decimal(repr(value)))
    return value


def as_key(value: Any) -> str:
    """A resolved value as the key of a mapping."""
    if isinstance(value, Date):
        return value.text
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return _go_float(value)
    return str(value)


OR_WRITE = ", or write "
"""Between the fix for a text and the one for a number."""


def doubt(text: str, free_form: bool = False) -> tuple[str, str] | None:
    """Problem and fix, where what is read is probably not what is meant; None where nothing speaks for that.

    `free_form`: inside of chart values, where `0644` is how everybody writes a file's mode.
    """
    value = resolve(text)
    quoted = f'put it in quotes: "{text}"'
    if isinstance(value, Date):
        return f"{text} is read as a date and becomes the text '{value.text}'", quoted
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return f"{text} is read as a number that Pulumi cannot hand on", quoted
    read = as_json(value)
    digits = text.lstrip("+-").replace("_", "")
    if re.match(r"0[0-9]", digits):
        mode = free_form and isinstance(value, int)
        return None if mode else (f"{text} is read as the number {read}", f"{quoted}{OR_WRITE}{read}")
    if abs(value) > EXACT or (
        isinstance(value, float) and decimal.Decimal(digits) != decimal.Decimal(repr(abs(value)))
    ):
        return f"{text} is read as a number and loses digits", quoted
    return None


def key_doubt(text: str) -> tuple[str, str] | None:
    """The same for a key: whatever it is read as, it becomes a text again."""
    read = as_key(resolve(text))
    return None if read == text else (f"{text} is read as {read}", f'put it in quotes: "{text}"')


def _int(plain: str) -> int | None:
    sign = -1 if plain.startswith("-") else 1
    digits = plain[1:] if plain[:1] in ("+", "-") else plain
    if len(digits) > MOST_DIGITS:
        return None
    number = int(digits) if DECIMAL.fullmatch(digits) else None
    for pattern, base in BASES if digits != plain else (*BASES, *SIGN_INSIDE):
        if found := pattern.fullmatch(digits):
            number = int(found[1], base)
    if number is None:
        return None
    # Beyond 63 bits only without a sign.
    most = 2**64 - 1 if digits == plain else 2**63 - (sign > 0)
    return sign * number if number <= most else None


def _float(plain: str, text: str | None = None) -> Any:
    number = float(plain)
    return number if math.isfinite(number) else (text or plain)


def _date(text: str) -> Date | None:
    found = DATE.fullmatch(text)
    if not found:
        return None
    year, month, day = int(found[1]), int(found[2]), int(found[3])
    hour, minute, second = (int(found[n] or found[n + 5] or 0) for n in (4, 5, 6))
    if not 1 <= month <= 12 or not 1 <= day <= calendar.monthrange(year, month)[1]:
        return None
    if hour > 23 or minute > 59 or second > 59:
        return None
    fraction = (found[7] or found[12] or "")[:9].rstrip("0")
    zone = (found[8] or "Z").replace(":", "")
    at = f"{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{'.' if fraction else ''}{fraction}"
    # Where the machine's own time zone has the offset, its name stands last.
    return Date(f"{at} +0000 UTC" if zone in ("Z", "+0000", "-0000") else f"{at} {zone} {zone}")


def _go_float(value: float) -> str:
    """A float as Go prints it: with an exponent below 1e-4 and from 1e6 on."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{value:+}".replace("inf", "Inf")
    number = decimal.Decimal(repr(value)).normalize()
    sign, digits, _ = number.as_tuple()
    power = number.adjusted()
    if -4 <= power < 6:
        return f"{number:f}"
    rest = "".join(map(str, digits[1:]))
    return f"{'-' * sign}{digits[0]}{'.' * bool(rest)}{rest}e{power:+03}"
