"""An app owner's namespace: who it is for, what may be done in it, and its bounds."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components import manifests, options
from components.access import admission, roles
from kubeconfigs import writing

NAME = "app-owner"
"""Name of every object in the namespace that only this program makes, but for the service account."""
POD_SECURITY = "pod-security.kubernetes.io"


@dataclasses.dataclass(frozen=True)
class AppOwnerArgs:
    """One namespace of an organization.

    Args:
        organization: who it is for.
        namespace: its name; also the first part of the names of service account, user and context.
        environment: the last part of these names.
        quota: a ResourceQuota's `hard`; empty: none.
        limits: the one item of a LimitRange for containers; empty: none.
        isolation: reached by, and reaches, only its own pods, the ingress controller and DNS.
        ingress_namespace: the ingress controller's; None: there is none.
        pod_security: privileged | baseline | restricted.
        read_secrets: may read the content of Secrets.
        exec: may run commands in pods.
        kubeconfig: the cluster administrator's, from which one with a token that never expires is made;
            None: no such token.
    """

    organization: str
    namespace: str
    environment: str
    quota: Mapping[str, str] = dataclasses.field(default_factory=dict)
    limits: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    isolation: bool = False
    ingress_namespace: str | None = None
    pod_security: str = "baseline"
    read_secrets: bool = False
    exec: bool = False
    kubeconfig: pulumi.Input[str] | None = None

    @property
    def service_account(self) -> str:
        """Whom its rights belong to."""
        return f"{self.namespace}-sa-{self.environment}"

    @property
    def user(self) -> str:
        """The user's name in kubeconfigs."""
        return f"{self.namespace}-user-{self.environment}"

    @property
    def context(self) -> str:
        """The context's name in kubeconfigs."""
        return f"{self.namespace}-{self.environment}"


class AppOwner(pulumi.ComponentResource):
    """A namespace and its owner's rights in it. Give `roles.Roles.last` in `depends_on`.

    The namespace itself comes after `after` and goes before it: what puts finalizers on objects in it.

    Children: Namespace, ServiceAccount, RoleBinding `app-owner`; where the arguments ask for it RoleBindings
    `app-owner-reads-secrets` and `app-owner-exec`, ResourceQuota, LimitRange, NetworkPolicy, and the Secret
    with the token that never expires.
    """

    args: AppOwnerArgs
    kubeconfig: pulumi.Output[str] | None = None
    """With the token that never expires; a secret."""

    def __init__(
        self,
        name: str,
        args: AppOwnerArgs,
        opts: pulumi.ResourceOptions | None = None,
        after: Sequence[pulumi.Resource] = (),
    ) -> None:
        super().__init__("platform:access:AppOwner", name, None, opts)
        self.args = args
        metadata = {"name": args.namespace, "labels": labels(args)}
        namespace = manifests.Manifest(
            name,
            {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata},
            # What runs in it has to end first.
            options.child(self, depends_on=after, create="5m", delete="10m"),
        )
        # Names are written out instead of taken from the namespace's outputs: 200 owners make a second of that.
        inside = pulumi.ResourceOptions(parent=self, depends_on=[namespace])
        account = manifests.Manifest(name, service_account(args), inside)
        for role in granted(args):
            title = name if role == roles.ROLE else f"{name}-{role}"
            manifests.Manifest(title, role_binding(args, role), options.child(self, opts, depends_on=[namespace]))
        for bound in bounds(args):
            manifests.Manifest(name, bound, inside)
        if args.kubeconfig is not None:
            self.kubeconfig = self._permanent(name, args, args.kubeconfig, account)
        self.register_outputs({})

    def _permanent(
        self, name: str, args: AppOwnerArgs, admin: pulumi.Input[str], account: pulumi.Resource
    ) -> pulumi.Output[str]:
        notes = {"kubernetes.io/service-account.name": args.service_account}
        manifest = _manifest(args, "v1", "Secret", f"{args.service_account}-token", type=admission.TOKEN_TYPE)
        manifest["metadata"]["annotations"] = notes
        opts = pulumi.ResourceOptions(parent=self, depends_on=[account])
        secret = manifests.Manifest(name, manifest, opts, outputs=["data"])
        both = pulumi.Output.all(admin, secret.field("data"))
        return pulumi.Output.secret(both.apply(lambda known: permanent_kubeconfig(args, known[0], known[1])))


def create(
    wanted: Sequence[AppOwnerArgs], opts: pulumi.ResourceOptions, after: Sequence[pulumi.Resource] = ()
) -> list[AppOwner]:
    """A component per namespace, and the roles that they share; nothing without owners. `after`: as in `AppOwner`."""
    if not wanted:
        return []
    shared = roles.Roles("app-owner-roles", roles.RolesArgs(), opts)
    bound = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=shared.last))
    return [AppOwner(args.namespace, args, bound, after) for args in wanted]


def granted(args: AppOwnerArgs) -> list[str]:
    """The ClusterRoles that are bound in the namespace."""
    extra = {roles.READS_SECRETS: args.read_secrets, roles.RUNS_COMMANDS: args.exec}
    return [roles.ROLE, *(role for role, wanted in extra.items() if wanted)]


def service_account(args: AppOwnerArgs) -> dict[str, Any]:
    """The account; a pod gets its token only by asking for it."""
    return _manifest(args, "v1", "ServiceAccount", args.service_account, automountServiceAccountToken=False)


def role_binding(args: AppOwnerArgs, role: str) -> dict[str, Any]:
    """The account's right to a ClusterRole, in this namespace."""
    return _manifest(
        args,
        roles.RBAC,
        "RoleBinding",
        role,
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        subjects=[{"kind": "ServiceAccount", "name": args.service_account, "namespace": args.namespace}],
    )


def bounds(args: AppOwnerArgs) -> list[dict[str, Any]]:
    """ResourceQuota, LimitRange and NetworkPolicy, where they are asked for."""
    wanted: list[dict[str, Any]] = []
    if args.quota:
        wanted.append(_manifest(args, "v1", "ResourceQuota", NAME, spec={"hard": dict(args.quota)}))
    if args.limits:
        spec = {"limits": [{"type": "Container", **args.limits}]}
        wanted.append(_manifest(args, "v1", "LimitRange", NAME, spec=spec))
    if args.isolation:
        spec = network_policy(args.ingress_namespace)
        wanted.append(_manifest(args, "networking.k8s.io/v1", "NetworkPolicy", NAME, spec=spec))
    return wanted


def labels(args: AppOwnerArgs) -> dict[str, str]:
    """Labels of the namespace: whose it is, and the standard its pods are held to and warned about."""
    return {
        admission.OWNER_LABEL: args.organization,
        "gitops-platform/environment": args.environment,
        **{f"{POD_SECURITY}/{mode}": args.pod_security for mode in ("enforce", "warn")},
    }


def network_policy(ingress_namespace: str | None) -> dict[str, Any]:
    """The NetworkPolicy's spec: closed both ways but for the namespace's own pods, the ingress and DNS."""
    own: dict[str, Any] = {"podSelector": {}}
    ingress = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": ingress_namespace}}}
    return {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [own, ingress] if ingress_namespace else [own]}],
        "egress": [
            {"to": [own]},
            # To everywhere: where a node caches DNS, it answers from an address that belongs to no pod.
            {"ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]},
        ],
    }


def permanent_kubeconfig(args: AppOwnerArgs, admin: str, secret: Mapping[str, str]) -> str:
    """A kubeconfig with the token of a token Secret's data."""
    token = base64.b64decode(secret["token"]).decode()
    return writing.with_token(admin, context=args.context, user=args.user, namespace=args.namespace, token=token)


def _manifest(args: AppOwnerArgs, api_version: str, kind: str, name: str, **content: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": args.namespace, "labels": {"purpose": "infra"}}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}
