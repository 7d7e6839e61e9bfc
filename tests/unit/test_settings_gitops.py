"""The GitOps repository's settings: what is refused, and what follows by itself."""

from __future__ import annotations

from typing import Any

import pytest

import settings
from tests.unit.test_settings_rules import GOOD, mistakes

HTTPS = "https://github.com/org/repo"
SSH = "git@github.com:org/repo.git"
APP = {"githubApp": {"appId": 1, "installationId": 2}}
KEYS = ("gitopsAppKey", "gitopsDeployKey", "gitopsToken")


def wrong(repository: str | None, *secrets: str, **more: Any) -> dict[str, settings.Mistake]:
    section = {**more, **({"repository": repository} if repository else {})}
    return mistakes({"gitops": section}, secrets=secrets)


@pytest.mark.parametrize(
    ("repository", "secrets", "more"),
    [
        (None, (), {}),
        (HTTPS, (), {}),
        (HTTPS, (), {"handOver": True, "path": ".", "include": ["*.yaml"], "exclude": []}),
        (HTTPS, ("gitopsToken",), {"username": "x-token-auth"}),
        (HTTPS, ("gitopsAppKey",), APP),
        (SSH, ("gitopsDeployKey",), {}),
        ("ssh://git@example.org:2222/org/repo", ("gitopsDeployKey",), {}),
    ],
)
def test_a_public_repository_needs_nothing_and_a_private_one_one_credential(
    repository: str | None, secrets: tuple[str, ...], more: dict[str, Any]
) -> None:
    assert wrong(repository, *secrets, **more) == {}


RULES: list[tuple[str | None, tuple[str, ...], dict[str, Any], str, str]] = [
    (None, (), {"handOver": True}, "gitops.repository", "handing over needs a repository"),
    (SSH, (), {}, "gitops.repository", "nobody gets in without a deploy key"),
    (SSH, ("gitopsDeployKey", "gitopsToken"), {}, "gitopsToken", "a token works over https only"),
    (SSH, ("gitopsDeployKey",), APP, "gitops.githubApp", "a GitHub App works over https only"),
    (HTTPS, ("gitopsDeployKey",), {}, "gitopsDeployKey", "works over SSH only"),
    (HTTPS, (), APP, "gitopsAppKey", "needs this secret"),
    (HTTPS, ("gitopsAppKey", "gitopsToken"), APP, "gitopsToken", "gitopsAppKey is there already"),
    ("https://gitlab.com/o/r", ("gitopsAppKey",), APP, "gitops.githubApp", "does not get into gitlab.com"),
    (HTTPS, (), {"githubApp": {"appId": 0, "installationId": 1}}, "gitops.githubApp.appId", "too little"),
    (HTTPS, (), {"githubApp": {"appId": 1}}, "gitops.githubApp.installationId", "missing"),
    (HTTPS, (), {"path": "/applications"}, "gitops.path", "no folder of the repository"),
    (HTTPS, (), {"path": "a/../b"}, "gitops.path", "no folder of the repository"),
    (HTTPS, (), {"exclude": ["a,b"]}, "gitops.exclude[0]", "no pattern of files"),
    (HTTPS, (), {"include": ["{a}"]}, "gitops.include[0]", "no pattern of files"),
    (HTTPS, (), {"include": ["/a"]}, "gitops.include[0]", "no pattern of files"),
    (HTTPS, (), {"timeoutMinutes": 0}, "gitops.timeoutMinutes", "at least 1"),
    (HTTPS, (), {"username": "a:b"}, "gitops.username", "wrong form"),
    ("https://user:pass@example.org/r", (), {}, "gitops.repository", "user or a password"),
]


@pytest.mark.parametrize(("repository", "secrets", "more", "path", "problem"), RULES)
def test_what_cannot_work_is_refused(
    repository: str | None, secrets: tuple[str, ...], more: dict[str, Any], path: str, problem: str
) -> None:
    found = wrong(repository, *secrets, **more)
    assert path in found, found
    assert problem in str(found[path])


def test_nothing_is_handed_over_unless_somebody_says_so() -> None:
    gitops = settings.parse({**GOOD, "gitops": {"repository": HTTPS}}, "dev2").gitops
    assert not gitops.hand_over, "from then on Argo CD deletes what Git does not have"
    assert gitops.path == "applications_dev2"
    assert gitops.exclude == ["infrastructure/*", "infrastructure.yaml", "argocd.yaml"]


@pytest.mark.parametrize("key", KEYS)
def test_a_credential_that_nothing_uses_is_pointed_out(key: str) -> None:
    found = list(settings.warnings(settings.parse(GOOD, "sbx", {key}), {key}))
    assert any(one.path == key and "nothing uses it" in one.problem for one in found)


def test_a_token_in_the_clear_is_pointed_out() -> None:
    parsed = settings.parse({**GOOD, "gitops": {"repository": "http://git.example.org/r"}}, "sbx", {"gitopsToken"})
    assert any("read the token" in one.problem for one in settings.warnings(parsed, {"gitopsToken"}))
