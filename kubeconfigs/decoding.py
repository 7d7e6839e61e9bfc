"""From text to a mapping whose keys have the types that kubectl decodes them into; what it cannot decode is refused."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, cast

import yaml

Section = dict[str, Any]

ANEW = "get the kubeconfig anew"
FLATTEN = "make it self-contained: `kubectl config view --raw --flatten --minify`"


class KubeconfigError(ValueError):
    """A kubeconfig that cannot be used: the problem, which begins with where it is, and the fix. Shows no secret."""

    def __init__(self, problem: str, fix: str = ANEW) -> None:
        super().__init__(problem, fix)
        self.problem, self.fix = problem, fix

    def __str__(self) -> str:
        return f"{self.problem} → {self.fix}"


ANY: Any = object()
BASE64: Any = object()
"""Types of keys: whatever stands there, and base64."""

EXTENSIONS = [{"name": str, "extension": ANY}]
CLUSTER: Section = {
    "server": str,
    "tls-server-name": str,
    "insecure-skip-tls-verify": bool,
    "certificate-authority": str,
    "certificate-authority-data": BASE64,
    "proxy-url": str,
    "disable-compression": bool,
    "extensions": EXTENSIONS,
}
EXEC: Section = {
    "command": str,
    "args": [str],
    "env": [{"name": str, "value": str}],
    "apiVersion": str,
    "installHint": str,
    "provideClusterInfo": bool,
    "interactiveMode": str,
}
USER: Section = {
    "client-certificate": str,
    "client-certificate-data": BASE64,
    "client-key": str,
    "client-key-data": BASE64,
    "token": str,
    "tokenFile": str,
    "as": str,
    "as-uid": str,
    "as-groups": [str],
    "as-user-extra": {...: [str]},
    "username": str,
    "password": str,
    "auth-provider": {"name": str, "config": {...: str}},
    "exec": EXEC,
    "extensions": EXTENSIONS,
}
CONFIG: Section = {
    "apiVersion": str,
    "kind": str,
    "preferences": {"colors": bool, "extensions": EXTENSIONS},
    "current-context": str,
    "contexts": [{"name": str, "context": {"cluster": str, "user": str, "namespace": str, "extensions": EXTENSIONS}}],
    "clusters": [{"name": str, "cluster": CLUSTER}],
    "users": [{"name": str, "user": USER}],
    "extensions": EXTENSIONS,
}
"""Keys and the types that kubectl decodes them into (`...`: any key); it ignores keys that it does not know."""

DEEPEST = 100
"""Levels of nesting; a kubeconfig has 8."""


def decoded(content: bytes, where: str) -> str:
    """The text of a file: UTF-8, or UTF-16 with a byte order mark. Raises `KubeconfigError`."""
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if utf16 else "utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise KubeconfigError(f"{where} is not UTF-8", "save it as UTF-8")
    return text


def parse(text: str, where: str) -> Section:
    """The whole content, once kubectl would decode it. Raises `KubeconfigError`, which names a line or a key only."""
    content = _parsed(text.removeprefix("\ufeff"), where)
    if not isinstance(content, dict) or "clusters" not in content:
        raise KubeconfigError(f"{where} is no kubeconfig")
    for key, known in (("apiVersion", "v1"), ("kind", "Config")):
        if cast(Section, content).get(key) not in (None, "", known):
            raise KubeconfigError(f"{where} is no kubeconfig: its {key} is not {known}")
    try:
        config: Section = _typed(content, CONFIG, "")
    except _Mistyped as error:
        raise KubeconfigError(f"{where}: {error.args[0]}", error.args[1]) from None
    for section in ("contexts", "clusters", "users"):
        found = names(config, section)
        for name in found:
            if found.count(name) > 1:
                raise KubeconfigError(f"{where} has several {section} named {name!r}", "remove all but one of them")
    return config


class _Mistyped(Exception):
    """A key whose value kubectl cannot decode: the problem and the fix."""


_FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_FAST):
    """YAML with the scalars that kubectl's parser has: dates and 10:30 are text, 12e4 and 0o7 numbers, y a boolean."""

    yaml_implicit_resolvers: dict[str, Any] = {}


NULL, BOOL, FLOAT = (f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "float"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"<<$"), ["<"])
_Loader.add_implicit_resolver(NULL, re.compile(r"(~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(
    BOOL,
    re.compile(r"(y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$"),
    list("yYnNtTfFoO"),
)
_Loader.add_implicit_resolver(
    FLOAT,
    re.compile(r"[-+]?(0x[0-9a-fA-F_]+|0b[01_]+|0o[0-7_]+|(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?)$"),
    list("+-.0123456789"),
)


def _number(_: Any, node: yaml.ScalarNode) -> float:
    text = node.value.replace("_", "")
    for read in (lambda: int(text, 0), lambda: int(text, 8), lambda: float(text)):
        try:
            return read()
        except ValueError:
            continue
    raise ValueError


def _truth(_: Any, node: yaml.ScalarNode) -> bool:
    return node.value.lower() in ("y", "yes", "true", "on")


_Loader.add_constructor(FLOAT, _number)
_Loader.add_constructor(BOOL, _truth)


def _parsed(text: str, where: str) -> Any:
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)  # PyYAML without libyaml takes no tabs
        except (ValueError, RecursionError):
            pass
    try:
        if _too_deep(text):
            raise ValueError
        return next(iter(yaml.load_all(text, _Loader)), None)  # kubectl reads the first document
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        # libyaml's mark of an end that comes too early is a line behind the last one.
        line = f" (line {min(mark.line, text.rstrip().count(chr(10))) + 1})" if mark else ""
        raise KubeconfigError(f"{where} is no valid YAML{line}") from None
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, OverflowError):
        raise KubeconfigError(f"{where} is no valid YAML") from None


def _too_deep(text: str) -> bool:
    """Whether it is nested so deep that libyaml, whose stack is C's, would end the process."""
    depth = 0
    for event in cast(Iterator[yaml.Event], yaml.parse(text, _Loader)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            return True
    return False


KINDS = {bool: "a boolean", int: "a number", float: "a number", str: "text", list: "a list", dict: "a mapping"}


def _typed(value: Any, wanted: Any, path: str) -> Any:
    """The value as kubectl decodes it: known keys only, without empty ones, base64 in one piece.

    Raises:
        _Mistyped: kubectl cannot decode it.
    """
    kind = type(wanted) if isinstance(wanted, dict | list) else str if wanted is BASE64 else wanted
    if wanted is ANY:
        return value
    if type(value) is not kind:
        found, right = KINDS.get(type(value), "something else"), KINDS[kind]
        in_quotes = kind is str and type(value) in (bool, int, float)
        raise _Mistyped(f"{path} is {found}, not {right}", "write it in quotes" if in_quotes else f"write {right}")
    if wanted is BASE64:
        plain = re.sub(r"[\r\n]", "", value)
        if not re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", plain) or len(plain) % 4:
            raise _Mistyped(f"{path} is no base64", "encode it anew, without spaces: `base64 -w0 FILE`")
        return plain
    if kind is list:
        nothing = type(wanted[0])() if isinstance(wanted[0], dict) else ""
        places = enumerate(nothing if one is None else one for one in value)
        return [_typed(one, wanted[0], f"{path}[{place}]") for place, one in places]
    if kind is dict:
        # A key of one's own choice may be anything, so that it is not shown.
        others = wanted.get(...) if isinstance(wanted, dict) else None
        known = {key: (wanted[key], key) if key in wanted else (others, "*") for key in value}
        return {
            str(key): _typed(one, known[key][0], f"{path}.{known[key][1]}".lstrip("."))
            for key, one in value.items()
            if one is not None and known[key][0] is not None
        }
    return value


def names(config: Section, section: str) -> list[str]:
    return [one.get("name", "") for one in config.get(section, [])]
