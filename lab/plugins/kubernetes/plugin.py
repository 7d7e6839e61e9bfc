"""The kubernetes provider: its configuration and its resource types."""

from __future__ import annotations

from lab.plugins import base, differ, values
from lab.plugins.kubernetes import helm, kubeconfig, objects, session

RELEASE = "kubernetes:helm.sh/v3:Release"
CLUSTER_KEYS = ("kubeconfig", "context", "cluster")


class Kubernetes(base.Provider):
    """Every object type of every API group, and Helm releases."""

    name, package = "kubernetes", "pulumi_kubernetes"
    accepts_secrets = True

    def __init__(self) -> None:
        self._object, self._release = objects.KubernetesObject(), helm.Release()

    def resource(self, type: str) -> base.Resource | None:
        if type == RELEASE:
            return self._release
        parts = type.split(":")
        return self._object if len(parts) == 3 and parts[0] == "kubernetes" else None

    def configure(self, call: base.Call, config: base.Properties) -> session.Session:
        return session.open(call, config)

    def diff_config(self, call: base.Call, olds: base.Properties, news: base.Properties) -> differ.Diff:
        return diff_config(olds, news)


def diff_config(olds: base.Properties, news: base.Properties) -> differ.Diff:
    """A new cluster means that the provider and all it made are replaced.

    With a `clusterIdentifier` it tells one cluster from another, else the kubeconfig's active cluster does, of which
    nothing can be known while the kubeconfig is not. Adding or removing the identifier replaces nothing.
    """
    diff = differ.compare(olds, news)
    key = "clusterIdentifier"
    before, after = values.plain(olds.get(key)), values.plain(news.get(key))
    if before and after:
        if before != after:
            diff.replace.add((key,))
        return diff
    for name in CLUSTER_KEYS:
        if values.plain(news.get(name)) is values.UNKNOWN:
            diff.replace.add((name,))
            return diff
    if ("renderYamlToDirectory",) in diff.changes:
        diff.replace.add(("renderYamlToDirectory",))
    old_cluster, new_cluster = _active(olds), _active(news)
    if old_cluster and new_cluster and old_cluster != new_cluster:
        diff.replace |= {(name,) for name in CLUSTER_KEYS if (name,) in diff.changes}
    return diff


def _active(config: base.Properties) -> kubeconfig.Config | None:
    config = values.plain(config)
    text = config.get("kubeconfig")
    if not isinstance(text, str) or not text:
        return None
    try:
        return kubeconfig.active_cluster(
            kubeconfig.parse(text), config.get("context") or "", config.get("cluster") or ""
        )
    except kubeconfig.KubeconfigError:
        return None
