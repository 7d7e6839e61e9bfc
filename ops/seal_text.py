"""The documents of a text, as kubectl reads it: YAML, or JSON one after the other. No message holds a value.

JSON goes to a JSON parser: YAML allows no tabs in it. Both take `\\ud83d\\ude00` for one character, PyYAML for two that
no encoding has.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any

import yaml

from ops.stack import OpsError

_DEEPEST = 50
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decoded(content: bytes) -> str:
    """The text of a file. Raises `OpsError` if it is not UTF-8."""
    if content.startswith(_UTF16):
        raise OpsError("it is UTF-16, as PowerShell's > writes it: save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise OpsError("the Secrets are no text in UTF-8: save the file as UTF-8") from None


def documents(text: str) -> list[Any]:
    """The documents of a text, those of a List one by one, without empty ones. Raises `OpsError`."""
    text = text.removeprefix("\ufeff")
    found = _json(text) if text.lstrip().startswith("{") else None
    if found is None:
        found = _yaml(text)
    return [one for each in found for one in _items(whole(each)) if one is not None]


def _items(document: Any) -> list[Any]:
    """The items of a List (`kubectl get secrets -o yaml` prints one), else the document itself."""
    if not isinstance(document, dict) or document.get("kind") not in ("List", "SecretList"):
        return [document]
    items = document.get("items")
    if document.get("apiVersion") != "v1" or not isinstance(items, list):
        raise OpsError("it is no List of Secrets (apiVersion: v1, kind: List, items)")
    if document["kind"] == "SecretList":  # what the API itself answers: its items name no kind
        items = [{"apiVersion": "v1", "kind": "Secret", **one} if isinstance(one, dict) else one for one in items]
    return items


def _json(text: str) -> list[Any] | None:
    """JSON documents that follow one another; None if it is no JSON, and may be YAML's flow style."""
    decoder, found, at = json.JSONDecoder(object_pairs_hook=_object), list[Any](), 0
    while rest := text[at:].lstrip():
        try:
            document, length = decoder.raw_decode(rest)
        except RecursionError:
            raise OpsError("it is nested too deeply") from None
        except ValueError:
            return None
        found.append(document)
        at = len(text) - len(rest) + length
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise OpsError("no valid JSON: a key stands there twice, of which one value would be lost")
    return found


def _yaml(text: str) -> list[Any]:
    try:
        return list(_load(text))
    except yaml.MarkedYAMLError as error:
        # What PyYAML says of it quotes the text, and with it a value.
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "it"
        raise OpsError(f"{where}: no valid YAML, or a key that stands there twice") from None
    except yaml.reader.ReaderError as error:
        where = text.count("\n", 0, error.position) + 1
        raise OpsError(f"line {where}: no valid YAML, it has a control character") from None
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError):
        # PyYAML's constructors: `!!int ''` is an IndexError, `!!bool x` a KeyError that quotes the value.
        raise OpsError("no valid YAML") from None


def _load(text: str) -> Iterator[Any]:
    loader = yaml.SafeLoader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            # Before anything is constructed: a merged mapping (<<) then holds its own keys and the merged ones.
            _refuse_doubles(node, set())
            yield loader.construct_document(node)
    finally:
        loader.dispose()


def _refuse_doubles(node: yaml.Node | None, seen: set[int]) -> None:
    """Raises for a key that stands twice in a mapping, of which one value would be lost."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(keys) != len(set(keys)):
            raise yaml.constructor.ConstructorError(None, None, "a key twice", node.start_mark)
        for pair in node.value:
            for each in pair:
                _refuse_doubles(each, seen)
    elif isinstance(node, yaml.SequenceNode):
        for each in node.value:
            _refuse_doubles(each, seen)


def whole(value: Any, where: tuple[str, ...] = (), done: dict[int, Any] | None = None) -> Any:
    """A document with the two halves of a character (`\\ud83d\\ude00`) put together. Raises `OpsError` for one."""
    done = {} if done is None else done
    if len(where) > _DEEPEST:
        raise OpsError("it is nested too deeply, or within itself")
    if isinstance(value, str):
        try:
            return value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise OpsError(
                f"{'.'.join(where) or 'it'} has half of a character (\\ud800 to \\udfff without its other half): write "
                "the character itself, or the value's bytes in base64 below data"
            ) from None
    if not isinstance(value, dict | list):
        return value
    if id(value) not in done:  # an anchor may be used often
        if isinstance(value, list):
            found = [whole(each, (*where, str(number)), done) for number, each in enumerate(value)]
        else:
            found = {
                whole(key, (*where, "a key"), done): whole(each, (*where, _shown(key)), done)
                for key, each in value.items()
            }
        done[id(value)] = found
    return done[id(value)]


def _shown(key: Any) -> str:
    return str(key) if str(key).isprintable() else "a key"
