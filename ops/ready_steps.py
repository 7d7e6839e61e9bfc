"""What to do next, from what the cluster says of an unmet check. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

KNOWN = (
    (
        r'namespaces "[^"]+" not found',
        "the namespace is not there: give it an owner (appOwners of the stack file), or let the Application make it "
        "(syncOptions: [CreateNamespace=true])",
    ),
    (
        "Failed last sync attempt",
        "Argo CD tries that no more: repair it, and let it sync again (kubectl patch application <name> -n argocd "
        """--type merge -p '{"operation": {"sync": {}}}')""",
    ),
    (
        "no node to run on",
        "the ingress pool has no node with these labels: kubectl get nodes -L nodepool; a pool of IONOS is described "
        "by cluster.ingressPool (nodeCount, autoscaling), nodes of an existing cluster by cluster.ingressNodeSelector",
    ),
    (
        "SignatureDoesNotMatch|InvalidClientTokenId|UnrecognizedClient",
        "the key in the Secret is not the IAM user's: `pulumi up --refresh` puts it back; external-dns reads it at "
        "its start only (kubectl rollout restart -n external-dns deployment/external-dns)",
    ),
    (
        "AccessDenied|not authorized to perform",
        "the policy of the IAM user lacks the action that is named: `pulumi up --refresh` puts it back; an "
        "organization's denial is for AWS's administrator to lift",
    ),
    (
        "not yet propagated|propagation check failed|start of authority|authoritative nameservers",
        "if the zone is new, it may not be delegated yet: its registrar has to name the servers of "
        "`pulumi stack output dns`",
    ),
    (
        "ComparisonError.*(connection refused|no such host|i/o timeout|dial tcp|failed to fetch|Client.Timeout)",
        "the repository in the error does not answer the cluster: look at the cluster's way out, or at charts.mirror",
    ),
    (
        # Argo CD cuts its own message, in the middle of "no such file or directory".
        r"open \S*<path to cached source>\S*: no such f",
        "the GitOps repository has no such file at gitops.revision: write it there, or correct "
        "addons.<name>.valuesFrom.path",
    ),
)
"""What the cluster may say -> what to do about it; the first that fits."""


def step(usual: str, details: Sequence[str]) -> str:
    """The next step: what is recognized in the details, then the check's `usual` one."""
    said = "\n".join(details)
    found = next((advice for pattern, advice in KNOWN if re.search(pattern, said)), "")
    return "; ".join(one for one in (found, usual) if one)


def renewal(namespace: str, certificate: str) -> str:
    """The command that has a Certificate issued again at once, with kubectl alone; what is served stays until then.

    It does what `cmctl renew` does. A merge patch, since a list of conditions holds each type once; cert-manager adds
    Ready again by itself. Without its time, a request that failed before would count as this one's failure.
    """
    condition = {"type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "renewed by hand"}
    body = json.dumps({"status": {"conditions": [{**condition, "lastTransitionTime": "NOW"}]}})
    body = body.replace("NOW", "'$(date -u +%FT%TZ)'")
    return f"kubectl patch certificate {certificate} -n {namespace} --subresource status --type merge -p '{body}'"
