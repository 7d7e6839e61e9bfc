"""`python -m ops seal`: what the private key gets back, what is refused, and that no value is ever shown."""

from __future__ import annotations

import base64
import contextlib
import datetime
import functools
import json
import pathlib
from typing import Any

import hypothesis
import pytest
import typer.testing
import yaml
from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import aead
from cryptography.x509 import oid
from hypothesis import strategies as st

from ops import __main__ as ops
from ops import seal_input, sealing
from ops.sealing import Scope
from ops.stack import OpsError, Stack

RUNNER = typer.testing.CliRunner()
CANARY = "canary-5d1b77"
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@functools.cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def pem(key: Any = None, days: int = 3650) -> bytes:
    """A self-signed certificate that begins before NOW and ends `days` after it."""
    key = key or private_key()
    name = x509.Name([x509.NameAttribute(oid.NameOID.COMMON_NAME, "sealed-secrets test")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(NOW - datetime.timedelta(days=30))
    return (
        made.not_valid_after(NOW + datetime.timedelta(days=days))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


def opened(text: str, label: str) -> bytes:
    """A sealed value, opened as the controller does it."""
    raw = base64.b64decode(text, validate=True)
    end = 2 + int.from_bytes(raw[:2])
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label.encode())
    session = private_key().decrypt(raw[2:end], oaep)
    return aead.AESGCM(session).decrypt(bytes(12), raw[end:], None)


def secret(**more: Any) -> dict[str, Any]:
    place = {"name": "db", "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": place, "stringData": {"password": CANARY}, **more}


@pytest.fixture
def cert(tmp_path: pathlib.Path) -> pathlib.Path:
    file = tmp_path / "sealing.pem"
    file.write_bytes(pem())
    return file


def seal(cert: pathlib.Path, *arguments: str, given: Any = None) -> typer.testing.Result:
    text = given if given is None or isinstance(given, str | bytes) else yaml.safe_dump(given)
    return RUNNER.invoke(ops.app, ["seal", "--cert", str(cert), *arguments], input=text)


def sealed(cert: pathlib.Path, *arguments: str, given: Any = None) -> dict[str, Any]:
    result = seal(cert, *arguments, given=given)
    assert result.exit_code == 0, result.output
    return yaml.safe_load(result.stdout)


def refused(cert: pathlib.Path, *arguments: str, given: Any = None, code: int = 1) -> str:
    """What is said when nothing is sealed."""
    result = seal(cert, *arguments, given=given)
    assert result.exit_code == code, result.output
    assert result.stdout == "", "what a script redirects into a file must not be half a result"
    assert CANARY not in result.output, "a message must not show a value"
    return result.stderr


# The encryption


@hypothesis.settings(deadline=None, max_examples=40)
@hypothesis.given(
    value=st.binary(max_size=2000),
    scope=st.sampled_from(list(Scope)),
    name=st.from_regex(r"[a-z0-9]{1,9}", fullmatch=True),
    namespace=st.from_regex(r"[a-z0-9]{1,9}", fullmatch=True),
)
def test_the_private_key_opens_what_was_sealed_for_its_place_and_for_no_other(
    value: bytes, scope: Scope, name: str, namespace: str
) -> None:
    manifest = sealing.sealed_secret(
        {"metadata": {"name": name, "namespace": namespace}, "data": {"key": base64.b64encode(value).decode()}},
        sealing.Certificate(pem(), NOW),
        scope,
    )
    text = manifest["spec"]["encryptedData"]["key"]
    right = {Scope.STRICT: f"{namespace}/{name}", Scope.NAMESPACE_WIDE: namespace, Scope.CLUSTER_WIDE: ""}[scope]
    assert opened(text, right) == value
    for wrong in {f"{namespace}/{name}x", f"x{namespace}", f"{namespace}/{name}", namespace, ""} - {right}:
        with pytest.raises((ValueError, InvalidTag)):
            opened(text, wrong)


def test_the_same_value_never_looks_the_same() -> None:
    certificate = sealing.Certificate(pem(), NOW)
    assert certificate.seal(b"same", b"") != certificate.seal(b"same", b""), "nobody may see which secrets are equal"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no certificate"),
        (CANARY.encode(), "no certificate"),
        (pem() + pem(), "2 certificates"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "no RSA key"),
        (pem(days=-1), "expired on 2025-12-31"),
        (
            private_key().private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
            "no certificate",
        ),
    ],
    ids=["empty", "no PEM", "two", "elliptic curve", "expired", "private key"],
)
def test_a_certificate_that_will_not_do_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(OpsError, match=problem):
        sealing.Certificate(content, NOW)


# What becomes of a Secret


def test_a_sealed_secret_keeps_all_but_the_values(cert: pathlib.Path) -> None:
    metadata = {
        "name": "db",
        "namespace": "shop",
        "labels": {"app": "shop"},
        "annotations": {"team": "a", sealing.LAST_APPLIED: json.dumps(secret())},
        "uid": "x",
        "resourceVersion": "7",
    }
    data = {"password": "b2xk", "file": base64.encodebytes(bytes(range(256))).decode()}
    given = secret(metadata=metadata, data=data, type="example.org/db", immutable=True)
    manifest = sealed(cert, given=given)
    assert manifest["spec"]["template"] == {
        "metadata": {"name": "db", "namespace": "shop", "labels": {"app": "shop"}, "annotations": {"team": "a"}},
        "type": "example.org/db",
        "immutable": True,
    }, "kubectl's copy of what was applied holds the values in plain text"
    assert (manifest["apiVersion"], manifest["kind"]) == ("bitnami.com/v1alpha1", "SealedSecret")
    assert manifest["metadata"] == {"name": "db", "namespace": "shop"}
    found = {key: opened(text, "shop/db") for key, text in manifest["spec"]["encryptedData"].items()}
    assert found == {"password": CANARY.encode(), "file": bytes(range(256))}, "stringData wins, as in the API server"


def test_several_documents_are_sealed_in_one_go(cert: pathlib.Path) -> None:
    text = "---\n" + yaml.safe_dump_all([secret(), None, secret(metadata={"name": "two", "namespace": "b"})])
    result = seal(cert, given=text)
    manifests = list(yaml.safe_load_all(result.stdout))
    assert [each["metadata"]["name"] for each in manifests] == ["db", "two"]
    assert opened(manifests[1]["spec"]["encryptedData"]["password"], "b/two") == CANARY.encode()


def test_one_secret_twice_is_noticed(cert: pathlib.Path) -> None:
    result = seal(cert, given=yaml.safe_dump_all([secret(), secret(stringData={"other": CANARY})]))
    assert "warning: db: it stands there twice" in result.stderr
    assert (
        seal(cert, given=yaml.safe_dump_all([secret(), secret(metadata={"name": "db", "namespace": "b"})])).stderr == ""
    )


def test_json_is_one_object_whatever_there_is(cert: pathlib.Path) -> None:
    one = json.loads(seal(cert, "--json", given=secret()).stdout)
    assert opened(one["spec"]["encryptedData"]["password"], "shop/db") == CANARY.encode()
    several = json.loads(seal(cert, "--json", given=yaml.safe_dump_all([secret(), secret()])).stdout)
    assert (several["kind"], [each["kind"] for each in several["items"]]) == ("List", ["SealedSecret"] * 2)


@pytest.mark.parametrize("scope", ["namespace-wide", "cluster-wide"])
def test_a_wider_scope_is_asked_for_or_named_by_the_secret(cert: pathlib.Path, scope: str) -> None:
    mark = {f"sealedsecrets.bitnami.com/{scope}": "true"}
    named = secret(metadata={"name": "db", "namespace": "shop", "annotations": mark})
    label = "shop" if scope == "namespace-wide" else ""
    for manifest in (sealed(cert, "--scope", scope, given=secret()), sealed(cert, given=named)):
        assert manifest["metadata"]["annotations"] == mark, "the controller makes up the label from it"
        assert opened(manifest["spec"]["encryptedData"]["password"], label) == CANARY.encode()
    strict = sealed(cert, "--scope", "strict", given=named)
    assert "annotations" not in strict["metadata"] | strict["spec"]["template"]["metadata"]
    assert opened(strict["spec"]["encryptedData"]["password"], "shop/db") == CANARY.encode()


def test_a_namespace_can_be_given_for_secrets_that_name_none(cert: pathlib.Path) -> None:
    nowhere = secret(metadata={"name": "db"})
    assert sealed(cert, "-n", "shop", given=nowhere)["metadata"]["namespace"] == "shop"
    assert "namespace" not in sealed(cert, "--scope", "cluster-wide", given=nowhere)["metadata"]
    assert "not other" in refused(cert, "-n", "other", given=secret())


def test_values_come_from_the_command_line_from_files_and_from_stdin(
    cert: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "tls.key").write_bytes(b"\x00key")
    arguments = ["a=1=2", "--from-file", str(tmp_path / "tls.key"), "--from-file", "in=-", "--type", "example.org/x"]
    result = seal(cert, "--name", "db", "-n", "shop", *arguments, given="typed")
    manifest = yaml.safe_load(result.stdout)
    found = {key: opened(text, "shop/db") for key, text in manifest["spec"]["encryptedData"].items()}
    assert found == {"a": b"1=2", "tls.key": b"\x00key", "in": b"typed"}
    assert manifest["spec"]["template"]["type"] == "example.org/x"
    assert "seen by other users" in result.stderr, "arguments are in the list of processes"


def test_a_value_is_asked_for_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.seal._interactive", lambda: True)
    monkeypatch.setattr(Stack, "output", lambda self, name: {"certificate": pem().decode()})
    result = RUNNER.invoke(
        ops.app,
        ["seal", "--name", "db", "-n", "shop", "--stack", "sbx", "--ask", "password"],
        input=f"{CANARY}\n",
    )
    assert CANARY not in result.output
    manifest = yaml.safe_load(result.stdout)
    assert opened(manifest["spec"]["encryptedData"]["password"], "shop/db") == CANARY.encode()


def test_a_file_is_written_and_never_replaced_unasked(cert: pathlib.Path, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "sealed.yaml"
    assert seal(cert, "-o", str(file), given=secret()).stdout == ""
    before = file.read_text()
    assert yaml.safe_load(before)["kind"] == "SealedSecret"
    assert "--force" in refused(cert, "-o", str(file), given=secret())
    assert file.read_text() == before
    assert seal(cert, "-o", str(file), "--force", given=secret()).exit_code == 0
    assert file.read_text() != before


def test_the_certificate_comes_from_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs: dict[str, Any] = {"certificate": pem().decode()}
    monkeypatch.setattr(Stack, "output", lambda self, name: outputs if name == "sealing" else {})
    result = RUNNER.invoke(ops.app, ["seal", "--stack", "sbx"], input=yaml.safe_dump(secret()))
    assert opened(yaml.safe_load(result.stdout)["spec"]["encryptedData"]["password"], "shop/db") == CANARY.encode()
    outputs.clear()
    result = RUNNER.invoke(ops.app, ["seal", "--stack", "sbx"], input=yaml.safe_dump(secret()))
    assert (result.exit_code, "stack sbx has no certificate" in result.stderr) == (1, True)
    assert "run `pulumi up`" in result.stderr


# What is refused

REFUSED: dict[str, tuple[Any, str]] = {
    "nothing": ("", "no Secret in it"),
    "another kind": (secret(kind="ConfigMap"), "no Secret"),
    "a text": (CANARY, "--name and --from-file KEY=PATH make a Secret"),
    "sealed already": ({**secret(), "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret"}, "sealed already"),
    "no metadata": (secret(metadata=None), "metadata is missing"),
    "no name": (secret(metadata={"namespace": "shop"}), "metadata.name is missing"),
    "no namespace": (secret(metadata={"name": "db"}), "give --namespace"),
    "a bad name": (secret(metadata={"name": "Not_A_Name", "namespace": "shop"}), "metadata.name is no name"),
    "no values": (secret(stringData={}), "holds no value"),
    "a misspelt field": (secret(stringdata={"x": CANARY}), "no field stringdata"),
    "a number": (secret(stringData={"port": 5432}), "stringData.port is no text"),
    "values that are no mapping": (secret(data=[CANARY]), "data is no mapping"),
    "bad base64": (secret(data={"x": CANARY}), "data.x is no base64"),
    "a key with a space": (secret(stringData={f"{CANARY} x": "y"}), "other characters"),
    "immutable that is a text": (secret(immutable="yes"), "immutable"),
    "an int that is none": (f"stringData: {{a: {CANARY}, b: !!int ''}}", "no valid YAML"),
    "a bool that is none": (f"stringData: {{password: !!bool {CANARY}}}", "no valid YAML"),
    "a time that is none": (f"stringData: {{password: !!timestamp {CANARY}}}", "no valid YAML"),
    "broken YAML": (f"stringData: {{password: *{CANARY}}}", "line 1, column 24"),
    "a key that stands twice": (f"data: {{a: {CANARY}, a: x}}", "twice"),
    "no UTF-8": (b"\xff\xfe" + CANARY.encode(), "UTF-8"),
    "one of two": (yaml.safe_dump_all([secret(), secret(kind="Pod")]), "document 2"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_sealed_is_refused_as_a_whole(cert: pathlib.Path, case: str) -> None:
    given, problem = REFUSED[case]
    assert problem in refused(cert, given=given)


@pytest.mark.parametrize(
    ("arguments", "problem", "code"),
    [
        (["--stack", "sbx"], "--stack or --cert", 2),
        (["--scope", "global"], "--scope is one of", 2),
        (["--ask", "x"], "need --name", 2),
        (["a", "b"], "one file at a time", 2),
        (["/nowhere/file.yaml"], "cannot read /nowhere/file.yaml", 1),
        ([f"password={CANARY}"], "a value needs --name", 1),
        (["--name", "db", "-n", "shop", CANARY], "value 1 is not of the form", 1),
        (["--name", "db", "-n", "shop", f"a={CANARY}", "a=x"], "key a is given twice", 1),
        (["--name", "db", "-n", "shop", "secret.yaml"], "--from-file KEY=PATH", 1),
        (["--name", "db", "-n", "shop", "--from-file", "a=-", "--from-file", "b=-"], "stdin (-) is one value", 1),
        (["--name", "db", "-n", "shop"], "holds no value", 1),
        (["--name", "db", "-n", "shop", "--ask", "x"], "nobody can be asked", 1),
        (["-o", "/nowhere/sealed.yaml"], "cannot write /nowhere/sealed.yaml", 1),
    ],
)
def test_a_call_that_makes_no_sense_is_refused(
    cert: pathlib.Path, arguments: list[str], problem: str, code: int
) -> None:
    assert problem in refused(cert, *arguments, given=secret(), code=code)


def test_without_any_certificate_nothing_is_sealed() -> None:
    assert RUNNER.invoke(ops.app, ["seal"], input="").exit_code == 2


@hypothesis.given(st.text(max_size=200))
def test_no_text_whatever_makes_it_fail_otherwise(text: str) -> None:
    with contextlib.suppress(OpsError):
        seal_input.secrets(text, None, None)
