"""A fake API server with two app owners, for the tests of `python -m ops access`."""

from __future__ import annotations

import copy
import datetime
import json
import pathlib
from typing import Any

import pytest
import typer.testing
import yaml

from ops import __main__ as ops
from ops import access, access_owner, kubectl

RUNNER = typer.testing.CliRunner()
TOKEN = "canary-token"
NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
ADMIN = yaml.safe_dump(
    {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://c"}}],
        "users": [{"name": "u", "user": {"token": "canary-admin"}}],
    }
)
TIL = {
    "organization": "TIL", "serviceAccount": "til-sa-dev", "user": "til-user-dev", "context": "til-dev",
    "readSecrets": False, "exec": False, "permanentToken": False,
}  # fmt: skip
IN2 = {
    **TIL, "organization": "IN2", "serviceAccount": "in2-sa-dev", "user": "in2-user-dev", "context": "in2-dev",
    "readSecrets": True, "permanentToken": True,
}  # fmt: skip
OUTPUTS = {"kubeconfig": ADMIN, "appOwners": {"til": TIL, "in2": IN2}}
NAMESPACE, ACCOUNT = "/api/v1/namespaces/til", "/api/v1/namespaces/til/serviceaccounts/til-sa-dev"
PULUMI = [{"manager": "pulumi-kubernetes-1a", "operation": "Apply", "fieldsV1": {"f:metadata": {}}}]


class Killed(BaseException):
    """The command is gone, at once."""


class Cluster:
    """What commands see of an API server: versions that count up, optimistic locking, uids."""

    def __init__(self) -> None:
        self.version, self.writes, self.kill_after = 10, 0, -1
        self.limit = 10**9
        self.objects: dict[str, dict[str, Any]] = {}
        self.before_patch: Any = None
        for name, one in OUTPUTS["appOwners"].items():
            path = f"/api/v1/namespaces/{name}"
            self._put(path, {"metadata": {"name": name, "uid": f"n-{name}"}})
            account = {"name": one["serviceAccount"], "namespace": name, "labels": {"purpose": "infra"}}
            body = {"metadata": {**account, "uid": f"first-{name}", "managedFields": PULUMI}, "automount": False}
            self._put(f"{path}/serviceaccounts/{one['serviceAccount']}", body)

    def get(self, path: str, **_: str) -> dict[str, Any] | None:
        return copy.deepcopy(self.objects.get(path))

    def items(self, path: str, **_: str) -> list[dict[str, Any]]:
        kind = path.rpartition("/")[2]
        return [copy.deepcopy(one) for where, one in self.objects.items() if where.split("/")[-2] == kind]

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        path = path.partition("?")[0]
        if path.endswith("/token"):
            if path.removesuffix("/token") not in self.objects:
                raise kubectl.ClusterError("Error from server (NotFound): gone")
            granted = min(self.limit, body["spec"]["expirationSeconds"])
            until = access_owner.stamp(NOW + datetime.timedelta(seconds=granted))
            return {
                "metadata": {"creationTimestamp": access_owner.stamp(NOW)},
                "status": {"token": self._token(path), "expirationTimestamp": until},
            }
        self._step()
        name = body["metadata"]["name"]
        assert not {"uid", "resourceVersion", "managedFields"} & set(body["metadata"])
        managed = [{"manager": access_owner.MANAGER, "operation": "Update"}]
        metadata = {**body["metadata"], "uid": f"v{self.version}", "managedFields": managed}
        self._put(f"{path}/{name}", {**body, "metadata": metadata})
        return {}

    def _token(self, path: str) -> str:
        """Bound to its service account: another one's has another token."""
        uid = self.objects[path.removesuffix("/token")]["metadata"]["uid"]
        return TOKEN if uid.startswith("first-") else f"{TOKEN}-of-{uid}"

    def delete(self, path: str, options: dict[str, Any]) -> None:
        self._step()
        assert options["preconditions"]["uid"] == self.objects[path]["metadata"]["uid"]
        del self.objects[path]

    def patch(self, kind: str, name: str, body: Any, manager: str, *, namespace: str = "", how: str = "merge") -> None:
        if self.before_patch:
            self.before_patch()
        self._step()
        assert not manager.startswith("kubectl"), "or Pulumi takes the fields over and removes them"
        path = f"/api/v1/namespaces/{name}" if kind == "namespace" else f"/api/v1/namespaces/{namespace}/{kind}s/{name}"
        one = self.objects[path]
        if how == "json":
            assert body[0] == {"op": "test", "path": "/metadata/uid", "value": one["metadata"]["uid"]}
            one["metadata"]["managedFields"] = body[1]["value"]
        else:
            if body["metadata"]["resourceVersion"] != one["metadata"]["resourceVersion"]:
                raise kubectl.ClusterError("Error from server (Conflict): the object has been modified")
            notes = {**one["metadata"].get("annotations", {}), **body["metadata"]["annotations"]}
            one["metadata"]["annotations"] = {key: note for key, note in notes.items() if note is not None}
        self._put(path, one)

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        if arguments[0] == "api-resources":
            return "pods\nsecrets\nwidgets.example.org\n" if "--namespaced=true" in arguments else "nodes\n"
        reviews = json.loads(stdin or "")["items"]
        return "\n".join(json.dumps({"status": {"allowed": self._may(one)}}) for one in reviews)

    may: Any = staticmethod(lambda *_: False)

    def _may(self, review: dict[str, Any]) -> bool:
        at = review["spec"]["resourceAttributes"]
        assert f"system:serviceaccounts:{review['spec']['user'].split(':')[2]}" in review["spec"]["groups"]
        kind = ".".join(filter(None, (at["resource"], at.get("group")))) + (
            f"/{at['subresource']}" if "subresource" in at else ""
        )
        return self.may(at.get("namespace", ""), kind, at["verb"])

    def _step(self) -> None:
        if self.writes == self.kill_after:
            raise Killed
        self.writes += 1

    def _put(self, path: str, body: dict[str, Any]) -> None:
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.objects[path] = body


def start(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> Cluster:
    """A cluster that every command meets, in an empty folder."""
    fake = Cluster()
    monkeypatch.setattr(access, "Kubectl", lambda kubeconfig: fake)
    monkeypatch.chdir(tmp_path)
    return fake


def run(*arguments: str, outputs: Any = OUTPUTS) -> typer.testing.Result:
    """`python -m ops access …` on stack outputs; no secret may show."""
    done = RUNNER.invoke(
        ops.app,
        ["access", *arguments, "--outputs", "-"],
        input=outputs if isinstance(outputs, str) else json.dumps(outputs),
    )
    assert "canary" not in done.output, "a token is never shown"
    assert not isinstance(done.exception, Exception) or isinstance(done.exception, SystemExit), done.exception
    return done
