"""Sections `gitops` and `charts`: the repository that Argo CD deploys from, and where charts come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated
from urllib import parse as urls

import pydantic

from settings import addresses, base, checks, errors

CREDENTIALS = ("gitopsAppKey", "gitopsDeployKey", "gitopsToken")
"""Secret keys of which a private repository needs one."""

PROGRAMS_OWN = ["infrastructure/*", "infrastructure.yaml", "argocd.yaml"]

Glob = Annotated[str, pydantic.AfterValidator(checks.file_glob)]


class GithubApp(base.Section):
    """A GitHub App that may read the repository. Its private key is the secret key `gitopsAppKey`."""

    app_id: int = base.field(says="Its id.", example=123456, ge=1)
    installation_id: int = base.field(says="The id of its installation.", example=12345678, ge=1)


class Gitops(base.Section):
    """The Git repository that describes what runs in the environment."""

    repository: Annotated[str, pydantic.AfterValidator(addresses.repository)] | None = base.field(
        None, says="Its URL, without credentials.", example="https://github.com/DOME-Marketplace/dome-gitops"
    )
    revision: str = base.field(
        "main", says="Branch, tag or commit.", example="main", pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$"
    )
    hand_over: bool = base.field(
        False, says="Argo CD applies the folder `path`, and removes what is deleted in it.", example=True
    )
    path: Annotated[str, pydantic.AfterValidator(checks.repository_folder)] = base.field(
        "", says="The folder of Applications.", example="applications_sbx", derived="applications_<environment>"
    )
    include: list[Glob] = base.field(
        [], says="Only these files below `path`; empty: all. `*` stands for `/` too.", example=["marketplace/*"]
    )
    exclude: list[Glob] = base.field(
        PROGRAMS_OWN,
        says="Not these files below `path`; by default what this program makes itself. `*` stands for `/` too.",
        example=["infrastructure/*"],
    )
    wait_healthy: bool = base.field(
        True, says="`up` waits until everything in the folder is healthy, not only applied.", example=False
    )
    timeout_minutes: int = base.field(30, says="How long that may take, or the removal.", example=30, ge=1, le=240)
    github_app: GithubApp | None = base.field(
        None, says="Access by a GitHub App.", example={"appId": 123456, "installationId": 12345678}
    )
    username: str = base.field(
        "git", says="User that goes with the secret `gitopsToken`.", example="git", pattern=r"^[^\s:]{1,100}$"
    )

    @property
    def is_ssh(self) -> bool:
        """Whether the repository is reached by SSH."""
        return self.repository is not None and not self.repository.startswith(("https://", "http://"))


class Charts(base.Section):
    """Where Helm charts come from."""

    mirror: Annotated[str, pydantic.AfterValidator(addresses.charts)] | None = base.field(
        None,
        says="A chart repository (oci:// for a registry) that has every chart, instead of the projects' own ones.",
        example="https://charts.example.org",
    )


def rules(gitops: Gitops, secrets: set[str]) -> Iterator[errors.Mistake]:
    """What is wrong between several keys of the section, or with the repository's credentials."""
    given = [key for key in CREDENTIALS if key in secrets]
    if gitops.repository is None:
        if gitops.hand_over:
            fix = "write the repository's URL, or gitops.handOver: false"
            yield errors.Mistake("gitops.repository", "handing over needs a repository", fix, ("gitops.handOver",))
        return
    for key in given[1:]:
        problem = f"{given[0]} is there already, and a repository has one credential"
        yield errors.Mistake(key, problem, f"run `pulumi config rm {key}`, or `pulumi config rm {given[0]}`")
    if gitops.is_ssh:
        yield from _over_ssh(gitops, given)
    else:
        yield from _over_http(gitops, gitops.repository, given)


def _over_ssh(gitops: Gitops, given: list[str]) -> Iterator[errors.Mistake]:
    if "gitopsDeployKey" not in given:
        fix = "run `pulumi config set --secret gitopsDeployKey < key`, or write its https URL"
        yield errors.Mistake("gitops.repository", "over SSH nobody gets in without a deploy key", fix)
    fix = "write the repository's https URL, or remove this"
    if gitops.github_app:
        yield errors.Mistake("gitops.githubApp", "a GitHub App works over https only", fix, ("gitops.repository",))
    if "gitopsToken" in given:
        yield errors.Mistake("gitopsToken", "a token works over https only", fix, ("gitops.repository",))


def _over_http(gitops: Gitops, repository: str, given: list[str]) -> Iterator[errors.Mistake]:
    if "gitopsDeployKey" in given:
        fix = "write the URL as git@host:path, or run `pulumi config rm gitopsDeployKey`"
        yield errors.Mistake("gitopsDeployKey", "a deploy key works over SSH only", fix, ("gitops.repository",))
    if gitops.github_app is None:
        return
    host = urls.urlsplit(repository).hostname
    if host != "github.com":
        fix = "use gitopsToken or a deploy key there"
        problem = f"a GitHub App does not get into {host}"
        yield errors.Mistake("gitops.githubApp", problem, fix, ("gitops.repository",))
    if "gitopsAppKey" not in given:
        fix = "run `pulumi config set --secret gitopsAppKey < private-key.pem`"
        yield errors.Mistake("gitopsAppKey", "gitops.githubApp needs this secret", fix)


def warnings(gitops: Gitops, secrets: set[str]) -> Iterator[errors.Mistake]:
    """What works, but is probably not meant."""
    if "gitopsToken" in secrets and (gitops.repository or "").startswith("http://"):
        problem = "everybody on the way can read the token"
        yield errors.Mistake("gitops.repository", problem, "write its https URL")


def unused(gitops: Gitops) -> dict[str, bool]:
    """Secret key -> whether nothing uses it."""
    return {
        "gitopsAppKey": gitops.github_app is None,
        "gitopsDeployKey": gitops.repository is None,
        "gitopsToken": gitops.repository is None,
    }
