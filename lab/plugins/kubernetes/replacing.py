"""When a change of an object needs a new object. Pure functions."""

from __future__ import annotations

from lab.plugins import differ, values
from lab.plugins.kubernetes import model

IMMUTABLE: dict[tuple[str, str], tuple[str, ...]] = {
    ("apps", "Deployment"): ("spec.selector",),
    ("apps", "DaemonSet"): ("spec.selector",),
    ("apps", "StatefulSet"): (
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    ("batch", "Job"): ("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("storage.k8s.io", "StorageClass"): ("parameters", "provisioner"),
    ("", "PersistentVolumeClaim"): (
        "spec.accessModes",
        "spec.selector",
        "spec.storageClassName",
        "spec.volumeName",
    ),
    ("", "ResourceQuota"): ("spec.scopes",),
    ("", "Service"): ("spec.clusterIP",),
    ("", "Secret"): ("type",),
}
"""What the real plugin knows to be immutable. For any other field the API server's refusal is an error."""

POD_MUTABLE = ("spec.activeDeadlineSeconds", "spec.tolerations", "spec.ephemeralContainers")
IDENTITY = ("metadata.name", "metadata.namespace")


def decide(
    inputs: model.Object,
    old_inputs: model.Object,
    live: model.Object,
    *,
    namespaced: bool,
    patch: bool = False,
    mutable_secrets: bool = False,
    mutable_config_maps: bool = False,
    ignore: tuple[str, ...] = (),
) -> differ.Diff:
    """What changes when `inputs` (normalized) follow `old_inputs`, given the object as it was last seen.

    Compared with what was seen live, reduced to what the old inputs set: so drift counts once a refresh found it.
    """
    new = model.dashed(values.plain(inputs))
    old = model.pruned(live, old_inputs)
    for side in (old, new):
        metadata = side.get("metadata")
        if isinstance(metadata, dict):
            namespace = metadata.get("namespace") or "default"
            side["metadata"] = {key: item for key, item in metadata.items() if key != "namespace"}
            if namespaced:
                side["metadata"]["namespace"] = namespace
    if model.dig(new, "metadata", "name"):
        old.setdefault("metadata", {})["name"] = model.dig(live, "metadata", "name")
    diff = differ.compare(old, new)
    for path in [path for path in diff.changes if _ignored(path, ignore)]:
        del diff.changes[path]
    rules = IDENTITY if patch else IDENTITY + _immutable(new, mutable_secrets, mutable_config_maps)
    diff.replace = {path for path in diff.changes if _hits(path, rules, new)}
    diff.delete_before_replace = bool(diff.replace) and _same_place(new, old, live)
    return diff


def _immutable(obj: model.Object, mutable_secrets: bool, mutable_config_maps: bool) -> tuple[str, ...]:
    group = str(obj.get("apiVersion", "")).rpartition("/")[0]
    kind = str(obj.get("kind", ""))
    frozen = obj.get("immutable") is True
    if not group and kind == "Secret" and (frozen or not mutable_secrets):
        return ("type", "data", "stringData")
    if not group and kind == "ConfigMap" and (frozen or not mutable_config_maps):
        return ("data", "binaryData")
    if not group and kind == "Pod":
        return ("spec",)
    return IMMUTABLE.get((group, kind), ())


def _hits(path: differ.Path, rules: tuple[str, ...], obj: model.Object) -> bool:
    names = ".".join(str(part) for part in path if isinstance(part, str)) + "."
    if obj.get("kind") == "Pod" and names.startswith(tuple(f"{field}." for field in POD_MUTABLE)):
        return False
    return any(names.startswith(f"{rule}.") or rule.startswith(names) for rule in rules)


def _ignored(path: differ.Path, ignore: tuple[str, ...]) -> bool:
    text = differ.path_text(path)
    return any(text == rule or text.startswith((f"{rule}.", f"{rule}[")) for rule in ignore)


def _same_place(new: model.Object, old: model.Object, live: model.Object) -> bool:
    name = model.dig(new, "metadata", "name")
    return (
        isinstance(name, str)
        and not model.is_autonamed(new)
        and name == model.dig(live, "metadata", "name")
        and model.dig(new, "metadata", "namespace") == model.dig(old, "metadata", "namespace")
    )
