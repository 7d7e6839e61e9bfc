"""The settings as Pulumi.yaml declares them, so that `pulumi config` lists every key there is.

Measured with the real engine: a declared key without a default is demanded of every stack, and a declared type
(or `secret: true`) is enforced before the program runs, which would then say one mistake instead of all of them,
and refuse a section that was written as a JSON text. So no key has a type, and each has a default that the program
takes for "not set": an empty text, list or mapping, or the model's own number.
"""

from __future__ import annotations

import pathlib
from typing import Any

import yaml

import settings
from reference import schema

BEGIN = (
    "  # Settings, from settings/ by `make docs`; docs/configuration.md says more. No types: reference/declarations.py."
)


def declared() -> dict[str, dict[str, Any]]:
    """`{key: {description, default}}` of every key that a stack file may have."""
    made = schema.of_model(settings.Settings)
    keys: dict[str, dict[str, Any]] = {}
    for key, node in made["properties"].items():
        value = node.get("default", [] if node.get("type") == "array" else "")
        keys[key] = {"description": schema.editors(node)["description"], "default": value}
    for key, purpose in settings.SECRETS.items():
        keys[key] = {"description": f"Secret: {purpose}.", "default": ""}
    return keys


def project_file(file: pathlib.Path) -> str:
    """The text of Pulumi.yaml with the declarations as they should be; what stands before them is kept."""
    before, marker, _ = file.read_text("utf-8").partition(BEGIN)
    if not marker:
        raise ValueError(f"{file.name}: the line {BEGIN.strip()!r} is missing; put it last below `config:`")
    block = yaml.safe_dump(declared(), sort_keys=False, width=110, allow_unicode=True)
    return before + BEGIN + "\n" + "".join(f"  {line}\n" for line in block.splitlines())
