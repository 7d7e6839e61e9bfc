"""`python -m ops seal` says what the API server would refuse, and reads what kubectl reads."""

from __future__ import annotations

import contextlib
import json
import pathlib
from typing import Any

import hypothesis
import pytest
import test_ops_seal
import yaml
from hypothesis import strategies as st
from test_ops_seal import CANARY, opened, refused, seal, sealed

from ops import seal_input, seal_rules, seal_text, sealing
from ops.stack import OpsError
from tests import certificates, secret_cases
from tests.secret_cases import DOCKER, REFUSED, TAKEN, encoded, secret, typed

cert = test_ops_seal.cert
SMILE = "\U0001f600"


@pytest.mark.parametrize("case", TAKEN)
def test_what_the_api_server_takes_is_sealed(case: str) -> None:
    assert seal_input.secrets(yaml.safe_dump(TAKEN[case]), None, None)


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_api_server_refuses_is_not_sealed(case: str) -> None:
    given, problem = REFUSED[case]
    with pytest.raises(OpsError) as error:
        seal_input.secrets(yaml.safe_dump(given), None, None)
    assert problem in str(error.value)


# What kubectl reads


@pytest.mark.parametrize("form", [json.dumps, lambda each: json.dumps(each, indent="\t")])
def test_json_with_a_character_of_two_halves_is_sealed_as_that_character(cert: pathlib.Path, form: Any) -> None:
    place = {"name": "db", "namespace": "default", "annotations": {"note": f"a {SMILE}"}}
    text = form(secret(metadata=place, stringData={"password": f"{CANARY} {SMILE}"}))
    assert "\\ud83d\\ude00" in text, "or this tests nothing"
    for arguments in ([], ["--json"]):
        out = seal(cert, *arguments, given=text).stdout
        assert "\\ud83d" not in out.lower() or arguments, "go-yaml, which kubectl reads YAML with, refuses half a pair"
        manifest = yaml.safe_load(out) if not arguments else json.loads(out)
        assert manifest["spec"]["template"]["metadata"]["annotations"]["note"] == f"a {SMILE}"
        found = opened(manifest["spec"]["encryptedData"]["password"], "default/db")
        assert found == f"{CANARY} {SMILE}".encode()


def test_such_a_character_may_stand_in_yaml_too(cert: pathlib.Path) -> None:
    text = yaml.safe_dump(secret(stringData=None)) + 'data: {}\nstringData: {a: "\\ud83d\\ude00"}\n'
    text = text.replace("stringData: null\n", "")
    assert opened(sealed(cert, given=text)["spec"]["encryptedData"]["a"], "default/db") == SMILE.encode()


def test_half_a_character_is_named(cert: pathlib.Path) -> None:
    told = refused(cert, given=json.dumps(secret(stringData={"password": f"{CANARY}\ud83d"})))
    assert "stringData.password has half of a character" in told


def test_a_list_is_sealed_one_by_one(cert: pathlib.Path) -> None:
    items = [secret(), secret(metadata={"name": "two", "namespace": "b"})]
    for given in (
        {"apiVersion": "v1", "kind": "List", "items": items, "metadata": {"resourceVersion": ""}},
        {
            "apiVersion": "v1",
            "kind": "SecretList",
            "items": [{key: value for key, value in one.items() if key not in ("apiVersion", "kind")} for one in items],
        },
    ):
        manifests = list(yaml.safe_load_all(seal(cert, given=given).stdout))
        assert [one["metadata"]["name"] for one in manifests] == ["db", "two"]
        assert opened(manifests[1]["spec"]["encryptedData"]["password"], "b/two") == b"x"
    with_a_pod = {"apiVersion": "v1", "kind": "List", "items": [*items, secret(kind="Pod")]}
    assert "document 3: it is no Secret" in refused(cert, given=with_a_pod)
    assert "no List of Secrets" in refused(cert, given={"apiVersion": "v1", "kind": "List"})


def test_json_documents_may_follow_one_another(cert: pathlib.Path) -> None:
    text = "\ufeff" + json.dumps(secret()) + "\n" + json.dumps(secret(metadata={"name": "two", "namespace": "b"}))
    assert len(list(yaml.safe_load_all(seal(cert, given=text.encode()).stdout))) == 2


def test_a_key_that_stands_twice_is_refused_in_json_too(cert: pathlib.Path) -> None:
    text = json.dumps(secret())[:-1] + f', "stringData": {{"a": "{CANARY}"}}}}'
    assert "a key stands there twice" in refused(cert, given=text)


def test_anchors_and_merged_mappings_are_understood_however_deep(cert: pathlib.Path) -> None:
    text = """
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: shop, labels: &labels {app: shop}, annotations: {<<: *labels, app: other}}
stringData:
  <<: &all {<<: &base {user: a, host: h}, user: b}
  password: p
"""
    manifest = sealed(cert, given=text)
    found = {key: opened(value, "shop/db").decode() for key, value in manifest["spec"]["encryptedData"].items()}
    assert found == {"user": "b", "host": "h", "password": "p"}, "what stands there itself wins over what is merged"
    assert manifest["spec"]["template"]["metadata"]["annotations"] == {"app": "other"}


def test_a_mapping_merged_before_it_is_built_counts_no_key_twice() -> None:
    text = "base: &base {a: 1}\nlist: [[[&deep {<<: *base, a: 2}]]]\nmerged: {<<: *deep}\n"
    assert seal_text.documents(text) == [{"base": {"a": 1}, "list": [[[{"a": 2}]]], "merged": {"a": 2}}]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (f"stringData: {{a: {CANARY}\x07}}", "line 1: no valid YAML, it has a control character"),
        ("a: &a\n  b: *a\n", "within itself"),
        ("[" * 600, "no valid YAML"),
        ('{"a":' * 5000, "nested too deeply"),
        (yaml.safe_dump(secret()).encode("utf-16"), "UTF-16, as PowerShell's > writes it: save it as UTF-8"),
        (b"a: \xff" + CANARY.encode(), "no text in UTF-8"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: b}\ndata: {a: !!binary YQ==}", "!!binary"),
    ],
)
def test_a_text_that_cannot_be_read_says_why(cert: pathlib.Path, given: Any, problem: str) -> None:
    assert problem in refused(cert, given=given)


def test_an_anchor_that_is_used_often_costs_nothing() -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))]
    assert len(seal_text.documents("\n".join(lines))[0]) == 30


# Warnings


def told(cert: pathlib.Path, given: dict[str, Any]) -> str:
    result = seal(cert, given=given)
    assert result.exit_code == 0, result.output
    assert CANARY not in result.stderr
    return result.stderr


def test_what_kubectl_cannot_apply_is_said(cert: pathlib.Path) -> None:
    assert told(cert, secret(stringData={"a": "x" * 189 * 1024})) == ""
    warning = told(cert, secret(stringData={"a": "x" * 192 * 1024}))
    assert "warning: db: sealed it is 257 KiB" in warning
    assert "--server-side" in warning
    assert "ServerSideApply=true" in warning


def test_what_no_api_server_can_store_is_refused(cert: pathlib.Path) -> None:
    many = {f"k{number}": "x" * 100 for number in range(4000)}
    assert "db: sealed it is" in refused(cert, given=secret(stringData=many))


@pytest.mark.parametrize(
    ("config", "warned"),
    [
        (DOCKER, False),
        ('{"auths": {"ghcr.io": {}}, "credsStore": "desktop"}', True),
        ('{"auths": {}}', True),
        ('{"auths": 5}', True),
        ('{"ghcr.io": {"auth": "eA=="}}', True),
    ],
)
def test_a_docker_config_without_a_sign_in_is_warned_of(cert: pathlib.Path, config: str, warned: bool) -> None:
    assert (
        "signs in at no registry" in told(cert, typed("dockerconfigjson", **{".dockerconfigjson": config}))
    ) is warned


def pair(certificate: str | bytes, key: str | bytes) -> dict[str, Any]:
    data = {"tls.crt": encoded(certificate), "tls.key": encoded(key)}
    return secret(type="kubernetes.io/tls", data=data, stringData=None)


def test_a_certificate_that_no_ingress_can_use_is_warned_of(cert: pathlib.Path) -> None:
    key, certificate = certificates.self_signed()
    assert told(cert, pair(certificate, key)) == ""
    assert "tls.key does not belong" in told(cert, pair(certificate, certificates.self_signed()[0]))
    assert "tls.crt is no PEM: it is encoded in base64 twice" in told(cert, pair(encoded(certificate), key))
    assert "tls.key is no PEM\n" in told(cert, pair(certificate, "x"))
    assert "cannot be read" in told(cert, pair(b"-----BEGIN X-----", key))


def test_an_argument_that_is_no_text_is_sealed_as_its_bytes(cert: pathlib.Path) -> None:
    arguments = ["--name", "db", "-n", "shop", "a=" + b"\xff\xfe".decode(errors="surrogateescape")]
    assert opened(sealed(cert, *arguments)["spec"]["encryptedData"]["a"], "shop/db") == b"\xff\xfe"


# Whatever is given

VALUES = st.recursive(
    st.none() | st.integers() | st.text(st.characters(exclude_categories=[]), max_size=9) | st.just(encoded("x")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
FIELDS = ("apiVersion", "kind", "metadata", "data", "stringData", "type", "immutable", "items")
SMALL = [case for case, one in TAKEN.items() if len(str(one)) < 1000]
TYPES = st.sampled_from([f"kubernetes.io/{one}" for one in ("tls", "dockerconfigjson", "dockercfg", "ssh-auth")])


@hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
@hypothesis.given(st.dictionaries(st.sampled_from(FIELDS), VALUES | TYPES, max_size=4), st.sampled_from(SMALL))
def test_no_document_whatever_ends_in_anything_but_a_message(fields: dict[str, Any], base: str) -> None:
    document = {**TAKEN[base], **fields}
    for text in (json.dumps(document), yaml.safe_dump(document)):
        with contextlib.suppress(OpsError):
            for given, _ in seal_input.secrets(text, None, None):
                values = sealing.values(given)
                seal_rules.warnings(given, values)
                json.dumps(given).encode()


def test_the_cases_are_told_apart() -> None:
    assert not TAKEN.keys() & REFUSED.keys()
    assert secret_cases.MIB == seal_rules.LIMIT
