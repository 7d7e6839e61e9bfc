"""Issue forms, pull-request template and CODEOWNERS example: their shape is what GitHub takes."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import pytest
import yaml

from ops import stackfiles

GITHUB = stackfiles.PROJECT / ".github"
FORMS = {file.stem: yaml.safe_load(file.read_text()) for file in sorted((GITHUB / "ISSUE_TEMPLATE").glob("[0-9]*.yml"))}
CATEGORIES = {
    "01-pr-sbx": "01 PR SBX",
    "02-pr-dev": "02 PR DEV",
    "03-pr-prod": "03 PR PROD",
    "04-new-environment": "04 New environment request",
    "13-devops-deployment": "13 DevOps Deployment",
}
ATTRIBUTES = {
    "markdown": {"value"},
    "input": {"label", "description", "placeholder", "value"},
    "textarea": {"label", "description", "placeholder", "value", "render"},
    "dropdown": {"label", "description", "options", "multiple", "default"},
    "checkboxes": {"label", "description", "options"},
}
"""https://docs.github.com/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-githubs-form-schema"""


def test_there_is_a_form_for_every_ticket_category() -> None:
    assert {stem: form["name"] for stem, form in FORMS.items()} == CATEGORIES


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_form_is_one_that_github_shows(form: dict[str, Any]) -> None:
    assert set(form) <= {"name", "description", "title", "labels", "assignees", "projects", "type", "body"}
    assert form["description"]
    assert form["labels"]
    assert any(part["type"] != "markdown" for part in form["body"]), "a form without a field is refused"
    ids = [part["id"] for part in form["body"] if "id" in part]
    labels = [part["attributes"]["label"] for part in form["body"] if part["type"] != "markdown"]
    assert len(ids) == len(set(ids))
    assert len(labels) == len(set(labels))
    for part in form["body"]:
        assert set(part) <= {"type", "id", "attributes", "validations"}
        assert set(part["attributes"]) <= ATTRIBUTES[part["type"]]
        assert set(part.get("validations", {})) <= {"required"}
        assert all(re.fullmatch(r"[A-Za-z0-9_-]+", one) for one in [part.get("id", "x")])
        if part["type"] == "dropdown":
            options = part["attributes"]["options"]
            assert all(isinstance(one, str) for one in options)
            assert len(options) == len(set(options))
        if part["type"] == "checkboxes":
            assert all(set(one) <= {"label", "required"} for one in part["attributes"]["options"])


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_nobody_is_invited_to_write_a_secret(form: dict[str, Any]) -> None:
    options = [one for part in form["body"] for one in part["attributes"].get("options", [])]
    assert any("No secret" in one["label"] for one in options if isinstance(one, dict))


def test_the_pull_request_template_names_every_environment() -> None:
    text = (GITHUB / "pull_request_template.md").read_text()
    for stack in ("sbx", "dev", "dev2", "prd"):
        assert f"- [ ] {stack}\n" in text
    assert "Ticket:" in text


def test_the_codeowners_example_names_files_that_exist() -> None:
    lines = (GITHUB / "CODEOWNERS.example").read_text().splitlines()
    rules = [line.split() for line in lines if line and not line.startswith("#")]
    for pattern, *owners in rules:
        assert owners
        assert all(re.fullmatch(r"@[\w-]+/[\w-]+", owner) for owner in owners)
        assert pattern == "*" or pathlib.Path(stackfiles.PROJECT / pattern.strip("/")).exists(), pattern
