"""What the plugin knows about objects without asking a cluster: names, secrets, shapes. Pure functions.

Inputs may hold `values.Secret` and UNKNOWN anywhere; functions say when they want plain ones.
"""

from __future__ import annotations

import base64
import decimal
import re
import typing

from lab.plugins import base, values

Object = dict[str, typing.Any]

AUTONAMED = "pulumi.com/autonamed"
SKIP_AWAIT = "pulumi.com/skipAwait"
WAIT_FOR = "pulumi.com/waitFor"
TIMEOUT_SECONDS = "pulumi.com/timeoutSeconds"
PATCH_FORCE = "pulumi.com/patchForce"
FIELD_MANAGER = "pulumi.com/patchFieldManager"
PROPAGATION = "pulumi.com/deletionPropagationPolicy"
REPLACE_UNREADY = "pulumi.com/replaceUnready"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

SERVER_FIELDS = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "uid",
)

CLUSTER_WIDE = frozenset({
    "APIService", "CSIDriver", "CSINode", "ClusterIssuer", "ClusterRole", "ClusterRoleBinding",
    "CustomResourceDefinition", "FlowSchema", "IngressClass", "MutatingWebhookConfiguration", "Namespace", "Node",
    "PersistentVolume", "PriorityClass", "PriorityLevelConfiguration", "RuntimeClass", "StorageClass",
    "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration",
    "VolumeAttachment",
})  # fmt: skip
"""Kinds without a namespace, for when no server can be asked."""


def kind_of(token: str, inputs: Object) -> tuple[str, str]:
    """(apiVersion, kind) of a resource: from its inputs, else from its type token."""
    _, group, name = token.split(":", 2)
    api_version, kind = inputs.get("apiVersion"), inputs.get("kind")
    if not isinstance(api_version, str):
        api_version = group.removeprefix("core/")
    if not isinstance(kind, str):
        kind = name.removesuffix("Patch") if name != "Patch" else name
    return api_version, kind


def is_patch(token: str, inputs: Object) -> bool:
    """Whether the resource only manages some fields of an object that is not its own."""
    name = token.rsplit(":", 1)[1]
    return name == f"{inputs.get('kind', name.removesuffix('Patch'))}Patch"


def is_secret(inputs: Object) -> bool:
    return inputs.get("kind") == "Secret" and inputs.get("apiVersion") == "v1"


def built_in(api_version: str) -> bool:
    """Whether an API group is one of Kubernetes' own (their values the server may rewrite: "0.5" -> "500m")."""
    group = api_version.rpartition("/")[0]
    return "." not in group or group.endswith(".k8s.io")


def annotation(obj: Object, name: str) -> str:
    """An annotation's text; "" when there is none or it is not known. `obj` may hold secrets."""
    notes = dig(values.plain(obj.get("metadata")), "annotations")
    text = notes.get(name) if isinstance(notes, dict) else None
    return text if isinstance(text, str) else ""


def dig(value: typing.Any, *path: str) -> typing.Any:
    """A nested entry, None where the way ends."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def identifier(obj: Object) -> str:
    """The resource's id: `<namespace>/<name>`, or the name of something without a namespace."""
    namespace, name = dig(obj, "metadata", "namespace"), dig(obj, "metadata", "name")
    return f"{namespace}/{name}" if namespace else name


def split_identifier(text: str) -> tuple[str, str]:
    """(namespace, name) of an id; the namespace may be ""."""
    namespace, _, name = text.rpartition("/")
    return namespace, name


def normalize(inputs: Object) -> Object:
    """Inputs in the one form that is compared and sent: no server-made metadata; a Secret's text as base64 `data`.

    A Secret's `data` comes back as a secret. What is unknown stays so, key by key.
    """
    result = dict(inputs)
    if isinstance(result.get("metadata"), dict):
        result["metadata"] = {key: item for key, item in result["metadata"].items() if key not in SERVER_FIELDS}
    if is_secret(result):
        text, data = values.plain(result.get("stringData")), values.plain(result.get("data"))
        if isinstance(text, dict):
            encoded = {key: _base64(item) for key, item in text.items()}
            if data is None or isinstance(data, dict):
                data = {**(data or {}), **encoded}
                del result["stringData"]
        if data or "data" in inputs:
            result["data"] = values.secret(data)
        if "stringData" in result:
            result["stringData"] = values.secret(text)
    return result


def _base64(item: typing.Any) -> typing.Any:
    return base64.b64encode(item.encode()).decode() if isinstance(item, str) else item


def autoname(call: base.Call, olds: Object, news: Object) -> Object:
    """`news` with a name if it has none: the old one if that was made here, else `<resource>-<8 hex>`; marked so."""
    metadata = news.get("metadata", {})
    if not isinstance(metadata, dict) or metadata.get("name") is not None or metadata.get("generateName") is not None:
        return news
    old_name = dig(values.plain(olds), "metadata", "name") if is_autonamed(olds) else None
    notes = metadata.get("annotations", {})
    named = {**metadata, "name": old_name or f"{call.name}-{base.random_suffix(call, 8)}"}
    if isinstance(notes, dict):
        named["annotations"] = {**notes, AUTONAMED: "true"}
    return {**news, "metadata": named}


def is_autonamed(obj: Object) -> bool:
    return annotation(obj, AUTONAMED) == "true"


def dashed(value: typing.Any) -> typing.Any:
    """`x_kubernetes_…` keys of the SDKs as the API's `x-kubernetes-…`. Plain values."""
    return _rename(value, "x_kubernetes_", "_", "-")


def underscored(value: typing.Any) -> typing.Any:
    """The reverse of `dashed`."""
    return _rename(value, "x-kubernetes-", "-", "_")


def _rename(value: typing.Any, prefix: str, old: str, new: str) -> typing.Any:
    if isinstance(value, dict):
        return {
            key.replace(old, new) if key.startswith(prefix) else key: _rename(item, prefix, old, new)
            for key, item in value.items()
        }
    return [_rename(item, prefix, old, new) for item in value] if isinstance(value, list) else value


def prune(live: typing.Any, shape: typing.Any, lenient: bool = False) -> typing.Any:
    """The part of a live object that inputs of this shape set. Plain values.

    What the server left out because it was empty, and with `lenient` what it only spelt differently ("0.5" and
    "500m"), appears as in the inputs.
    """
    if isinstance(live, dict) and isinstance(shape, dict):
        kept = {key: prune(live[key], item, lenient) for key, item in shape.items() if key in live}
        return kept | {key: item for key, item in shape.items() if key not in live and item in ({}, [])}
    if isinstance(live, list) and isinstance(shape, list):
        return [prune(item, model, lenient) for item, model in zip(live, shape, strict=False)]
    return shape if lenient and live != shape and same_quantity(live, shape) else live


_QUANTITY = re.compile(r"([+-]?[0-9.]+)([eE][+-]?[0-9]+|[KMGTPE]i|[numkMGTPE])?")
_SUFFIX = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def same_quantity(one: typing.Any, other: typing.Any) -> bool:
    """Whether two values are the same amount: "1000m" and "1", "1Gi" and "1024Mi"."""
    first, second = _amount(one), _amount(other)
    return first is not None and first == second


def _amount(value: typing.Any) -> decimal.Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    match = _QUANTITY.fullmatch(str(value))
    if not match:
        return None
    try:
        number, suffix = decimal.Decimal(match[1]), match[2] or ""
    except decimal.InvalidOperation:
        return None
    if suffix.endswith("i"):
        return number * 1024 ** ("KMGTPE".index(suffix[0]) + 1)
    if suffix in _SUFFIX:
        return number.scaleb(_SUFFIX[suffix])
    return decimal.Decimal(match[0]) if suffix else number


def live_part(outputs: Object) -> Object:
    """The live object inside a resource's outputs, plain and as the API spells it."""
    return dashed({key: values.plain(item) for key, item in outputs.items() if not key.startswith("__")})


def pruned(live: Object, inputs: Object) -> Object:
    """`prune` for whole objects, with the server's read-only metadata left out."""
    lenient = built_in(inputs.get("apiVersion", "")) and inputs.get("kind") not in ("ConfigMap", "Secret")
    return values.plain(normalize(prune(live, values.plain(normalize(dashed(inputs))), lenient)))


def checkpoint(inputs: Object, live: Object, field_manager: str) -> Object:
    """A resource's outputs: the live object, secret where the inputs are, and what this plugin notes for itself."""
    outputs = values.mark_like(underscored(live), inputs)
    if is_secret(live):
        outputs.update({key: values.secret(outputs[key]) for key in ("data", "stringData") if key in outputs})
        if annotation(live, LAST_APPLIED):
            notes = outputs["metadata"]["annotations"]
            outputs["metadata"]["annotations"] = {**notes, LAST_APPLIED: values.secret(notes[LAST_APPLIED])}
    outputs["__inputs"] = inputs
    outputs["__initialApiVersion"] = live.get("apiVersion", "")
    outputs["__fieldManager"] = field_manager
    return outputs
