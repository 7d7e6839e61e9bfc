"""A container's environment and arguments, as the kubelet builds them: references, `$(VAR)`, downward API."""

from __future__ import annotations

import collections.abc
import decimal
import re
import typing

from lab import kube

Data = dict[str, bytes]


class Lookup(typing.Protocol):
    """Gives the data of a Secret or ConfigMap (`kind`) of the pod's namespace, None when it is not there."""

    def __call__(self, kind: str, name: str) -> Data | None: ...


class Missing(Exception):
    """Something that the pod refers to is not there (yet); the message names it."""


NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_REFERENCE = re.compile(r"\$(?:\$|\(([^()\s]+)\))")
_KEYED = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")
_QUANTITY = re.compile(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)(m|[kMGTPE]i?|)")


def expand(text: str, variables: collections.abc.Mapping[str, str]) -> str:
    """Replace `$(NAME)`; `$$` is a dollar sign that starts no reference; an unknown name stays as it is."""

    def one(found: re.Match[str]) -> str:
        return "$" if found.group(1) is None else variables.get(found.group(1), found.group(0))

    return _REFERENCE.sub(one, text)


def build(
    container: kube.Object, pod: kube.Object, base: collections.abc.Mapping[str, str], lookup: Lookup
) -> dict[str, str]:
    """The variables of a container on top of `base`; Missing when a reference that is not optional has no target.

    The pod's status has to carry podIP and hostIP already.
    """
    variables = dict(base)
    for source in container.get("envFrom", ()):
        variables.update(_all_of(source, lookup))
    for entry in container.get("env", ()):
        value = _value(entry, container, pod, variables, lookup)
        if value is not None:
            variables[entry["name"]] = value
    return variables


def field(pod: kube.Object, path: str) -> str:
    """A field of the downward API, such as `status.podIP` or `metadata.labels['app']`."""
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status", {})
    if keyed := _KEYED.fullmatch(path):
        return str(metadata.get(keyed.group(1), {}).get(keyed.group(2), ""))
    if path in ("metadata.labels", "metadata.annotations"):
        found = metadata.get(path.partition(".")[2], {})
        return "".join(f'{key}="{_quoted(value)}"\n' for key, value in sorted(found.items()))
    known = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "status.podIP": status.get("podIP", ""),
        "status.podIPs": status.get("podIP", ""),
        "status.hostIP": status.get("hostIP", ""),
        "status.hostIPs": status.get("hostIP", ""),
    }
    if path not in known:
        raise Missing(f"the field {path} is not one that the lab's node agent knows")
    return str(known[path])


def resource(pod: kube.Object, reference: kube.Object, container: kube.Object | None = None) -> str:
    """A container's request or limit, in units of the divisor, rounded up; where none is given, 1 CPU or 1 GiB."""
    name = reference.get("containerName")
    if name:
        container = next(each for each in pod["spec"]["containers"] if each["name"] == name)
    section, _, what = reference["resource"].partition(".")
    resources = (container or {}).get("resources", {})
    given = resources.get(section, {}).get(what) or resources.get("limits", {}).get(what)
    amount = quantity(given or {"cpu": "1", "memory": "1Gi"}.get(what, "0"))
    divisor = quantity(str(reference.get("divisor") or "1")) or decimal.Decimal(1)
    return str(int((amount / divisor).to_integral_value(decimal.ROUND_CEILING)))


def quantity(text: str) -> decimal.Decimal:
    """`100m`, `1Gi`, `2` as a number."""
    found = _QUANTITY.fullmatch(text)
    if not found:
        raise Missing(f"{text!r} is no quantity")
    number, unit = decimal.Decimal(found.group(1)), found.group(2)
    if unit == "m":
        return number / 1000
    if not unit:
        return number
    return number * decimal.Decimal(1024 if unit.endswith("i") else 1000) ** ("kMGTPE".index(unit[0]) + 1)


def _all_of(source: kube.Object, lookup: Lookup) -> dict[str, str]:
    kind = "Secret" if "secretRef" in source else "ConfigMap"
    reference = source["secretRef"] if "secretRef" in source else source["configMapRef"]
    data = lookup(kind, reference["name"])
    if data is None:
        if reference.get("optional"):
            return {}
        raise Missing(f'{kind.lower()} "{reference["name"]}" not found')
    prefix = source.get("prefix", "")
    return {prefix + key: _text(value) for key, value in data.items() if NAME.fullmatch(prefix + key)}


def _value(
    entry: kube.Object, container: kube.Object, pod: kube.Object, variables: dict[str, str], lookup: Lookup
) -> str | None:
    source = entry.get("valueFrom")
    if not source:
        return expand(entry.get("value", ""), variables)
    if "fieldRef" in source:
        return field(pod, source["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in source:
        return resource(pod, source["resourceFieldRef"], container)
    kind, reference = (
        ("Secret", source["secretKeyRef"]) if "secretKeyRef" in source else ("ConfigMap", source["configMapKeyRef"])
    )
    data = lookup(kind, reference["name"])
    if data is not None and reference["key"] in data:
        return _text(data[reference["key"]])
    if reference.get("optional"):
        return None
    if data is None:
        raise Missing(f'{kind.lower()} "{reference["name"]}" not found')
    raise Missing(f"couldn't find key {reference['key']} in {kind} {pod['metadata']['namespace']}/{reference['name']}")


def _text(value: bytes) -> str:
    # A process environment cannot hold a null byte.
    return value.decode(errors="surrogateescape").replace("\0", "")


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
