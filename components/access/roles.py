"""What app owners may do in their namespaces: once for the cluster, bound in each of their namespaces.

Reading follows the built-in ClusterRole `view`: it leaves out the content of Secrets, which a wildcard
cannot, and takes in what charts add to it for their custom resources. What it lacks is added here and not
to `view` itself, which others on the cluster are bound to as well. Traps that decide what is granted:

- `list` and `watch` of Secrets show their content as `get` does, and so does the answer to every `patch`,
  `update` and `deletecollection`: whoever may not read gets `create` and `delete` alone.
- `delete` answers with the object when the deletion has to wait (for a finalizer, or in the foreground).
- A Secret of type service-account-token is filled by Kubernetes with a token of the account it names, and a
  SealedSecret can ask for such a Secret: both would hand out the rights of other accounts of the namespace. In a
  SealedSecret's deprecated field `data` the type is inside of what is encrypted.
- Whoever may update a Namespace object may take its labels off: Pod Security's, and the one that the policy's own
  binding goes by. A namespaceSelector does not see that, since it is given the labels that are to be.

RBAC cannot tell these cases apart; two ValidatingAdmissionPolicies do. They bind the namespace's service accounts,
any of which an owner's pod can act for, and Argo CD and sealed-secrets, which do what the owner's objects say.
https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pulumi

from components import manifests, options

ROLE = "app-owner"
READS_SECRETS = "app-owner-reads-secrets"
RUNS_COMMANDS = "app-owner-exec"
POLICY = "app-owner"
NAMESPACE_POLICY = "app-owner-namespace"
OWNER_LABEL = "gitops-platform/owner"
PART_LABEL = "gitops-platform/aggregate-to-app-owner"
VIEW_LABEL = "rbac.authorization.k8s.io/aggregate-to-view"

RBAC = "rbac.authorization.k8s.io/v1"
ADMISSION = "admissionregistration.k8s.io/v1"
READ = ["get", "list", "watch"]
TOKEN_TYPE = "kubernetes.io/service-account-token"  # noqa: S105 (a name)

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
BOUNDS = {
    "": ["resourcequotas", "limitranges"],
    "networking.k8s.io": ["networkpolicies"],
    "rbac.authorization.k8s.io": ["roles", "rolebindings"],
}
"""Kinds among which are objects that the program makes in each namespace, all named `app-owner…`."""
OWNED: list[dict[str, Any]] = [{"key": OWNER_LABEL, "operator": "Exists"}]
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
            (POLICY, policy_spec(args.acting), binding_spec()),
            (NAMESPACE_POLICY, namespace_policy_spec(args.acting), namespace_binding_spec()),
        ):
            for kind, content in (("", spec), ("Binding", bound)):
                made = self._made(opts, policy, ADMISSION, f"ValidatingAdmissionPolicy{kind}", {"spec": content})
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


def acting_for_owner(namespace: str, acting: Sequence[str]) -> dict[str, str]:
    """The matchCondition: a service account of the namespace (an expression), or of one of the acting namespaces."""
    names = ", ".join([namespace, *(f"'{name}'" for name in acting)])
    account = "request.userInfo.username.startsWith('system:serviceaccount:' + name + ':')"
    return {"name": "owner", "expression": f"[{names}].exists(name, {account})"}


def policy_spec(acting: Sequence[str]) -> dict[str, Any]:
    """The spec of policy `app-owner`: what is refused in owners' namespaces, whatever RBAC lets one do."""
    reads = "authorizer.group('').resource('secrets').namespace(request.namespace).check('get').allowed()"
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                {
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "resources": ["secrets"],
                    "operations": ["CREATE", "UPDATE", "DELETE"],
                },
                {
                    "apiGroups": ["bitnami.com"],
                    "apiVersions": ["*"],
                    "resources": ["sealedsecrets"],
                    "operations": ["CREATE", "UPDATE"],
                },
                *(
                    {
                        "apiGroups": [group],
                        "apiVersions": ["*"],
                        "resources": kinds,
                        "operations": ["CREATE", "UPDATE", "DELETE"],
                    }
                    for group, kinds in BOUNDS.items()
                ),
            ]
        },
        "matchConditions": [acting_for_owner("request.namespace", acting)],
        "variables": [
            {
                "name": "type",
                "expression": (
                    "request.operation == 'DELETE' ? '' : request.resource.resource == 'secrets' "
                    "? dyn(object).?type.orValue('') : request.resource.resource == 'sealedsecrets' "
                    "? dyn(object).?spec.template.type.orValue('') : ''"
                ),
            },
            {
                "name": "hidden",
                "expression": (
                    "request.resource.resource == 'sealedsecrets' && dyn(object).?spec.data.orValue(null) != null"
                ),
            },
            {
                "name": "bound",
                "expression": (
                    "!(request.resource.resource in ['secrets', 'sealedsecrets']) && "
                    "dyn(request.operation == 'CREATE' ? object : oldObject).metadata.?name.orValue('')"
                    f".startsWith('{ROLE}')"
                ),
            },
            {
                "name": "waits",
                "expression": (
                    "request.resource.resource == 'secrets' && request.operation == 'DELETE' "
                    "&& (size(dyn(oldObject).metadata.?finalizers.orValue([])) > 0 "
                    "|| dyn(request.options).?propagationPolicy.orValue('Background') != 'Background' "
                    "|| dyn(request.options).?orphanDependents.orValue(false))"
                ),
            },
        ],
        "validations": [
            {
                "expression": f"variables.type != '{TOKEN_TYPE}'",
                "message": "app owners make no tokens: ask the platform team for a kubeconfig",
                "reason": "Forbidden",
            },
            {
                "expression": "!variables.hidden",
                "message": "spec.data hides what kind of Secret it makes: seal it again, into spec.encryptedData",
                "reason": "Forbidden",
            },
            {
                "expression": "!variables.bound",
                "message": "the rights and bounds of this namespace are the platform team's to change",
                "reason": "Forbidden",
            },
            {
                "expression": f"!variables.waits || {reads}",
                "message": (
                    "the answer would show the Secret: delete it in the background (kubectl's default); "
                    "one with finalizers only the platform team can delete"
                ),
                "reason": "Forbidden",
            },
        ],
    }


def binding_spec() -> dict[str, Any]:
    """The spec of policy `app-owner`'s binding: it holds in the owners' namespaces."""
    selected = {"namespaceSelector": {"matchExpressions": OWNED}}
    return {"policyName": POLICY, "validationActions": ["Deny"], "matchResources": selected}


def namespace_policy_spec(acting: Sequence[str]) -> dict[str, Any]:
    """The spec of policy `app-owner-namespace`: nobody changes or deletes the namespace from inside of it."""
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": ["namespaces"],
        "operations": ["UPDATE", "DELETE"],
    }
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "matchConditions": [acting_for_owner("request.name", acting)],
        "validations": [
            {
                "expression": "false",
                "message": "an app owner's namespace, its labels among it, is the platform team's to change",
                "reason": "Forbidden",
            }
        ],
    }


def namespace_binding_spec() -> dict[str, Any]:
    """The spec of its binding. An objectSelector is asked about the object as it was, too."""
    selected = {"objectSelector": {"matchExpressions": OWNED}}
    return {"policyName": NAMESPACE_POLICY, "validationActions": ["Deny"], "matchResources": selected}
