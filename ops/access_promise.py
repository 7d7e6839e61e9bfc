"""What an app owner may do, as data: the expectation that `python -m ops access check` asks the API server about.

It is written down a second time on purpose: roles come from the program, from Kubernetes' own `view` and from
charts that add to it; this says what they have to come to. Kinds are `<resource>[.<group>][/<subresource>]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

READ = ("get", "list", "watch")
VERBS = (*READ, "create", "update", "patch", "delete", "deletecollection")

READABLE = (
    "pods", "pods/log", "pods/status", "services", "endpoints", "configmaps", "events", "persistentvolumeclaims",
    "serviceaccounts", "resourcequotas", "limitranges", "replicationcontrollers", "namespaces",
    "deployments.apps", "statefulsets.apps", "daemonsets.apps", "replicasets.apps", "controllerrevisions.apps",
    "jobs.batch", "cronjobs.batch", "horizontalpodautoscalers.autoscaling", "ingresses.networking.k8s.io",
    "networkpolicies.networking.k8s.io", "poddisruptionbudgets.policy", "endpointslices.discovery.k8s.io",
    "roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io", "leases.coordination.k8s.io",
)  # fmt: skip
"""Kinds of the owner's own namespace to read, and nothing else."""

READABLE_CUSTOM = (
    "certificates.cert-manager.io", "certificaterequests.cert-manager.io", "issuers.cert-manager.io",
    "orders.acme.cert-manager.io", "challenges.acme.cert-manager.io",
)  # fmt: skip
"""The same, where the cluster has these kinds. Other kinds may be readable or not, but never writable."""

SEALED_SECRETS = "sealedsecrets.bitnami.com"

OWN: Mapping[str, tuple[str, ...]] = {
    "secrets": ("create", "delete"),
    SEALED_SECRETS: VERBS,
    "pods/portforward": ("get", "create"),
    "pods/exec": (),
    "pods/attach": (),
    "pods/ephemeralcontainers": (),
    "pods/eviction": (),
    "pods/proxy": (),
    "services/proxy": (),
    "serviceaccounts/token": (),
}
"""Kinds of the owner's own namespace that are not simply read."""

READS_SECRETS = ("get", "list", "watch", "update", "patch")
"""Verbs for Secrets that `readSecrets` adds: an answer to a change shows the whole object."""

EXEC = ("get", "create")
"""Verbs for pods/exec that `exec` adds: a POST over SPDY, a GET over WebSockets."""

WAYS_UP = (
    ("escalate", "roles.rbac.authorization.k8s.io"),
    ("bind", "roles.rbac.authorization.k8s.io"),
    ("impersonate", "serviceaccounts"),
    ("escalate", "clusterroles.rbac.authorization.k8s.io"),
    ("bind", "clusterroles.rbac.authorization.k8s.io"),
    ("impersonate", "users"),
    ("impersonate", "groups"),
    ("approve", "signers.certificates.k8s.io"),
    ("sign", "signers.certificates.k8s.io"),
    ("*", "*.*"),
)
"""What nobody but an administrator may do, in no scope."""

OUTSIDE = ("pods/exec", "pods/portforward", "pods/log", "serviceaccounts/token", "nodes/proxy", "nodes/log",
           "certificatesigningrequests.certificates.k8s.io/approval")  # fmt: skip
"""Subresources that are asked about outside the namespace, beside every kind."""

EVERYBODYS = {
    ("create", "selfsubjectaccessreviews.authorization.k8s.io"),
    ("create", "selfsubjectrulesreviews.authorization.k8s.io"),
    ("create", "selfsubjectreviews.authentication.k8s.io"),
}
"""What everybody who signs in may do in the cluster: ask what they may do, and who they are."""

GUARDS, GUARDED_BY = ("app-owner", "app-owner-namespace"), "gitops-platform/owner"
"""ValidatingAdmissionPolicies (and their bindings) for what roles cannot tell apart, and the label they go by."""


def own(known: Iterable[str], *, read_secrets: bool, exec: bool) -> dict[str, tuple[str, ...]]:
    """Kind -> promised verbs in the owner's namespace, for kinds that the cluster knows (`known`)."""
    known = set(known)
    promised = dict.fromkeys(READABLE, READ)
    promised |= {kind: READ for kind in READABLE_CUSTOM if kind in known}
    promised |= {kind: verbs for kind, verbs in OWN.items() if "." not in kind or kind in known}
    if read_secrets:
        promised["secrets"] = (*promised["secrets"], *READS_SECRETS)
    if exec:
        promised["pods/exec"] = EXEC
    return promised
