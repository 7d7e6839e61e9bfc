"""An existing cluster: one context of a kubeconfig, made portable."""

from __future__ import annotations

import base64
import pathlib

import pulumi
import pytest
import yaml

from components import providers
from components.cluster import existing
from kubeconfigs import reading, writing
from tests import recording

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "one",
    "contexts": [
        {"name": "one", "context": {"cluster": "c1", "user": "u1"}},
        {"name": "two", "context": {"cluster": "c2", "user": "u2"}},
    ],
    "clusters": [
        {"name": "c1", "cluster": {"server": "https://one", "certificate-authority": "ca.crt"}},
        {"name": "c2", "cluster": {"server": "https://two"}},
    ],
    "users": [
        {"name": "u1", "user": {"tokenFile": "token"}},
        {"name": "u2", "user": {"client-certificate-data": "eA==", "client-key": "key.pem"}},
    ],
}


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "ca.crt").write_text("CA")
    (tmp_path / "token").write_text("t0ken\n")
    (tmp_path / "key.pem").write_text("KEY")
    (tmp_path / "config").write_text(yaml.safe_dump(KUBECONFIG))
    return tmp_path


def single(folder: pathlib.Path, context: str | None) -> dict:
    return yaml.safe_load(writing.portable(reading.load(str(folder / "config"), context)))


def test_only_the_current_context_is_taken_with_its_files_embedded(folder: pathlib.Path) -> None:
    taken = single(folder, None)
    assert [c["name"] for c in taken["contexts"]] == ["one"]
    assert taken["clusters"][0]["cluster"] == {
        "server": "https://one", "certificate-authority-data": base64.b64encode(b"CA").decode(),
    }  # fmt: skip
    assert taken["users"][0]["user"] == {"token": "t0ken"}


def test_a_named_context_becomes_the_current_one(folder: pathlib.Path) -> None:
    taken = single(folder, "two")
    assert taken["current-context"] == "two"
    assert taken["users"][0]["user"]["client-key-data"] == base64.b64encode(b"KEY").decode()


def test_an_unknown_context_is_named_with_those_there_are(folder: pathlib.Path) -> None:
    with pytest.raises(ValueError, match=r"no context three \(there are: one, two\)"):
        single(folder, "three")


def test_the_kubeconfig_is_secret_and_the_name_is_the_identity(folder: pathlib.Path) -> None:
    def program() -> None:
        args = existing.ExistingClusterArgs("factory-1", path=str(folder / "config"), ingress_address="203.0.113.9")
        cluster = existing.ExistingCluster("cluster", args)
        pulumi.export("kubeconfig", cluster.kubeconfig)
        pulumi.export("id", cluster.id)
        pulumi.export("addresses", cluster.ingress_addresses)

    run = recording.run(program)
    assert "kubeconfig" in run.secret_outputs
    assert run.outputs["id"] == "factory-1"
    assert run.outputs["addresses"] == ["203.0.113.9"]


def test_its_objects_are_never_taken_over(folder: pathlib.Path) -> None:
    def program() -> None:
        cluster = existing.ExistingCluster("cluster", existing.ExistingClusterArgs("f-1", path=str(folder / "config")))
        providers.kubernetes(cluster, ours=False)

    provider = recording.run(program).one("pulumi:providers:kubernetes")
    assert provider.inputs["upsertExistingObjects"] == "false"
    assert provider.inputs["clusterIdentifier"] == "f-1", "a new kubeconfig for the same cluster replaces nothing"
    assert "kubeconfig" in provider.secrets
