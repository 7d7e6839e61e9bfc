"""`python -m ops preview-report`, on previews that the real engine printed (recorded/preview-*.json)."""

from __future__ import annotations

import collections
import json
import pathlib
import re
from collections.abc import Iterable
from typing import Any

import hypothesis
import pytest
import typer.testing
from hypothesis import strategies

from ops import __main__ as ops
from ops import preview, preview_markdown

RECORDED = pathlib.Path(__file__).parent / "recorded"
RUNNER = typer.testing.CliRunner()
KINDS = sorted(file.stem.removeprefix("preview-") for file in RECORDED.glob("preview-*.json"))


def recorded(kind: str) -> str:
    return (RECORDED / f"preview-{kind}.json").read_text()


def report(*arguments: str, **options: Any) -> typer.testing.Result:
    return RUNNER.invoke(ops.app, ["preview-report", *arguments], **options)


def markdown(kind: str) -> str:
    return report(f"lab={RECORDED}/preview-{kind}.json").stdout


def read(kind: str) -> preview.Preview:
    return preview.read("lab", recorded(kind))


def steps(*steps: dict[str, Any], **more: Any) -> str:
    return json.dumps({"steps": list(steps), "changeSummary": _summary(steps), **more})


def _summary(steps: Iterable[dict[str, Any]]) -> dict[str, int]:
    return dict(collections.Counter(one["op"] for one in steps))


def step(op: str, name: str = "x", chain: str = "kubernetes:core/v1:Secret", **more: Any) -> dict[str, Any]:
    return {"op": op, "urn": f"urn:pulumi:lab::p::{chain}::{name}", **more}


@pytest.mark.parametrize(
    ("kind", "outcome", "counts"),
    [
        ("create", "new", {"create": 56}),
        ("unchanged", "unchanged", {"same": 56}),
        ("update", "changes", {"same": 55, "update": 1}),
        ("replace-node-pool", "drastic", {"replace": 1, "same": 35, "update": 20}),
        ("replace-cluster", "drastic", {"replace": 5, "same": 32, "update": 19}),
        ("replace-provider", "drastic", {"replace": 1, "same": 55}),
        ("delete", "drastic", {"delete": 6, "same": 48, "update": 2}),
        ("drift", "changes", {"create": 1, "same": 55}),
        ("drift-changed", "changes", {"same": 79, "update": 1}),
        ("replace-release", "drastic", {"replace": 1, "same": 79}),
        ("failed-settings", "failed", {"same": 1}),
        ("failed-resource", "failed", {"same": 13}),
    ],
)
def test_what_the_engine_printed_is_understood(kind: str, outcome: str, counts: dict[str, int]) -> None:
    found = read(kind)
    assert (found.outcome, found.counts) == (outcome, counts)


def test_no_change_is_one_row_of_the_table() -> None:
    text = markdown("unchanged")
    assert "| `lab` | no change | 0 | 0 | 0 | 0 | 56 |" in text
    assert "warning" in text, "what settings warn of is worth reading at any time"
    assert "Replaced" not in text


def test_what_goes_away_stands_first_and_in_bold() -> None:
    text = markdown("delete")
    assert "| `lab` | **replaces or deletes** | 0 | 2 | 0 | **6** | 48 |" in text
    namespace = text.index("- **delete `external-dns` (`kubernetes:core/v1:Namespace`)**")
    assert text.index("**Replaced or deleted (6)**") < namespace < text.index("- **delete `dns-credentials")
    assert namespace < text.index("<details>"), "nobody may have to unfold it"
    assert text.index("<summary>2 to update</summary>") > namespace


@pytest.mark.parametrize(
    ("kind", "flag"),
    [
        (
            "replace-node-pool",
            "`cluster-default-pool` (`ionoscloud:k8s/nodePool:NodePool`)**, because of `id` ⚠️ **node pool",
        ),
        ("replace-cluster", "(`ionoscloud:compute/datacenter:Datacenter`)**, because of `location` ⚠️ **datacenter"),
        ("replace-cluster", "NodePool`)**, because something that it depends on is replaced ⚠️ **node pool"),
        ("replace-release", "**replace `argocd` (`kubernetes:helm.sh/v3:Release`)**, because of `id` ⚠️ **Helm release"),
        ("replace-provider", "**replace `cluster` (`pulumi:providers:kubernetes`)**, because of `id` ⚠️ **provider"),
        ("delete", "(`kubernetes:core/v1:Namespace`)** ⚠️ **namespace: everything in it goes"),
    ],
)
def test_what_does_harm_is_flagged(kind: str, flag: str) -> None:
    assert flag in markdown(kind)


def test_an_app_owners_namespace_is_told_from_the_platforms_own() -> None:
    ours = step("delete", chain="platform:cluster:Namespaces$kubernetes:core/v1:Namespace")
    theirs = step("delete", chain="platform:access:AppOwner$kubernetes:core/v1:Namespace")
    found = preview.read("lab", steps(ours, theirs)).changes
    assert [one.harm for one in found] == [
        "namespace: everything in it goes",
        "app owner's namespace: everything in it goes",
    ]


def test_an_object_that_somebody_changed_is_one_line() -> None:
    listed = [one["op"] for one in json.loads(recorded("drift-changed"))["steps"] if "Namespace" in one["urn"]]
    assert listed == ["refresh", "update"], "the engine lists it twice, or this tests nothing"
    text = markdown("drift-changed")
    assert text.count("(`kubernetes:core/v1:Namespace`)") == 1
    assert "- update `cert-manager` (`kubernetes:core/v1:Namespace`): `metadata.labels.purpose`" in text
    assert "somebodys" not in text, "never a value"


@pytest.mark.parametrize(
    ("listed", "op"),
    [
        (["refresh", "update"], "update"),
        (["update", "update"], "update"),
        (["update", "replace"], "replace"),
        (["create-replacement", "replace", "delete-replaced"], "replace"),
        (["delete", "create"], "replace"),
        (["update", "delete"], "delete"),
        (["import", "update"], "update"),
    ],
)
def test_a_resource_that_is_listed_twice_is_one_line_with_the_stronger_operation(listed: list[str], op: str) -> None:
    chain = "ionoscloud:k8s/nodePool:NodePool"
    for ops_of_it in (listed, listed[::-1]):
        found = preview.read("lab", steps(*(step(one, "pool", chain, diffReasons=[one]) for one in ops_of_it))).changes
        assert [(one.name, one.op) for one in found] == [("pool", op)]
        assert set(found[0].keys) == {one for one in ops_of_it if one != "refresh"}, "nothing of either is lost"
        assert bool(found[0].harm) == (op in ("replace", "delete"))
    two = preview.read("lab", steps(step("update", "a"), step("update", "b"))).changes
    assert [one.name for one in two] == ["a", "b"]


def test_an_update_is_no_alarm() -> None:
    found = preview.read("lab", steps(step("update", chain="ionoscloud:k8s/nodePool:NodePool")))
    assert found.changes[0].harm is None
    assert found.outcome == "changes"


def test_a_stack_that_was_never_up_is_said_to_be_new() -> None:
    text = markdown("create")
    assert "| `lab` | new, nothing exists yet | 56 |" in text
    assert "This stack was never up" in text
    assert "Replaced or deleted" not in text


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("failed-settings", "waitMinutes: 0 is too"),
        ("failed-resource", "cluster-default-pool: cores_count attribute is immutable"),
    ],
)
def test_a_failed_preview_says_so_with_its_diagnostics(kind: str, said: str) -> None:
    result = report(f"lab={RECORDED}/preview-{kind}.json")
    assert result.exit_code == 1, "CI has to notice"
    assert "| `lab` | **failed** |" in result.stdout
    assert "**The preview failed.**" in result.stdout
    assert said in result.stdout
    assert "non-zero exit code" not in result.stdout, "the program's own words say it better"
    assert result.stderr.startswith("error: lab: the preview failed: ")


def values(tree: Any) -> set[str]:
    """Every text among inputs and outputs that is long enough to be recognised."""
    if isinstance(tree, dict):
        return set().union(*map(values, tree.values()))
    if isinstance(tree, list):
        return set().union(*map(values, tree))
    return {tree} if isinstance(tree, str) and len(tree) > 5 else set()


@pytest.mark.parametrize("kind", ["update", "delete"])
def test_no_value_of_a_resource_or_setting_is_shown(kind: str) -> None:
    content = json.loads(recorded(kind))
    states = [one[state] for one in content["steps"] for state in ("oldState", "newState") if state in one]
    inputs = [state["inputs"] for state in states if "inputs" in state]
    found = values(inputs) | values(content["config"])
    assert len(found) > 20, "the recording holds values, or this tests nothing"
    text = report(f"lab={RECORDED}/preview-{kind}.json", "--json").stdout
    # Names of resources and words of the report may be values as well.
    allowed = {one for one in found if one in {"platform", "cert-manager", "external-dns", "ingress-nginx", "argocd"}}
    said = re.sub(r'"(message|warnings|errors)": \[[^\]]*\]|retired: since.*', "", text)
    shown = {one for one in found - allowed if f"`{one}`" in said or f'"{one}"' in said}
    assert not shown
    changes = json.loads(text)["stacks"][0]["changes"]
    beside = json.dumps([[one["keys"], one["reasons"]] for one in changes])
    words = {"service"}  # A value of one property, and a part of another one's name.
    assert not [one for one in found - allowed - words if one in beside], (
        "nor as a part of a property's path or of a reason"
    )


def test_secrets_in_messages_are_taken_out(tmp_path: pathlib.Path) -> None:
    urn = "urn:pulumi:lab::p::aws:iam/user:User::robot"
    error = {
        "severity": "error",
        "urn": urn,
        "message": "error: refused: plainword, password=hunter2 \x1b[31m<{%reset%}>",
    }
    (tmp_path / "lab.json").write_text(steps(diagnostics=[error]))
    result = report(str(tmp_path), "--json", env={"IONOS_TOKEN": "plainword"})
    for said in (result.stdout, result.stderr):
        assert "plainword" not in said
        assert "hunter2" not in said
    assert json.loads(result.stdout)["stacks"][0]["errors"] == ["robot: refused: [secret], password=[secret]"]


BAD = {
    "empty": ("", "it could not begin; the log of `pulumi preview --stack lab` says why"),
    "cut off": (
        recorded("update")[:5000],
        "it is cut off after 5000 characters: the preview did not end; run it again",
    ),
    "not JSON": ("Previewing update (lab):\n", "it is not JSON"),
    "a list": ("[]", "does not have the shape"),
    "another shape": ('{"plan": {}}', "Pulumi 3"),
    "steps of another kind": ('{"steps": {"create": 1}}', "does not have the shape"),
    "a step without urn": ('{"steps": [{"op": "create"}]}', "does not have the shape"),
    "a urn of another kind": ('{"steps": [{"op": "create", "urn": "x"}]}', "does not have the shape"),
    "interrupted": ('{"steps": [], "diagnostics": []}', "the preview did not end: run `pulumi preview --stack lab`"),
    "odd diagnostics": ('{"steps": [], "diagnostics": [{"text": "x"}]}', "does not have the shape"),
    "events": (
        '{"sequence": 0, "timestamp": 1}\n{"sequence": 1, "timestamp": 1}\n',
        "PULUMI_ENABLE_STREAMING_JSON_PREVIEW",
    ),
    "one event": ('{"sequence": 0}', "PULUMI_ENABLE_STREAMING_JSON_PREVIEW"),
    "another stack's": (recorded("update").replace("pulumi:lab::", "pulumi:dev::"), "it is a preview of stack dev"),
    "deep": ("[" * 100_000, "it is"),
}


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD)
def test_what_cannot_be_read_is_said_with_what_to_do(text: str, words: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "lab.json").write_text(text)
    result = report(str(tmp_path))
    assert result.exit_code == 1
    assert "| `lab` | **no preview** |" in result.stdout, "the comment must not stay the one of an earlier push"
    assert words in result.stdout
    assert words in result.stderr


def test_a_preview_that_could_not_begin_says_why(tmp_path: pathlib.Path) -> None:
    (tmp_path / "lab.json").write_text("")
    (tmp_path / "lab.err").write_text("error: getting stack configuration: passphrase must be set with PULUMI_CONFIG")
    assert "set PULUMI_CONFIG_PASSPHRASE_FILE" in report(str(tmp_path)).stdout
    (tmp_path / "lab.err").write_text("error: something new, token=hunter2")
    assert "something new, token=[secret]" in report(str(tmp_path)).stdout


def test_several_stacks_come_into_one_comment_in_the_order_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.json").write_text(recorded("unchanged").replace("pulumi:lab::", "pulumi:sbx::"))
    (tmp_path / "b.json").write_text(recorded("delete").replace("pulumi:lab::", "pulumi:dev::"))
    text = report(f"sbx={tmp_path}/a.json", f"dev={tmp_path}/b.json").stdout
    assert text.index("| `sbx` | no change") < text.index("| `dev` | **replaces")
    assert text.count(preview_markdown.marker("preview")) == 1


def test_the_marker_is_the_first_line_and_stays_the_same() -> None:
    assert markdown("update").splitlines()[0] == "<!-- gitops-platform:preview -->"
    other = report(f"lab={RECORDED}/preview-drift.json", "--marker", "drift", "--title", "Drift <b>*x*").stdout
    assert other.splitlines()[:2] == ["<!-- gitops-platform:drift -->", "## Drift \\<b\\>\\*x\\*"]


def test_stdin_is_a_preview_too() -> None:
    assert "| `lab` | changes |" in report("lab=-", input=recorded("update")).stdout


def test_json_says_the_same_for_programs() -> None:
    found = json.loads(report(f"lab={RECORDED}/preview-replace-provider.json", "--json").stdout)
    assert (found["ok"], found["cut"], found["marker"]) == (True, False, "<!-- gitops-platform:preview -->")
    stack = found["stacks"][0]
    assert (stack["stack"], stack["outcome"]) == ("lab", "drastic")
    assert stack["changes"][0]["type"] == "pulumi:providers:kubernetes"
    assert found["markdown"] + "\n" == markdown("replace-provider")


@pytest.mark.parametrize("kind", KINDS)
def test_reports_made_elsewhere_make_the_same_comment(kind: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "lab.json").write_text(report(f"lab={RECORDED}/preview-{kind}.json", "--json").stdout)
    again = report(str(tmp_path))
    assert again.stdout == markdown(kind), "so that a preview, with its values, need not leave the job that made it"
    assert again.exit_code == (1 if kind.startswith("failed") else 0)


def test_a_report_of_another_stack_or_shape_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "dev.json").write_text(report(f"lab={RECORDED}/preview-update.json", "--json").stdout)
    assert "it is a report without stack dev" in report(str(tmp_path)).stdout
    (tmp_path / "dev.json").write_text('{"stacks": [{"stack": "dev", "outcome": "new"}]}')
    assert "does not have the shape" in report(str(tmp_path)).stdout


def test_nothing_to_preview_is_said() -> None:
    result = report()
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "<!-- gitops-platform:preview -->")
    assert "No stack is concerned." in result.stdout, "or the comment would stay the one of an earlier push"


@pytest.mark.parametrize(("kind", "code"), [("unchanged", 0), ("drift", 3), ("delete", 3), ("failed-settings", 1)])
def test_drift_is_an_exit_code(kind: str, code: int) -> None:
    assert report(f"lab={RECORDED}/preview-{kind}.json", "--expect-no-changes").exit_code == code


def test_nothing_is_written_over_without_force(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "comment.md"
    argument = f"lab={RECORDED}/preview-update.json"
    assert report(argument, "--output", str(file)).exit_code == 0
    assert file.read_text().startswith("<!-- gitops-platform:preview -->")
    file.write_text("mine")
    refused = report(argument, "--output", str(file))
    assert (refused.exit_code, file.read_text()) == (2, "mine")
    assert "add --force" in refused.stderr
    assert report(argument, "--output", str(file), "--force").exit_code == 0
    assert file.read_text() != "mine"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lab=nowhere.json"], "nowhere.json is not there"),
        (["lab="], "names no file"),
        (["lab=."], "is a folder"),
        (["nowhere"], "nowhere is no folder with <stack>.json files"),
        (["../x=-"], "is no name of a stack"),
        (["a=-", "a=-"], "stack a is named twice"),
        (["a=-", "--marker", "-->"], "is no name"),
        (["a=-", "--output", "no/such/folder/x.md"], "cannot be written"),
    ],
)
def test_wrong_usage_is_said_in_one_line(
    arguments: list[str], words: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = report(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def huge(others: int, drastic: int, message: str = "") -> preview.Preview:
    many = [step("update", f"resource-{number}", detailedDiff={f"spec.key{number}": {}}) for number in range(others)]
    many += [step("delete", f"gone-{number}") for number in range(drastic)]
    return preview.read("lab", steps(*many, diagnostics=[{"severity": "error", "message": message}] if message else []))


@pytest.mark.parametrize(
    "one", [huge(5000, 3), huge(10, 5000), huge(5000, 5000, "x y\n" * 100_000), huge(0, 0, "`" * 200_000)]
)
def test_a_comment_is_never_longer_than_github_takes_and_says_what_is_cut(one: preview.Preview) -> None:
    comment = preview_markdown.render([one], "t", "<!-- m -->")
    assert len(comment.text) <= preview_markdown.LIMIT
    assert comment.cut
    assert "cut" in comment.text
    assert comment.text.count("<details>") == comment.text.count("</details>")
    assert "| `lab` |" in comment.text


def test_what_goes_away_is_cut_last() -> None:
    text = preview_markdown.render([huge(5000, 100)], "t", "<!-- m -->").text
    assert all(f"`gone-{number}`" in text for number in range(100))
    assert "more are cut, a comment has at most 65,536 characters: see* `pulumi preview --stack lab`" in text


def test_hundreds_of_stacks_still_fit() -> None:
    many = [preview.read("lab", recorded("unchanged"))] * 2000
    comment = preview_markdown.render(many, "t", "<!-- m -->")
    assert len(comment.text) <= preview_markdown.LIMIT
    assert comment.text.rstrip().endswith("characters.*")


@hypothesis.given(strategies.text(min_size=1, max_size=300), strategies.sampled_from(["create", "delete"]))
def test_no_name_gets_out_of_its_code(name: str, op: str) -> None:
    line = preview_markdown.render([preview.read("lab", steps(step(op, name)))], "t", "<!-- m -->").text
    shown = preview_markdown.code(name)
    assert shown in line
    assert "\n" not in shown
    fence = re.match(r"`+", shown)[0]
    inner = shown[len(fence) : -len(fence)]
    assert not re.search(rf"(?<!`){fence}(?!`)", inner), "code ends where it should"


@hypothesis.given(strategies.text(max_size=2000))
def test_no_message_gets_out_of_its_block(message: str) -> None:
    lines = preview_markdown.block(message)
    fence = lines[0].removesuffix("text")
    assert not any(line.strip().startswith(fence) for line in lines[1:-1])


@hypothesis.given(
    strategies.recursive(
        strategies.none() | strategies.text() | strategies.integers(),
        lambda inner: (
            strategies.lists(inner, max_size=3)
            | strategies.dictionaries(
                strategies.sampled_from(["steps", "op", "urn", "diagnostics", "message", "severity", "changeSummary"]),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_reading_never_raises(content: Any) -> None:
    assert preview.read("lab", json.dumps(content)).outcome


def test_every_recording_is_of_use() -> None:
    here = pathlib.Path(__file__).read_text()
    assert [kind for kind in KINDS if f'"{kind}"' not in here] == []
    for kind in KINDS:
        assert not re.search(r"/(root|home|work|tmp)/", recorded(kind)), "no path of the machine it was recorded on"
