"""The namespaces of Argo CD and the add-ons, made before anything is put into them, and the bounds of their pods.

Each holds its pods to the Pod Security Standard `restricted`, which the pinned charts' fit.
https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import pulumi

from components import manifests, options
from components.cluster import network_policies

POD_SECURITY = "pod-security.kubernetes.io"
RESTRICTED = "restricted"
POD_SECURITY_VERSION = "v1.34"
"""The version of the standard that is enforced. Later ones may refuse what runs today; they are warned of."""


@dataclasses.dataclass(frozen=True)
class NamespacesArgs:
    """The namespaces.

    Args:
        names: theirs.
        environment: what they are labelled with.
        pod_security: namespace -> privileged | baseline, where its pods do not fit `restricted`.
        network: what their NetworkPolicies have to know; None: they have none.
        network_ports: more of `network.ports`, which are known later.
    """

    names: Sequence[str]
    environment: str
    pod_security: Mapping[str, str] = dataclasses.field(default_factory=dict)
    network: network_policies.NetworkPoliciesArgs | None = None
    network_ports: pulumi.Input[Sequence[int]] = ()


class Namespaces(pulumi.ComponentResource):
    """The platform's namespaces.

    Children: a core/v1 Namespace per name, and the NetworkPolicies that `network_policies.names` lists.
    """

    by_name: dict[str, manifests.Manifest]

    def __init__(self, name: str, args: NamespacesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("platform:cluster:Namespaces", name, None, opts)
        self.by_name = {
            namespace: manifests.Manifest(
                namespace,
                {
                    "apiVersion": "v1",
                    "kind": "Namespace",
                    "metadata": {"name": namespace, "labels": labels(namespace, args)},
                },
                opts=options.child(self, opts, create="5m"),
            )
            for namespace in args.names
        }
        if args.network:
            self._close(args, args.network)
        self.register_outputs({"names": list(args.names)})

    def __getitem__(self, name: str) -> pulumi.Output[str]:
        """The name of a namespace, known once the namespace is there."""
        return self.by_name[name].object_name

    def _close(self, args: NamespacesArgs, network: network_policies.NetworkPoliciesArgs) -> None:
        def known(ports: Sequence[int]) -> dict[tuple[str, str], network_policies.Spec]:
            return network_policies.specs(
                args.names, dataclasses.replace(network, ports=sorted({*network.ports, *ports}))
            )

        specs = pulumi.Output.from_input(args.network_ports).apply(known)
        for namespace, title in network_policies.names(args.names, network):
            metadata = {"name": title, "namespace": self[namespace], "labels": {"purpose": "infra"}}
            manifests.Manifest(
                namespace if title == network_policies.NAME else f"{namespace}-{title}",
                {
                    "apiVersion": "networking.k8s.io/v1",
                    "kind": "NetworkPolicy",
                    "metadata": metadata,
                    "spec": specs.apply(lambda found, key=(namespace, title): found[key]),
                },
                opts=options.child(self),
            )


def labels(namespace: str, args: NamespacesArgs) -> dict[str, str]:
    """Labels of a namespace."""
    enforced = args.pod_security.get(namespace, RESTRICTED)
    return {
        "purpose": "infra",
        "gitops-platform/environment": args.environment,
        f"{POD_SECURITY}/enforce": enforced,
        f"{POD_SECURITY}/enforce-version": POD_SECURITY_VERSION,
        f"{POD_SECURITY}/warn": RESTRICTED,
        f"{POD_SECURITY}/audit": RESTRICTED,
    }
