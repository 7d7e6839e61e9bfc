"""What this program says of a kubeconfig is what kubectl itself says."""

from __future__ import annotations

import base64
import json
import pathlib
import subprocess

import engine as engines
import pytest
import yaml

from kubeconfigs import checking, reading
from lab import toolchain
from tests import kubeconfig_cases

REACHED = ("Unauthorized", "was refused", "major")
"""What kubectl prints when it has asked a server: with its credentials, or where nobody listens."""


def kubectl(file: pathlib.Path, elsewhere: pathlib.Path) -> str:
    """All that kubectl prints when it asks for the version, from another folder and without a terminal."""
    command = [str(toolchain.find("kubectl")), "--kubeconfig", str(file), "get", "--raw", "/version"]
    done = subprocess.run(
        command, cwd=elsewhere, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("case", kubeconfig_cases.CASES, ids=lambda case: case.name)
def test_kubectl_takes_and_refuses_the_same_contexts(
    case: kubeconfig_cases.Case, cluster_kubeconfig: str, tmp_path: pathlib.Path
) -> None:
    folder, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    kubeconfig_cases.files(folder)
    admin = yaml.safe_load(pathlib.Path(cluster_kubeconfig).read_text())["clusters"][0]["cluster"]
    authority = base64.b64decode(admin["certificate-authority-data"])
    (folder / "config").write_text(json.dumps(case.config(admin["server"], authority)))
    said = kubectl(folder / "config", elsewhere)
    taken = any(words in said for words in REACHED)
    found = [str(one) for one in checking.problems(reading.load(str(folder / "config")))]
    assert taken is (not found), (said, found)


TEXTS = {
    "block": "clusters: [{name: c, cluster: {server: 'SERVER'}}]\nusers:\n- name: u\n  user:\n    token: |-\n      x\n",
    "number": "clusters: [{name: c, cluster: {server: 'SERVER'}}]\nusers: [{name: u, user: {token: 12e4}}]\n",
    "boolean": "clusters: [{name: c, cluster: {server: 'SERVER'}}]\nusers: [{name: u, user: {token: y}}]\n",
    "octal": "clusters: [{name: c, cluster: {server: 'SERVER'}}]\nusers: [{name: u, user: {token: 0o7}}]\n",
    "date": "clusters: [{name: c, cluster: {server: 'SERVER'}}]\nusers: [{name: u, user: {token: 2024-01-01}}]\n",
    "time": "clusters: [{name: c, cluster: {server: 'SERVER'}}]\nusers: [{name: u, user: {token: 10:30}}]\n",
    "empty entry": "clusters: [{name: c, cluster: {server: 'SERVER'}}]\nusers: [{name: u, user: {token: x}}, null]\n",
    "twice": "clusters: [{name: c, cluster: {server: 'SERVER'}}]\nusers: [{name: u, user: {token: x}}, {name: u}]\n",
    "text": "clusters: [{name: c, cluster: {server: 'SERVER'}}]\nusers: [{name: u, user: {token: x}}, z]\n",
    "tab": "clusters: [{name: c, cluster: {server: 'SERVER'}}]\nusers:\t[{name: u, user: {token: x}}]\n",
    "unknown": "clusters: [{name: c, cluster: {server: 'SERVER', x: 1}}]\nusers: [{name: u, user: {token: x}}]\nx: 1\n",
    "documents": "clusters: [{name: c, cluster: {server: 'SERVER'}}]\nusers: [{name: u, user: {token: x}}]\n---\nx\n",
    "version": "apiVersion: v2\nclusters: [{name: c, cluster: {server: 'SERVER'}}]\nusers: [{name: u, user: {}}]\n",
    "kind": "kind: Foo\nclusters: [{name: c, cluster: {server: 'SERVER'}}]\nusers: [{name: u, user: {token: x}}]\n",
    "no YAML": "clusters: [{name: c, cluster: {server: 'SERVER'}}]\nusers: [{name: u, user: {token: x}}\n",
}
CONTEXT = "current-context: m\ncontexts: [{name: m, context: {cluster: c, user: u}}]\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("name", TEXTS)
def test_kubectl_decodes_the_same_texts(
    name: str, encoding: str, cluster_kubeconfig: str, tmp_path: pathlib.Path
) -> None:
    admin = yaml.safe_load(pathlib.Path(cluster_kubeconfig).read_text())["clusters"][0]["cluster"]
    authority = f"', certificate-authority-data: {admin['certificate-authority-data']}"
    text = CONTEXT + TEXTS[name].replace("SERVER'", admin["server"] + authority)
    (tmp_path / "config").write_bytes(text.encode(encoding))
    taken = any(words in kubectl(tmp_path / "config", tmp_path) for words in REACHED)
    try:
        reading.load(str(tmp_path / "config"))
    except reading.KubeconfigError:
        assert not taken
    else:
        assert taken


def test_what_kubectl_makes_self_contained_is_taken(
    engine: engines.Engine, control_plane: None, tmp_path: pathlib.Path
) -> None:
    kubeconfig_cases.files(tmp_path)
    case = kubeconfig_cases.Case("", {"certificate-authority": "ca.pem"}, {"token": "x"})
    (tmp_path / "config").write_text(json.dumps(case.config("https://c.example.org")))
    where = {"KUBECONFIG": str(tmp_path / "config")}
    run = engine.run("kubectl", "config", "view", "--raw", "--flatten", "--minify", **where)
    assert run.code == 0, run.text
    found = reading.loads(run.out, where="it")
    assert checking.authorities(found) == [kubeconfig_cases.CERTIFICATE.strip()]
    assert list(checking.problems(found)) == []
