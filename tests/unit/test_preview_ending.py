"""A preview that was interrupted or failed prints JSON all the same: stderr and the exit code tell."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest
import typer.testing

from ops import __main__ as ops
from ops import preview, preview_markdown

URN = "urn:pulumi:lab::p::kubernetes:core/v1:Secret::x"
SAME = {"op": "same", "urn": URN}
WHOLE = {"steps": [SAME], "changeSummary": {"same": 1}}
ERROR = {"severity": "error", "message": "error: own words"}


@pytest.mark.parametrize(
    ("found", "said", "code", "outcome", "words"),
    [
        (WHOLE, "", None, "unchanged", ""),
        (WHOLE, "warning: a new version of Pulumi is available", "0\n", "unchanged", ""),
        (WHOLE, "", "255\n", "failed", "ended with exit code 255"),
        (WHOLE, "what happened", "1", "failed", "ended with exit code 1: what happened"),
        (WHOLE, "", "", "failed", "ended with exit code unknown"),
        (WHOLE, "error: preview canceled", None, "failed", "preview canceled"),
        ({"steps": [SAME]}, "error: preview canceled", None, "failed", "preview canceled"),
        ({"steps": [SAME]}, "", None, "unreadable", "the preview did not end"),
        ({"steps": [SAME]}, "", "0", "unreadable", "the preview did not end"),
        ({"steps": [SAME]}, "killed, token=hunter2", None, "unreadable", "did not end: killed, token=[secret]"),
        ({"config": {}, "duration": 1}, "could not load plugin", None, "unreadable", "could not load plugin"),
        ({"config": {}, "duration": 1}, "error: could not load plugin", None, "failed", "could not load plugin"),
        ({"config": {}}, "error: a\nerror: password=hunter2", None, "failed", "password=[secret]"),
        ({"steps": [SAME], "diagnostics": [ERROR]}, "error: other words", "255", "failed", "own words"),
    ],
)
def test_how_it_ended(found: dict[str, Any], said: str, code: str | None, outcome: str, words: str) -> None:
    read = preview.read("lab", json.dumps(found), said, code=code)
    assert read.outcome == outcome
    told = "\n".join([*read.errors, read.problem or ""])
    assert words in told
    assert "hunter2" not in told


def test_a_failed_preview_without_a_summary_counts_what_it_came_to() -> None:
    found = {"steps": [SAME, {**SAME, "op": "create-replacement"}, {**SAME, "op": "import"}], "diagnostics": [ERROR]}
    assert preview.read("lab", json.dumps(found)).counts == {"same": 1, "replace": 1, "import": 1}


def test_the_exit_code_stands_beside_the_preview(tmp_path: pathlib.Path) -> None:
    (tmp_path / "lab.json").write_text(json.dumps(WHOLE))
    run = lambda: typer.testing.CliRunner().invoke(ops.app, ["preview-report", str(tmp_path), "--expect-no-changes"])  # noqa: E731
    assert run().exit_code == 0
    (tmp_path / "lab.code").write_text("255\n")
    assert run().exit_code == 1, "drift must not close its issue over this"


def test_environments_stand_in_the_order_of_their_deployment(tmp_path: pathlib.Path) -> None:
    for stack in ("aaa", "dev", "dev2", "prd", "sbx"):
        (tmp_path / f"{stack}.json").write_text(json.dumps(WHOLE).replace(":lab:", f":{stack}:"))
    found = typer.testing.CliRunner().invoke(ops.app, ["preview-report", str(tmp_path), "--json"])
    assert [one["stack"] for one in json.loads(found.stdout)["stacks"]] == ["sbx", "dev", "dev2", "prd", "aaa"]


def test_owners_who_come_and_go_are_named_before_anything_is_folded_up() -> None:
    owner = lambda op, name: {"op": op, "urn": f"urn:pulumi:lab::p::platform:access:AppOwner::{name}"}  # noqa: E731
    steps = [owner("create", "til"), owner("delete", "in2"), owner("same", "stays")]
    read = preview.read("lab", json.dumps({"steps": steps, "changeSummary": {"create": 1, "delete": 1, "same": 1}}))
    text = preview_markdown.render([read], "t", "<!-- m -->").text
    assert "**App owners added:** `til`\n" in text
    assert "**App owners removed:** `in2`\n" in text
    assert text.index("**App owners added") < text.index("<details>")
    assert "stays" not in text
