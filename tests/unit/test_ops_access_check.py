"""`python -m ops access check`: what is promised, what is asked, and what counts as a deviation."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import owners_cluster
import pytest
from owners_cluster import Cluster, run

from ops import access_check, access_owner, access_promise, kubectl
from ops.access_check import Question

KINDS = ("pods", "secrets", "widgets.example.org")


def owner(read_secrets: bool = False, exec: bool = False) -> access_owner.Owner:
    return access_owner.Owner("til", "TIL", "til-sa-dev", "u", "c", read_secrets, exec, False)


def as_promised(scope: str, kind: str, verb: str) -> bool:
    """A cluster that gives owner til exactly what is promised."""
    if scope:
        return scope == "til" and verb in access_promise.own(KINDS, read_secrets=False, exec=False).get(kind, ())
    return (verb, kind) in access_promise.EVERYBODYS


GUARDS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> Cluster:
    return owners_cluster.start(monkeypatch, tmp_path)


@pytest.fixture
def guarded(cluster: Cluster) -> Cluster:
    cluster.may = as_promised
    for name in ("app-owner", "app-owner-namespace"):
        cluster.objects[f"{GUARDS}ies/{name}"] = {"metadata": {}}
        cluster.objects[f"{GUARDS}ybindings/{name}"] = {"metadata": {}, "spec": {"validationActions": ["Deny"]}}
    cluster.objects["/api/v1/namespaces/til"]["metadata"]["labels"] = {access_promise.GUARDED_BY: "TIL"}
    return cluster


def test_secrets_are_written_and_not_read_unless_granted() -> None:
    plain = access_promise.own(KINDS, read_secrets=False, exec=False)
    assert set(plain["secrets"]) == {"create", "delete"}, "patch and update answer with the whole object"
    assert plain["pods/exec"] == ()
    granted = access_promise.own(KINDS, read_secrets=True, exec=True)
    assert set(granted["secrets"]) == {*access_promise.VERBS} - {"deletecollection"}
    assert set(granted["pods/exec"]) == {"get", "create"}
    assert "sealedsecrets.bitnami.com" not in plain, "without the controller there is no such kind"


def test_every_kind_is_asked_about_with_every_verb_in_every_scope() -> None:
    asked = list(access_check.questions(owner(), ["in2"], KINDS, ["nodes"]))
    assert len(asked) == len(set(asked))
    for kind in (*KINDS, "pods/exec"):
        for scope in ("til", "in2", ""):
            for verb in access_promise.VERBS:
                assert any((one.scope, one.kind, one.verb) == (scope, kind, verb) for one in asked), (scope, kind, verb)
    assert Question("", "nodes/proxy", "create", promised=False) in asked
    for verb, kind in access_promise.WAYS_UP:
        assert Question("til", kind, verb, promised=False) in asked, "no way up inside the owner's namespace either"
    assert not any(one.promised for one in asked if one.scope == "in2"), "nothing at all in another's namespace"


def test_a_question_is_put_as_the_api_server_understands_it() -> None:
    kind = "roles.rbac.authorization.k8s.io/x"
    assert Question("til", kind, "bind", False).attributes() == {
        "namespace": "til", "verb": "bind", "group": "rbac.authorization.k8s.io", "resource": "roles",
        "subresource": "x",
    }  # fmt: skip
    assert Question("", "*.*", "*", False).attributes() == {"verb": "*", "group": "*", "resource": "*"}


def test_what_is_as_promised_is_ok(guarded: Cluster) -> None:
    done = run("check", "dev", "til")
    assert (done.exit_code, done.stdout.splitlines()[-1].startswith("as promised: ")) == (0, True), done.output
    assert "widgets.example.org" in done.stderr, "a custom kind that nobody lets owners read is named"


@pytest.mark.parametrize(
    ("scope", "kind", "verb", "said"),
    [
        ("til", "secrets", "get", "wider: til-sa-dev may get secrets in til"),
        ("til", "widgets.example.org", "patch", "wider: til-sa-dev may patch widgets.example.org in til"),
        ("in2", "pods", "list", "wider: til-sa-dev may list pods in in2"),
        ("", "nodes", "get", "wider: til-sa-dev may get nodes in the whole cluster"),
        ("til", "roles.rbac.authorization.k8s.io", "escalate", "may escalate roles.rbac.authorization.k8s.io in til"),
        ("til", "pods", "list", "narrower: til-sa-dev may not list pods in til, as promised"),
    ],
)
def test_each_deviation_is_named(guarded: Cluster, scope: str, kind: str, verb: str, said: str) -> None:
    guarded.may = lambda *asked: as_promised(*asked) != (asked == (scope, kind, verb))
    done = run("check", "dev", "til")
    assert done.exit_code == 1
    assert said in done.stderr
    report = json.loads(run("check", "dev", "til", "--json").stdout)
    assert report["ok"] is False
    assert report["wider"] + report["narrower"] == [{"scope": scope, "kind": kind, "verb": verb}]


def test_the_table_marks_a_deviation(guarded: Cluster) -> None:
    guarded.may = lambda *asked: as_promised(*asked) or asked == ("til", "secrets", "get")
    row = next(line for line in run("check", "dev", "til").stdout.splitlines() if line.startswith("secrets"))
    assert row.split() == ["secrets", "MORE", "-", "-", "yes", "-", "-", "yes", "-", "-"]


@pytest.mark.parametrize(
    "what",
    ["ies/app-owner", "ybindings/app-owner", "ies/app-owner-namespace", "ybindings/app-owner-namespace", "label"],
)
def test_a_missing_guard_fails(guarded: Cluster, what: str) -> None:
    objects: dict[str, Any] = guarded.objects
    if what == "label":
        objects["/api/v1/namespaces/til"]["metadata"]["labels"] = {}
    else:
        del objects[f"{GUARDS}{what}"]
    done = run("check", "dev", "til")
    assert (done.exit_code, "is missing: without it roles allow more" in done.stderr) == (1, True)


def test_an_api_that_does_not_answer_is_named(guarded: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: str, **__: Any) -> str:
        raise kubectl.ClusterError(
            "error: unable to retrieve the complete list of server APIs: metrics.k8s.io/v1beta1: x"
        )

    monkeypatch.setattr(guarded, "run", broken)
    refused = run("check", "dev", "til")
    assert refused.exit_code == 2
    assert "(metrics.k8s.io/v1beta1: x)" in refused.stderr
    assert "APIService" in refused.stderr
    assert "cannot be asked" not in refused.stderr
