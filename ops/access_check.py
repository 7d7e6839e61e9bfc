"""Asks the API server what an owner may do, everywhere, and compares it with what is promised.

SubjectAccessReviews are asked as the administrator, for the owner's name and groups: no token of the owner is
needed and nobody is impersonated.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ops import access_owner, access_promise
from ops.access_owner import Environment, Owner
from ops.kubectl import ClusterError, Kubectl
from ops.stack import OpsError

CLUSTER = ""
"""The scope without a namespace: cluster-wide kinds, and all namespaces at once."""

BATCH = 400
"""Reviews per call of kubectl; 500 took 1.5 s."""


class Question(NamedTuple):
    """May the owner do `verb` with `kind` in the namespace `scope`? `promised` None: it is left open."""

    scope: str
    kind: str
    verb: str
    promised: bool | None

    def attributes(self) -> dict[str, str]:
        """As `resourceAttributes` of a review."""
        name, _, subresource = self.kind.partition("/")
        resource, _, group = name.partition(".")
        return {
            key: value
            for key, value in {
                "namespace": self.scope,
                "verb": self.verb,
                "group": group,
                "resource": resource,
                "subresource": subresource,
            }.items()
            if value
        }


@dataclasses.dataclass(frozen=True)
class Result:
    """Every question with its answer, what guards the rest and is not there, and a token that works though revoked."""

    answers: Mapping[Question, bool]
    unguarded: Sequence[str] = ()
    alive: str = ""

    @property
    def wider(self) -> list[Question]:
        """Allowed, although not promised."""
        return [one for one, allowed in self.answers.items() if allowed and one.promised is False]

    @property
    def narrower(self) -> list[Question]:
        """Denied, although promised."""
        return [one for one, allowed in self.answers.items() if not allowed and one.promised]

    @property
    def ok(self) -> bool:
        """Neither wider nor narrower than promised, guarded, and revoked if it is said so."""
        return not (self.wider or self.narrower or self.unguarded or self.alive)

    def unreadable(self) -> list[str]:
        """Custom kinds that the owner could be let read, and cannot."""
        left_open = (one for one in self.answers if one.promised is None and one.verb == "get")
        return sorted(one.kind for one in left_open if _is_custom(one.kind) and not self.answers[one])


def check(environment: Environment, cluster: Kubectl, owner: Owner, say: Callable[[str], None]) -> Result:
    """Ask about every kind that the cluster has. Raises `ClusterError`."""
    inside, outside = kinds(cluster, namespaced=True), kinds(cluster, namespaced=False)
    others = [name for name in sorted(environment.owners) if name != owner.namespace][:1]
    asked = list(questions(owner, [*others, "kube-system"], inside, outside))
    answers: dict[Question, bool] = {}
    for start in range(0, len(asked), BATCH):
        say(f"asking {len(asked)} questions: {start * 100 // len(asked)} %")
        batch = asked[start : start + BATCH]
        answers |= dict(zip(batch, ask(cluster, owner, batch), strict=True))
    return Result(answers, unguarded(cluster, owner), alive(environment.stack, cluster, owner))


def alive(stack: str, cluster: Kubectl, owner: Owner) -> str:
    """As `access_owner.alive`, of the cluster."""
    space = f"/api/v1/namespaces/{owner.namespace}"
    record = access_owner.record(cluster.get(space) or {"metadata": {"name": owner.namespace}})
    if not record.revoked:
        return ""
    account = cluster.get(f"{space}/serviceaccounts/{owner.service_account}") or {"metadata": {"uid": ""}}
    secrets = cluster.items(f"{space}/secrets", **access_owner.TOKEN_SECRETS)
    return access_owner.alive(stack, owner, record.revoked, account["metadata"]["uid"], secrets)


def kinds(cluster: Kubectl, *, namespaced: bool) -> list[str]:
    """Kinds that the cluster has, as `<resource>.<group>`."""
    try:
        return sorted(cluster.run("api-resources", f"--namespaced={str(namespaced).lower()}", "-o", "name").split())
    except ClusterError as error:
        _, found, broken = str(error).partition("unable to retrieve the complete list of server APIs: ")
        if not found:
            raise
        raise OpsError(
            f"an API of the cluster does not answer, so its kinds are not known ({broken}): mend what serves it, or "
            "delete its APIService (`kubectl get apiservices`)"
        ) from None


def questions(owner: Owner, others: Sequence[str], inside: Sequence[str], outside: Sequence[str]) -> Iterator[Question]:
    """Each verb with each kind: in the owner's namespace, in others, and in the cluster. Pure."""
    promise = access_promise
    promised = promise.own(inside, read_secrets=owner.read_secrets, exec=owner.exec)
    for kind in dict.fromkeys([*promised, *inside]):
        for verb in promise.VERBS:
            if kind in promised:
                yield Question(owner.namespace, kind, verb, verb in promised[kind])
            else:
                yield Question(owner.namespace, kind, verb, None if verb in promise.READ else False)
    everything = dict.fromkeys([*inside, *promise.OUTSIDE, *(kind for kind in promised if kind not in inside)])
    for scope in others:
        for kind in everything:
            yield from (Question(scope, kind, verb, promised=False) for verb in promise.VERBS)
    for kind in dict.fromkeys([*outside, *everything]):
        for verb in promise.VERBS:
            yield Question(CLUSTER, kind, verb, (verb, kind) in promise.EVERYBODYS)
    for scope in (owner.namespace, *others, CLUSTER):
        yield from (Question(scope, kind, verb, promised=False) for verb, kind in promise.WAYS_UP)


def ask(cluster: Kubectl, owner: Owner, asked: Sequence[Question]) -> list[bool]:
    """The API server's answers. Raises `ClusterError`."""
    subject = {
        "user": f"system:serviceaccount:{owner.namespace}:{owner.service_account}",
        "groups": ["system:serviceaccounts", f"system:serviceaccounts:{owner.namespace}", "system:authenticated"],
    }
    reviews = [
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {**subject, "resourceAttributes": one.attributes()},
        }
        for one in asked
    ]
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": reviews})
    answered = list(_documents(cluster.run("create", "--validate=false", "-o", "json", "-f", "-", stdin=body)))
    if len(answered) != len(asked):
        raise ClusterError(f"{len(asked)} questions were answered {len(answered)} times")
    return [bool(one["status"]["allowed"]) for one in answered]


def unguarded(cluster: Kubectl, owner: Owner) -> list[str]:
    """What is missing of the admission policies: roles cannot say that a deletion must not show a Secret."""
    api = "/apis/admissionregistration.k8s.io/v1"
    missing: dict[str, bool] = {}
    for name in access_promise.GUARDS:
        binding = cluster.get(f"{api}/validatingadmissionpolicybindings/{name}")
        actions = ((binding or {}).get("spec") or {}).get("validationActions") or []
        policy = cluster.get(f"{api}/validatingadmissionpolicies/{name}")
        missing |= {
            f"ValidatingAdmissionPolicy {name}": policy is None,
            f"ValidatingAdmissionPolicyBinding {name}": "Deny" not in actions,
        }
    namespace = cluster.get(f"/api/v1/namespaces/{owner.namespace}") or {"metadata": {}}
    labels = namespace["metadata"].get("labels") or {}
    missing[f"label {access_promise.GUARDED_BY} of namespace {owner.namespace}"] = (
        access_promise.GUARDED_BY not in labels
    )
    return [what for what, lacks in missing.items() if lacks]


def table(result: Result, owner: Owner) -> Iterator[str]:
    """Verbs and kinds for people: one column per verb in the owner's namespace, then any verb elsewhere."""
    own = [one for one in result.answers if one.scope == owner.namespace]
    special = {one.kind for one in own if one.promised or one.kind in access_promise.OWN}
    shown = [kind for kind in dict.fromkeys(one.kind for one in own) if kind in special]
    width = max(map(len, shown), default=4)
    verbs = [*access_promise.VERBS[:-1], "deletecoll."]
    yield f"{'in ' + owner.namespace:{width}}  {'  '.join(verbs)}  elsewhere"
    bad = {*result.wider, *result.narrower}
    for kind in shown:
        cells = [
            _cell(result, bad, [one for one in own if (one.kind, one.verb) == (kind, verb)])
            for verb in access_promise.VERBS
        ]
        away = [one for one in result.answers if one.kind == kind and one.scope != owner.namespace]
        row = "  ".join(f"{cell:{len(verb)}}" for cell, verb in zip(cells, verbs, strict=True))
        yield f"{kind:{width}}  {row}  {_cell(result, bad, away)}"
    rest = {one.kind for one in result.answers} - special
    worse = sum(1 for one in bad if one.kind in rest)
    yield f"{len(rest)} other kinds: {f'{worse} deviations' if worse else 'not written anywhere'}"


def told(question: Question, owner: Owner) -> str:
    """A deviation in words."""
    where = f"in {question.scope}" if question.scope else "in the whole cluster"
    if question.promised:
        return f"narrower: {owner.service_account} may not {question.verb} {question.kind} {where}, as promised"
    return f"wider: {owner.service_account} may {question.verb} {question.kind} {where}"


def _is_custom(kind: str) -> bool:
    group = kind.partition(".")[2]
    return "." in group and not group.endswith(".k8s.io")


def _cell(result: Result, bad: set[Question], found: Sequence[Question]) -> str:
    wrong = [one for one in found if one in bad]
    if wrong:
        return "LESS" if wrong[0].promised else "MORE"
    return "yes" if any(result.answers[one] for one in found) else "-"


def _documents(text: str) -> Iterator[dict[str, Any]]:
    """JSON objects that stand one after the other, or in a List."""
    decoder, position = json.JSONDecoder(), 0
    while position < len(text) and (rest := text[position:].lstrip()):
        position = len(text) - len(rest)
        one, position = decoder.raw_decode(text, position)
        yield from one["items"] if one.get("kind") == "List" else [one]
