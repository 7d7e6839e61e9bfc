"""Sections `appOwners` and `confirmRemoval`: who has which namespaces, and what they may do there."""

from __future__ import annotations

import decimal
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import pydantic

from settings import addresses, base, checks, errors
from settings import argocd as argocd_section

RESERVED = ("default", "argocd", "sealed-secrets", "ingress-nginx", "traefik", "external-dns", "cert-manager")
"""Namespaces of the cluster and of the platform, besides `kube-*`; whether an add-on is on or off."""
STANDING_PROJECTS = ("default", "platform", "root")
"""AppProjects that are there without an owner; an organization's has the organization's name."""
BOUNDS = ("ResourceQuota", "LimitRange")
"""Kinds by which the platform bounds a namespace: never an owner's to deploy."""
RIGHTS = ("rbac.authorization.k8s.io", ("Role", "RoleBinding"))
"""Kinds that give rights: Argo CD may give any, so an owner that deploys one has made itself administrator."""
ARGO_CDS = ("argoproj.io", ("Application", "ApplicationSet", "AppProject"))
"""Argo CD's own kinds: an Application may name another project."""
CLUSTER_KINDS = frozenset({
    "APIService", "ClusterIssuer", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "IngressClass",
    "Namespace", "Node", "PersistentVolume", "PriorityClass", "StorageClass",
})  # fmt: skip

COMPUTE = r"((requests|limits)\.)?(cpu|memory|ephemeral-storage)"
COUNTED = (
    r"pods|services(\.loadbalancers|\.nodeports)?|secrets|configmaps|persistentvolumeclaims|replicationcontrollers"
    r"|resourcequotas|count/[a-z0-9.-]+|(requests\.)?hugepages-[0-9]+[KMGTPE]i"
)
QUOTA = re.compile(
    rf"{COMPUTE}|{COUNTED}|([a-z0-9.-]+\.storageclass\.storage\.k8s\.io/)?(requests\.storage|persistentvolumeclaims)"
    r"|requests\.[a-z0-9.-]+/[A-Za-z0-9._-]+"
)
KIND = re.compile(r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?([A-Z][A-Za-z0-9]*|\*)")
POWERS = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def namespace_name(value: str) -> str:
    """A namespace that an owner can have."""
    _label(value, "a namespace")
    if value in RESERVED or value.startswith("kube-"):
        raise base.refuse(f"{value} is the cluster's or the platform's own", "choose another namespace")
    return value


def organization_name(value: str) -> str:
    """A name that can be a label and an AppProject's name."""
    _label(value, "an organization")
    if value in STANDING_PROJECTS:
        raise base.refuse(f"Argo CD's project {value} is not an owner's", "choose another name")
    return value


def _label(value: str, what: str) -> None:
    if not checks.HOST_LABEL.fullmatch(value):
        fix = "write up to 63 of a-z, 0-9 and -, beginning and ending with a letter or digit"
        raise base.refuse(f"{checks.show(value)} cannot be the name of {what}", fix)


def _quota_name(value: str) -> str:
    if not QUOTA.fullmatch(value):
        fix = "write a name that a ResourceQuota knows, such as requests.cpu, limits.memory, pods or count/jobs.batch"
        raise base.refuse(f"{checks.show(value)} is nothing that a quota bounds", fix)
    return value


def _number(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _source(value: str) -> str:
    address = addresses.source(value)
    if found := re.search(r"[?\[\]{}!\\]", address):
        raise base.refuse(f"{found[0]} is a pattern to Argo CD", "write the address out, with no other pattern than *")
    # A registry without `oci://` has its host before the first slash.
    owner, _, last = re.sub(r"^(\w+://[^/]*/?|[^/]+@[^/:]+:|[^/@]+/)", "", address).strip("/").rpartition("/")
    # In several parts at once it would match `..` as well, which git follows out of the owner's repositories.
    if "*" in address.removesuffix(last) or (not owner and "*" in last) or "**" in last:
        fix = "write out host and owner, with * in the last part alone: https://github.com/example/*"
        raise base.refuse("it opens everybody's repositories", fix)
    return address


def _kind(value: str) -> str:
    if not KIND.fullmatch(value):
        raise base.refuse(f"{checks.show(value)} is no kind", "write group/Kind, such as apps/Deployment, or Service")
    group, _, name = value.rpartition("/")
    if name in CLUSTER_KINDS:
        raise base.refuse(f"{name} belongs to the whole cluster", "remove it: owners deploy into their namespaces only")
    if name in BOUNDS:
        raise base.refuse(f"{name} is how the platform bounds a namespace", "remove it; see quota and limits")
    if _is_one(group, name, RIGHTS):
        fix = "remove it: the platform team deploys Roles, or the chart is installed without (often rbac.create: false)"
        raise base.refuse(f"with {name} an owner could give itself every right", fix)
    if _is_one(group, name, ARGO_CDS):
        raise base.refuse(f"{name} is Argo CD's own and could name another project", "remove it")
    return value


def _is_one(group: str, name: str, kinds: tuple[str, tuple[str, ...]]) -> bool:
    return name in (*kinds[1], "*") if group == kinds[0] else not group and name in kinds[1]


Amount = Annotated[
    str, pydantic.BeforeValidator(_number, json_schema_input_type=str | int), pydantic.AfterValidator(checks.quantity)
]
Memory = Annotated[Amount, pydantic.AfterValidator(checks.memory)]
NamespaceName = Annotated[str, pydantic.AfterValidator(namespace_name)]


class Amounts(base.Section):
    """CPU and memory of one container."""

    cpu: Amount | None = base.field(None, says="CPU.", example="500m")
    memory: Memory | None = base.field(None, says="Memory.", example="256Mi")


class Limits(base.Section):
    """What a container gets that does not say what it needs (LimitRange)."""

    default: Amounts | None = base.field(None, says="Its limits.", example={"cpu": "500m", "memory": "256Mi"})
    default_request: Amounts | None = base.field(None, says="Its requests.", example={"cpu": "100m", "memory": "128Mi"})
    max: Amounts | None = base.field(None, says="The most that any container may ask for.", example={"memory": "4Gi"})


class OwnerArgocd(base.Section):
    """The organization's own corner of Argo CD: an AppProject of its name, limited to its namespaces."""

    repositories: list[Annotated[str, pydantic.AfterValidator(_source)]] = base.field(
        says="Git and chart repositories it deploys from, registries as in its Applications (`ghcr.io/a/charts`);"
        " `*` stands for any name in the last part of the path.",
        example=["https://github.com/example/apps"],
        min_length=1,
    )
    allowed_kinds: list[Annotated[str, pydantic.AfterValidator(_kind)]] = base.field(
        [],
        says="Kinds it may deploy, as group/Kind; empty: all of a namespace but its bounds and rights.",
        example=["apps/Deployment", "Service"],
    )


class AppOwner(base.Section):
    """An organization that runs applications here, and its rights in its namespaces."""

    organization: Annotated[str, pydantic.AfterValidator(organization_name)] = base.field(
        says="Its name, also that of its AppProject.", example="example"
    )
    namespaces: list[NamespaceName] = base.field(says="Its namespaces.", example=["marketplace"], min_length=1)
    quota: dict[Annotated[str, pydantic.AfterValidator(_quota_name)], Amount] = base.field(
        {},
        says="The most that each of its namespaces may use, as in a ResourceQuota's `hard`.",
        example={"requests.cpu": "4", "requests.memory": "8Gi", "pods": 50},
    )
    limits: Limits | None = base.field(
        None, says="Defaults and bounds of its containers.", example={"defaultRequest": {"cpu": "100m"}}
    )
    isolation: bool = base.field(
        False, says="Only its own pods, the ingress and DNS are reached and reach in.", example=True
    )
    pod_security: Literal["privileged", "baseline", "restricted"] = base.field(
        "baseline", says="Pod Security Standard that its pods are held to.", example="restricted"
    )
    read_secrets: bool = base.field(False, says="It may read the content of its Secrets.", example=True)
    exec: bool = base.field(False, says="It may run commands in its pods (and so read all they hold).", example=True)
    permanent_token: bool = base.field(
        False, says="Make a token that never expires, and a kubeconfig with it as a secret output.", example=True
    )
    argocd: OwnerArgocd | None = base.field(
        None, says="Its project in Argo CD.", example={"repositories": ["https://github.com/example/apps"]}
    )
    github_team: Annotated[str, pydantic.AfterValidator(checks.github_team)] | None = base.field(
        None,
        says="Team of argocd.github.organization that sees and syncs its Applications, as in the team's address.",
        example="example-devs",
    )


def rules(owners: Sequence[AppOwner], environment: str, argocd: argocd_section.Argocd) -> Iterator[errors.Mistake]:
    """What is wrong between several keys: of one owner, between owners, or with the rest."""
    organizations: dict[str, str] = {}
    namespaces: dict[str, str] = {}
    for place, owner in enumerate(owners):
        path = f"appOwners[{place}]"
        if owner.organization in organizations:
            problem = f"{owner.organization} stands at {organizations[owner.organization]} too"
            yield errors.Mistake(f"{path}.organization", problem, "write all its namespaces into one entry")
        organizations.setdefault(owner.organization, path)
        for number, name in enumerate(owner.namespaces):
            at = f"{path}.namespaces[{number}]"
            if name in namespaces:
                yield errors.Mistake(
                    at, f"{name} stands at {namespaces[name]} too", "give it to one owner, once", (namespaces[name],)
                )
            namespaces.setdefault(name, at)
            room = 63 - len(f"-sa-{environment}")
            if len(name) > room:
                problem = f"{name}-sa-{environment}, its service account, is longer than 63 characters"
                yield errors.Mistake(at, problem, f"write at most {room} characters", ("environment",))
        yield from _limits(f"{path}.limits", owner.limits)
        yield from _team(path, owner, argocd)


def _team(path: str, owner: AppOwner, argocd: argocd_section.Argocd) -> Iterator[errors.Mistake]:
    if owner.github_team is None:
        return
    at = f"{path}.githubTeam"
    if argocd.github is None:
        fix = "write argocd.github, or remove it"
        yield errors.Mistake(at, "nobody signs in with GitHub here", fix, ("argocd.github",))
    elif argocd.github.teams and owner.github_team not in argocd.github.teams:
        problem = f"{owner.github_team} may not sign in: it is not in argocd.github.teams"
        yield errors.Mistake(at, problem, f"add {owner.github_team} there", ("argocd.github",))
    if owner.argocd is None:
        problem = "it has no project in Argo CD to have rights in"
        yield errors.Mistake(at, problem, "write argocd.repositories of this owner, or remove it", (f"{path}.argocd",))


def _limits(path: str, limits: Limits | None) -> Iterator[errors.Mistake]:
    if limits is None:
        return
    steps = {"defaultRequest": limits.default_request, "default": limits.default, "max": limits.max}
    for what in ("cpu", "memory"):
        given = [(key, amounts, getattr(amounts, what)) for key, amounts in steps.items() if amounts]
        known = [(key, amount) for key, _, amount in given if amount is not None]
        for (low, less), (high, more) in itertools.pairwise(known):
            if amount(less) > amount(more):
                problem = f"{less} is more than {path}.{high}.{what}, {more}"
                yield errors.Mistake(f"{path}.{low}.{what}", problem, f"write at most {more}")


def warnings(
    owners: Sequence[AppOwner], removals: Sequence[str], argocd: argocd_section.Argocd
) -> Iterator[errors.Mistake]:
    """What works, but is probably not meant."""
    owned = {name for owner in owners for name in owner.namespaces}
    for place, name in enumerate(removals):
        if name in owned:
            problem = f"{name} is still among appOwners, so it stays"
            fix = "remove it here, or there; while it moves to another organization, leave both"
            yield errors.Mistake(f"confirmRemoval[{place}]", problem, fix)
    for place, owner in enumerate(owners):
        path = f"appOwners[{place}]"
        if owner.github_team and argocd.rbac.default_role:
            problem = f"its members see every Application, since argocd.rbac.defaultRole is {argocd.rbac.default_role}"
            yield errors.Mistake(f"{path}.githubTeam", problem, 'write argocd.rbac.defaultRole: ""')
        for name in owner.quota:
            missing = _without_default(name, owner.limits)
            if missing:
                problem = f"pods that do not name it themselves are refused, since {missing} is not set"
                yield errors.Mistake(f'{path}.quota["{name}"]', problem, f"write limits.{missing}")


def _without_default(quota: str, limits: Limits | None) -> str | None:
    """The default that a compute quota needs and that is missing; Kubernetes takes requests from limits."""
    found = re.fullmatch(r"(requests\.|limits\.)?(cpu|memory)", quota)
    if not found:
        return None
    default = limits and limits.default and getattr(limits.default, found[2])
    request = limits and limits.default_request and getattr(limits.default_request, found[2])
    if found[1] == "limits.":
        return None if default else f"default.{found[2]}"
    return None if default or request else f"defaultRequest.{found[2]}"


def amount(quantity: str) -> decimal.Decimal:
    """What a Kubernetes quantity stands for."""
    found = checks.QUANTITY.fullmatch(quantity)
    if not found:
        return decimal.Decimal(0)
    number, suffix = decimal.Decimal(found[1]), found[2] or ""
    if suffix.endswith("i"):
        return number * 1024 ** ("KMGTPE".index(suffix[0]) + 1)
    return number.scaleb(POWERS.get(suffix) or int(suffix[1:] or 0))
