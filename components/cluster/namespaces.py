"""The namespaces of Argo CD and the add-ons, made before anything is put into them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pulumi

from components import manifests, options


@dataclasses.dataclass(frozen=True)
class NamespacesArgs:
    """Names of the namespaces, and the environment they are labelled with."""

    names: Sequence[str]
    environment: str


class Namespaces(pulumi.ComponentResource):
    """The platform's namespaces. Children: a core/v1 Namespace per name."""

    by_name: dict[str, manifests.Manifest]

    def __init__(self, name: str, args: NamespacesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("platform:cluster:Namespaces", name, None, opts)
        labels = {"purpose": "infra", "gitops-platform/environment": args.environment}
        self.by_name = {
            namespace: manifests.Manifest(
                namespace,
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}},
                opts=options.child(self, opts, create="5m"),
            )
            for namespace in args.names
        }
        self.register_outputs({"names": list(args.names)})

    def __getitem__(self, name: str) -> pulumi.Output[str]:
        """The name of a namespace, known once the namespace is there."""
        return self.by_name[name].object_name
