"""Writing objects: plain creation, server-side apply, and the bookkeeping of who manages which field."""

from __future__ import annotations

import typing

from lab.plugins import base
from lab.plugins.kubernetes import cluster, model

CREATOR = "pulumi-kubernetes"
"""The manager's name on creation; the first update hands its fields over to the object's own manager."""

ABSORBED = {
    "kubectl": ("Apply", "Update"),
    "before-first-apply": ("Update",),
    CREATOR: ("Update",),
    "pulumi-resource-kubernetes": ("Update",),
}
"""Beginning of a manager's name -> operations whose fields an update takes over without asking."""

CONFLICT_HELP = (
    "https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/"
    "managing-resources-with-server-side-apply/#handle-field-conflicts-on-existing-resources"
)


class Conflict(base.PluginError):
    """Another manager holds a field that is to be set."""

    def __init__(self, manager: str, error: cluster.ApiError) -> None:
        super().__init__(
            f"server-side apply field conflict detected, see {CONFLICT_HELP} for troubleshooting help\n"
            f'The resource managed by field manager "{manager}" had an apply conflict: {error}'
        )


def create(api: cluster.Cluster, path: str, body: model.Object, dry_run: bool) -> model.Object:
    """Make an object in the collection at `path`; ApiError with status 409 when it exists."""
    return api.request("POST", path, body, _query(CREATOR, dry_run))


def apply(
    api: cluster.Cluster,
    path: str,
    body: model.Object,
    manager: str,
    *,
    force: bool,
    dry_run: bool,
    live: model.Object | None = None,
) -> model.Object:
    """Server-side apply to the object at `path`; Conflict when others hold fields and `force` is off.

    `live`, of a dry run: the object as it is, whose other managers' fields a real update would have taken over first.
    """
    query = {**_query(manager, dry_run), "force": str(force).lower(), "fieldValidation": "Warn"}
    try:
        return api.request("PATCH", path, body, query, cluster.APPLY)
    except cluster.ApiError as error:
        if error.status != 409 or error.reason != "Conflict":
            raise
        if dry_run and _only_absorbed(error, live or {}):
            return api.request("PATCH", path, body, {**query, "force": "true"}, cluster.APPLY)
        raise Conflict(manager, error) from None


def replace(api: cluster.Cluster, path: str, body: model.Object, live: model.Object, dry_run: bool) -> model.Object:
    """Write an object whole (what a CustomResourceDefinition needs: apply would keep old versions' fields)."""
    version = model.dig(live, "metadata", "resourceVersion")
    body = {**body, "metadata": {**body.get("metadata", {}), "resourceVersion": version}}
    return api.request("PUT", path, body, _query(CREATOR, dry_run))


def take_over(api: cluster.Cluster, path: str, live: model.Object, manager: str) -> model.Object:
    """Hand the fields of the object's creation (and of kubectl) to `manager`, so that apply can also remove them."""
    entries: list[model.Object] = model.dig(live, "metadata", "managedFields") or []
    absorbed = [entry for entry in entries if _is_absorbed(entry)]
    if not absorbed:
        return live
    own = next((entry for entry in entries if entry["manager"] == manager and entry["operation"] == "Apply"), None)
    fields: model.Object = {}
    for entry in [*absorbed, *([own] if own else [])]:
        _merge(fields, entry.get("fieldsV1") or {})
    entry = {**absorbed[0], **(own or {}), "manager": manager, "operation": "Apply", "fieldsV1": fields}
    kept = [item for item in entries if item is not own and not _is_absorbed(item)]
    return _write_managers(api, path, live, [*kept, entry])


def relinquish(api: cluster.Cluster, path: str, manager: str) -> None:
    """Let go of everything `manager` set at `path`: what nobody else holds goes back to its default or away."""
    live = api.find(path)
    entries = model.dig(live or {}, "metadata", "managedFields") or []
    if live is None or not any(entry["manager"] == manager and entry["operation"] == "Apply" for entry in entries):
        return
    metadata = {key: live["metadata"][key] for key in ("name", "namespace") if key in live["metadata"]}
    body = {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata}
    api.request("PATCH", path, body, {**_query(manager, False), "force": "true"}, cluster.APPLY)


def keep_ignored(body: model.Object, live: model.Object, manager: str, ignore: typing.Iterable[str]) -> model.Object:
    """`body` with ignored paths as they are live; left out where another manager alone holds them."""
    for path in ignore:
        keys = path.split(".")
        if any("[" in key for key in keys):
            continue
        holders = {
            entry["manager"]
            for entry in model.dig(live, "metadata", "managedFields") or []
            if model.dig(entry.get("fieldsV1"), *(f"f:{key}" for key in keys)) is not None
        }
        others = {holder for holder in holders if holder != manager}
        value = None if others and manager not in holders else model.dig(live, *keys)
        if value is not None or others:
            body = _with(body, keys, value)
    return body


def _with(body: model.Object, keys: list[str], value: typing.Any) -> model.Object:
    first, rest = keys[0], keys[1:]
    result = dict(body)
    if rest:
        result[first] = _with(body.get(first) or {}, rest, value)
    elif value is None:
        result.pop(first, None)
    else:
        result[first] = value
    return result


def _query(manager: str, dry_run: bool) -> dict[str, str]:
    return {"fieldManager": manager, **({"dryRun": "All"} if dry_run else {})}


def _is_absorbed(entry: model.Object) -> bool:
    name, operation = entry.get("manager", ""), entry.get("operation")
    known = any(name.startswith(start) and operation in operations for start, operations in ABSORBED.items())
    return known and not entry.get("subresource")


def _only_absorbed(error: cluster.ApiError, live: model.Object) -> bool:
    """Whether every holder named in a conflict is one whose fields an update would take over."""
    entries = model.dig(live, "metadata", "managedFields") or []
    absorbed = {entry["manager"] for entry in entries if _is_absorbed(entry)}
    others = {entry["manager"] for entry in entries if not _is_absorbed(entry)}
    causes = error.details.get("causes") or []
    holders = [str(cause.get("message", "")).partition('conflict with "')[2].partition('"')[0] for cause in causes]
    return bool(holders) and all(holder in absorbed - others for holder in holders)


def _merge(target: model.Object, source: model.Object) -> None:
    for key, item in source.items():
        if isinstance(item, dict) and isinstance(target.get(key), dict):
            _merge(target[key], item)
        else:
            target[key] = _copy(item)


def _copy(item: typing.Any) -> typing.Any:
    return {key: _copy(value) for key, value in item.items()} if isinstance(item, dict) else item


def _write_managers(api: cluster.Cluster, path: str, live: model.Object, entries: list[model.Object]) -> model.Object:
    patch = [
        {"op": "replace", "path": "/metadata/managedFields", "value": entries},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
    ]
    try:
        return api.request("PATCH", path, patch, content=cluster.JSON_PATCH)
    except cluster.ApiError as error:
        fresh = api.find(path) if error.status == 409 else None
        if fresh is None or fresh["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"]:
            raise
        return take_over(api, path, fresh, entries[-1]["manager"])
