"""The controllers' DNS credentials as Secrets in the cluster, there before the controllers start.

Names and keys are those that the team's charts and issuers already use.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import pulumi

from components import manifests, options
from components.dns import route53

AWS_SECRET = "aws-access-key"  # noqa: S105 (a name)
IONOS_SECRET = "ionos-token-secret"  # noqa: S105 (a name)


@dataclasses.dataclass(frozen=True)
class CredentialsArgs:
    """A Secret for one controller; every value in `data` (key -> plain text) is treated as secret."""

    controller: str
    name: str
    namespace: pulumi.Input[str]
    data: Mapping[str, pulumi.Input[str]]


class Credentials(pulumi.ComponentResource):
    """One controller's DNS credentials. Children: a core/v1 Secret."""

    secret: manifests.Manifest

    def __init__(self, name: str, args: CredentialsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("platform:dns:Credentials", name, None, opts)
        self.secret = manifests.Manifest(
            name,
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": args.name, "namespace": args.namespace},
                "stringData": {key: pulumi.Output.secret(value) for key, value in args.data.items()},
            },
            opts=options.child(self, opts),
        )
        self.register_outputs({})


def create(prefix: str, wanted: Sequence[CredentialsArgs], opts: pulumi.ResourceOptions) -> list[Credentials]:
    """A component per controller."""
    return [Credentials(f"{prefix}-{args.controller}", args, opts) for args in wanted]


def aws_file(namespace: pulumi.Input[str], key: route53.AccessKey) -> CredentialsArgs:
    """For external-dns: an AWS credentials file under `credentials`, mounted into the pod."""
    text = pulumi.Output.all(key.id, key.secret).apply(lambda pair: credentials_file(*pair))
    return CredentialsArgs("external-dns", AWS_SECRET, namespace, {"credentials": text})


def aws_key(namespace: pulumi.Input[str], key: route53.AccessKey) -> CredentialsArgs:
    """For cert-manager: the key's id and secret, which issuers refer to one by one."""
    return CredentialsArgs("cert-manager", AWS_SECRET, namespace, {"keyId": key.id, "key": key.secret})


def ionos_token(namespace: pulumi.Input[str], token: pulumi.Input[str]) -> CredentialsArgs:
    """For external-dns's IONOS webhook: the API token."""
    return CredentialsArgs("external-dns", IONOS_SECRET, namespace, {"token": token})


def credentials_file(key_id: str, secret: str) -> str:
    """An AWS shared credentials file with the one profile `default`."""
    return f"[default]\naws_access_key_id = {key_id}\naws_secret_access_key = {secret}\n"
