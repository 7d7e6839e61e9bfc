"""The key pair that seals secrets: made once, kept in the encrypted state, there before the controller.

A rebuilt cluster gets the same key and opens what is in Git; a controller left to itself would make a new
key at every rebuild. The controller reads keys at start only, and seals with the key whose certificate is
the newest. https://github.com/bitnami/sealed-secrets/blob/main/docs/bring-your-own-certificates.md
"""

from __future__ import annotations

import dataclasses

import pulumi
import pulumi_tls as tls

from components import manifests, options

TEN_YEARS_HOURS = 10 * 365 * 24


@dataclasses.dataclass(frozen=True)
class SealingKeyArgs:
    """The controller's namespace, the environment named in the certificate, and protection."""

    namespace: pulumi.Input[str]
    environment: str
    protect: bool = False


class SealingKey(pulumi.ComponentResource):
    """The sealing key pair.

    Children: `tls.PrivateKey` (RSA 4096), `tls.SelfSignedCert` (10 years), and the Secret
    `sealing-key` that the controller reads.
    """

    certificate: pulumi.Output[str]
    """PEM; public, this is what secrets are sealed with offline."""
    secret: manifests.Manifest

    def __init__(self, name: str, args: SealingKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("platform:addons:SealingKey", name, None, opts)
        # The key does not depend on the cluster: it outlives it. Losing it closes every sealed secret.
        keep = pulumi.ResourceOptions(parent=self, protect=args.protect or None)
        key = tls.PrivateKey(name, algorithm="RSA", rsa_bits=4096, opts=keep)
        certificate = tls.SelfSignedCert(
            name,
            private_key_pem=key.private_key_pem,
            allowed_uses=["key_encipherment", "data_encipherment"],
            validity_period_hours=TEN_YEARS_HOURS,
            subject={"common_name": f"sealed-secrets {args.environment}"},
            opts=keep,
        )
        self.certificate = certificate.cert_pem
        self.secret = manifests.Manifest(
            name,
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "kubernetes.io/tls",
                "metadata": {
                    "name": "sealing-key",
                    "namespace": args.namespace,
                    "labels": {"sealedsecrets.bitnami.com/sealed-secrets-key": "active"},
                },
                "stringData": {"tls.crt": certificate.cert_pem, "tls.key": key.private_key_pem},
            },
            opts=options.child(self, opts),
        )
        self.register_outputs({"certificate": self.certificate})
