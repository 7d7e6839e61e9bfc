"""A YAML document as Pulumi reads it: the same values, and how each that is no text was written.

Pulumi's YAML is not PyYAML's: `<<` merges and explicit keys win, keys become texts, a key stands once, plain values
are `scalars.resolve`'s. PyYAML only takes the text apart here.
"""

from __future__ import annotations

import base64
import codecs
import dataclasses
import re
from collections.abc import Iterator
from typing import Any, cast

import yaml

from settings import scalars, trees

MOST_VALUES = 100_000
"""Beyond that a document is a few aliases that multiply; Pulumi refuses it too."""
TAGS = "tag:yaml.org,2002:"
TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,), "float": (int, float), "bool": (bool,), "null": (type(None),), "timestamp": (scalars.Date,),
}  # fmt: skip
TAB = re.compile(r"(?<=[:,\[{-])\t+|(?<=[^\s])[ \t]*\t[ \t]*(?=#|\r|\n|$)|\t+(?=\r|\n|$)")
"""Tabs behind a `:`, before a comment and at the end of a line; inside of words and of indentation they are refused."""
CONFLICT = re.compile(r"^(<{7}|>{7}) ", re.MULTILINE)
BLANK = re.compile("[\u00a0\u2007\u202f]")
RETYPE = "type the blanks before it and behind its `:` anew; pages and chats paste such ones"
NO_ANCHOR = "an alias (*) whose anchor (&) is not above it; a text that begins with * stands in quotes"
INDENTATION = "mend it; indentation is by spaces, texts with `: ` or `#` in quotes"


class Broken(Exception):
    """A document that cannot be read. `place` is "file", or line and column; no message shows a value."""

    def __init__(self, problem: str, fix: str, mark: Any = None) -> None:
        self.problem, self.fix = problem, fix
        self.place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "file"
        super().__init__(f"{self.place}: {problem}")


@dataclasses.dataclass
class Document:
    """What stands in a document; `written` is keyed by place, as is `keys`."""

    content: Any = None
    written: dict[trees.Place, str] = dataclasses.field(default_factory=dict[trees.Place, str])
    """Values without quotes that are no texts, as they stand there."""
    keys: dict[trees.Place, str] = dataclasses.field(default_factory=dict[trees.Place, str])
    """Keys without quotes that are no texts, as they stand there."""


@dataclasses.dataclass
class _Node:
    """A piece of a document; `value` is the text of a scalar or the name of an alias's anchor."""

    kind: str
    mark: Any
    value: str = ""
    tag: str | None = None
    plain: bool = False
    children: list[_Node] = dataclasses.field(default_factory=list["_Node"])
    target: _Node | None = None


@dataclasses.dataclass
class _Scalar:
    value: Any
    text: str
    plain: bool


@dataclasses.dataclass
class _Mapping:
    entries: dict[str, Any]
    keys: dict[str, str]


def read(content: bytes) -> Document:
    """The first document of a file. Raises `Broken`, and nothing else."""
    text = _text(content)
    found = Document()
    try:
        root = _composed(text)
        if root is not None:
            found.content = _strip(_Builder().build(root), (), found, [0])
    except yaml.MarkedYAMLError as error:
        if conflict := CONFLICT.search(text):
            line = text.count("\n", 0, conflict.start()) + 1
            fix = "keep what is meant of the two sides, and remove the lines with <<<<<<<, ======= and >>>>>>>"
            raise Broken(f"a merge in Git was left half done: line {line} is its mark", fix) from None
        raise Broken(_said(error), INDENTATION, error.problem_mark or error.context_mark) from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        problem = f"it cannot be read: line {line} has a character that no text has"
        raise Broken(problem, "save it as UTF-8, without control characters") from None
    return found


def _text(content: bytes) -> str:
    """Pulumi takes UTF-8, and UTF-16 that says so at its beginning."""
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        problem = f"it cannot be read: line {line} is not in {'UTF-16' if wide else 'UTF-8'}"
        raise Broken(problem, "save it as UTF-8") from None


def _said(error: yaml.MarkedYAMLError) -> str:
    """What is wrong with the syntax, without words of the file: a password that begins with * is an alias to YAML."""
    return "no valid YAML: " + re.sub(r"(['\"])(?!<)(?:(?!\1).){5,}\1", "a word", str(error.problem))


def _composed(text: str) -> _Node | None:
    """The root of the first document; tabs that Pulumi takes for blanks, and PyYAML does not, are blanks."""
    while True:
        try:
            return _compose(text)
        except yaml.MarkedYAMLError as error:
            blank = TAB.match(text, error.problem_mark.index) if error.problem_mark else None
            if blank is None:
                raise
            text = f"{text[: blank.start()]}{' ' * len(blank[0])}{text[blank.end() :]}"


def _compose(text: str) -> _Node | None:
    events: Iterator[Any] = cast(Any, yaml).parse(text, Loader=yaml.SafeLoader)
    anchors: dict[str, _Node] = {}
    documents = 0
    root: _Node | None = None
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                problem = "a second document begins here, and Pulumi reads the first one only"
                raise Broken(problem, "remove the `---`, or what follows it", event.start_mark)
            root = _node(next(events), events, anchors, trees.MOST_LEVELS)
    return root


def _node(event: Any, events: Iterator[Any], anchors: dict[str, _Node], levels: int) -> _Node:
    if not levels:
        raise Broken("it is nested too deeply", "write it flatter", event.start_mark)
    if isinstance(event, yaml.AliasEvent):
        if event.anchor not in anchors:
            raise Broken(f"no valid YAML: {NO_ANCHOR}", "put the text in quotes, or write the anchor", event.start_mark)
        return _Node("alias", event.start_mark, value=str(event.anchor), target=anchors[event.anchor])
    node = _Node("scalar", event.start_mark, tag=event.tag)
    if event.anchor is not None:
        anchors[event.anchor] = node
    if isinstance(event, yaml.ScalarEvent):
        node.value, node.plain = event.value, bool(event.implicit[0])
        return node
    node.kind = "sequence" if isinstance(event, yaml.SequenceStartEvent) else "mapping"
    end = yaml.SequenceEndEvent if node.kind == "sequence" else yaml.MappingEndEvent
    while not isinstance(event := next(events), end):
        node.children.append(_node(event, events, anchors, levels - 1))
    return node


class _Builder:
    """Builds each node once, so that aliases cost nothing until they are written out."""

    def __init__(self) -> None:
        self.done: dict[int, Any] = {}
        self.active: set[int] = set()

    def build(self, node: _Node) -> Any:
        if node.target is not None:
            return self.build(node.target)
        if id(node) in self.done:
            return self.done[id(node)]
        if id(node) in self.active:
            raise Broken("an anchor (&) contains itself", "write out what is meant", node.mark)
        self.active.add(id(node))
        if node.kind == "scalar":
            built: Any = _scalar(node)
        elif node.kind == "sequence":
            built = [self.build(child) for child in node.children]
        else:
            built = self._mapping(node)
        self.active.discard(id(node))
        self.done[id(node)] = built
        return built

    def _mapping(self, node: _Node) -> _Mapping:
        found, merges = _Mapping({}, {}), list[_Node]()
        seen: set[tuple[str, str]] = set()
        for key, value in zip(node.children[::2], node.children[1::2], strict=True):
            if (key.kind, key.value) in seen:
                raise _twice(key)
            seen.add((key.kind, key.value))
            if key.kind == "scalar" and key.value == "<<" and (key.plain or key.tag == f"{TAGS}merge"):
                merges += value.children if value.kind == "sequence" else [value]
                continue
            built = self.build(key)
            if not isinstance(built, _Scalar) or built.value is None:
                raise Broken("no valid YAML: a key that is no text", "write a text before the `:`", key.mark)
            if key.plain and BLANK.search(key.value):
                raise Broken("a key with a no-break space in it, which looks like a blank", RETYPE, key.mark)
            name = built.value if isinstance(built.value, str) else scalars.as_key(built.value)
            if name in found.entries:
                raise _twice(key)
            found.entries[name] = self.build(value)
            if not isinstance(built.value, str):
                found.keys[name] = built.text
        for merge in merges:
            merged = self.build(merge)
            if not isinstance(merged, _Mapping):
                raise Broken("no valid YAML: << takes mappings only", "write `<<: *anchor`", merge.mark)
            for name, value in merged.entries.items():
                if name not in found.entries:
                    found.entries[name] = value
                    if name in merged.keys:
                        found.keys[name] = merged.keys[name]
        return found


def _twice(key: _Node) -> Broken:
    name = "this key" if key.kind == "alias" or len(key.value) > 60 else f"the key {key.value!r}"
    return Broken(f"no valid YAML: {name} stands here twice", "remove one of them", key.mark)


def _scalar(node: _Node) -> _Scalar:
    if node.plain:
        return _Scalar(scalars.resolve(node.value), node.value, plain=True)
    kind = (node.tag or "").removeprefix(TAGS)
    if kind == "binary":
        try:
            return _Scalar(base64.b64decode(node.value, validate=True).decode(), node.value, plain=False)
        except ValueError:
            raise Broken("no valid YAML: !!binary is no base64 of a text", "write the text", node.mark) from None
    if kind not in TYPES:
        return _Scalar(node.value, node.value, plain=False)
    value = scalars.resolve(node.value)
    if not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "bool"):
        raise Broken(f"no valid YAML: what stands here is no {kind}", f"remove the !!{kind}", node.mark)
    return _Scalar(value, node.value, plain=True)


def _strip(built: Any, place: trees.Place, found: Document, count: list[int]) -> Any:
    """The values themselves, with a note of how those that are no texts were written."""
    count[0] += 1
    if count[0] > MOST_VALUES:
        problem = f"its aliases (*) make too much of it, or it has over {MOST_VALUES} values"
        raise Broken(problem, "write out what is meant")
    if isinstance(built, _Mapping):
        found.keys.update({(*place, name): text for name, text in built.keys.items()})
        return {name: _strip(value, (*place, name), found, count) for name, value in built.entries.items()}
    if isinstance(built, list):
        values = cast(list[Any], built)
        return [_strip(value, (*place, number), found, count) for number, value in enumerate(values)]
    if built.plain and not isinstance(built.value, str):
        found.written[place] = built.text
    return scalars.as_json(built.value)
