"""What Argo CD is told before it starts: the cluster that it runs in, and how to get into the GitOps repository.

The cluster's Secret carries what the environment is as annotations, so that an ApplicationSet in Git can use
it (cluster generator). Argo CD's server for it stays `https://kubernetes.default.svc`, reached with its own
service account as without the Secret: its Applications see no difference.
https://argo-cd.readthedocs.io/en/stable/operator-manual/declarative-setup/#clusters
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

import pulumi

from components import manifests, options

KIND = "argocd.argoproj.io/secret-type"
SERVER = "https://kubernetes.default.svc"
SECRET = {"apiVersion": "v1", "kind": "Secret"}


@dataclasses.dataclass(frozen=True)
class GithubApp:
    """Access by a GitHub App: its id, its installation's id and its private key (PEM)."""

    app_id: int
    installation_id: int
    private_key: pulumi.Input[str]


@dataclasses.dataclass(frozen=True)
class DeployKey:
    """Access by SSH: a private key in OpenSSH's or PEM form."""

    private_key: pulumi.Input[str]


@dataclasses.dataclass(frozen=True)
class Token:
    """Access by https, with an access token as the password of `username`."""

    username: str
    token: pulumi.Input[str]


@dataclasses.dataclass(frozen=True)
class ConnectionsArgs:
    """What Argo CD is told.

    Args:
        namespace: Argo CD's.
        environment: the environment's name, also a label that generators can select by.
        facts: what else is known of the environment, for templates: name -> text.
        repository: URL of the GitOps repository.
        credential: how to get into it; None: it is public, or there is none.
    """

    namespace: pulumi.Input[str]
    environment: str
    facts: Mapping[str, pulumi.Input[str]]
    repository: str | None = None
    credential: GithubApp | DeployKey | Token | None = None


class Connections(pulumi.ComponentResource):
    """Argo CD's cluster and repository. Let Argo CD depend on it, so that it knows them from its start.

    Children: Secret `in-cluster` and, with a credential, Secret `gitops-repository`.
    """

    def __init__(self, name: str, args: ConnectionsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("platform:gitops:Connections", name, None, opts)
        cluster = {
            "metadata": {
                "name": "in-cluster",
                "namespace": args.namespace,
                "labels": {KIND: "cluster", "environment": args.environment},
                "annotations": {"environment": args.environment, **args.facts},
            },
            # Without credentials in it, Argo CD uses its service account.
            "stringData": {"name": "in-cluster", "server": SERVER, "config": json.dumps({"tlsClientConfig": {}})},
        }
        manifests.Manifest(f"{name}-cluster", {**SECRET, **cluster}, options.child(self, opts))
        if args.repository and args.credential:
            repository = {
                "metadata": {
                    "name": "gitops-repository",
                    "namespace": args.namespace,
                    "labels": {KIND: "repository"},
                },
                "stringData": {"type": "git", "url": args.repository, **access(args.credential)},
            }
            manifests.Manifest(f"{name}-repository", {**SECRET, **repository}, options.child(self, opts))
        self.register_outputs({})


def access(credential: GithubApp | DeployKey | Token) -> dict[str, pulumi.Input[str]]:
    """The fields of a repository's Secret that let Argo CD in."""
    match credential:
        case GithubApp():
            return {
                "githubAppID": str(credential.app_id),
                "githubAppInstallationID": str(credential.installation_id),
                "githubAppPrivateKey": pulumi.Output.secret(credential.private_key),
            }
        case DeployKey():
            return {"sshPrivateKey": pulumi.Output.secret(credential.private_key)}
        case Token():
            return {"username": credential.username, "password": pulumi.Output.secret(credential.token)}
