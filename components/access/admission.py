"""What is refused in app owners' namespaces although roles allow it: two ValidatingAdmissionPolicies.

- `delete` answers with the object when the deletion has to wait (for a finalizer, or in the foreground).
- A Secret of type service-account-token is filled by Kubernetes with a token of the account it names, and a
  SealedSecret can ask for such a Secret: both would hand out the rights of other accounts of the namespace. In a
  SealedSecret's deprecated field `data` the type is inside of what is encrypted.
- Whoever may update a Namespace object may take its labels off: Pod Security's, and the one that the policy's own
  binding goes by. A namespaceSelector does not see that, since it is given the labels that are to be.

The policies bind the namespace's service accounts, any of which an owner's pod can act for, and Argo CD and
sealed-secrets, which do what the owner's objects say.
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

API = "admissionregistration.k8s.io/v1"
POLICY = "app-owner"
NAMESPACE_POLICY = "app-owner-namespace"
PREFIX = "app-owner"
"""Every object that the program makes in a namespace, but for the service account, has a name with it."""
OWNER_LABEL = "gitops-platform/owner"
TOKEN_TYPE = "kubernetes.io/service-account-token"  # noqa: S105 (a name)
BOUNDS = {
    "": ["resourcequotas", "limitranges"],
    "networking.k8s.io": ["networkpolicies"],
    "rbac.authorization.k8s.io": ["roles", "rolebindings"],
}
"""Kinds among which are objects that the program makes in each namespace, all named `app-owner…`."""
OWNED: list[dict[str, Any]] = [{"key": OWNER_LABEL, "operator": "Exists"}]


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
                    f".startsWith('{PREFIX}')"
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
