"""A preview that was interrupted or failed prints JSON all the same: stderr and the exit code tell."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import hypothesis
import pytest
import typer.testing
from hypothesis import strategies

from ops import __main__ as ops
from ops import preview, preview_markdown, preview_report, preview_text

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


NOTICE = "warning: A new version of Pulumi is available. To upgrade from version '3.1.0' to '3.2.0', run \n   curl\n"


@pytest.mark.parametrize(
    "around",
    [
        "{}\n" + NOTICE,
        "[warn] wrapper\n{}",
        "[]\n{}",
        '{{"level": "info", "msg": "wrapper"}}\n{}',
        "Previewing update (lab):\n\n  {}",
        "\ufeff{}",
        "$ pulumi preview --json\n{}\nnote: [1/2] {{done}}\n",
    ],
)
def test_a_preview_is_found_among_what_stands_around_it(around: str) -> None:
    whole = json.dumps(WHOLE, indent=4)
    for text in (around.format(whole), around.format(whole).replace("\n", "\r\n")):
        read = preview.read("lab", text, code="0")
        assert (read.outcome, read.counts, read.warnings) == ("unchanged", {"same": 1}, ())


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_may_have_a_mark_of_its_encoding(encoding: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "lab.json").write_bytes(json.dumps(WHOLE).encode(encoding))
    (tmp_path / "lab.code").write_bytes("255\r\n".encode(encoding))
    found = typer.testing.CliRunner().invoke(ops.app, ["preview-report", str(tmp_path)])
    assert "ended with exit code 255" in found.stderr


def test_an_error_that_stands_behind_the_preview_is_one() -> None:
    read = preview.read("lab", json.dumps(WHOLE) + "\nerror: preview canceled, password=hunter2\n")
    assert (read.outcome, read.errors) == ("failed", ("preview canceled, password=[secret]",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        # What Pulumi 3.259 prints with the hidden --output json.
        ('{"result":"succeeded","duration":5,"summary":{"same":3},"resources":[]}\n', "run `pulumi preview --json`"),
        (json.dumps(WHOLE) + "\n" + json.dumps(WHOLE), "it holds 2 previews"),
        ('{"steps": [],\nwarning: something\n"diagnostics": []}\n', "line 2 is no JSON: hand over"),
        ('{"steps": [{"op": "sam', "cut off after 22 characters"),
        ('{"steps": [tru', "cut off after 14 characters"),
        ('{"steps": ' + "9" * 5000 + "}", "a number that no preview has"),
    ],
)
def test_what_else_it_is_says_what_to_do(text: str, words: str) -> None:
    read = preview.read("lab", text)
    assert read.outcome == "unreadable"
    assert words in str(read.problem)


def test_without_its_exit_code_it_says_that_a_policys_refusal_would_not_be_seen(tmp_path: pathlib.Path) -> None:
    """Pulumi's JSON of a preview that a mandatory policy refused is, but for nothing, that of one that went well."""
    assert ["exit code is not known" in one for one in preview.read("lab", json.dumps(WHOLE)).warnings] == [True]
    assert preview.read("lab", json.dumps(WHOLE), code="0").warnings == ()
    assert preview.read("lab", json.dumps(WHOLE), code="255").outcome == "failed"


def anything() -> strategies.SearchStrategy[Any]:
    leaf = strategies.none() | strategies.booleans() | strategies.floats() | strategies.integers()
    names = strategies.sampled_from(["stacks", "steps", "op", "urn", "\ud83d", "result", "outcome", "changeSummary"])
    text = strategies.text(max_size=4) | names
    return strategies.recursive(
        leaf | text,
        lambda inner: strategies.lists(inner, max_size=3) | strategies.dictionaries(text, inner, max_size=3),
        max_leaves=6,
    )


RECORDED = pathlib.Path(__file__).parent / "recorded"
SMALL = [
    (RECORDED / f"preview-{kind}.json").read_text() for kind in ("failed-resource", "failed-settings", "drift-changed")
]
REPORTED = json.dumps(
    preview_report.report(
        [preview.read("lab", text) for text in SMALL], preview_markdown.Comment("text", False), "preview"
    )
)


@hypothesis.settings(deadline=None, max_examples=60, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(strategies.data())
def test_whatever_is_handed_over_the_answer_is_a_message(data: strategies.DataObject) -> None:
    """Recorded previews and a report with parts exchanged, cut, mixed with other bytes; and bytes alone."""
    text = data.draw(strategies.sampled_from([*SMALL, REPORTED]))
    how = data.draw(strategies.sampled_from(["exchanged", "cut", "mixed", "bytes"]))
    if how == "exchanged":
        tree = json.loads(text)
        for _ in range(data.draw(strategies.integers(1, 3))):
            exchange(tree, data)
        content = json.dumps(tree).encode()
    elif how == "bytes":
        content = data.draw(strategies.binary(max_size=200))
    else:
        at = data.draw(strategies.integers(0, len(text)))
        rest = text[at:].encode() if how == "mixed" else b""
        content = text[:at].encode() + data.draw(strategies.binary(max_size=20)) + rest
    read = preview.read("lab", preview_text.decoded(content))
    comment = preview_markdown.render([read], "t", "<!-- m -->")
    json.dumps(preview_report.report([read], comment, "preview"))
    assert read.outcome != "unreadable" or ": " in str(read.problem), "what it is, and what to do"
    comment.text.encode()


def exchange(tree: Any, data: strategies.DataObject) -> None:
    """One part of a tree for anything else, or away."""
    while isinstance(tree, dict | list) and tree:
        key = data.draw(strategies.sampled_from(list(tree) if isinstance(tree, dict) else list(range(len(tree)))))
        inner = tree[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(strategies.integers(0, 3)) == 0:
            if isinstance(tree, dict) and data.draw(strategies.booleans()):
                del tree[key]
            else:
                tree[key] = data.draw(anything())
            return
        tree = inner
