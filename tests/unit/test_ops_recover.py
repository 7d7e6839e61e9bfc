"""`python -m ops recover`: what becomes of every kind of create that a killed run left open."""

from __future__ import annotations

import copy
import http.server
import json
import os
import pathlib
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import typer.testing

from ops import __main__ as ops
from ops import clouds, decide, pending, recover
from ops import stack as stacks

REAL_HELM = clouds.Helm
RUNNER = typer.testing.CliRunner()
ROOT = "urn:pulumi:sbx::p::pulumi:pulumi:Stack::p-sbx"
PROVIDER = "urn:pulumi:sbx::p::pulumi:providers:any::any"
SECRET = {pending.SECRET: "1b47061264138c4ac30d75fd1eb44270", "plaintext": json.dumps("canary-kubeconfig")}


def urn(type: str, name: str = "x") -> str:
    return f"urn:pulumi:sbx::p::{type}::{name}"


def state(
    *creating: tuple[str, dict[str, Any]], known: dict[str, str] | None = None, **provider: Any
) -> dict[str, Any]:
    """A state with creates open, given as (type, inputs); `known`: type -> id of a resource that it has."""
    resources = [
        {"urn": ROOT, "type": "pulumi:pulumi:Stack"},
        {"urn": PROVIDER, "type": "pulumi:providers:any", "id": "1", "inputs": provider},
        *({"urn": urn(type, "known"), "type": type, "id": id} for type, id in (known or {}).items()),
    ]
    operations = [
        {
            "type": "creating",
            "resource": {"urn": urn(type), "type": type, "inputs": inputs, "provider": f"{PROVIDER}::1"},
        }
        for type, inputs in creating
    ]
    return {"version": 3, "deployment": {"resources": resources, "pending_operations": operations}}


class FakeAws:
    """An account with two zones, a user and two of its keys."""

    def __init__(self) -> None:
        self.deleted: list[str] = []

    def zones(self, name: str, comment: str) -> list[str]:
        return {"example.org": ["Z1"], "twice.org": ["Z2", "Z3"]}.get(name, [])

    def has_user(self, name: str) -> bool:
        return name == "external-dns-sbx"

    def keys(self, user: str) -> list[str]:
        return ["AK1", "AK2"] if user == "external-dns-sbx" else []

    def delete_key(self, user: str, key: str) -> None:
        self.deleted.append(f"{user}/{key}")


class FakeHelm:
    """Helm's records in every cluster."""

    found: dict[str, str] = {}
    kubeconfigs: list[str] = []
    deleted: list[str] = []
    marked: list[str] = []

    def __init__(self, kubeconfig: str) -> None:
        self.kubeconfigs.append(kubeconfig)

    def records(self, namespace: str, release: str) -> dict[str, str]:
        return self.found

    def delete(self, namespace: str, names: list[str]) -> None:
        self.deleted.extend(names)

    def mark_deployed(self, namespace: str, names: list[str]) -> None:
        self.marked.extend(names)


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    account = FakeAws()
    monkeypatch.setattr(clouds, "Aws", lambda: account)
    monkeypatch.setattr(clouds, "Helm", FakeHelm)
    monkeypatch.setattr(FakeHelm, "found", {})
    monkeypatch.setattr(FakeHelm, "kubeconfigs", [])
    monkeypatch.setattr(FakeHelm, "deleted", [])
    monkeypatch.setattr(FakeHelm, "marked", [])
    return account


def decision(of: dict[str, Any], taken: dict[str, str] | None = None) -> pending.Decision:
    decider = decide.Decider(of, lambda: of, lambda _: None, 0.01, taken or {})
    (one,) = pending.creates(of)
    return decider.decide(one)


# AWS


@pytest.mark.parametrize(
    ("inputs", "known", "action", "id"),
    [
        ({"name": "example.org"}, {}, "adopt", "Z1"),
        ({"name": "nowhere.org"}, {}, "clear", ""),
        ({"name": "example.org"}, {decide.ZONE: "Z1"}, "clear", ""),
        ({"name": "twice.org"}, {}, "undecided", ""),
        ({"name": "twice.org"}, {decide.ZONE: "Z2"}, "adopt", "Z3"),
    ],
)
def test_a_zone_is_found_by_its_name(inputs: dict[str, str], known: dict[str, str], action: str, id: str) -> None:
    found = decision(state((decide.ZONE, inputs), known=known))
    assert (found.action, found.id) == (action, id), "a second zone for a domain would never be delegated to"


def test_the_person_may_say_which_zone_it_is() -> None:
    found = decision(state((decide.ZONE, {"name": "twice.org"})), {urn(decide.ZONE): "Z3"})
    assert (found.action, found.id) == ("adopt", "Z3")


def test_what_a_later_run_made_again_is_left_to_the_person() -> None:
    of = state((decide.ZONE, {"name": "example.org"}))
    of["deployment"]["resources"].append({"urn": urn(decide.ZONE), "type": decide.ZONE, "id": "Z9"})
    found = decision(of)
    assert found.action == "undecided"
    assert "left over: Z1" in found.why, "nobody else will ever notice it"


@pytest.mark.parametrize(("name", "action"), [("external-dns-sbx", "adopt"), ("nobody", "clear")])
def test_a_user_is_found_by_its_name(name: str, action: str) -> None:
    assert decision(state((decide.USER, {"name": name}))).action == action


def test_a_key_whose_secret_nobody_saw_is_deleted_and_no_other(aws: FakeAws) -> None:
    found = decision(state((decide.KEY, {"user": "external-dns-sbx"}), known={decide.KEY: "AK1"}))
    assert aws.deleted == [], "looking is not doing"
    assert found.before is not None
    found.before()
    assert aws.deleted == ["external-dns-sbx/AK2"], "an IAM user has at most two keys"
    assert found.action == "clear"


def test_a_key_that_was_not_made_is_forgotten() -> None:
    found = decision(state((decide.KEY, {"user": "nobody"})))
    assert (found.action, found.before) == ("clear", None)


# Things without a trace of their own


@pytest.mark.parametrize(
    "type",
    [
        decide.POLICY,
        "tls:index/privateKey:PrivateKey",
        "pulumi:providers:aws",
        "pulumi:pulumi:Stack",
        "platform:cluster:IonosCluster",
    ],
)
def test_what_can_be_made_again_to_the_same_effect_is_forgotten(type: str) -> None:
    assert decision(state((type, {}))).action == "clear"


def test_an_unknown_kind_is_left_to_the_person() -> None:
    assert decision(state(("gcp:dns/zone:Zone", {}))).action == "undecided", "a guess may orphan something"


# Kubernetes


@pytest.mark.parametrize(
    ("metadata", "upsert", "action", "id"),
    [
        ({"name": "a", "namespace": "b"}, "true", "clear", ""),
        ({"name": "a", "namespace": "b"}, "false", "adopt", "b/a"),
        ({"name": "a"}, "false", "adopt", "a"),
        ({}, "false", "clear", ""),
    ],
)
def test_an_object_is_taken_over_by_the_next_up_or_by_its_name(
    metadata: dict[str, str], upsert: str, action: str, id: str
) -> None:
    found = decision(state(("kubernetes:core/v1:Namespace", {"metadata": metadata}), upsertExistingObjects=upsert))
    assert (found.action, found.id) == (action, id), "on somebody else's cluster a create of what exists fails"


RELEASE = (decide.RELEASE, {"name": "argocd", "namespace": "argocd"})


def test_a_half_installed_release_is_made_installable_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeHelm, "found", {"sh.helm.release.v1.argocd.v1": "pending-install"})
    found = decision(state(RELEASE, kubeconfig=SECRET))
    assert FakeHelm.kubeconfigs == ["canary-kubeconfig"]
    assert "canary" not in found.why, "a decision is printed"
    assert found.before is not None
    found.before()
    assert FakeHelm.deleted == ["sh.helm.release.v1.argocd.v1"], "else: cannot re-use a name that is still in use"
    assert found.action == "clear"


def test_an_installed_release_is_adopted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeHelm, "found", {"r.v1": "superseded", "r.v2": "deployed"})
    found = decision(state(RELEASE, kubeconfig="plain"))
    assert (found.action, found.id, found.before) == ("adopt", "argocd/argocd", None)


def test_a_release_that_was_not_begun_is_forgotten() -> None:
    assert decision(state(RELEASE, kubeconfig="plain")).action == "clear"


def released() -> dict[str, Any]:
    """A state that has the release."""
    of = state(kubeconfig="plain")
    of["deployment"]["resources"].append(
        {"urn": urn(decide.RELEASE), "type": decide.RELEASE, "inputs": RELEASE[1], "provider": f"{PROVIDER}::1"}
    )
    return of


def test_an_interrupted_upgrade_of_a_release_is_unlocked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeHelm, "found", {"r.v1": "deployed", "r.v2": "pending-upgrade"})
    of = released()
    before = decide.Decider(of, lambda: of, lambda _: None, 1, {}).repair(urn(decide.RELEASE))
    assert before is not None
    before()
    assert FakeHelm.deleted == ["r.v2"], "else: another operation is in progress"


# IONOS


class _Ionos(http.server.BaseHTTPRequestHandler):
    collections: dict[str, list[dict[str, Any]]] = {}
    states: list[str] = []

    def do_GET(self) -> None:
        path = self.path.split("?")[0].removeprefix("/cloudapi/v6")
        if self.headers["Authorization"] != "Bearer canary-token":
            self.send_error(401)
        elif path in self.collections:
            self._answer({"items": self.collections[path]})
        elif self.states and self.states[0]:
            self._answer({"metadata": {"state": self.states.pop(0)}})
        else:
            self.send_error(404)

    def _answer(self, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def ionos(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Ionos]]:
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Ionos)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setenv("IONOS_TOKEN", "canary-token")
    monkeypatch.setenv("IONOS_API_URL", f"http://127.0.0.1:{httpd.server_port}")
    monkeypatch.setattr(clouds.time, "sleep", lambda _: None)
    _Ionos.collections, _Ionos.states = {}, []
    yield _Ionos
    httpd.shutdown()
    httpd.server_close()
    thread.join()


POOL = "ionoscloud:k8s/nodePool:NodePool"
DATACENTER = "ionoscloud:compute/datacenter:Datacenter"


def test_a_node_pool_is_found_in_its_cluster_and_waited_for(ionos: type[_Ionos]) -> None:
    ionos.collections = {"/k8s/c1/nodepools": [{"id": "p1", "properties": {"name": "default-pool"}}]}
    ionos.states = ["DEPLOYING", "DEPLOYING", "ACTIVE"]
    said: list[str] = []
    of = state((POOL, {"name": "default-pool", "k8sClusterId": "c1"}))
    found = decide.Decider(of, lambda: of, said.append, 1, {}).decide(pending.creates(of)[0])
    assert (found.action, found.id) == ("adopt", "p1")
    assert said == ["waiting for NodePool x, which is DEPLOYING"], "each state is told once"


def test_a_lan_is_found_in_its_datacenter(ionos: type[_Ionos]) -> None:
    ionos.collections = {"/datacenters/d1/lans": [{"id": "2", "properties": {"name": "databases"}}]}
    ionos.states = ["BUSY", "AVAILABLE"]
    found = decision(state(("ionoscloud:compute/lan:Lan", {"name": "databases", "datacenterId": "d1"})))
    assert (found.action, found.id) == ("adopt", "2")


@pytest.mark.parametrize(
    ("name", "location", "action"), [("a", "de/txl", "adopt"), ("a", "de/fra", "clear"), ("b", "de/txl", "clear")]
)
def test_a_datacenter_is_found_by_name_and_place(ionos: type[_Ionos], name: str, location: str, action: str) -> None:
    ionos.collections = {"/datacenters": [{"id": "d1", "properties": {"name": "a", "location": "de/txl"}}]}
    ionos.states = ["AVAILABLE"]
    assert decision(state((DATACENTER, {"name": name, "location": location}))).action == action


def test_a_token_in_the_state_goes_before_the_environment(ionos: type[_Ionos], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IONOS_TOKEN", "another")
    token = {pending.SECRET: "x", "plaintext": json.dumps("canary-token")}
    ionos.collections = {"/datacenters": []}
    assert decision(state((DATACENTER, {"name": "a"}), token=token)).action == "clear"


def test_what_ionos_could_not_make_is_left_to_the_person(ionos: type[_Ionos]) -> None:
    ionos.collections = {"/datacenters": [{"id": "d1", "properties": {"name": "a"}}]}
    ionos.states = ["FAILED"]
    with pytest.raises(stacks.OpsError, match="delete it there"):
        decision(state((DATACENTER, {"name": "a"})))


def test_what_ionos_takes_too_long_for_is_said(ionos: type[_Ionos]) -> None:
    ionos.collections = {"/datacenters": [{"id": "d1", "properties": {"name": "a"}}]}
    ionos.states = ["BUSY"] * 200_000
    with pytest.raises(stacks.OpsError, match="still BUSY"):
        decision(state((DATACENTER, {"name": "a"})))


def test_without_a_token_ionos_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("IONOS_TOKEN", "IONOS_USERNAME", "IONOS_PASSWORD"):
        monkeypatch.delenv(key, raising=False)
    with pytest.raises(stacks.OpsError, match="set IONOS_TOKEN"):
        decision(state((DATACENTER, {"name": "a"})))


def test_a_refused_token_is_said(ionos: type[_Ionos], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IONOS_TOKEN", "old")
    with pytest.raises(stacks.OpsError, match="401: the token is not accepted"):
        decision(state((DATACENTER, {"name": "a"})))


# The state


def test_an_adopted_resource_has_its_id_and_its_inputs_as_outputs() -> None:
    of = state((decide.USER, {"name": "external-dns-sbx"}), (decide.POLICY, {}))
    before = copy.deepcopy(of)
    one, other = pending.creates(of)
    decisions = [pending.Decision(one, "adopt", "", "external-dns-sbx"), pending.Decision(other, "clear", "")]
    after = pending.resolved(of, decisions)["deployment"]
    assert of == before
    assert after["pending_operations"] == []
    assert [resource["urn"] for resource in after["resources"]][2:] == [urn(decide.USER)]
    assert after["resources"][-1]["id"] == "external-dns-sbx"
    assert after["resources"][-1]["outputs"] == {"name": "external-dns-sbx"}, "else a plugin takes it for an import"


def test_a_create_that_was_tried_twice_is_one() -> None:
    of = state((decide.USER, {"name": "old"}), (decide.USER, {"name": "new"}))
    assert [one.input("name") for one in pending.creates(of)] == ["new"]


# The command


class FakeStack:
    """A stack in memory that writes down what is done to it."""

    of: dict[str, Any] = {}
    held: stacks.Lock | None = None
    done: list[Any] = []

    def __init__(self, name: str, directory: pathlib.Path) -> None:
        self.name = name

    def export(self, *, secrets: bool = False) -> dict[str, Any]:
        return copy.deepcopy(self.of)

    def lock(self, root: str | None) -> stacks.Lock | None:
        assert root == ROOT
        return self.held

    def cancel(self) -> None:
        self.done.append("cancel")

    def restore(self, state: dict[str, Any]) -> None:
        self.done.append(state)

    def refresh(self, urns: list[str]) -> None:
        self.done.append(urns)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeStack]:
    monkeypatch.setattr(recover, "Stack", FakeStack)
    FakeStack.of, FakeStack.held, FakeStack.done = state(), None, []
    return FakeStack


def test_nothing_pending_is_said_and_nothing_done(fake: type[FakeStack]) -> None:
    result = RUNNER.invoke(ops.app, ["recover", "sbx", "--yes"])
    assert result.exit_code == 0
    assert "No operation is pending" in result.stderr
    assert fake.done == []


def test_a_dead_lock_is_taken_away_and_what_was_made_is_adopted(fake: type[FakeStack]) -> None:
    fake.of = state((decide.USER, {"name": "external-dns-sbx"}), (decide.POLICY, {}))
    fake.of["deployment"]["pending_operations"].append(
        {"type": "updating", "resource": {"urn": PROVIDER, "type": "pulumi:providers:any"}}
    )
    fake.held = stacks.Lock("ann", "elsewhere", 1, "today")
    result = RUNNER.invoke(ops.app, ["recover", "sbx", "--yes", "--json"])
    assert result.exit_code == 0, result.output
    cancelled, restored, refreshed = fake.done
    assert cancelled == "cancel"
    assert restored["deployment"]["resources"][-1]["id"] == "external-dns-sbx"
    assert refreshed == [urn(decide.USER), PROVIDER], "only what is uncertain is looked at"
    report = json.loads(result.stdout)
    assert (report["unlocked"], report["done"]) == (True, True)
    assert [one["action"] for one in report["pending"]] == ["adopt", "clear", "refresh"]


def test_a_run_that_is_still_going_is_left_alone(fake: type[FakeStack], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks.Lock, "alive", True)
    fake.held = stacks.Lock("ann", "here", 4711, "today")
    result = RUNNER.invoke(ops.app, ["recover", "sbx", "--yes"])
    assert result.exit_code == 1
    assert "still going (pid 4711)" in result.stderr
    assert fake.done == [], "two runs at once spoil the state"


@pytest.mark.parametrize(("newest", "marked"), [("uninstalling", ["r.v2"]), ("deployed", []), ("failed", [])])
def test_a_release_whose_removal_was_refused_can_be_upgraded_again(
    fake: type[FakeStack], monkeypatch: pytest.MonkeyPatch, newest: str, marked: list[str]
) -> None:
    monkeypatch.setattr(FakeHelm, "found", {"r.v1": "superseded", "r.v2": newest})
    fake.of = released()
    looked = RUNNER.invoke(ops.app, ["recover", "sbx", "--dry-run"])
    assert (looked.exit_code, FakeHelm.marked) == (0, [])
    result = RUNNER.invoke(ops.app, ["recover", "sbx", "--yes"])
    assert result.exit_code == 0, result.output
    assert FakeHelm.marked == marked, "else: has no deployed releases"
    assert ("removal was refused" in result.stderr) == bool(marked) == ("removal was refused" in looked.stderr)
    assert fake.done == [], "the state is right as it is"


def test_a_removal_that_was_killed_leaves_a_release_that_can_be_upgraded(
    fake: type[FakeStack], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeHelm, "found", {"r.v1": "uninstalling"})
    fake.of = released()
    killed = {"type": "deleting", "resource": fake.of["deployment"]["resources"][-1]}
    fake.of["deployment"]["pending_operations"].append(killed)
    assert RUNNER.invoke(ops.app, ["recover", "sbx", "--yes"]).exit_code == 0
    assert FakeHelm.marked == ["r.v1"], "once"
    assert fake.done[-1] == [urn(decide.RELEASE)]


def test_helms_records_in_a_lost_cluster_stop_nothing(fake: type[FakeStack], monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> dict[str, str]:
        raise stacks.OpsError("the cluster cannot be asked")

    monkeypatch.setattr(FakeHelm, "records", lost)
    fake.of, fake.held = released(), stacks.Lock("ann", "elsewhere", 1, "today")
    result = RUNNER.invoke(ops.app, ["recover", "sbx", "--yes"])
    assert result.exit_code == 0, result.output
    assert "warning: the cluster cannot be asked" in result.stderr
    assert fake.done == ["cancel"]


def test_a_dry_run_does_nothing(fake: type[FakeStack], aws: FakeAws) -> None:
    fake.of = state((decide.KEY, {"user": "external-dns-sbx"}))
    fake.held = stacks.Lock("ann", "elsewhere", 1, "today")
    result = RUNNER.invoke(ops.app, ["recover", "sbx", "--dry-run"])
    assert result.exit_code == 0
    assert "AK1, AK2 of external-dns-sbx will be deleted" in result.stderr
    assert (fake.done, aws.deleted) == ([], [])


def test_what_cannot_be_decided_stops_everything(fake: type[FakeStack], aws: FakeAws) -> None:
    fake.of = state((decide.ZONE, {"name": "twice.org"}), (decide.KEY, {"user": "external-dns-sbx"}))
    result = RUNNER.invoke(ops.app, ["recover", "sbx", "--yes"])
    assert result.exit_code == 1
    assert "it may be any of Z2, Z3" in result.stderr
    assert (fake.done, aws.deleted) == ([], []), "half a recovery is harder to understand than none"


def test_without_a_terminal_it_wants_to_be_told(fake: type[FakeStack]) -> None:
    assert RUNNER.invoke(ops.app, ["recover", "sbx"]).exit_code == 2
    assert RUNNER.invoke(ops.app, ["recover", "sbx", "--json"]).exit_code == 2
    assert RUNNER.invoke(ops.app, ["recover", "sbx", "--yes", "--take", "Z1"]).exit_code == 2
    assert fake.done == []


# Pulumi's command line


@pytest.fixture
def pulumi(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A `pulumi` that says what `answer` has and ends with the code in `code`."""
    command = tmp_path / "pulumi"
    command.write_text(
        f'#!{sys.executable}\nimport pathlib, sys\nhere = pathlib.Path(r"{tmp_path}")\n'
        '(here / "called").write_text(" ".join(sys.argv[1:]))\nprint((here / "answer").read_text())\n'
        'sys.exit(int((here / "code").read_text()))\n'
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "code").write_text("0")
    return tmp_path


def stack(folder: pathlib.Path) -> stacks.Stack:
    return stacks.Stack("sbx", folder)


def test_a_lock_is_recognised_by_what_pulumi_says(pulumi: pathlib.Path) -> None:
    (pulumi / "code").write_text("255")
    (pulumi / "answer").write_text(
        "error: the stack is currently locked by 1 lock(s). Either wait or run `pulumi cancel`.\n"
        f"  file:///s/locks/x.json: created by ann@{socket.gethostname()} (pid {os.getpid()}) at 2026-01-01T00:00:00Z"
    )
    found = stack(pulumi).lock(ROOT)
    assert found is not None
    assert (found.user, found.pid) == ("ann", os.getpid())
    assert not found.alive, "this process is no pulumi: the number was used again"
    assert f"--target {ROOT}" in (pulumi / "called").read_text(), "asking must not touch a resource"


def test_another_failure_is_no_lock(pulumi: pathlib.Path) -> None:
    (pulumi / "code").write_text("1")
    (pulumi / "answer").write_text("error: incorrect passphrase")
    with pytest.raises(stacks.OpsError, match="incorrect passphrase"):
        stack(pulumi).lock(ROOT)


def test_a_missing_pulumi_is_said(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(stacks.OpsError, match="not on PATH"):
        stack(tmp_path).export()


def test_a_state_that_was_cut_short_while_written_becomes_readable(pulumi: pathlib.Path) -> None:
    folder = pulumi / "state" / ".pulumi" / "stacks" / "p"
    folder.mkdir(parents=True)
    (folder / "sbx.json.attrs").touch()
    (folder / "dev.json.attrs").write_text("{}")
    (pulumi / "answer").write_text(json.dumps({"url": f"file://{pulumi}/state"}))
    assert stack(pulumi).repair_files() == [str(folder / "sbx.json.attrs")]
    assert [file.name for file in folder.iterdir()] == ["dev.json.attrs"], "nothing whole is removed"


def test_a_state_in_a_service_has_no_files_to_repair(pulumi: pathlib.Path) -> None:
    (pulumi / "answer").write_text(json.dumps({"url": "https://app.pulumi.com/ann"}))
    assert stack(pulumi).repair_files() == []


# Helm's records


KUBECTL = """
import os, stat, sys
file = sys.argv[2]
assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
assert open(file).read() == "canary"
assert "canary" not in sys.argv
print("r.v1 deployed")
print("r.v2 pending-upgrade")
"""


def test_helms_records_are_read_with_a_kubeconfig_that_nobody_else_can_read(pulumi: pathlib.Path) -> None:
    command = pulumi / "kubectl"
    command.write_text(f"#!{sys.executable}\n{KUBECTL}")
    command.chmod(0o755)
    found = REAL_HELM("canary").records("argocd", "argocd")
    assert found == {"r.v1": "deployed", "r.v2": "pending-upgrade"}


def test_a_cluster_that_kubectl_cannot_ask_is_said(pulumi: pathlib.Path) -> None:
    (pulumi / "kubectl").symlink_to("/bin/false")
    with pytest.raises(stacks.OpsError, match="cannot be asked about Helm's records"):
        REAL_HELM("canary").delete("argocd", ["r.v1"])
