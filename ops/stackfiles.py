"""Stack files as Pulumi reads them, without Pulumi: which there are, and what one says."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from typing import Any

import settings
from settings import documents, trees

PROJECT = pathlib.Path(__file__).resolve().parent.parent
TOP = ("config", "encryptionsalt", "encryptedkey", "secretsprovider", "environment")
"""What a stack file may consist of."""


PROVIDER_SECRETS = ("aws:secretKey", "aws:token", "ionoscloud:token", "ionoscloud:password", "kubernetes:kubeconfig")
"""Keys of Pulumi's providers that may only stand here encrypted."""


class Unreadable(Exception):
    """A file without which a command cannot go on; the message is for the person who ran it."""


@dataclasses.dataclass
class StackFile:
    """What a file says below the project's namespace, which keys are encrypted, and what cannot be read."""

    raw: dict[str, Any] = dataclasses.field(default_factory=dict)
    encrypted: set[str] = dataclasses.field(default_factory=set)
    mistakes: list[settings.Mistake] = dataclasses.field(default_factory=list)
    written: settings.Written = dataclasses.field(default_factory=settings.Written)
    """How its values and keys that are no texts are written."""
    readable: bool = True
    """Whether it is a stack file at all; the rest of it may be wrong."""
    environments: tuple[str, ...] = ()
    """Pulumi ESC environments that it takes further values from."""


def names(folder: pathlib.Path) -> list[str]:
    """The stacks that have a file."""
    found = (re.fullmatch(r"Pulumi\.([A-Za-z0-9_.-]+)\.ya?ml", file.name) for file in folder.iterdir())
    return sorted(match[1] for match in found if match)


def project(folder: pathlib.Path) -> str:
    """The project's name: the namespace of its settings. Raises `Unreadable`."""
    try:
        return str(documents.read((folder / "Pulumi.yaml").read_bytes()).content["name"])
    except (OSError, documents.Broken, KeyError, TypeError):
        text = f"{folder} has no Pulumi.yaml with a name: give the project's folder by --directory"
        raise Unreadable(text) from None


def read(file: pathlib.Path, namespace: str) -> StackFile:
    """What a stack file says. Never raises: what is wrong with it is among its mistakes."""
    found = StackFile()

    def wrong(path: str, problem: str, fix: str) -> None:
        found.mistakes.append(settings.Mistake(path, problem, fix))

    try:
        document = documents.read(file.read_bytes())
    except documents.Broken as error:
        wrong(error.place, error.problem, error.fix)
        found.readable = False
        return found
    except OSError as error:
        wrong("file", f"it cannot be read ({type(error).__name__})", "make it readable for yourself")
        found.readable = False
        return found
    content = {} if document.content is None else document.content
    if not isinstance(content, dict):
        wrong("file", "it is no mapping", "begin it with `config:`")
        found.readable = False
        return found
    for key in content:
        # Keys of one's own hold what aliases take from; Pulumi passes over them.
        if key.startswith(f"{namespace}:"):
            wrong(key, "it stands beside config", "write it below `config:`, further in")
        elif key not in TOP and not key.startswith("x-"):
            wrong(key, "unknown key beside config", settings.suggestion(key, TOP))
    values = content.get("config")
    if values is not None and not isinstance(values, dict):
        wrong("config", "it is no mapping", f"write keys below it, such as `{namespace}:cluster:`")
        values = None
    found.environments = _environments(content.get("environment"))
    for full_key, value in (values or {}).items():
        key = _key(full_key, namespace)
        if full_key in PROVIDER_SECRETS and value and not _has_encrypted(value):
            fix = "remove it, make a new one (Git remembers this one) and leave it to the environment of `pulumi`"
            wrong(f"config.{full_key}", "this secret is in plain text", fix)
        if key is None:
            first, _, rest = full_key.partition(":")
            if ":" in rest.removeprefix("config:"):
                wrong(f"config.{full_key}", "a key has one colon", f"write {first}:{rest.rpartition(':')[2]}")
        elif key in found.raw:
            wrong(f"config.{full_key}", f"{key} stands here twice", "remove one of them")
        else:
            found.raw[key] = value
            found.written.take(document.written, document.keys, ("config", full_key), key)
            if _has_encrypted(value):
                found.encrypted.add(key)
    found.mistakes += settings.misspelt(values or {}, namespace)
    return found


def _key(full_key: str, namespace: str) -> str | None:
    """The setting that a key means: Pulumi puts the project's name before one that has no namespace."""
    prefix, colon, key = full_key.partition(":")
    if not colon:
        return full_key
    return key.removeprefix("config:") if prefix == namespace and ":" not in key.removeprefix("config:") else None


def _environments(value: Any) -> tuple[str, ...]:
    """Names of what `environment` imports: a list, or a mapping with `imports` and values."""
    if isinstance(value, dict):
        return _environments(value.get("imports")) or ("environment",)
    if not isinstance(value, list):
        return () if value is None else (str(value),)
    return tuple(str(next(iter(one), "")) if isinstance(one, dict) else str(one) for one in value)


def _has_encrypted(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_has_encrypted, value))
    if not isinstance(value, dict):
        return False
    return (set(value) == {"secure"} and isinstance(value["secure"], str)) or any(map(_has_encrypted, value.values()))


def has(raw: Any, path: str) -> bool:
    """Whether the file says anything at the place of a mistake, such as `dns.domains[0]`."""
    return path in _paths(raw, ())


def _paths(value: Any, place: trees.Place) -> set[str]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {trees.text(place)}.union(*(_paths(each, (*place, key)) for key, each in entries))
