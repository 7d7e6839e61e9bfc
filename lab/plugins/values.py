"""Pulumi property values as Python values, and their way over the wire (google.protobuf.Struct).

None, bool, int, float, str, list and dict stand for themselves. Four kinds of value are wrapped:
`Secret`, `UNKNOWN` (not known during a preview), `Reference` (to another resource) and `Opaque`
(assets, archives and whatever else has a signature of its own: passed on untouched).
"""

from __future__ import annotations

import collections.abc
import dataclasses
import typing

from google.protobuf import struct_pb2

SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a signature, no password
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
REFERENCE = "5cf8f73096256a8f31e491e813e4eb8e"
UNKNOWN_MARK = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
UNKNOWN_MARKS = frozenset(
    {
        UNKNOWN_MARK,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)

Value = typing.Any
"""None | bool | int | float | str | list[Value] | dict[str, Value] | Secret | UNKNOWN | Reference | Opaque"""


class _Unknown:
    """The type of UNKNOWN; compared by identity."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = _Unknown()


@dataclasses.dataclass(frozen=True)
class Secret:
    """A value that state encrypts and no display shows; repr() hides it as well."""

    value: Value = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Reference:
    """A reference to another resource; `id` is "" when not known."""

    urn: str
    id: str = ""
    version: str = ""


@dataclasses.dataclass(frozen=True)
class Opaque:
    """An asset, an archive or another signed object, as its fields."""

    fields: dict[str, Value]


def from_struct(struct: struct_pb2.Struct | None) -> dict[str, Value]:
    """The properties of a request, keys in order (a message's own order is random); {} when there are none."""
    if struct is None:
        return {}
    return {key: _from_value(value) for key, value in sorted(struct.fields.items())}


def to_struct(properties: collections.abc.Mapping[str, Value]) -> struct_pb2.Struct:
    """Properties as a message; raises TypeError for a Python value that has no counterpart."""
    struct = struct_pb2.Struct()
    for key, value in properties.items():
        _to_value(value, struct.fields[key])
    return struct


def _from_value(value: struct_pb2.Value) -> Value:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return UNKNOWN if value.string_value in UNKNOWN_MARKS else value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [_from_value(item) for item in value.list_value.values]
    if kind == "struct_value":
        fields = {key: _from_value(item) for key, item in sorted(value.struct_value.fields.items())}
        return _signed(fields) if SIGNATURE_KEY in fields else fields
    return None


def _signed(fields: dict[str, Value]) -> Value:
    signature = fields[SIGNATURE_KEY]
    if signature == SECRET:
        return Secret(fields.get("value"))
    if signature == OUTPUT:
        value = fields.get("value", UNKNOWN)
        return Secret(value) if fields.get("secret") else value
    if signature == REFERENCE:
        identifier = fields.get("id")
        return Reference(
            fields["urn"], identifier if isinstance(identifier, str) else "", fields.get("packageVersion") or ""
        )
    return Opaque(fields)


def _to_value(value: Value, target: struct_pb2.Value) -> None:
    if value is None:
        target.null_value = struct_pb2.NULL_VALUE
    elif value is UNKNOWN:
        target.string_value = UNKNOWN_MARK
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int | float):
        target.number_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, Secret):
        _to_value({SIGNATURE_KEY: SECRET, "value": value.value}, target)
    elif isinstance(value, Reference):
        fields = {SIGNATURE_KEY: REFERENCE, "urn": value.urn, "id": value.id, "packageVersion": value.version}
        _to_value({key: field for key, field in fields.items() if field}, target)
    elif isinstance(value, Opaque):
        _to_value(value.fields, target)
    elif isinstance(value, collections.abc.Mapping):
        target.struct_value.SetInParent()
        for key, item in value.items():
            _to_value(item, target.struct_value.fields[str(key)])
    elif isinstance(value, list | tuple):
        target.list_value.SetInParent()
        for item in value:
            _to_value(item, target.list_value.values.add())
    else:
        raise TypeError(f"{type(value).__name__} is no property value")


def plain(value: Value) -> Value:
    """The value without its secret marks, at any depth; unknowns stay."""
    if isinstance(value, Secret):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def secret(value: Value) -> Value:
    """The value as a secret, once; its inner marks are dropped. None stays None."""
    return None if value is None else Secret(plain(value))


def contains(value: Value, kind: typing.Any) -> bool:
    """Whether UNKNOWN (`kind=UNKNOWN`) or a Secret (`kind=Secret`) is anywhere inside."""
    if value is kind or (isinstance(kind, type) and isinstance(value, kind)):
        return True
    if isinstance(value, Secret):
        return contains(value.value, kind)
    if isinstance(value, dict):
        return any(contains(item, kind) for item in value.values())
    return isinstance(value, list) and any(contains(item, kind) for item in value)


def without_nulls(value: Value) -> Value:
    """The value without dict entries that are None, at any depth (an absent input arrives as null)."""
    if isinstance(value, Secret):
        return Secret(without_nulls(value.value))
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if plain(item) is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def mark_like(value: Value, model: Value) -> Value:
    """`value` with a secret mark wherever `model` has one at the same place.

    A list whose model holds a secret anywhere becomes a secret as a whole: its items may have moved.
    """
    if isinstance(value, Secret):
        return value
    if isinstance(model, Secret):
        return secret(value)
    if isinstance(value, dict) and isinstance(model, dict):
        return {key: mark_like(item, model[key]) if key in model else item for key, item in value.items()}
    if isinstance(value, list) and contains(model, Secret):
        return secret(value)
    return value
