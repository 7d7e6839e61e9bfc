"""Kubernetes objects as they are written everywhere else: by their manifest.

The typed classes of `pulumi_kubernetes` register the same resources, but `core.v1` alone takes longer to import
than the SDKs of all providers together (1,420 against 1,200 million instructions), at every preview.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

HIDDEN = ("data", "stringData")
"""Fields of a Secret that are secret whatever is in them."""


class Manifest(pulumi.CustomResource):
    """One object in a cluster, given as `kubectl` takes it (camelCase keys, `apiVersion` and `kind` among them).

    It has the type that `pulumi_kubernetes` gives it, for example `kubernetes:core/v1:Namespace`. `outputs` names
    the top-level fields to be had by `field()` besides those of the manifest.
    """

    def __init__(
        self,
        name: str,
        manifest: Mapping[str, Any],
        opts: pulumi.ResourceOptions | None = None,
        *,
        outputs: Sequence[str] = (),
    ) -> None:
        fields = {**dict.fromkeys(outputs), **manifest}
        if manifest["kind"] == "Secret":
            fields |= {key: pulumi.Output.secret(manifest[key]) for key in HIDDEN if key in manifest}
            opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(additional_secret_outputs=[*HIDDEN]))
        super().__init__(type_token(manifest["apiVersion"], manifest["kind"]), name, fields, opts)

    def field(self, name: str) -> pulumi.Output[Any]:
        """A top-level field of the object as the API server has it."""
        return self.__dict__[name]

    @property
    def object_name(self) -> pulumi.Output[str]:
        """`metadata.name`, known once the object is there."""
        return self.field("metadata")["name"]


def type_token(api_version: str, kind: str) -> str:
    """The type of such objects in Pulumi's state; the group without a name is `core`.

    >>> type_token("v1", "Secret")
    'kubernetes:core/v1:Secret'
    """
    version = api_version if "/" in api_version else f"core/{api_version}"
    return f"kubernetes:{version}:{kind}"
