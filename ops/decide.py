"""For every kind of resource: did an interrupted create happen, and what follows from it?"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

from ops import clouds, pending
from ops.pending import Decision, Pending
from ops.stack import OpsError

USER, KEY, POLICY = "aws:iam/user:User", "aws:iam/accessKey:AccessKey", "aws:iam/userPolicy:UserPolicy"
ZONE = "aws:route53/zone:Zone"
RELEASE = "kubernetes:helm.sh/v3:Release"
REPEATABLE = (POLICY, "pulumi:pulumi:Stack", "pulumi:providers:", "platform:", "tls:", "random:")
"""Making these again changes nothing that is there: a policy is overwritten, a key is only computed, a stack and its
components are in the state alone."""

IONOS: dict[str, tuple[str, tuple[str, ...]]] = {
    "ionoscloud:compute/datacenter:Datacenter": ("/datacenters", ("name", "location")),
    "ionoscloud:compute/lan:Lan": ("/datacenters/{datacenterId}/lans", ("name",)),
    "ionoscloud:compute/iPBlock:IPBlock": ("/ipblocks", ("name", "location", "size")),
    "ionoscloud:k8s/cluster:Cluster": ("/k8s", ("name",)),
    "ionoscloud:k8s/nodePool:NodePool": ("/k8s/{k8sClusterId}/nodepools", ("name",)),
}
"""Resource type -> its collection in the API, and the inputs that its objects are recognised by."""


class Decider:
    """Looks at the clouds on behalf of one state. `plain` gives the same state with its secrets readable."""

    def __init__(
        self,
        state: dict[str, Any],
        plain: Callable[[], dict[str, Any]],
        say: Callable[[str], None],
        minutes: float,
        taken: dict[str, str],
    ) -> None:
        self._state, self._plain, self._say, self._minutes, self._taken = state, plain, say, minutes, taken
        self._aws = clouds.Aws()

    def decide(self, one: Pending) -> Decision:
        """What becomes of a pending create. Raises `OpsError` if a cloud cannot be asked."""
        if one.urn in self._taken:
            return Decision(one, "adopt", "you said which one it is", self._taken[one.urn])
        if one.type.startswith(REPEATABLE):
            return Decision(one, "clear", "the next up makes it again, to the same effect")
        if one.type in IONOS:
            return self._ionos(one)
        if one.type == ZONE:
            name, comment = str(one.input("name")), str(one.input("comment") or "")
            return self._one_of(one, self._aws.zones(name, comment))
        if one.type == USER:
            name = str(one.input("name"))
            return self._one_of(one, [name] if self._aws.has_user(name) else [])
        if one.type == KEY:
            return self._key(one)
        if one.type == RELEASE:
            return self._release(one)
        if one.type.startswith("kubernetes:"):
            return self._object(one)
        return Decision(one, "undecided", "nothing is known about this kind: `pulumi refresh` asks you about it")

    def repair(self, urn: str) -> Callable[[], None] | None:
        """What an interrupted change of a resource in state needs beyond a refresh."""
        resource = next(one for one in self._state["deployment"]["resources"] if one["urn"] == urn)
        if resource["type"] != RELEASE:
            return None
        helm, namespace, records = self._records(Pending(resource))
        stuck = [name for name, status in records.items() if status.startswith("pending-")]
        return functools.partial(helm.delete, namespace, stuck) if stuck else _upgradable(helm, namespace, records)

    def half_removed(self) -> dict[str, Callable[[], None]]:
        """Helm releases in state whose removal was refused: URN -> what lets Helm upgrade them again."""
        found: dict[str, Callable[[], None]] = {}
        for one in self._state["deployment"].get("resources") or []:
            if one["type"] != RELEASE:
                continue
            try:
                mend = _upgradable(*self._records(Pending(one)))
            except OpsError as error:  # a lost cluster is no obstacle to the rest
                self._say(f"warning: {error}")
                continue
            if mend:
                found[str(one["urn"])] = mend
        return found

    def _one_of(self, one: Pending, candidates: list[str]) -> Decision:
        known = pending.ids(self._state, one.type)
        found = [id for id in candidates if id not in known]
        if not found:
            return Decision(one, "clear", "it was not made")
        in_state = any(resource["urn"] == one.urn for resource in self._state["deployment"].get("resources") or [])
        if in_state:
            why = f"a later run made another one; left over: {', '.join(found)}. Delete that, then run this again"
            return Decision(one, "undecided", why)
        if len(found) > 1:
            why = f"it may be any of {', '.join(found)}: delete the others, or say --take URN=ID"
            return Decision(one, "undecided", why)
        return Decision(one, "adopt", "it was made", found[0])

    def _ionos(self, one: Pending) -> Decision:
        path, keys = IONOS[one.type]
        path = path.format_map({key: one.input(key) for key in one.resource.get("inputs", {})})
        ionos = self._ionos_api(one)
        decision = self._one_of(one, ionos.find(path, {key: one.input(key) for key in keys if one.input(key)}))
        if decision.action == "adopt" and not ionos.settle(f"{path}/{decision.id}", one.title):
            return Decision(one, "clear", "it was made, and went away again")
        return decision

    def _ionos_api(self, one: Pending) -> clouds.Ionos:
        return clouds.Ionos(_readable(pending.provider(self._plain(), one)), self._say, self._minutes)

    def _key(self, one: Pending) -> Decision:
        user = str(one.input("user"))
        orphans = [key for key in self._aws.keys(user) if key not in pending.ids(self._state, KEY)]
        if not orphans:
            return Decision(one, "clear", "it was not made")

        def delete() -> None:
            for key in orphans:
                self._aws.delete_key(user, key)

        why = f"its secret was shown once, to nobody: {', '.join(orphans)} of {user} will be deleted"
        return Decision(one, "clear", why, before=delete)

    def _release(self, one: Pending) -> Decision:
        helm, namespace, records = self._records(one)
        if not records:
            return Decision(one, "clear", "it was not made")
        if list(records.values())[-1] == "deployed":
            return Decision(one, "adopt", "it was installed", f"{namespace}/{one.input('name')}")
        names = list(records)
        why = f"it stopped half-way: Helm's record {', '.join(names)} will be deleted, and the next up installs over it"
        return Decision(one, "clear", why, before=functools.partial(helm.delete, namespace, names))

    def _records(self, one: Pending) -> tuple[clouds.Helm, str, dict[str, str]]:
        kubeconfig = _readable(pending.provider(self._plain(), one)).get("kubeconfig")
        if not kubeconfig:
            raise OpsError(f"{one.title}: its provider has no kubeconfig in state to look at Helm's records with")
        namespace = str(one.input("namespace") or "default")
        helm = clouds.Helm(str(kubeconfig))
        return helm, namespace, helm.records(namespace, str(one.input("name")))

    def _object(self, one: Pending) -> Decision:
        provider = pending.provider(self._state, one)
        if str(provider.get("upsertExistingObjects")).lower() == "true":
            return Decision(one, "clear", "the next up takes it over if it is there")
        metadata = one.input("metadata") or {}
        if not metadata.get("name"):
            return Decision(one, "clear", "its name was not known yet, so the next up makes another")
        id = f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else str(metadata["name"])
        return Decision(one, "adopt", "if it was not made, the refresh finds out", id)


def _upgradable(helm: clouds.Helm, namespace: str, records: dict[str, str]) -> Callable[[], None] | None:
    newest = list(records)[-1:]
    half = [name for name in newest if records[name] == "uninstalling"]
    return functools.partial(helm.mark_deployed, namespace, half) if half else None


def _readable(inputs: dict[str, Any]) -> dict[str, Any]:
    """Inputs from an export with secrets: each secret is JSON text under `plaintext`."""
    return {
        key: json.loads(value["plaintext"]) if isinstance(value, dict) and "plaintext" in value else value
        for key, value in inputs.items()
    }
