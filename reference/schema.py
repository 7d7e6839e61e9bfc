"""The JSON Schema of a stack file, made from the settings models, for editors and for CI.

Draft 7, since that is what editors know best. It never refuses what the program takes, but for two ways of
writing that the program puts up with: a key with nothing behind it, and a section written as a JSON text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pydantic
import pydantic.json_schema
import pydantic_core.core_schema

import settings
from settings import checks

DRAFT = "http://json-schema.org/draft-07/schema#"
LIMITS: dict[Callable[..., Any], dict[str, Any]] = {
    checks.environment: {"pattern": checks.ENVIRONMENT},
    checks.ionos_name: {"pattern": checks.IONOS_NAME},
    checks.location: {"pattern": checks.LOCATION},
    checks.kubernetes_version: {"pattern": checks.KUBERNETES_VERSION},
    checks.window_time: {"pattern": checks.WINDOW_TIME},
    checks.ram_mb: {"minimum": 2048, "multipleOf": 1024},
    checks.zone_id: {"pattern": checks.ZONE_ID},
    checks.region: {"pattern": checks.REGION},
    checks.role: {"pattern": checks.ROLE},
    checks.quantity: {"pattern": checks.QUANTITY},
    checks.memory: {"pattern": checks.BYTES},
    checks.kubernetes_name: {"pattern": checks.HOST_LABEL},
    checks.label_key: {"pattern": checks.LABEL_KEY},
    checks.label_value: {"pattern": checks.LABEL_VALUE},
    checks.github_name: {"pattern": checks.GITHUB_NAME},
    checks.github_team: {"pattern": checks.GITHUB_TEAM},
}
"""What a JSON Schema can say of a check; of any other one it says the type alone."""

ENCRYPTED = {
    "type": "object",
    "properties": {"secure": {"type": "string", "description": "Written by `pulumi config set --secret`."}},
    "required": ["secure"],
    "additionalProperties": False,
}


class _Generator(pydantic.json_schema.GenerateJsonSchema):
    """Pydantic's generator, which also knows what the project's own checks ask for."""

    def function_after_schema(self, schema: pydantic_core.core_schema.AfterValidatorFunctionSchema) -> dict[str, Any]:
        made = super().function_after_schema(schema)
        for key, limit in LIMITS.get(schema["function"]["function"], {}).items():
            made[key] = f"^(?:{limit.pattern})$" if key == "pattern" else limit
        return made


def of_model(model: type[pydantic.BaseModel], *, nulls: bool = False) -> dict[str, Any]:
    """A model's schema, tidied: no invented titles, `definitions`, nulls or not; `derivedDefault` still in it."""
    template = "#/definitions/{model}"
    made = model.model_json_schema(ref_template=template, schema_generator=_Generator, mode="validation")
    made["definitions"] = made.pop("$defs", {})
    return _tidy(made, nulls)


def stack_file(project: str) -> dict[str, Any]:
    """The schema of `Pulumi.<stack>.yaml`."""
    made = editors(of_model(settings.Settings))
    sections = {f"{project}:{key}": _as_pulumi_writes(value) for key, value in made["properties"].items()}
    for key, purpose in settings.SECRETS.items():
        sections[f"{project}:{key}"] = {
            "description": f"Secret: {purpose}. Set it with `pulumi config set --secret {key}`.",
            **ENCRYPTED,
        }
    return {
        "$schema": DRAFT,
        "title": f"Stack file of {project}",
        "description": "One environment. `python -m ops config check` also knows the rules between several keys.",
        "type": "object",
        "required": ["config"],
        "additionalProperties": False,
        # Where aliases take from; Pulumi passes over it.
        "patternProperties": {"^x-": {}},
        "properties": {
            "config": {
                "description": f"Settings (`{project}:…`), and settings of Pulumi and of providers (`aws:region`).",
                "type": "object",
                "required": [f"{project}:{key}" for key in made["required"]],
                "additionalProperties": False,
                "properties": sections,
                "patternProperties": {f"^(?!{re.escape(project)}:)[^:]+:.+$": {}},
            },
            "encryptionsalt": {"description": "Written by Pulumi (passphrase).", "type": "string"},
            "encryptedkey": {"description": "Written by Pulumi (KMS).", "type": "string"},
            "secretsprovider": {"description": "Where secrets' key is, such as `awskms://…`.", "type": "string"},
            "environment": {"description": "Pulumi ESC environments to import.", "type": ["array", "object"]},
        },
        "definitions": made["definitions"],
    }


def children(node: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Every place in a schema where another schema stands: the holder and its key."""
    found: list[tuple[dict[str, Any], str]] = []
    for key in ("properties", "definitions", "patternProperties"):
        held = node.get(key, {})
        found += [(held, name) for name in held]
    found += [
        (node, key) for key in ("items", "additionalProperties", "propertyNames") if isinstance(node.get(key), dict)
    ]
    return found


def _tidy(node: dict[str, Any], nulls: bool) -> dict[str, Any]:
    node = {key: value for key, value in node.items() if key not in ("title", "discriminator")}
    for key in ("anyOf", "oneOf", "allOf"):
        if key in node:
            node[key] = [_tidy(one, nulls) for one in node[key] if nulls or one != {"type": "null"}]
    if len(node.get("anyOf", [])) == 1:
        node = {**node.pop("anyOf")[0], **node}
    if "default" in node and node["default"] is None:
        del node["default"]
    if "patternProperties" in node:  # a mapping whose keys have a form: any other key is a mistake
        ((pattern, value),) = node.pop("patternProperties").items()
        node |= {"propertyNames": {"pattern": pattern}, "additionalProperties": value}
    for holder, key in children(node):
        holder[key] = _tidy(holder[key], nulls)
    return node


def editors(node: dict[str, Any]) -> dict[str, Any]:
    """A default that follows from other settings becomes words; a `$ref` may have nothing beside it in draft 7."""
    node = dict(node)
    derived = node.pop("derivedDefault", None)
    if derived:
        node.pop("default", None)
        node["description"] = f"{node['description']} Default: {derived}."
    for key in ("anyOf", "oneOf"):
        if key in node:
            node[key] = [editors(one) for one in node[key]]
    for key in ("properties", "definitions"):
        if key in node:
            node[key] = dict(node[key])
    for holder, key in children(node):
        holder[key] = editors(holder[key])
    if "$ref" in node and len(node) > 1:
        node["allOf"] = [{"$ref": node.pop("$ref")}]
    return node


def _as_pulumi_writes(node: dict[str, Any]) -> dict[str, Any]:
    """Numbers at the top may also be texts: `pulumi config set` rewrites them so."""
    if node.get("type") != "integer":
        return node
    return {**node, "type": ["integer", "string"], "pattern": "^[0-9]+$"}
