"""Stack files as Pulumi reads them, without Pulumi: which there are, and what one says."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from typing import Any

import yaml

import settings

PROJECT = pathlib.Path(__file__).resolve().parent.parent
TOP = ("config", "encryptionsalt", "encryptedkey", "secretsprovider", "environment")
"""What a stack file may consist of."""


class Unreadable(Exception):
    """A file without which a command cannot go on; the message is for the person who ran it."""


@dataclasses.dataclass
class StackFile:
    """What a file says below the project's namespace, which keys are encrypted, and what cannot be read."""

    raw: dict[str, Any] = dataclasses.field(default_factory=dict)
    encrypted: set[str] = dataclasses.field(default_factory=set)
    mistakes: list[settings.Mistake] = dataclasses.field(default_factory=list)


def names(folder: pathlib.Path) -> list[str]:
    """The stacks that have a file."""
    found = (re.fullmatch(r"Pulumi\.([A-Za-z0-9_.-]+)\.ya?ml", file.name) for file in folder.iterdir())
    return sorted(match[1] for match in found if match)


def project(folder: pathlib.Path) -> str:
    """The project's name: the namespace of its settings. Raises `Unreadable`."""
    try:
        return str(yaml.safe_load((folder / "Pulumi.yaml").read_text("utf-8"))["name"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        text = f"{folder} has no Pulumi.yaml with a name: give the project's folder by --directory"
        raise Unreadable(text) from None


def read(file: pathlib.Path, namespace: str) -> StackFile:
    """What a stack file says. Never raises: what is wrong with it is among its mistakes."""
    found = StackFile()

    def wrong(path: str, problem: str, fix: str) -> None:
        found.mistakes.append(settings.Mistake(path, problem, fix))

    try:
        content = yaml.load(file.read_text("utf-8"), Loader=_Loader)  # noqa: S506  (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "file"
        wrong(
            line,
            f"no valid YAML: {error.problem}",
            "mend it; indentation is by spaces, texts with `: ` or `#` in quotes",
        )
        return found
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        wrong("file", f"it cannot be read ({type(error).__name__})", "write it anew, in UTF-8")
        return found
    if content is None:
        content = {}
    if not isinstance(content, dict):
        wrong("file", "it is no mapping", "begin it with `config:`")
        return found
    for key in content:
        if key not in TOP:
            wrong(str(key), "unknown key beside config", settings.suggestion(str(key), TOP))
    values = content.get("config")
    if values is not None and not isinstance(values, dict):
        wrong("config", "it is no mapping", f"write keys below it, such as `{namespace}:cluster:`")
        values = None
    for full_key, value in (values or {}).items():
        prefix, colon, key = str(full_key).partition(":")
        if not colon:
            wrong(f"config.{full_key}", "the key has no namespace", f"write {namespace}:{full_key}")
        elif prefix == namespace:
            found.raw[key] = value
            if _has_encrypted(value):
                found.encrypted.add(key)
    found.mistakes += settings.misspelt(map(str, values or {}), namespace)
    return found


def _has_encrypted(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_has_encrypted, value))
    if not isinstance(value, dict):
        return False
    return (set(value) == {"secure"} and isinstance(value["secure"], str)) or any(map(_has_encrypted, value.values()))


class _Loader(yaml.SafeLoader):
    """Reads YAML as Pulumi does: yes, no, on, off, times and dates are texts; a key stands once; keys are texts."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str | int | float | bool):
                raise yaml.constructor.ConstructorError(None, None, "a key that is no text", key_node.start_mark)
            if key in seen and key_node.tag != "tag:yaml.org,2002:merge":
                problem = f"the key {settings.show(key)} stands here twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            seen.add(key)
        mapping = super().construct_mapping(node, deep=deep)
        return {key if isinstance(key, str) else str(key): value for key, value in mapping.items()}


_SCALARS = {
    "tag:yaml.org,2002:bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "tag:yaml.org,2002:int": (r"[-+]?[0-9][0-9_]*|0x[0-9a-fA-F_]+|0o?[0-7_]+", "-+0123456789"),
}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in pairs if tag not in (*_SCALARS, "tag:yaml.org,2002:timestamp")]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, (_pattern, _firsts) in _SCALARS.items():
    _Loader.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), list(_firsts))
