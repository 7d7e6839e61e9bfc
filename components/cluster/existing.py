"""Any Kubernetes cluster that is there already, reached by a kubeconfig.

Credentials come as text (a secret) or as a file and a context. From a file only that one context is
taken, with its certificates embedded, so that the result works elsewhere too.
"""

from __future__ import annotations

import base64
import dataclasses
import pathlib
from typing import Any

import pulumi
import yaml

import kubeconfigs


@dataclasses.dataclass(frozen=True)
class ExistingClusterArgs:
    """Either `kubeconfig` (its text) or `path`; `context` None means the file's current one.

    `cluster_name` is the cluster's identity: as long as it stays, a changed kubeconfig recreates nothing.
    """

    cluster_name: str
    kubeconfig: pulumi.Output[str] | None = None
    path: str | None = None
    context: str | None = None
    ingress_address: str | None = None


class ExistingCluster(pulumi.ComponentResource):
    """A cluster that this program did not make. Children: none."""

    cluster_name: str
    id: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]
    kubernetes_version: pulumi.Output[str] | None
    ingress_addresses: pulumi.Output[list[str]]
    datacenter_id: pulumi.Output[str] | None = None

    def __init__(self, name: str, args: ExistingClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("platform:cluster:ExistingCluster", name, None, opts)
        if args.kubeconfig is not None:
            text, folder = args.kubeconfig, pathlib.Path()
        else:
            file = pathlib.Path(str(args.path)).expanduser()
            text, folder = pulumi.Output.from_input(file.read_text()), file.parent
        self.cluster_name = args.cluster_name
        self.id = pulumi.Output.from_input(args.cluster_name)
        self.kubeconfig = pulumi.Output.secret(
            text.apply(lambda content: single_context(content, args.context, folder))
        )
        self.kubernetes_version = None
        self.ingress_addresses = pulumi.Output.from_input([args.ingress_address] if args.ingress_address else [])
        self.register_outputs({"id": self.id})


def single_context(text: str, context: str | None, folder: pathlib.Path) -> str:
    """A kubeconfig with one context only and every file it names embedded. Pure but for those files.

    Raises:
        ValueError: the text is no kubeconfig, or has no such context, cluster or user.
    """
    config = yaml.safe_load(text)
    if not isinstance(config, dict) or not config.get("contexts"):
        raise ValueError("not a kubeconfig: it has no contexts")
    name = context or config.get("current-context")
    chosen = kubeconfigs.entry(config, "contexts", name)
    details = chosen["context"]
    cluster = kubeconfigs.entry(config, "clusters", details["cluster"])
    user = kubeconfigs.entry(config, "users", details["user"])
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "contexts": [chosen],
            "clusters": [{**cluster, "cluster": _embed(cluster["cluster"], folder)}],
            "users": [{**user, "user": _embed(user.get("user") or {}, folder)}],
        },
        sort_keys=False,
    )


def _embed(section: dict[str, Any], folder: pathlib.Path) -> dict[str, Any]:
    embedded = dict(section)
    for key in ("certificate-authority", "client-certificate", "client-key"):
        if key in embedded:
            content = (folder / embedded.pop(key)).read_bytes()
            embedded[f"{key}-data"] = base64.b64encode(content).decode()
    if "tokenFile" in embedded:
        embedded["token"] = (folder / embedded.pop("tokenFile")).read_text().strip()
    return embedded
