"""All tokens of an owner stop working: they are bound to the ServiceAccount's uid, so it gets another one.

Deleting the ServiceAccount is the only way there is; it also makes Kubernetes delete its token Secrets. It
belongs to Pulumi, so it comes back as it was, the record of who manages which field included: the next
`pulumi up` sees no change and no conflict. What it was stands in the Namespace until it is back, so that
whoever is killed halfway, or finds it missing, can finish.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from typing import Any

from ops import access_issue, access_owner
from ops.access_owner import Object, Owner, Record, RefusedError
from ops.kubectl import ClusterError, Kubectl

SERVERS = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink")
"""Of an object's metadata, what the API server writes."""


def revoke(cluster: Kubectl, owner: Owner, say: Callable[[str], None]) -> None:
    """Replace an owner's ServiceAccount; issuing is refused from now on. Raises `RefusedError`, `ClusterError`."""
    account = f"/api/v1/namespaces/{owner.namespace}/serviceaccounts/{owner.service_account}"
    former = _begin(cluster, owner, account)
    say(f"replacing service account {owner.service_account}")
    now = cluster.get(account)
    if now is not None and now["metadata"]["uid"] == former["metadata"]["uid"]:
        cluster.delete(account, {"preconditions": {"uid": now["metadata"]["uid"]}})
        now = None
    if now is None:
        _create(cluster, account, former)
    now = cluster.get(account) or {}
    _hand_over(cluster, owner, former, now)
    _end(cluster, owner)


def _begin(cluster: Kubectl, owner: Owner, account: str) -> Object:
    """Remember the revocation and the ServiceAccount as it is; an interrupted one goes on with what it remembers."""

    def begin(record: Record) -> Record:
        if record.replacing is not None:
            return record
        found = cluster.get(account)
        if found is None:
            raise RefusedError(
                f"service account {owner.service_account} is not in namespace {owner.namespace}, so no token of it "
                "works; `pulumi up --refresh` makes it again"
            )
        return Record(revoked=datetime.datetime.now(datetime.UTC), replacing=found)

    return _change(cluster, owner, begin).replacing or {}


def _create(cluster: Kubectl, account: str, former: Object) -> None:
    metadata = {key: value for key, value in former["metadata"].items() if key not in SERVERS}
    body = {**former, "metadata": metadata}
    try:
        cluster.create(f"{account.rpartition('/')[0]}?fieldManager={access_owner.MANAGER}", body)
    except ClusterError as error:
        if "(AlreadyExists)" not in str(error):  # somebody else finishes, too
            raise


def _hand_over(cluster: Kubectl, owner: Owner, former: Object, now: Object) -> None:
    """Whoever managed the former one's fields manages the new one's."""
    metadata = now.get("metadata") or {}
    managers = [entry.get("manager") for entry in metadata.get("managedFields") or []]
    if managers != [access_owner.MANAGER]:
        return
    patch: list[dict[str, Any]] = [
        {"op": "test", "path": "/metadata/uid", "value": metadata["uid"]},
        {"op": "replace", "path": "/metadata/managedFields", "value": former["metadata"].get("managedFields") or [{}]},
    ]
    cluster.patch(
        "serviceaccount", owner.service_account, patch, access_owner.MANAGER, namespace=owner.namespace, how="json"
    )


def _end(cluster: Kubectl, owner: Owner) -> None:
    _change(cluster, owner, lambda record: dataclasses.replace(record, replacing=None))


def _change(cluster: Kubectl, owner: Owner, change: Callable[[Record], Record]) -> Record:
    """Change what is remembered, again where somebody else changed the Namespace meanwhile."""
    for _ in range(access_issue.TRIES):
        record, version = _remembered(cluster, owner)
        wanted = change(record)
        if wanted == record:
            return wanted
        try:
            access_issue.remember(cluster, owner, wanted, version)
            return wanted
        except ClusterError as error:
            if not access_issue.conflict(error):
                raise
    raise RefusedError(access_issue.BUSY.format(owner.namespace))


def _remembered(cluster: Kubectl, owner: Owner) -> tuple[Record, str]:
    namespace = cluster.get(f"/api/v1/namespaces/{owner.namespace}")
    if namespace is None:
        raise RefusedError(f"namespace {owner.namespace} is not in the cluster, so no token of it works")
    return access_owner.record(namespace), namespace["metadata"]["resourceVersion"]
