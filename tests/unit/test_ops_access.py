"""`python -m ops access`: files, refusals, and a revocation that is interrupted anywhere. The API server is a fake."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import stat
import subprocess
import sys
import time
from typing import Any

import owners_cluster
import pytest
import yaml
from owners_cluster import ACCOUNT, NAMESPACE, NOW, OUTPUTS, PULUMI, TOKEN, Cluster, Killed, run

from ops import access_issue, access_owner, access_revoke, access_table, kubectl, stackfiles
from ops.access_owner import Issue, Record


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> Cluster:
    return owners_cluster.start(monkeypatch, tmp_path)


COMMANDS = [["issue", "dev", "til"], ["list", "dev"], ["check", "dev", "til"], ["revoke", "dev", "til", "--yes"]]


def record(cluster: Cluster) -> Record:
    return access_owner.record(cluster.objects[NAMESPACE])


# Issue


def test_a_kubeconfig_is_written_for_its_owner_only(cluster: Cluster) -> None:
    before = os.umask(0)
    try:
        done = run("issue", "dev", "til", "--ttl", "1h30m")
    finally:
        os.umask(before)
    assert (done.exit_code, done.stdout) == (
        0,
        "kubeconfig-til-dev.yaml: valid until 2026-01-02 04:34 UTC, context til-dev\n",
    )
    file = pathlib.Path("kubeconfig-til-dev.yaml")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    config = yaml.safe_load(file.read_text())
    assert config["users"] == [{"name": "til-user-dev", "user": {"token": TOKEN}}]
    assert config["contexts"][0]["context"]["namespace"] == "til"
    assert record(cluster).issued == (Issue(NOW, NOW + datetime.timedelta(minutes=90)),)
    assert TOKEN not in json.dumps(cluster.objects), "the record holds no token"
    assert os.listdir() == [file.name], "nothing else is left"


def test_a_file_that_exists_is_kept_unless_forced(cluster: Cluster) -> None:
    file = pathlib.Path("mine.yaml")
    file.write_text("mine")
    refused = run("issue", "dev", "til", "--output", "mine.yaml")
    assert (refused.exit_code, file.read_text(), record(cluster).issued) == (1, "mine", ())
    assert "--force" in refused.stderr
    file.chmod(0o644)
    assert run("issue", "dev", "til", "--output", "mine.yaml", "--force").exit_code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert TOKEN in file.read_text()


def test_a_file_that_appears_meanwhile_is_kept(cluster: Cluster) -> None:
    cluster.before_patch = lambda: pathlib.Path("mine.yaml").write_text("mine")
    assert run("issue", "dev", "til", "--output", "mine.yaml").exit_code == 1
    assert pathlib.Path("mine.yaml").read_text() == "mine"
    assert os.listdir() == ["mine.yaml"]


KUBECTL = """#!/bin/sh
case "$*" in
  *patch*) touch began; exec sleep 600;;
  *token*) echo '{"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"},
                  "status": {"token": "canary", "expirationTimestamp": "2026-02-01T00:00:00Z"}}';;
  *) echo '{"metadata": {"name": "til", "resourceVersion": "1"}}';;
esac
"""


def test_a_command_that_is_ended_leaves_no_token_behind(tmp_path: pathlib.Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "out").mkdir()
    program = tmp_path / "bin" / "kubectl"
    program.write_text(KUBECTL)
    program.chmod(0o755)
    (tmp_path / "outputs.json").write_text(json.dumps(OUTPUTS))
    outputs, file = str(tmp_path / "outputs.json"), str(tmp_path / "out" / "kubeconfig-til-dev.yaml")
    arguments = ("access", "issue", "dev", "til", "--outputs", outputs, "--output", file)
    command = [sys.executable, "-m", "ops", *arguments]
    environment = {**os.environ, "PATH": f"{tmp_path}/bin:/usr/bin:/bin", "PYTHONPATH": str(stackfiles.PROJECT)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as process:
        try:
            end = time.monotonic() + 60
            while not (tmp_path / "began").exists() and process.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
            assert list((tmp_path / "out").iterdir()), "or this tests nothing"
            process.terminate()
            assert process.wait(30) == 143
        finally:
            process.kill()
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("kind", ["folder", "link", "nowhere/x.yaml"])
def test_only_plain_files_are_written(cluster: Cluster, kind: str) -> None:
    pathlib.Path("target").write_text("target")
    pathlib.Path("folder").mkdir()
    pathlib.Path("link").symlink_to("target")
    refused = run("issue", "dev", "til", "--output", kind, "--force")
    assert (refused.exit_code, cluster.writes) == (1, 0)
    assert refused.stderr.startswith("error: ")
    assert pathlib.Path("target").read_text() == "target", "a link is not followed"


def test_a_token_that_the_server_shortens_is_refused(cluster: Cluster) -> None:
    cluster.limit = 86_400
    refused = run("issue", "dev", "til")
    assert (refused.exit_code, os.listdir(), cluster.writes) == (1, [], 0)
    assert "gives tokens for 24h at most" in refused.stderr


@pytest.mark.parametrize("ttl", ["5m", "599s", "720", "", "h", "-1h", "1w", "9999999h"])
def test_a_ttl_that_cannot_be_is_wrong_usage(cluster: Cluster, ttl: str) -> None:
    refused = run("issue", "dev", "til", "--ttl", ttl)
    assert (refused.exit_code, cluster.writes) == (2, 0)
    assert f"--ttl {ttl}" in refused.stderr


def test_durations_are_read() -> None:
    assert [access_issue.duration(text) for text in ("600s", "10m", "720h", "30d", "1h30m")] == [
        600, 600, 2_592_000, 2_592_000, 5_400,
    ]  # fmt: skip


def test_an_unknown_namespace_names_the_known_ones(cluster: Cluster) -> None:
    for command in ("issue", "check"):
        refused = run(command, "dev", "nope")
        assert (refused.exit_code, "there are: in2, til" in refused.stderr) == (2, True)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_stack_that_is_not_up_is_said(cluster: Cluster, command: list[str]) -> None:
    refused = run(*command, outputs={})
    assert (refused.exit_code, refused.stderr) == (2, "error: stack dev is not up: run `pulumi up` first\n")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"kubeconfig": "canary', "is no JSON, or is cut off"),
        ("", "is no JSON, or is cut off"),
        ('["canary"]', "is no JSON object"),
        ('{"kubeconfig": "[secret]"}', "the secrets of stdin are hidden"),
        ('{"kubeconfig": "canary", "appOwners": {"til": {"organization": "TIL"}}}', "`pulumi up` renews it"),
        ('{"kubeconfig": "canary", "appOwners": ["til"]}', "`pulumi up` renews it"),
    ],
)
def test_outputs_that_are_none_are_said_in_a_sentence(
    cluster: Cluster, command: list[str], text: str, said: str
) -> None:
    refused = run(*command, outputs=text)
    assert (refused.exit_code, refused.stdout, cluster.writes) == (2, "", 0)
    assert refused.stderr.startswith("error: ")
    assert said in refused.stderr


def test_a_cluster_that_does_not_answer_is_said(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise kubectl.ClusterError("connection refused")

    monkeypatch.setattr(cluster, "get", refuse)
    refused = run("issue", "dev", "til")
    assert (refused.exit_code, os.listdir()) == (2, [])
    assert "the cluster of stack dev cannot be asked: connection refused" in refused.stderr


def test_a_revocation_that_comes_in_between_wins(cluster: Cluster) -> None:
    def revoke() -> None:
        cluster.before_patch = None
        assert run("revoke", "dev", "til", "--yes").exit_code == 0

    cluster.before_patch = revoke
    refused = run("issue", "dev", "til")
    assert (refused.exit_code, os.listdir()) == (1, [])
    assert record(cluster).revoked


def test_two_issues_at_once_are_both_remembered(cluster: Cluster) -> None:
    def other() -> None:
        cluster.before_patch = None
        assert run("issue", "dev", "til", "--output", "other").exit_code == 0

    cluster.before_patch = other
    assert run("issue", "dev", "til", "--output", "one").exit_code == 0
    assert len(record(cluster).issued) == 2


def test_the_record_is_bounded_and_keeps_what_is_valid_longest() -> None:
    record = Record()
    for days in [*range(1, 40), 1000, *range(1, 40)]:
        record = record.with_issue(Issue(NOW, NOW + datetime.timedelta(days=days)))
    assert len(record.issued) == access_owner.KEPT
    assert record.issued[-1].until == NOW + datetime.timedelta(days=1000)
    assert len(json.dumps(record.annotations())) < 4_000


def test_giving_access_back_does_not_undo_a_revocation_of_that_moment(cluster: Cluster) -> None:
    assert run("revoke", "dev", "til", "--yes").exit_code == 0
    age = Record(revoked=NOW).annotations()[access_owner.REVOKED]
    cluster.objects[NAMESPACE]["metadata"]["annotations"][access_owner.REVOKED] = age

    def revoke() -> None:
        cluster.before_patch = None
        assert run("revoke", "dev", "til", "--yes").exit_code == 0

    cluster.before_patch = revoke
    refused = run("issue", "dev", "til", "--restore")
    assert (refused.exit_code, os.listdir()) == (1, [])
    assert "was revoked in this moment" in refused.stderr
    assert record(cluster).revoked


def test_a_file_never_holds_the_token_of_a_replaced_account(cluster: Cluster) -> None:
    def revoke_and_restore() -> None:
        cluster.before_patch = None
        assert run("revoke", "dev", "til", "--yes").exit_code == 0
        assert run("issue", "dev", "til", "--output", "other", "--restore").exit_code == 0

    cluster.before_patch = revoke_and_restore
    assert run("issue", "dev", "til", "--output", "one").exit_code == 0
    tokens = [yaml.safe_load(pathlib.Path(file).read_text())["users"][0]["user"]["token"] for file in ("one", "other")]
    assert tokens[0] == tokens[1] != TOKEN, "both are of the account that is there now"


# Revoke


def test_a_namespace_that_others_change_meanwhile_is_revoked_all_the_same(cluster: Cluster) -> None:
    touched: list[str] = []

    def touch() -> None:
        if len(touched) < 2:
            touched.append("once more")
            cluster._put(NAMESPACE, cluster.objects[NAMESPACE])

    cluster.before_patch = touch
    assert run("revoke", "dev", "til", "--yes").exit_code == 0
    assert record(cluster).revoked
    assert record(cluster).replacing is None
    cluster.before_patch = lambda: cluster._put(NAMESPACE, cluster.objects[NAMESPACE])
    refused = run("revoke", "dev", "til", "--yes")
    assert refused.exit_code == 1
    assert "changed by somebody else all the time" in refused.stderr


def test_revoking_lasts_until_it_is_restored(cluster: Cluster) -> None:
    assert run("issue", "dev", "til", "--output", "a").exit_code == 0
    before = cluster.objects[ACCOUNT]["metadata"]
    assert run("revoke", "dev", "til", "--yes").exit_code == 0
    after = cluster.objects[ACCOUNT]
    assert after["metadata"]["uid"] != before["uid"], "bound tokens die with the uid"
    assert after["metadata"]["labels"] == before["labels"]
    assert after["metadata"]["managedFields"] == PULUMI, "the next `pulumi up` must see no other manager"
    assert after["automount"] is False
    assert (record(cluster).issued, record(cluster).replacing) == ((), None)
    refused = run("issue", "dev", "til", "--output", "b")
    assert (refused.exit_code, pathlib.Path("b").exists()) == (1, False)
    assert "`python -m ops access issue dev til --restore`" in refused.stderr
    assert run("issue", "dev", "til", "--output", "b", "--restore").exit_code == 0
    assert record(cluster).revoked is None


@pytest.mark.parametrize("steps", range(5))
def test_a_revocation_killed_anywhere_is_seen_and_finished(cluster: Cluster, steps: int) -> None:
    owner = access_owner.environment("dev", OUTPUTS).owner("til")
    cluster.kill_after = steps
    with pytest.raises(Killed):
        access_revoke.revoke(cluster, owner, lambda _: None)  # type: ignore[arg-type]
    cluster.kill_after = -1
    listed = run("list", "dev")
    if steps:
        assert listed.exit_code == 1
        assert "a revocation was interrupted: `python -m ops access revoke dev til` finishes it" in listed.stderr
        refused = run("issue", "dev", "til", "--restore")
        assert (refused.exit_code, "was interrupted" in refused.stderr) == (1, True)
    assert run("revoke", "dev", "til", "--yes").exit_code == 0
    account = cluster.objects[ACCOUNT]["metadata"]
    assert account["uid"] != "first-til"
    assert account["managedFields"] == PULUMI
    assert record(cluster).replacing is None
    assert run("list", "dev").exit_code == 0


def test_nothing_is_revoked_without_a_yes(cluster: Cluster) -> None:
    refused = run("revoke", "dev", "til")
    assert (refused.exit_code, cluster.writes) == (2, 0)
    assert "add --yes" in refused.stderr


def test_a_permanent_token_in_the_outputs_is_spoken_of(cluster: Cluster) -> None:
    assert "permanentToken" in run("revoke", "dev", "in2", "--yes").stderr


def test_a_missing_service_account_is_not_revoked_but_said(cluster: Cluster) -> None:
    del cluster.objects[ACCOUNT]
    for command in (["revoke", "dev", "til", "--yes"], ["list", "dev"], ["issue", "dev", "til"]):
        done = run(*command)
        assert (done.exit_code, "`pulumi up --refresh` makes it again" in done.stderr) == (1, True), command
    assert cluster.writes == 0


# List


def test_the_list_says_who_until_when_and_what(cluster: Cluster) -> None:
    owner = access_owner.environment("dev", OUTPUTS).owner("til")
    later, past = NOW + datetime.timedelta(days=9), NOW - datetime.timedelta(days=1)
    notes = Record((Issue(past, past), Issue(NOW, later))).annotations()
    space = {"metadata": {"name": "til", "annotations": {key: note for key, note in notes.items() if note}}}
    row = access_table.row("dev", owner, space, True, NOW)
    assert [one.until for one in row.issued] == [later], "what has expired is no access"
    assert list(access_table.lines([row]))[1].split() == [
        "til", "TIL", "til-sa-dev", "standard", "2026-01-11", "03:04", "UTC", "(1", "issued)",
    ]  # fmt: skip
    assert row.report()["validUntil"] == "2026-01-11T03:04:05Z"
    assert access_table.row("dev", owner, None, True, NOW).trouble


def test_annotations_that_somebody_wrote_over_are_said(cluster: Cluster) -> None:
    cluster.objects[NAMESPACE]["metadata"]["annotations"] = {access_owner.ISSUED: "{"}
    done = run("list", "dev", "--json")
    assert done.exit_code == 1
    troubles = {one["namespace"]: one["trouble"] for one in json.loads(done.stdout)["owners"]}
    assert troubles["in2"] is None
    assert "cannot be read" in troubles["til"]


def test_a_token_that_works_in_spite_of_a_revocation_is_trouble(cluster: Cluster) -> None:
    assert run("revoke", "dev", "in2", "--yes").exit_code == 0
    assert run("list", "dev").exit_code == 0
    account = cluster.objects["/api/v1/namespaces/in2/serviceaccounts/in2-sa-dev"]["metadata"]
    notes = {f"{access_owner.TOKEN_OF}.name": "in2-sa-dev", f"{access_owner.TOKEN_OF}.uid": account["uid"]}
    secret = {"metadata": {"name": "in2-sa-dev-token", "namespace": "in2", "annotations": notes}}
    cluster._put("/api/v1/namespaces/in2/secrets/in2-sa-dev-token", secret)
    listed = run("list", "dev")
    assert listed.exit_code == 1
    assert "A TOKEN WORKS" in listed.stdout
    assert "in2: revoked, but the token in Secret in2-sa-dev-token works and never expires" in listed.stderr
    assert "take permanentToken out of the stack file" in listed.stderr
    found = {one["namespace"]: one["tokenWorks"] for one in json.loads(run("list", "dev", "--json").stdout)["owners"]}
    assert found == {"in2": True, "til": False}
    checked = run("check", "dev", "in2", "--json")
    assert "Secret in2-sa-dev-token" in json.loads(checked.stdout)["alive"]
    assert "revoked, but the token" in checked.stderr
    secret["metadata"]["annotations"][f"{access_owner.TOKEN_OF}.uid"] = "former"
    cluster._put("/api/v1/namespaces/in2/secrets/in2-sa-dev-token", secret)
    assert run("list", "dev").exit_code == 0, "a Secret of the former account holds a dead token"
