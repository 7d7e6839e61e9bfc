"""A kubeconfig whose token expires: asked of the API server, written for its owner only, and remembered."""

from __future__ import annotations

import contextlib
import datetime
import os
import pathlib
import re
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

from kubeconfigs import writing
from ops import access_owner
from ops.access_owner import Environment, Issue, Owner, Record, RefusedError
from ops.kubectl import ClusterError, Kubectl

UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
SHORTEST = 600
"""Seconds; the API server refuses less."""
LONGEST = 2**32
TRIES = 5
BUSY = "namespace {} is being changed by somebody else all the time: run this again"


class Issued(NamedTuple):
    """A kubeconfig that was written, and until when it is valid."""

    file: pathlib.Path
    until: datetime.datetime


def duration(text: str) -> int:
    """Seconds of a text such as `720h`, `30d` or `1h30m`. Raises `ValueError`."""
    if not re.fullmatch(r"([0-9]+[dhms])+", text):
        raise ValueError(f"--ttl {text} is no duration: write one such as 720h, 30d or 90m")
    seconds = sum(int(number) * UNITS[unit] for number, unit in re.findall(r"([0-9]+)([dhms])", text))
    if seconds < SHORTEST:
        raise ValueError(f"--ttl {text} is too short: the API server gives tokens for 10m or more")
    if seconds > LONGEST:
        raise ValueError(f"--ttl {text} is too long: choose when it shall end, such as 8760h")
    return seconds


def issue(
    environment: Environment,
    cluster: Kubectl,
    owner: Owner,
    seconds: int,
    file: pathlib.Path,
    *,
    force: bool = False,
    restore: bool = False,
) -> Issued:
    """Write a kubeconfig for an owner. Raises `RefusedError` (nothing was changed), `ClusterError`."""
    _may_write(file, force)
    record, version = _remembered(environment, cluster, owner, restore)
    before = record.revoked
    for attempt in range(TRIES):
        token, granted = _token(environment, cluster, owner, seconds)
        text = writing.with_token(
            environment.kubeconfig, context=owner.context, user=owner.user, namespace=owner.namespace, token=token
        )
        try:
            with _appearing(file, text, force):
                remember(cluster, owner, record.with_issue(granted), version)
            return Issued(file, granted.until)
        except ClusterError as error:
            if not conflict(error):
                raise
            if attempt == TRIES - 1:
                raise RefusedError(BUSY.format(owner.namespace)) from None
        # Somebody else was quicker, maybe with a revocation: then the token is dead, and --restore did not mean it.
        record, version = _remembered(environment, cluster, owner, restore)
        if record.revoked and record.revoked != before:
            raise RefusedError(f"the access of {owner.namespace} was revoked in this moment")
    raise AssertionError


def conflict(error: ClusterError) -> bool:
    """Whether an object has changed since it was read."""
    return "(Conflict)" in str(error)


def remember(cluster: Kubectl, owner: Owner, record: Record, version: str) -> None:
    """Write what is remembered, unless the Namespace changed since `version` (then `ClusterError` "(Conflict)")."""
    metadata = {"resourceVersion": version, "annotations": record.annotations()}
    cluster.patch("namespace", owner.namespace, {"metadata": metadata}, access_owner.MANAGER)


def _remembered(environment: Environment, cluster: Kubectl, owner: Owner, restore: bool) -> tuple[Record, str]:
    namespace = cluster.get(f"/api/v1/namespaces/{owner.namespace}")
    if namespace is None:
        raise RefusedError(f"namespace {owner.namespace} is not in the cluster: `pulumi up --refresh` makes it again")
    record = access_owner.record(namespace)
    command = f"python -m ops access {{}} {environment.stack} {owner.namespace}"
    if record.replacing is not None:
        raise RefusedError(
            f"a revocation of {owner.namespace} was interrupted: `{command.format('revoke')}` finishes it"
        )
    if record.revoked and not restore:
        raise RefusedError(
            f"the access of {owner.namespace} was revoked on {access_owner.shown(record.revoked)}: "
            f"`{command.format('issue')} --restore` gives it back"
        )
    return record, namespace["metadata"]["resourceVersion"]


def _token(environment: Environment, cluster: Kubectl, owner: Owner, seconds: int) -> tuple[str, Issue]:
    path = f"/api/v1/namespaces/{owner.namespace}/serviceaccounts/{owner.service_account}/token"
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": seconds},
    }
    try:
        answer = cluster.create(path, request)
    except ClusterError as error:
        if "(NotFound)" not in str(error):
            raise
        raise RefusedError(
            f"service account {owner.service_account} is not in namespace {owner.namespace}: "
            "`pulumi up --refresh` makes it again"
        ) from None
    at = access_owner.moment(answer["metadata"]["creationTimestamp"])
    until = access_owner.moment(answer["status"]["expirationTimestamp"])
    granted = int((until - at).total_seconds())
    # The API server shortens what is over its limit and says so in a warning only.
    if granted < seconds - 1:
        raise RefusedError(
            f"the cluster of stack {environment.stack} gives tokens for {_shown(granted)} at most: "
            f"choose a --ttl up to that"
        )
    return answer["status"]["token"], Issue(at, until)


def _shown(seconds: int) -> str:
    size, unit = next((size, unit) for unit, size in UNITS.items() if unit != "d" and seconds % size == 0)
    return f"{seconds // size}{unit}"


def _may_write(file: pathlib.Path, force: bool) -> None:
    if file.is_symlink() or file.exists():
        if not force:
            raise RefusedError(f"{file} exists already: choose another --output, or --force to replace it")
        if file.is_symlink() or not file.is_file():
            raise RefusedError(f"{file} is no plain file: choose another --output")
    if not file.parent.is_dir():
        raise RefusedError(f"{file.parent} is no folder: make it first, or choose another --output")


@contextlib.contextmanager
def _appearing(file: pathlib.Path, text: str, force: bool) -> Iterator[None]:
    """`file` appears, whole and for its owner only, when the block ends well; otherwise nothing does."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # mode 0600, never another
    except OSError as error:
        raise RefusedError(f"{file} cannot be written ({error.strerror}): choose another --output") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as temporary:
            temporary.write(text)
            temporary.flush()
            os.fsync(temporary.fileno())
        yield
        if force:
            pathlib.Path(name).replace(file)
        else:
            os.link(name, file)  # unlike a renaming, it never takes the place of a file
    except FileExistsError:
        raise RefusedError(f"{file} exists already: choose another --output, or --force to replace it") from None
    except OSError as error:
        raise RefusedError(f"{file} cannot be written ({error.strerror}): choose another --output") from None
    finally:
        pathlib.Path(name).unlink(missing_ok=True)
