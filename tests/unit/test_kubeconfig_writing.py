"""Kubeconfigs that are handed on: what they hold, what they must not hold, and that they merge."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest
import yaml

from kubeconfigs import decoding, reading, writing

ADMIN: dict[str, Any] = {
    "current-context": "ops",
    "contexts": [
        {"name": "other", "context": {"cluster": "elsewhere", "user": "nobody"}},
        {"name": "ops", "context": {"cluster": "c", "user": "admin"}},
    ],
    "clusters": [
        {"name": "elsewhere", "cluster": {"server": "https://elsewhere"}},
        {"name": "c", "cluster": {"server": "https://c:6443", "certificate-authority-data": "Q0E=", "extensions": []}},
    ],
    "users": [{"name": "admin", "user": {"token": "canary-admin"}}],
}


def made(admin: Any = ADMIN, namespace: str = "til") -> dict[str, Any]:
    text = writing.with_token(
        yaml.safe_dump(admin), context=f"{namespace}-dev", user=f"{namespace}-user-dev", namespace=namespace, token="t"
    )
    assert "canary" not in text, "an administrator's credentials never reach a user"
    return yaml.safe_load(text)


def test_it_points_one_user_at_the_cluster_of_the_current_context() -> None:
    assert made() == {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "til-dev",
        "contexts": [
            {"name": "til-dev", "context": {"cluster": "til-dev", "namespace": "til", "user": "til-user-dev"}}
        ],
        "clusters": [
            {"name": "til-dev", "cluster": {"server": "https://c:6443", "certificate-authority-data": "Q0E="}}
        ],
        "users": [{"name": "til-user-dev", "user": {"token": "t"}}],
    }


def test_no_name_in_two_of_them_is_the_same() -> None:
    one, other = made(), made(namespace="in2")
    for section in ("contexts", "clusters", "users"):
        names = [entry["name"] for config in (one, other) for entry in config[section]]
        assert len(set(names)) == 2, f"kubectl takes the first of two {section} with one name"


@pytest.mark.parametrize(
    "admin",
    [
        "canary: [",
        "canary",
        [],
        {**ADMIN, "current-context": "gone"},
        {**ADMIN, "clusters": []},
        {**ADMIN, "clusters": [{"name": "c", "cluster": {}}]},
        {**ADMIN, "clusters": [{"name": "c", "cluster": {"server": "https://c", "certificate-authority": "ca.crt"}}]},
    ],
)
def test_what_cannot_be_used_is_refused_without_showing_it(admin: Any) -> None:
    with pytest.raises(ValueError, match=r"^the administrator's kubeconfig") as caught:
        writing.with_token(
            admin if isinstance(admin, str) else yaml.safe_dump(admin), context="c", user="u", namespace="n", token="t"
        )
    assert "canary" not in str(caught.value)


def cluster(**keys: Any) -> dict[str, Any]:
    section = {"server": "https://c:6443", "certificate-authority-data": "Q0E=", **keys}
    return {**ADMIN, "clusters": [{"name": "c", "cluster": section}]}


def test_an_owner_gets_the_proxy_without_its_user_and_password() -> None:
    (found,) = made(cluster(**{"proxy-url": "http://ops:canary%40pw@proxy.example.org:3128"}))["clusters"]
    assert found["cluster"]["proxy-url"] == "http://proxy.example.org:3128"


def test_an_owner_gets_the_server_without_its_user_and_password() -> None:
    (found,) = made(cluster(server="https://ops:canary@c:6443/api?canary=1"))["clusters"]
    assert found["cluster"]["server"] == "https://c:6443/api"


def test_an_owner_gets_no_extension_of_the_administrators_cluster() -> None:
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"secret": "canary"}}
    made(cluster(extensions=[extension], unknown="canary"))


def context(**keys: Any) -> reading.Context:
    return reading.loads(yaml.safe_dump(cluster(**keys)), where="the kubeconfig")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, []),
        ({"server": "https://127.0.0.1:6443"}, ["this machine itself"]),
        ({"server": "https://localhost"}, ["this machine itself"]),
        ({"server": "https://[::1]:6443"}, ["this machine itself"]),
        ({"server": "https://0.0.0.0:6443"}, ["this machine itself"]),
        ({"server": "https://kubernetes.docker.internal:6443"}, ["this machine itself"]),
        ({"server": "https://rancher.example.org/k8s/clusters/c-m-abc"}, ["Rancher"]),
        ({"server": "https://example.org/k8s"}, []),
        ({"proxy-url": "socks5://localhost:1080"}, ["this machine itself"]),
        ({"server": "https://127.0.0.1:6443", "proxy-url": "http://bastion:3128"}, []),
        ({"proxy-url": "http://u:canary@bastion:3128"}, ["without its user and password"]),
    ],
)
def test_what_makes_an_owners_kubeconfig_useless_is_said(keys: dict[str, Any], words: list[str]) -> None:
    found = [str(one) for one in writing.useless(context(**keys))]
    assert len(found) == len(words)
    assert all(word in one for word, one in zip(words, found, strict=True))
    assert "canary" not in str(found)


# One context, made portable


def portable(folder: pathlib.Path, cluster: dict[str, Any], user: dict[str, Any]) -> dict[str, Any]:
    """A kubeconfig with these sections, read from a file in the folder and made portable."""
    config = {
        "current-context": "m",
        "contexts": [{"name": "m", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://c", **cluster}}],
        "users": [{"name": "u", "user": user}],
    }
    (folder / "config").write_text(json.dumps(config))
    return decoding.parse(writing.portable(reading.load(str(folder / "config"))), "the result")


def command(folder: pathlib.Path, named: str) -> str:
    """What `exec.command` becomes."""
    plugin = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": named, "args": ["./x"]}
    (user,) = portable(folder, {}, {"exec": plugin})["users"]
    assert user["user"]["exec"]["args"] == ["./x"], "kubectl leaves arguments as they are"
    return user["user"]["exec"]["command"]


def test_a_command_with_a_path_begins_at_the_kubeconfigs_folder(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "token.sh").touch(0o755)
    script = str(tmp_path / "bin" / "token.sh")
    assert command(tmp_path, "./bin/token.sh") == script
    assert command(tmp_path, "bin/token.sh") == script
    assert command(tmp_path, script) == script
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert command(tmp_path, "token.sh") == "token.sh", "a plain name is looked for in PATH"


def test_the_file_of_a_token_comes_before_the_token_that_is_written(tmp_path: pathlib.Path) -> None:
    (tmp_path / "token").write_text("new\n")
    assert portable(tmp_path, {}, {"token": "old", "tokenFile": "token"})["users"][0]["user"] == {"token": "new"}
    (tmp_path / "token").unlink()
    assert portable(tmp_path, {}, {"token": "old", "tokenFile": "token"})["users"][0]["user"] == {"token": "old"}


def test_no_credentials_are_read_for_a_server_that_is_not_asked_by_tls(tmp_path: pathlib.Path) -> None:
    user = {"tokenFile": "/nonexistent", "client-key": "/nonexistent"}
    assert portable(tmp_path, {"server": "http://c"}, user)["users"][0]["user"] == {}


def test_the_proxys_password_and_extensions_stay_in_the_programs_own(tmp_path: pathlib.Path) -> None:
    more = {
        "proxy-url": "http://u:p@proxy:3128",
        "extensions": [
            {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a", "n": 12, "on": True}}
        ],
    }
    (found,) = portable(tmp_path, more, {"token": "t"})["clusters"]
    assert found["cluster"] == {"server": "https://c", **more}


@pytest.mark.parametrize("text", ["12e4", "0o17", "y", "N", "1_0", "0123", "2024-01-01", "10:30", "yes", "~", "<<", ""])
def test_text_stays_text_for_other_parsers(tmp_path: pathlib.Path, text: str) -> None:
    (found,) = portable(tmp_path, {}, {"token": "t", "username": "", "as": text})["users"]
    assert found["user"]["as"] == text, "kubectl's parser, whose rules `decoding` follows, would refuse a number"


def test_what_kubectl_refuses_is_not_handed_on(tmp_path: pathlib.Path) -> None:
    with pytest.raises(reading.KubeconfigError, match=r"certificate-authority names .*/gone, which is not there"):
        portable(tmp_path, {"certificate-authority": "gone"}, {"token": "t"})


def test_a_context_without_a_user_is_handed_on(tmp_path: pathlib.Path) -> None:
    config = {**ADMIN, "contexts": [{"name": "ops", "context": {"cluster": "c"}}]}
    text = writing.portable(reading.loads(yaml.safe_dump(config), where="it"))
    assert yaml.safe_load(text)["users"] == []
