"""What kubectl's decoder takes and refuses, and that no error shows what stands in a kubeconfig."""

from __future__ import annotations

import contextlib
import json
import pathlib
from typing import Any

import hypothesis
import pytest
import yaml
from hypothesis import strategies

from kubeconfigs import checking, decoding, reading, writing

PLAIN = """
apiVersion: v1
kind: Config
current-context: m
contexts:
- {name: m, context: {cluster: c, user: u}}
clusters:
- name: c
  cluster: {server: "https://c.example.org", certificate-authority-data: Q0FO}
users:
- name: u
  user: {token: canary}
"""

BLOCK = """
    server: https://c.example.org
    certificate-authority-data: |
      Q0
      FO
"""


def read(text: str) -> reading.Context:
    return reading.loads(text, where="it")


def error(text: str) -> str:
    with pytest.raises(reading.KubeconfigError) as caught:
        read(text)
    assert "canary" not in str(caught.value)
    return str(caught.value)


PARSED = decoding.parse(PLAIN, "it")


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.encode("utf-16"),
        json.dumps(PARSED, indent="\t").encode(),
        b"\xef\xbb\xbf\n" + json.dumps(PARSED, indent="\t").encode(),
        PLAIN.replace('{server: "https://c.example.org", certificate-authority-data: Q0FO}', BLOCK).encode(),
        PLAIN.replace("Q0FO", '"Q0\\r\\nFO"').encode(),
        PLAIN.encode() + b"---\nanother: document\n",
        PLAIN.replace("kind: Config", "# Zertifikat für c\nkind: Config").encode(),
        PLAIN.replace("apiVersion: v1\nkind: Config\n", "").encode(),
        PLAIN.encode() + b"unknown: 1\npreferences:\n",
    ],
    ids=["plain", "crlf", "bom", "utf-16", "tabs", "bom-tabs", "block", "lines", "documents", "umlaut", "bare", "more"],
)  # fmt: skip
def test_what_kubectl_takes_is_taken(tmp_path: pathlib.Path, content: bytes) -> None:
    (tmp_path / "config").write_bytes(content)
    found = reading.load(str(tmp_path / "config"))
    assert (found.name, found.cluster_name, found.user_name) == ("m", "c", "u")
    assert found.cluster == {"server": "https://c.example.org", "certificate-authority-data": "Q0FO"}
    assert found.user == {"token": "canary"}


@pytest.mark.parametrize("content", [PLAIN.encode("utf-16-le"), PLAIN.replace("m", "\xfc").encode("latin-1")])
def test_another_encoding_is_said(tmp_path: pathlib.Path, content: bytes) -> None:
    (tmp_path / "config").write_bytes(content)
    with pytest.raises(reading.KubeconfigError, match="config is not UTF-8 → save it as UTF-8"):
        reading.load(str(tmp_path / "config"))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/nonexistent/config", "/nonexistent/config is not there"),
        ("/", "/ cannot be read (IsADirectoryError)"),
        ("~nobody-of-this-name/config", "cannot be read (RuntimeError)"),
        ("a\0b", "cannot be read (ValueError)"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(path: str, words: str) -> None:
    with pytest.raises(reading.KubeconfigError) as caught:
        reading.load(path)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("canary", "12345", "users[0].user.token is a number, not text → write it in quotes"),
        ("canary", "12e4", "users[0].user.token is a number, not text → write it in quotes"),
        ("canary", "0o17", "users[0].user.token is a number, not text → write it in quotes"),
        ("canary", "y", "users[0].user.token is a boolean, not text → write it in quotes"),
        ("canary", "[canary]", "users[0].user.token is a list, not text → write text"),
        ("{token: canary}", "canary", "users[0].user is text, not a mapping → write a mapping"),
        ("{token: canary}", '{"as-user-extra": {canary: [1]}}', "users[0].user.as-user-extra.*[0] is a number"),
        ("server: ", 'insecure-skip-tls-verify: "true", server: ', "insecure-skip-tls-verify is text, not a boolean"),
        ("Q0FO", "Q0 FO", "clusters[0].cluster.certificate-authority-data is no base64"),
        ("Q0FO", "Q0F", "clusters[0].cluster.certificate-authority-data is no base64"),
        ("apiVersion: v1", "apiVersion: v2", "is no kubeconfig: its apiVersion is not v1"),
        ("kind: Config", "kind: Secret", "is no kubeconfig: its kind is not Config"),
        ("- name: u", "- {name: u}\n- name: u", "has several users named 'u' → remove all but one of them"),
        ("name: m", "name: 12", "contexts[0].name is a number"),
        ("token: canary", "token: [canary", "is no valid YAML (line 12)"),
        ("canary", "!!int canary", "is no valid YAML"),
        ("canary", "!!timestamp canary", "is no valid YAML"),
        ("canary", "!!bool canary", "users[0].user.token is a boolean"),
        ("canary", "!canary x", "is no valid YAML (line "),
        ("canary", '"canary\0"', "is no valid YAML"),
        ("clusters:", "clusters: {}\nx:", "clusters is a mapping, not a list"),
    ],
)
def test_what_kubectl_cannot_decode_is_refused_by_key_or_line(old: str, new: str, words: str) -> None:
    assert words in error(PLAIN.replace(old, new))


@pytest.mark.parametrize("text", ["2024-01-01", "10:30", "v1", "'12'", "0x", "1.2.3"])
def test_what_only_looks_like_a_number_or_a_date_is_text(text: str) -> None:
    assert read(PLAIN.replace("canary", text)).user["token"] == text.strip("'")


def test_an_entry_that_is_empty_does_no_harm() -> None:
    assert read(PLAIN.replace("users:", "users:\n-")).user == {"token": "canary"}


def test_a_context_without_a_user_has_none() -> None:
    assert read(PLAIN.replace(", user: u", "")).user == {}


def test_paths_begin_at_the_kubeconfigs_folder(tmp_path: pathlib.Path) -> None:
    user = "{token: x, client-certificate: a/cert.pem, client-key: /etc/key.pem, tokenFile: ../token}"
    (tmp_path / "config").write_text(PLAIN.replace("{token: canary}", user))
    found = reading.load(str(tmp_path / "config")).user
    assert found["client-certificate"] == str(tmp_path / "a" / "cert.pem")
    assert found["client-key"] == "/etc/key.pem"
    assert found["tokenFile"] == str(tmp_path.parent / "token")


def test_nothing_secret_is_shown_by_a_repr() -> None:
    assert "canary" not in repr(read(PLAIN))


# Whatever the text is


KEYS = sorted(
    {*decoding.CONFIG, *decoding.CLUSTER, *decoding.USER, *decoding.EXEC, "name", "context", "cluster", "user"}
)
LEAF = strategies.one_of(
    strategies.none(), strategies.booleans(), strategies.integers(), strategies.floats(), strategies.text(),
    strategies.sampled_from(["c", "u", "m", "https://c", "https://[", "http://a:canary@b:x", "/", "Q0FO", "\ud800"]),
)  # fmt: skip
TREE = strategies.recursive(
    LEAF,
    lambda inner: (
        strategies.lists(inner, max_size=3)
        | strategies.dictionaries(strategies.sampled_from(KEYS) | strategies.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=20,
)


quickly = hypothesis.settings(deadline=None, max_examples=60, suppress_health_check=[hypothesis.HealthCheck.too_slow])


def taken_or_refused(text: str) -> None:
    """No other error than ours, from reading to writing."""
    with contextlib.suppress(reading.KubeconfigError):
        found = reading.loads(text, where="it")
        if not list(checking.problems(found)):
            list(writing.useless(found))
        writing.portable(found)
    with contextlib.suppress(reading.KubeconfigError):
        writing.with_token(text, context="a", user="b", namespace="c", token="d")


@quickly
@hypothesis.given(strategies.text() | strategies.text(alphabet="{}[]:,-&*!|>'\"#%@` \n\tab0.~<"))
def test_no_text_ends_in_another_error(text: str) -> None:
    taken_or_refused(text)


@quickly
@hypothesis.given(strategies.binary())
def test_no_bytes_end_in_another_error(content: bytes) -> None:
    with contextlib.suppress(reading.KubeconfigError):
        taken_or_refused(decoding.decoded(content, "it"))


@quickly
@hypothesis.given(TREE, TREE, TREE, strategies.dictionaries(strategies.sampled_from(KEYS), TREE, max_size=3))
def test_no_kubeconfig_ends_in_another_error(cluster: Any, user: Any, context: Any, more: Any) -> None:
    config = {
        "current-context": "m",
        "contexts": [{"name": "m", "context": context or {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        **more,
    }
    taken_or_refused(json.dumps(config))


@quickly
@hypothesis.given(
    strategies.dictionaries(strategies.sampled_from(sorted(decoding.CLUSTER)), LEAF, max_size=4),
    strategies.dictionaries(strategies.sampled_from(sorted(decoding.USER)), LEAF, max_size=4),
)
def test_no_value_of_a_known_key_ends_in_another_error(cluster: Any, user: Any) -> None:
    config = {**PARSED, "clusters": [{"name": "c", "cluster": {"server": "https://c", **cluster}}]}
    taken_or_refused(json.dumps({**config, "users": [{"name": "u", "user": user}]}))


def test_a_text_that_is_too_deep_is_refused() -> None:
    assert "is no valid YAML" in error("{a: " * 5000)
    for text in ("[" * 200_000, "- " * 200_000, "a: &a [*a]\nb: " + "[" * 150 + "]" * 150):
        assert "is no valid YAML" in error(text)


def test_what_refers_to_itself_ends() -> None:
    more = "more: &a [*a]\npreferences: {extensions: &b [{name: x, extension: *b}]}\n"
    assert read(PLAIN + more).user == {"token": "canary"}


def test_yaml_without_libyaml_is_read_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(yaml.SafeLoader):
        yaml_implicit_resolvers = decoding._Loader.yaml_implicit_resolvers
        yaml_constructors = decoding._Loader.yaml_constructors

    monkeypatch.setattr(decoding, "_Loader", Slow)
    assert decoding.parse(PLAIN, "it") == PARSED
    assert decoding.parse(json.dumps(PARSED, indent="\t"), "it") == PARSED
