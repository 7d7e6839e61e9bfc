"""What is on an existing cluster already and would be overwritten: objects without a namespace, and namespaces.

Argo CD overwrites an object that is there without a word, and deletes it with the Application; Helm and Pulumi refuse,
when half of the environment is there. So all of it is looked for before anything is made, at preview too. Where the
cluster may not be asked, that is said, and the rest goes on.
"""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pulumi

import settings as config
from components.addons import cluster_wide
from components.addons.cluster_wide import Object, Release
from preflight import asking, ownership

SHOWN = 8
"""How many names of one kind a message has."""
NAMESPACES = "/api/v1/namespaces"
ARGO_CD = "argo-cd"
DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
CRD = "CustomResourceDefinition"
UNASKED = "objects of others on the cluster could not be looked for ({}): `up` may overwrite what they have in common"
Lists = Mapping[str, list[dict[str, Any]] | asking.Unasked]


class Wanted(NamedTuple):
    """What `up` would make.

    Args:
        environment: its name, which its namespaces are labelled with.
        releases: charts by the key of their settings, such as `addons.ingress`; Argo CD's is the one named `argo-cd`.
        applications: names of all add-ons that there can be, those that are off now among them.
        namespaces: those that Pulumi makes, by the key of their settings.
        take_over: objects of others that may be overwritten, as `Kind/name` with `*` for any text.
        by_label: Argo CD tracks what it made by label.
    """

    environment: str
    releases: Mapping[str, Release]
    applications: Sequence[str]
    namespaces: Mapping[str, str]
    take_over: Sequence[str] = ()
    by_label: bool = False

    @property
    def argo_cd(self) -> Release:
        """Argo CD's own release."""
        return next(one for one in self.releases.values() if one.chart == ARGO_CD)


def problems(
    wanted: Wanted,
    one: asking.List,
    recorded: Callable[[], set[str]],
    warn: Callable[[str], None] = pulumi.log.warn,
) -> Iterator[config.Mistake]:
    """What others own of what `up` would make. `recorded`: names of the namespaces in the stack's state."""
    made = {key: cluster_wide.objects(release) for key, release in wanted.releases.items()}
    home = wanted.argo_cd.namespace
    applications = f"/apis/argoproj.io/v1alpha1/namespaces/{home}/applications"
    kinds = {found.kind for objects in made.values() for found in objects}
    answers = asking.lists([NAMESPACES, applications, *(cluster_wide.KINDS[kind] for kind in kinds)], one)
    if unasked := unanswered(answers):
        warn(UNASKED.format(unasked))
    if any(isinstance(answers[path], Exception) for path in (NAMESPACES, applications)):
        return  # nobody can tell then whose anything is
    known = {kind: _named(answers[cluster_wide.KINDS[kind]]) for kind in kinds}
    spaces = _named(answers[NAMESPACES])
    strangers = set(_strange(wanted, spaces))
    if strangers:
        strangers -= recorded()
    ours = ownership.Home(home in spaces and home not in strangers, frozenset(_named(answers[applications])))
    for name in sorted(strangers):
        yield _namespace(wanted, name, spaces[name])
    for key, objects in made.items():
        there = {found: known[found.kind][found.name] for found in objects if found.name in known[found.kind]}
        yield from _of_others(key, wanted, there, ours)
    if message := second_default(known.get("IngressClass", {}), made):
        warn(message)


def recorded() -> set[str]:
    """Names of the namespaces in the stack's state, such as one that was imported. All of the state is read: 0.8 s."""
    stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    answer = pulumi.runtime.invoke("pulumi:pulumi:readStackResourceOutputs", {"stackName": stack}).value
    outputs: Mapping[str, Any] = (answer or {}).get("outputs") or {}
    return {
        str(((found or {}).get("metadata") or {}).get("name"))
        for urn, found in outputs.items()
        if "kubernetes:core/v1:Namespace::" in urn
    }


def unanswered(answers: Lists) -> str:
    """Which lists are missing, and why; empty: none."""
    failed = {path.rpartition("/")[2]: str(found) for path, found in answers.items() if isinstance(found, Exception)}
    causes = sorted(set(failed.values()))
    return "; ".join(f"{', '.join(name for name, why in failed.items() if why == cause)}: {cause}" for cause in causes)


def _named(found: list[dict[str, Any]] | asking.Unasked) -> dict[str, ownership.Metadata]:
    return {} if isinstance(found, Exception) else {str(one["name"]): one for one in found}


def _strange(wanted: Wanted, spaces: Mapping[str, ownership.Metadata]) -> Iterator[str]:
    for name in wanted.namespaces:
        labels = (spaces.get(name) or {}).get("labels") or {}
        if name in spaces and labels.get(ownership.ENVIRONMENT) != wanted.environment:
            yield name


def _namespace(wanted: Wanted, name: str, found: ownership.Metadata) -> config.Mistake:
    other = ((found.get("labels") or {}).get(ownership.ENVIRONMENT)) or ""
    whose = f", and is environment {other}'s" if other else ""
    problem = f"namespace {name} is there already{whose}; `up` would stop at it"
    return config.Mistake(
        wanted.namespaces[name], problem, "delete it if nobody needs what is in it, or choose another cluster"
    )


def _of_others(
    key: str, wanted: Wanted, there: Mapping[Object, ownership.Metadata], home: ownership.Home
) -> Iterator[config.Mistake]:
    """One mistake for each owner whose objects a release would overwrite."""
    release = wanted.releases[key]
    foreign = {one: found for one, found in there.items() if not _ours(one, found, wanted, release, home)}
    if release.chart != ARGO_CD and not any(
        one.kind != CRD and ownership.by_argo_cd(found) for one, found in foreign.items()
    ):
        # With nothing else of Argo CD's there, its CRDs are what an earlier destroy left.
        foreign = {
            one: found
            for one, found in foreign.items()
            if one.kind != CRD or not ownership.left_behind(found, release.name)
        }
    foreign = {one: found for one, found in foreign.items() if not _taken(one, wanted.take_over)}
    by_owner: dict[str, list[Object]] = {}
    for one, found in sorted(foreign.items()):
        by_owner.setdefault(ownership.owner(found), []).append(one)
    for owner, objects in by_owner.items():
        yield config.Mistake(key, _problem(release, owner, objects), _fix(key, release, objects))


def _ours(one: Object, found: ownership.Metadata, wanted: Wanted, release: Release, home: ownership.Home) -> bool:
    if release.chart == ARGO_CD:
        return ownership.of_release(found, release.name, release.namespace, home)
    if one.kind == CRD and home.ours and release.name in home.applications:
        return True
    return ownership.of_application(found, wanted.applications, home, by_label=wanted.by_label)


def _taken(one: Object, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(str(one), pattern) for pattern in patterns)


def _problem(release: Release, owner: str, objects: Sequence[Object]) -> str:
    whose = f" ({owner})" if owner else ""
    does = "Helm would refuse them" if release.chart == ARGO_CD else "`up` would overwrite and `destroy` delete what"
    verb = f"{does} {'is' if len(objects) == 1 else 'are'} not this environment's"
    return f"the cluster has {listed(objects)} already{whose}; {verb}"


def listed(objects: Iterable[Object]) -> str:
    """Objects by kind and name, such as `ClusterRole a, b`; of many of one kind the first few."""
    parts: list[str] = []
    for kind, same in itertools.groupby(sorted(objects), key=lambda one: one.kind):
        names = [one.name for one in same]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        parts.append(f"{kind} {', '.join(names[:SHOWN])}{more}")
    return "; ".join(parts)


def _fix(key: str, release: Release, objects: Sequence[Object]) -> str:
    if release.chart == ARGO_CD:
        if all(one.kind == CRD for one in objects):
            return "remove the other Argo CD, or share its CRDs with it: argocd.values: {crds: {install: false}}"
        return "remove the other Argo CD, or choose another cluster"
    named = [str(one) for one in objects[:3]]
    pattern = ", ".join([*named, *(["…"] if len(objects) > 3 else [])])
    return (
        f"to go on with the {release.chart} that is there, write {key}.enabled: false; to replace it, remove it first; "
        f"to overwrite these objects, write cluster.takeOver: [{pattern}]"
    )


def second_default(classes: Mapping[str, ownership.Metadata], made: Mapping[str, Sequence[Object]]) -> str:
    """A warning where another IngressClass is the default one, too; empty: there is none."""
    own = {one.name for objects in made.values() for one in objects if one.kind == "IngressClass"}
    others = sorted(
        name
        for name, found in classes.items()
        if name not in own and str((found.get("annotations") or {}).get(DEFAULT_CLASS)) == "true"
    )
    if not own or not others:
        return ""
    return (
        f"IngressClass {', '.join(others)} is the cluster's default, and {', '.join(sorted(own))} becomes a default as "
        "well: whichever is younger then gets Ingresses that name no class"
    )
