"""Takes out of a text what looks like a secret. Pure; for texts that others will read, such as error messages.

Pulumi shows what it knows to be secret as `[secret]`. An error text may carry one all the same: a provider
quotes the request that failed, a tool its environment.

A run of 40 or more hex digits is a secret (tokens of GitHub's old form, of Datadog, DigitalOcean and others have that
form), unless the words around it say that it is a commit, a checksum or a container.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping

SECRET = "[secret]"  # noqa: S105  (the word that Pulumi writes too)
SHORTEST = 6
"""A variable's value shorter than this is more often a word than a secret."""

_KEYS = "(?:api|access|auth|private|client|signing|encryption)"
_NAMES = rf"(?:[A-Za-z0-9_.-]*(?:password|passwd|passphrase|secret|token|{_KEYS}[-_]?key|credential)s?)"
_PATTERNS = [
    # A PEM block, also one that is cut off or whose line ends are written as \n.
    (r"-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|\Z)", SECRET),
    (r"\b((?:client-key|client-certificate|certificate-authority)-data)(\W{1,4})[A-Za-z0-9+/=]+", rf"\1\2{SECRET}"),
    (r"(?i)\b(Bearer|Basic|ApiKey|Negotiate|NTLM)\s+(?!auth|token)[A-Za-z0-9+/=._~-]{6,}", rf"\1 {SECRET}"),
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

_HEADER = re.compile(
    r"(?i)(?P<quote>\\?[\"'])?\b(?P<name>(?:proxy-)?authorization|(?:set-)?cookie)"
    r"(?P<sign>(?:\\?[\"'])?\s*(?::|=>|=)[ \t]*)"
)
_SCHEME = re.compile(
    r"(?i)(?:api-?key|aws4-hmac-sha256|basic|bearer|bot|digest|dpop|genie-?key|googlelogin|hawk|hmac|jwt|key|mutual|"
    r"negotiate|ntlm|oauth|private-?token|scram-sha-[0-9]+|shared-?access-?signature|shared-?key(?:lite)?|splunk|"
    r"sso-key|token|vapid)[ \t]+"
)
_OWN_SCHEME = re.compile(r"[A-Z][A-Za-z-]*[ \t]+")
_OPEN = re.compile(r"\[?(\\?[\"'])|(\[)")
_WORD = r"[^\s\"',;)}\]]+"

_HEX = re.compile(r"(?<![A-Za-z0-9])[0-9a-fA-F]{40,}(?![A-Za-z0-9])")
_KNOWN_BEFORE = re.compile(
    r"(?i)(?:(?:commit|sha(?:-?[0-9]+)?|revision|rev|ref|head|tree|blob|branch|tag|digest|checksum|fingerprint|"
    r"thumbprint|etag|layer|image|container|sandbox)(?:[\"']?\s*[:=]\s*|[/ ]| (?:is now )?(?:at|is|of|was) )[\"'(\[]*"
    r"|(?:containerd|docker|cri-o)://|[\w.-]+/[\w.-]+@|[0-9a-f]{7,64}\.{2,3})$"
)
_KNOWN_AFTER = re.compile(
    r"(?i)(?:\.{2,3}[0-9a-f]{7,64}\b|[\"')\]]{0,2} (?:to|is|as|not) (?:an?|no) (?:commit|revision))"
)


def scrub(text: str, known: Iterable[str] = ()) -> str:
    """The text without `known` secrets and without anything that has the form of one."""
    for value in sorted(known, key=len, reverse=True):
        text = text.replace(value, SECRET)
    text = _headers(text)
    for pattern, by in _COMPILED:
        text = pattern.sub(by, text)
    text = _HEX.sub(_hex, text)
    return _RUN.sub(lambda run: SECRET if _is_random(run[0]) else run[0], text)


def known(environment: Mapping[str, str]) -> list[str]:
    """Values of the variables whose names say that they hold a secret."""
    named = re.compile(rf"(?i){_NAMES}")
    found = [value.strip() for name, value in environment.items() if named.fullmatch(name)]
    return [value for value in found if len(value) >= SHORTEST]


def _headers(text: str) -> str:
    """The text without the values of headers; their schemes stay. `Authorization: access denied` is prose."""
    done, at = list[str](), 0
    while found := _HEADER.search(text, at):
        done.append(text[at : found.end()])
        stop = text.find("\n", found.end())
        kept, end = _value(found, text[found.end() : stop if stop >= 0 else len(text)])
        done.append(text[found.end() : found.end() + kept] + (SECRET if end > kept else ""))
        at = found.end() + max(end, kept)
    return "".join([*done, text[at:]])


def _value(found: re.Match[str], rest: str) -> tuple[int, int]:
    """Where the secret part of a header's value begins and ends in the rest of its line."""
    start = 0
    if opened := _OPEN.match(rest):
        start = opened.end()
        end = _closed(rest, opened[1] or "]", start)
    elif found["quote"] and found["quote"] not in found["sign"]:
        end = _closed(rest, found["quote"], 0)
    else:
        end = _end(found["name"], rest)
    scheme = _SCHEME.match(rest, start, end) or _OWN_SCHEME.match(rest, start, end)
    return (scheme.end() if scheme else start), end


def _closed(rest: str, mark: str, start: int) -> int:
    """Where the next such mark is that no backslash stands before; the end if there is none."""
    found = re.compile(rf"(?<!\\){re.escape(mark)}").search(rest, start)
    return found.start() if found else len(rest)


def _end(name: str, rest: str) -> int:
    """Where a header's value ends that is in no quotes."""
    if "cookie" in name.lower():
        return len(rest)
    scheme = _SCHEME.match(rest)
    at = scheme.end() if scheme else 0
    if scheme and re.compile(r"\w+=[^=]").match(rest, at):  # a list, as of Digest
        return len(rest)
    if not scheme and (re.match(r"[a-z]+[.,:]?(?: [a-z(]|$)", rest) or not rest):
        return 0
    word = re.compile(rf"(?:[A-Z][A-Za-z-]*[ \t]+)?{_WORD}").match(rest, at)
    return word.end() if word else at


def _hex(found: re.Match[str]) -> str:
    before, after = found.string[max(0, found.start() - 80) : found.start()], found.string[found.end() :][:90]
    return found[0] if _KNOWN_BEFORE.search(before) or _KNOWN_AFTER.match(after) else SECRET


def _is_random(run: str) -> bool:
    """Whether a long run of characters is a key rather than a name: lower, upper and digits, thoroughly mixed."""
    kinds = ["a" if one.islower() else "A" if one.isupper() else "0" if one.isdigit() else "-" for one in run]
    changes = sum(before != after for before, after in itertools.pairwise(kinds))
    return {"a", "A", "0"} <= set(kinds) and changes * 3 >= len(run)
