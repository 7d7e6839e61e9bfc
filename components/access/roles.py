"""What app owners may do in their namespaces: once for the cluster, bound in each of their namespaces.

Reading follows the built-in ClusterRole `view`: it leaves out the content of Secrets, which a wildcard
cannot, and takes in what charts add to it for their custom resources. What it lacks is added here and not
to `view` itself, which others on the cluster are bound to as well. Traps that decide what is granted:

- `list` and `watch` of Secrets show their content as `get` does, and so does the answer to every `patch`,
  `update` and `deletecollection`: whoever may not read gets `create` and `delete` alone.

What RBAC cannot tell apart, admission policies do (`admission.py`).
https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pulumi

from components import manifests, options
from components.access import admission

ROLE = "app-owner"
READS_SECRETS = "app-owner-reads-secrets"
RUNS_COMMANDS = "app-owner-exec"
PART_LABEL = "gitops-platform/aggregate-to-app-owner"
VIEW_LABEL = "rbac.authorization.k8s.io/aggregate-to-view"

RBAC = "rbac.authorization.k8s.io/v1"
READ = ["get", "list", "watch"]

RULES: list[dict[str, Any]] = [
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "delete"]},
    {
        "apiGroups": ["bitnami.com"],
        "resources": ["sealedsecrets"],
        "verbs": [*READ, "create", "update", "patch", "delete", "deletecollection"],
    },
    {"apiGroups": ["bitnami.com"], "resources": ["sealedsecrets/status"], "verbs": ["get"]},
    # Over SPDY port-forwarding is a POST, over WebSockets a GET.
    {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["create", "get"]},
    # What `view` leaves out although there is nothing secret in it.
    {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": READ},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": READ},
    # Custom resources whose charts add nothing to `view` (Traefik's can, but not by default).
    {"apiGroups": ["cert-manager.io"], "resources": ["certificates", "certificaterequests", "issuers"], "verbs": READ},
    {"apiGroups": ["acme.cert-manager.io"], "resources": ["challenges", "orders"], "verbs": READ},
    {"apiGroups": ["externaldns.k8s.io"], "resources": ["dnsendpoints"], "verbs": READ},
    {"apiGroups": ["traefik.io"], "resources": ["*"], "verbs": READ},
]
"""What an app owner may do beyond `view`."""
SECRETS_RULES = [{"apiGroups": [""], "resources": ["secrets"], "verbs": [*READ, "update", "patch"]}]
EXEC_RULES = [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create", "get"]}]


@dataclasses.dataclass(frozen=True)
class RolesArgs:
    """`acting`: namespaces of controllers that do in an owner's namespace what the owner asks them for."""

    acting: Sequence[str] = ("argocd", "sealed-secrets")


class Roles(pulumi.ComponentResource):
    """The app owners' rights.

    Children: ClusterRole `app-owner`, which collects `view`'s parts and `app-owner-rules`; ClusterRoles
    `app-owner-reads-secrets` and `app-owner-exec` for those who are granted more; the
    ValidatingAdmissionPolicies `app-owner` (in the namespaces) and `app-owner-namespace` (the Namespace
    objects), each with its binding.
    """

    last: list[pulumi.Resource]
    """Owners depend on these: no rights before what bounds them."""

    def __init__(self, name: str, args: RolesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("platform:access:Roles", name, None, opts)
        selectors = [{"matchLabels": {label: "true"}} for label in (VIEW_LABEL, PART_LABEL)]
        self._made(opts, f"{ROLE}-rules", RBAC, "ClusterRole", {"rules": RULES}, {PART_LABEL: "true"})
        collecting = {"aggregationRule": {"clusterRoleSelectors": selectors}}
        self.last = [
            self._made(opts, ROLE, RBAC, "ClusterRole", collecting),
            self._made(opts, READS_SECRETS, RBAC, "ClusterRole", {"rules": SECRETS_RULES}),
            self._made(opts, RUNS_COMMANDS, RBAC, "ClusterRole", {"rules": EXEC_RULES}),
        ]
        for policy, spec, bound in (
            (admission.POLICY, admission.policy_spec(args.acting), admission.binding_spec()),
            (
                admission.NAMESPACE_POLICY,
                admission.namespace_policy_spec(args.acting),
                admission.namespace_binding_spec(),
            ),
        ):
            for kind, content in (("", spec), ("Binding", bound)):
                made = self._made(opts, policy, admission.API, f"ValidatingAdmissionPolicy{kind}", {"spec": content})
                self.last.append(made)
        self.register_outputs({})

    def _made(
        self,
        opts: pulumi.ResourceOptions | None,
        name: str,
        api_version: str,
        kind: str,
        content: dict[str, Any],
        labels: dict[str, str] | None = None,
    ) -> manifests.Manifest:
        metadata = {"name": name, "labels": {"purpose": "infra", **(labels or {})}}
        manifest = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}
        return manifests.Manifest(name, manifest, options.child(self, opts))
