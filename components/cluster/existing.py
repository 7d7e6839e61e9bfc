"""Any Kubernetes cluster that is there already, reached by a kubeconfig.

Credentials come as text (a secret) or as a file and a context. From a file only that one context is
taken, with its certificates embedded and its command absolute, so that the result works from any folder.
"""

from __future__ import annotations

import dataclasses

import pulumi

from kubeconfigs import reading, writing


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
        self.cluster_name = args.cluster_name
        self.id = pulumi.Output.from_input(args.cluster_name)
        self.kubeconfig = pulumi.Output.secret(_portable(args))
        self.kubernetes_version = None
        self.ingress_addresses = pulumi.Output.from_input([args.ingress_address] if args.ingress_address else [])
        self.register_outputs({"id": self.id})


def _portable(args: ExistingClusterArgs) -> pulumi.Input[str]:
    if args.kubeconfig is None:
        return writing.portable(reading.load(str(args.path), args.context))
    where = "the secret kubeconfig"
    return args.kubeconfig.apply(lambda text: writing.portable(reading.loads(text, args.context, where=where)))
