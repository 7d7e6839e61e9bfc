"""Takes out of a text what looks like a secret. Pure; for texts that others will read, such as error messages.

Pulumi shows what it knows to be secret as `[secret]`. An error text may carry one all the same: a provider
quotes the request that failed, a tool its environment.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping

SECRET = "[secret]"  # noqa: S105  (the word that Pulumi writes too)
SHORTEST = 6
"""A variable's value shorter than this is more often a word than a secret."""

_NAMES = r"(?:[A-Za-z0-9_.-]*(?:password|passwd|passphrase|secret|token|api[-_]?key|access[-_]?key|credential)s?)"
_PATTERNS = [
    # A PEM block, also one that is cut off or whose line ends are written as \n.
    (r"-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|\Z)", SECRET),
    (r"\b((?:client-key|client-certificate|certificate-authority)-data)(\W{1,4})[A-Za-z0-9+/=]+", rf"\1\2{SECRET}"),
    (r"\b(Bearer|Basic)\s+[A-Za-z0-9+/=._~-]{6,}", rf"\1 {SECRET}"),
    (r"(://)[^\s/@:]+:[^\s/@]+@", rf"\1{SECRET}@"),
    (rf"(?i)\b({_NAMES})([\"']?\s*[=:]\s*)\"[^\"\n]*\"", rf"\1\2{SECRET}"),
    (rf"(?i)\b({_NAMES})([\"']?\s*[=:]\s*)'[^'\n]*'", rf"\1\2{SECRET}"),
    (rf"(?i)\b({_NAMES})([\"']?\s*[=:]\s*)(?!\[secret\])[^\s\"',;)}}\]]{{4,}}", rf"\1\2{SECRET}"),
    (r"(?i)([?&](?:[a-z0-9_-]*(?:signature|token|key|secret|password))=)[^&\s\"']+", rf"\1{SECRET}"),
    (r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?", SECRET),
    (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", SECRET),
    (r"\b(?:gh[pousr]_|github_pat_|pul-|xox[abp]-|hvs\.)[A-Za-z0-9_-]{8,}", SECRET),
    (r"\bv1:[A-Za-z0-9+/=]{6,}:[A-Za-z0-9+/=]{6,}", SECRET),
]  # fmt: skip
_COMPILED = [(re.compile(pattern, re.DOTALL), by) for pattern, by in _PATTERNS]
_RUN = re.compile(r"[A-Za-z0-9+/_=-]{24,}")


def scrub(text: str, known: Iterable[str] = ()) -> str:
    """The text without `known` secrets and without anything that has the form of one."""
    for value in sorted(known, key=len, reverse=True):
        text = text.replace(value, SECRET)
    for pattern, by in _COMPILED:
        text = pattern.sub(by, text)
    return _RUN.sub(lambda run: SECRET if _is_random(run[0]) else run[0], text)


def known(environment: Mapping[str, str]) -> list[str]:
    """Values of the variables whose names say that they hold a secret."""
    named = re.compile(rf"(?i){_NAMES}")
    found = [value.strip() for name, value in environment.items() if named.fullmatch(name)]
    return [value for value in found if len(value) >= SHORTEST]


def _is_random(run: str) -> bool:
    """Whether a long run of characters is a key rather than a name: lower, upper and digits, thoroughly mixed."""
    kinds = ["a" if one.islower() else "A" if one.isupper() else "0" if one.isdigit() else "-" for one in run]
    changes = sum(before != after for before, after in itertools.pairwise(kinds))
    return {"a", "A", "0"} <= set(kinds) and changes * 3 >= len(run)
