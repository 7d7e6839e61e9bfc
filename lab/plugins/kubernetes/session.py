"""What one configured provider works with: its cluster, if it can be reached, and its settings."""

from __future__ import annotations

import collections.abc
import dataclasses
import os
import typing

from lab.plugins import base
from lab.plugins.kubernetes import cluster, kubeconfig, model

UNREACHABLE_HELP = (
    "If the cluster was deleted, you can remove this resource from Pulumi state by rerunning the operation with the "
    'PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"'
)


@dataclasses.dataclass
class Session:
    """`unreachable` says why the cluster cannot be used; "" when it can, and then `api` is there."""

    unreachable: str = ""
    api: typing.Any = None
    config: kubeconfig.Config = dataclasses.field(default_factory=dict, repr=False)
    context: str = ""
    cluster_name: str = ""
    namespace: str = "default"
    mutable_secrets: bool = False
    mutable_config_maps: bool = False
    upsert: bool = False
    patch_force: bool = False
    delete_unreachable: bool = False
    skip_update_unreachable: bool = False

    def require(self) -> None:
        """PluginError unless the cluster can be reached."""
        if self.unreachable:
            raise base.PluginError(f"configured Kubernetes cluster is unreachable: {self.unreachable}")

    def namespaced(self, api_version: str, kind: str) -> bool:
        """Whether objects of a kind live in namespaces; an unknown kind is taken to."""
        if not self.unreachable:
            try:
                return self.api.kind(api_version, kind).namespaced
            except (cluster.NoSuchKind, cluster.ApiError):
                pass
        return kind not in model.CLUSTER_WIDE


def open(call: base.Call, config: base.Properties) -> Session:
    """A session for a provider's settings; a cluster that cannot be reached is no error (`Session.unreachable`)."""
    session = Session(
        context=config.get("context") or "",
        cluster_name=config.get("cluster") or "",
        mutable_secrets=_flag(config, "enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE"),
        mutable_config_maps=_flag(config, "enableConfigMapMutable", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE"),
        upsert=_flag(config, "upsertExistingObjects", "PULUMI_K8S_UPSERT_EXISTING_OBJECTS"),
        patch_force=_flag(config, "enablePatchForce", "PULUMI_K8S_ENABLE_PATCH_FORCE"),
    )
    if not _flag(config, "enableServerSideApply", "PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY", True):
        raise base.PluginError("this stand-in for the kubernetes plugin works with server-side apply only")
    _connect(session, config)
    if session.unreachable:
        environment = {**os.environ, **call.environment()}
        session.delete_unreachable = _flag(
            config, "deleteUnreachable", "PULUMI_K8S_DELETE_UNREACHABLE", environment=environment
        )
        session.skip_update_unreachable = _flag(
            config, "skipUpdateUnreachable", "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE", environment=environment
        )
    return session


def _connect(session: Session, config: base.Properties) -> None:
    text = config.get("kubeconfig") or ""
    try:
        session.config = kubeconfig.parse(text) if text else kubeconfig.ambient()
    except kubeconfig.KubeconfigError as error:
        session.unreachable = f"failed to parse kubeconfig data in `kubernetes:config:kubeconfig`- {error}"
        return
    try:
        access = kubeconfig.access(session.config, session.context, session.cluster_name)
        session.api = cluster.Cluster(access)
    except (kubeconfig.KubeconfigError, OSError) as error:
        session.unreachable = f"unable to load Kubernetes client configuration from kubeconfig file: {error}"
        return
    session.namespace = config.get("namespace") or access.namespace
    try:
        session.api.check()
    except cluster.ApiError as error:
        session.unreachable = f"unable to load schema information from the API server: {error}"


def _flag(
    config: base.Properties,
    name: str,
    variable: str,
    default: bool = False,
    environment: collections.abc.Mapping[str, str] = os.environ,
) -> bool:
    text = config.get(name)
    if text is None:
        text = environment.get(variable, default)
    return text is True or text == "true"
