"""Sections `gitops` and `charts`: the repository that Argo CD deploys from, and where charts come from."""

from __future__ import annotations

from typing import Annotated

import pydantic

from settings import base, checks


class Gitops(base.Section):
    """The Git repository that describes what runs in the environment."""

    repository: Annotated[str, pydantic.AfterValidator(checks.repository)] | None = base.field(
        None, says="Its URL, without credentials.", example="https://github.com/DOME-Marketplace/dome-gitops"
    )
    revision: str = base.field(
        "main", says="Branch, tag or commit.", example="main", pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$"
    )


class Charts(base.Section):
    """Where Helm charts come from."""

    mirror: Annotated[str, pydantic.AfterValidator(checks.web_address)] | None = base.field(
        None,
        says="A chart repository that has every chart, instead of the projects' own ones.",
        example="https://charts.example.org",
    )
