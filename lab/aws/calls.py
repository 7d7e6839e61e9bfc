"""What a request asks for: its IAM action, the resources it touches and the condition keys it carries. Pure.

Operations and bodies are read by moto's own router and parser, so that what is judged is what moto will do.
Anything unusual is `unknown`, which no policy can allow.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonroute53.html
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-rrset-conditions.html
"""

from __future__ import annotations

import dataclasses
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any

import werkzeug.exceptions
from moto.core import parse, request, routing, utils

UNKNOWN = "unknown"
SERVICES = ("route53", "iam", "sts")

RECORDS = "route53:changeresourcerecordsets"
"""What the condition keys of a change of records begin with."""

_PATH = re.compile(r"/2013-04-01(/[A-Za-z0-9]+)+/?")
_TOKEN = re.compile(rb"\\[0-7]{3}|.", re.DOTALL)
_FORM = "application/x-www-form-urlencoded"
_TYPES = {
    "hostedzone": "hostedzone",
    "hostedzonelimit": "hostedzone",
    "keysigningkey": "hostedzone",
    "change": "change",
    "healthcheck": "healthcheck",
    "delegationset": "delegationset",
    "queryloggingconfig": "queryloggingconfig",
    "trafficpolicyinstance": "trafficpolicyinstance",
}
"""First segment of a Route53 path -> the kind of resource that the segment after it names."""


@dataclasses.dataclass(frozen=True)
class Call:
    """A request as policies see it.

    `action`: `service:Operation`, or `unknown` with `problem` saying why. `resources`: ARNs, `*` for an operation that
    knows none, None when they are not known here. `context`: condition key in lower case -> values.
    """

    action: str
    resources: tuple[str, ...] | None = None
    context: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    problem: str = ""


def describe(service: str, method: str, path: str, query: str, content_type: str, body: bytes) -> Call:
    """The call that a request is; `path` and `query` as they came over the wire."""
    try:
        if service == "route53":
            return _route53(method, path, query, body)
        if service in SERVICES:
            return _query(service, method, path, query, content_type, body)
    except (ValueError, KeyError, TypeError, AttributeError, parse.RequestParserError) as error:
        return Call(UNKNOWN, problem=f"the request cannot be read: {error}")
    return Call(UNKNOWN, problem=f"the lab has no service {service}")


def normalized(name: str) -> str:
    r"""A record's name as Route53's condition key has it: lower case, no trailing dot, octal escapes like `\052`."""

    def escaped(token: bytes) -> str:
        # A dot that was escaped belongs to its label and stays so.
        code = int(token[1:], 8) & 255 if len(token) == 4 else token[0]
        char = bytes([code]).lower().decode("latin-1")
        plain = "[a-z0-9_-]" if len(token) == 4 else "[a-z0-9._-]"
        return char if re.fullmatch(plain, char) else f"\\{ord(char):03o}"

    return "".join(escaped(token) for token in _TOKEN.findall(name.removesuffix(".").encode()))


def _route53(method: str, path: str, query: str, body: bytes) -> Call:
    if not _PATH.fullmatch(path):
        return Call(UNKNOWN, problem="the path is not one of Route53's")
    # moto would take the operation from such a parameter rather than from the path.
    if any(key.lower() == "action" for key, _ in urllib.parse.parse_qsl(query, keep_blank_values=True)):
        return Call(UNKNOWN, problem="a parameter Action is none of Route53's")
    asked = request.Request.from_primitives(method, f"http://route53{path}", {"content-type": "text/xml"}, body)
    try:
        operation, names = routing.get_service_router("route53").match(asked)
    except (werkzeug.exceptions.NotFound, werkzeug.exceptions.MethodNotAllowed):
        return Call(UNKNOWN, problem="Route53 has no such operation")
    if any("/" in value for value in names.values()):
        return Call(UNKNOWN, problem="an id holds a slash")
    context = _records(asked, operation, names) if operation.name == "ChangeResourceRecordSets" else {}
    return Call(f"route53:{operation.name}", _resources(path, names), context)


def _resources(path: str, names: Mapping[str, str]) -> tuple[str, ...] | None:
    if not names:
        return ("*",)
    _, _, kind, *rest = path.rstrip("/").split("/")
    if kind == "tags" and len(rest) == 2:
        kind, rest = rest[0], rest[1:]
    return (f"arn:aws:route53:::{_TYPES[kind]}/{rest[0]}",) if kind in _TYPES and rest else None


def _records(asked: request.Request, operation: Any, names: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    parser = parse.PROTOCOL_PARSERS["rest-xml"](operation)
    read = parser.parse(
        {
            "method": asked.method,
            "values": asked.values,
            "headers": asked.headers,
            "body": asked.data,
            "url_path": asked.path,
            "url_params": dict(names),
        }
    )
    changes = read["ChangeBatch"]["Changes"]
    if not changes:
        raise ValueError("no change in the batch")
    found = {
        "normalizedrecordnames": [normalized(change["ResourceRecordSet"]["Name"]) for change in changes],
        "recordtypes": [change["ResourceRecordSet"]["Type"] for change in changes],
        "actions": [change["Action"] for change in changes],
    }
    return {RECORDS + key: tuple(dict.fromkeys(values)) for key, values in found.items()}


def _query(service: str, method: str, path: str, query: str, content_type: str, body: bytes) -> Call:
    if method != "POST" or path != "/" or query or content_type.partition(";")[0].strip().lower() != _FORM:
        return Call(UNKNOWN, problem="not a form posted to /")
    fields = urllib.parse.parse_qsl(body.decode(), keep_blank_values=True)
    if len({key for key, _ in fields}) != len(fields):
        return Call(UNKNOWN, problem="a parameter is there twice")
    action = dict(fields).get("Action", "")
    known: Any = utils.get_service_model(service).operation_names
    if action not in known:
        return Call(UNKNOWN, problem="no such operation")
    return Call(f"{service}:{action}")
