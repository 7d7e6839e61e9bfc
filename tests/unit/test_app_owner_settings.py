"""Every rule of `appOwners` and `confirmRemoval`, and what a quota, a repository or a kind may look like."""

from __future__ import annotations

import decimal
from typing import Any

import pytest

import settings
from components.gitops import root
from settings import app_owners
from tests.unit.test_settings_rules import GOOD, merged, mistakes

SECRET = ("githubClientSecret",)
GITHUB: dict[str, Any] = {"argocd": {"github": {"clientId": "Iv1.01234567", "organization": "Example"}}}
PROJECT = {"repositories": ["https://github.com/example/apps"]}


def owner(organization: str = "one", *namespaces: str, **keys: Any) -> dict[str, Any]:
    return {"organization": organization, "namespaces": list(namespaces or [organization]), **keys}


def owners(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"appOwners": list(entries), **more}


PROJECTS = ("default", "platform", root.NAME)
"""Projects that are there without an owner; of equal names the later `up` would overwrite the other's."""
EVERYBODYS = (
    "https://github.com/*", "https://github.com/exam*", "https://github.com/*/x", "https://github.com/ex*/x",
    "https://git*.com/example/x", "https://github.com/example/*/*", "https://github.com/example/**",
    "git@github.com:*", "git@github.com:exam*/x", "ssh://git@github.com/*/x", "ghcr.io/*", "oci://ghcr.io/*",
    "ghcr.io/exam*/x", "localhost:5000/*",
)  # fmt: skip
BARE = ("ghcr.io/example/charts", "ghcr.io/example/*", "harbor.example.org:8443/team/charts", "oci://ghcr.io/example/*")
"""Chart repositories in registries, as Argo CD's Applications write them."""
PATTERNS = ("https://github.com/?*", "https://github.com/[a-z]*/x", "https://github.com/{a,*}/x")


def parse(raw: dict[str, Any], secrets: tuple[str, ...] = ()) -> settings.Settings:
    return settings.parse(merged(GOOD, raw), "sbx", secrets)


RULES: list[tuple[dict[str, Any], str, str]] = [
    (owners(owner("one", "a"), owner("two", "a")), "appOwners[1].namespaces[0]", "appOwners[0].namespaces[0] too"),
    (owners(owner("one", "a", "a")), "appOwners[0].namespaces[1]", "to one owner, once"),
    (owners(owner("one", "a"), owner("one", "b")), "appOwners[1].organization", "into one entry"),
    (owners(owner("one", "kube-system")), "appOwners[0].namespaces[0]", "the cluster's or the platform's"),
    (owners(owner("one", "default")), "appOwners[0].namespaces[0]", "the cluster's or the platform's"),
    (owners(owner("one", "argocd")), "appOwners[0].namespaces[0]", "the cluster's or the platform's"),
    (owners(owner("one", "traefik")), "appOwners[0].namespaces[0]", "the cluster's or the platform's"),
    (owners(owner("one", "Team_A")), "appOwners[0].namespaces[0]", "a-z, 0-9 and -"),
    (owners(owner("one", "-a")), "appOwners[0].namespaces[0]", "a-z, 0-9 and -"),
    (owners(owner("one", "a" * 57)), "appOwners[0].namespaces[0]", "at most 56 characters"),
    (owners({"organization": "one", "namespaces": []}), "appOwners[0].namespaces", "it is empty"),
    (owners({"organization": "one"}), "appOwners[0].namespaces", "it is missing"),
    (owners({"namespaces": ["a"]}), "appOwners[0].organization", "it is missing"),
    (owners(owner("DOME Marketplace", "a")), "appOwners[0].organization", "a-z, 0-9 and -"),
    *[(owners(owner(name, "a")), "appOwners[0].organization", "not an owner's") for name in PROJECTS],
    ({"appOwners": {"one": ["a"]}}, "appOwners", "a list"),
    ({"appOwners": ["one"]}, "appOwners[0]", "a mapping"),
    (owners(owner(namespace="a")), "appOwners[0].namespace", "did you mean namespaces"),
    (owners(owner(quota={"cpus": "4"})), "appOwners[0].quota.cpus", "nothing that a quota bounds"),
    (owners(owner(quota={"requests.cpu": "much"})), 'appOwners[0].quota["requests.cpu"]', "no amount"),
    (owners(owner(limits={"default": {"cpu": "lots"}})), "appOwners[0].limits.default.cpu", "no amount"),
    (
        owners(owner(limits={"default": {"memory": "1Gi"}, "defaultRequest": {"memory": "2000Mi"}})),
        "appOwners[0].limits.defaultRequest.memory",
        "write at most 1Gi",
    ),
    (
        owners(owner(limits={"max": {"cpu": "500m"}, "default": {"cpu": 1}})),
        "appOwners[0].limits.default.cpu",
        "write at most 500m",
    ),
    (owners(owner(podSecurity="strict")), "appOwners[0].podSecurity", "restricted"),
    (owners(owner(readSecrets="yes")), "appOwners[0].readSecrets", "write readSecrets: true"),
    (owners(owner(argocd={})), "appOwners[0].argocd.repositories", "it is missing"),
    (owners(owner(argocd={"repositories": []})), "appOwners[0].argocd.repositories", "it is empty"),
    (owners(owner(argocd={"repositories": ["apps"]})), "appOwners[0].argocd.repositories[0]", "no URL"),
    (owners(owner(argocd={"repositories": ["*"]})), "appOwners[0].argocd.repositories[0]", "no URL"),
    (owners(owner(argocd={"repositories": ["https://*"]})), "appOwners[0].argocd.repositories[0]", "everybody's"),
    *[
        (owners(owner(argocd={"repositories": [url]})), "appOwners[0].argocd.repositories[0]", words)
        for urls, words in ((EVERYBODYS, "write out host and owner"), (PATTERNS, "is a pattern to Argo CD"))
        for url in urls
    ],
    *[
        (owners(owner(argocd={**PROJECT, "allowedKinds": [kind]})), "appOwners[0].argocd.allowedKinds[0]", words)
        for kind, words in (
            ("rbac.authorization.k8s.io/Role", "give itself every right"),
            ("rbac.authorization.k8s.io/RoleBinding", "the platform team deploys Roles"),
            ("rbac.authorization.k8s.io/*", "give itself every right"),
            ("RoleBinding", "give itself every right"),
            ("argoproj.io/Application", "name another project"),
        )
    ],
    (owners(owner(argocd=PROJECT, githubTeam="Devs.A"), **GITHUB), "appOwners[0].githubTeam", "probably devs-a"),
    (
        owners(owner(argocd={**PROJECT, "allowedKinds": ["deployments"]})),
        "appOwners[0].argocd.allowedKinds[0]",
        "group/Kind",
    ),
    (
        owners(owner(argocd={**PROJECT, "allowedKinds": ["rbac.authorization.k8s.io/ClusterRole"]})),
        "appOwners[0].argocd.allowedKinds[0]",
        "the whole cluster",
    ),
    (
        owners(owner(argocd={**PROJECT, "allowedKinds": ["ResourceQuota"]})),
        "appOwners[0].argocd.allowedKinds[0]",
        "see quota and limits",
    ),
    (owners(owner(argocd=PROJECT, githubTeam="devs")), "appOwners[0].githubTeam", "nobody signs in with GitHub"),
    (owners(owner(githubTeam="devs"), **GITHUB), "appOwners[0].githubTeam", "no project in Argo CD"),
    (
        owners(owner(argocd=PROJECT, githubTeam="devs"), **merged(GITHUB, {"argocd": {"github": {"teams": ["ops"]}}})),
        "appOwners[0].githubTeam",
        "add devs there",
    ),
    (merged(GITHUB, {"argocd": {"github": {"teams": ["DevOps"]}}}), "argocd.github.teams[0]", "probably devops"),
    *[
        (merged(GITHUB, {"argocd": {"rbac": {"admins": [who]}}}), "argocd.rbac.admins[0]", "write Example:dev-ops")
        for who in ("Example:Dev.Ops", "example:dev-ops")
    ],
    ({"confirmRemoval": ["Team"]}, "confirmRemoval[0]", "a-z, 0-9 and -"),
    ({"confirmRemoval": "a"}, "confirmRemoval", "a list"),
]


@pytest.mark.parametrize(("raw", "path", "words"), RULES, ids=[f"{path}: {words}"[:60] for _, path, words in RULES])
def test_a_rule_names_the_key_the_problem_and_the_fix_and_nothing_else(
    raw: dict[str, Any], path: str, words: str
) -> None:
    found = mistakes(raw, secrets=SECRET)
    assert list(found) == [path], "one mistake is one message, at the key where it is mended"
    assert words in str(found[path]), "the message lacks what helps"
    assert found[path].fix, "a problem without a fix leaves its reader alone"


def test_every_mistake_of_all_owners_is_reported_in_one_run() -> None:
    raw = owners(
        {"namespaces": ["a"]},
        owner("two", "a", podSecurity="none"),
        owner("two", "b", quota={"pod": 5}),
        {"organization": "three"},
        owner("four", "kube-public", "c", argocd={}),
        owner("five", "c", githubTeam="devs"),
    )
    assert set(mistakes(raw)) == {
        "appOwners[0].organization",
        "appOwners[1].podSecurity",
        "appOwners[1].namespaces[0]",
        "appOwners[2].organization",
        "appOwners[2].quota.pod",
        "appOwners[3].namespaces",
        "appOwners[4].namespaces[0]",
        "appOwners[4].argocd.repositories",
        "appOwners[5].githubTeam",
    }


def test_a_namespace_in_two_organizations_is_found_beside_other_mistakes() -> None:
    raw = owners(owner("one", "a", podSecurity="none"), owner("two", "a"))
    assert set(mistakes(raw)) == {"appOwners[0].podSecurity", "appOwners[1].namespaces[0]"}


def test_without_a_word_an_owner_has_the_least() -> None:
    found = parse(owners(owner("one")))
    least = found.app_owners[0]
    assert not any([least.read_secrets, least.exec, least.permanent_token, least.isolation])
    assert (least.pod_security, least.argocd, least.quota, found.confirm_removal) == ("baseline", None, {}, [])


@pytest.mark.parametrize(
    "name",
    ["cpu", "requests.memory", "limits.ephemeral-storage", "requests.storage", "pods", "services.loadbalancers",
     "count/deployments.apps", "gold.storageclass.storage.k8s.io/requests.storage", "requests.nvidia.com/gpu"],
)  # fmt: skip
def test_whatever_kubernetes_can_bound_can_be_a_quota(name: str) -> None:
    assert parse(owners(owner(quota={name: 4}))).app_owners[0].quota == {name: "4"}


@pytest.mark.parametrize(
    "url",
    ["https://github.com/example/apps", "https://github.com/example/*", "git@github.com:example/*",
     "ssh://git@github.com/example/apps", "https://charts.example.org/stable", "https://git.example.org/a/b/app-*",
     "https://github.com/example/*.git"],
)  # fmt: skip
def test_repositories_may_be_all_of_one_owner(url: str) -> None:
    assert mistakes(owners(owner(argocd={"repositories": [url]}))) == {}


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (owners(owner(quota={"requests.cpu": 4})), 'appOwners[0].quota["requests.cpu"]'),
        (
            owners(owner(quota={"limits.memory": "8Gi"}, limits={"defaultRequest": {"memory": "1Gi"}})),
            'appOwners[0].quota["limits.memory"]',
        ),
        (owners(owner(argocd=PROJECT, githubTeam="devs"), **GITHUB), "appOwners[0].githubTeam"),
        (owners(owner("one", "a"), confirmRemoval=["a"]), "confirmRemoval[0]"),
    ],
)
def test_what_works_but_is_probably_not_meant_is_warned_about(raw: dict[str, Any], path: str) -> None:
    found = [one.path for one in settings.warnings(parse(raw, SECRET), set(SECRET))]
    assert path in found


def test_a_quota_with_defaults_is_fine() -> None:
    good = owner(quota={"requests.cpu": 4, "pods": 9}, limits={"default": {"cpu": "500m"}})
    assert not [w for w in settings.warnings(parse(owners(good)), set()) if w.path.startswith("appOwners")]


def test_quantities_compare_by_what_they_stand_for() -> None:
    ordered = ["100m", "0.5", "1", "1k", "1Ki", "1M", "1Mi", "1G", "1Gi"]
    amounts = [app_owners.amount(one) for one in ordered]
    assert amounts == sorted(set(amounts))


@pytest.mark.parametrize("address", BARE)
def test_an_owner_deploys_from_a_registry(address: str) -> None:
    (found,) = parse(owners(owner(argocd={"repositories": [address]}))).app_owners
    assert found.argocd is not None
    assert found.argocd.repositories == [address], "Argo CD compares it with what the Application says"


@pytest.mark.parametrize(
    ("address", "fix"),
    [
        ("github.com/example/apps", "write https://github.com/example/apps"),
        ("https://github.com/example/apps/tree/main/x", "write https://github.com/example/apps;"),
        ("10.0.0.1:5000/example/charts", "write the registry's name"),
        ("HTTPS://github.com/example/apps", "write https://github.com/example/apps"),
        ("git@git.example.org:2222/example/apps", "write ssh://git@git.example.org:2222/example/apps"),
    ],
)
def test_an_owners_repository_comes_with_its_good_form(address: str, fix: str) -> None:
    found = mistakes(owners(owner(argocd={"repositories": [address]})))
    assert fix in found["appOwners[0].argocd.repositories[0]"].fix


# kubernetes/apimachinery: resource.ParseQuantity
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1Pi", 1024**5), ("1Ei", 1024**6), ("1e9", 10**9), ("1E3", 1000), ("1E", 10**18), ("1P", 10**15), ("5.", 5),
        ("100m", "0.1"), ("1u", "0.000001"), ("1n", "0.000000001"), (".5", "0.5"), ("0.5Gi", 2**29), ("1k", 1000),
        ("1Ki", 1024), ("12e-1", "1.2"),
    ],
)  # fmt: skip
def test_a_quantity_is_what_kubernetes_reads(text: str, value: int | str) -> None:
    assert parse(owners(owner(quota={"limits.memory": text}))).app_owners[0].quota == {"limits.memory": text}
    assert app_owners.amount(text) == decimal.Decimal(value)


@pytest.mark.parametrize("text", ["1e3m", "1KI", "1ki", "-1", "1 Gi", "Inf", "", ".", "1GB", "0x1"])
def test_what_kubernetes_refuses_is_no_quantity(text: str) -> None:
    assert "no amount" in str(mistakes(owners(owner(quota={"pods": text}))))


@pytest.mark.parametrize("name", ["hugepages-2Mi", "requests.hugepages-1Gi"])
def test_huge_pages_are_bounded_by_a_quota(name: str) -> None:
    assert parse(owners(owner(quota={name: "1Gi"}))).app_owners[0].quota == {name: "1Gi"}


@pytest.mark.parametrize(
    ("who", "fix"),
    [("Example:Platform Team", "write Example:platform-team"), ("Platform Team", "write Example:platform-team")],
)
def test_a_team_of_github_is_called_by_its_slug(who: str, fix: str) -> None:
    found = mistakes(merged(GITHUB, {"argocd": {"rbac": {"admins": [who]}}}), secrets=SECRET)
    assert fix in found["argocd.rbac.admins[0]"].fix
    teams = mistakes(merged(GITHUB, {"argocd": {"github": {"teams": ["Platform Team"]}}}), secrets=SECRET)
    assert "platform-team" in teams["argocd.github.teams[0]"].fix
