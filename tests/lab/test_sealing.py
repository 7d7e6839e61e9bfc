"""What `ops seal` takes and refuses, held against a real API server; and kubectl takes what it writes."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import engine as engines
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa

from lab import layout
from lab.plugins.kubernetes import cluster
from tests import certificates, secret_cases

SECRETS = "/api/v1/namespaces/{}/secrets?dryRun=All&fieldValidation=Strict"
CRD = layout.PROJECT / "lab/charts/sealed-secrets/crds/sealedsecrets.yaml"
CASES = {**secret_cases.TAKEN, **{case: given for case, (given, _) in secret_cases.REFUSED.items()}}


@pytest.mark.parametrize("case", CASES)
def test_the_api_server_says_what_the_table_says(api: cluster.Cluster, case: str) -> None:
    given = CASES[case]
    given = {key: value for key, value in given.items() if value is not None}
    path = SECRETS.format("default")
    if case in secret_cases.TAKEN:
        assert api.request("POST", path, given)["kind"] == "Secret"
        return
    if "a namespace" in case:
        path, given = "/api/v1/namespaces?dryRun=All", {"metadata": {"name": given["metadata"]["namespace"]}}
    with pytest.raises(cluster.ApiError) as error:
        api.request("POST", path, given)
    assert error.value.status in (400, 422), f"it is refused for what it is: {error.value}"


@pytest.fixture(scope="module")
def sealed_secrets(engine: engines.Engine, control_plane: None) -> Iterator[None]:
    """The kind SealedSecret, without its controller; taken away again, for the Application of the other tests."""
    made = engine.kubectl("apply", "--server-side", "-f", str(CRD))
    assert made.code == 0, made.text
    waited = engine.kubectl("wait", "--for=condition=Established", "-f", str(CRD), "--timeout=30s")
    assert waited.code == 0, waited.text
    yield
    engine.kubectl("delete", "-f", str(CRD), "--wait=true")


def applied(engine: engines.Engine, file: pathlib.Path, *more: str) -> engines.Run:
    return engine.kubectl("apply", "-f", str(file), "-n", "default", *more)


@pytest.mark.usefixtures("sealed_secrets")
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_kubectl_takes_what_was_json_with_a_character_of_two_halves(
    engine: engines.Engine, tmp_path: pathlib.Path, sealing_certificate: str, form: list[str]
) -> None:
    place = {"name": "smile", "namespace": "default", "annotations": {"note": "\U0001f600"}}
    text = json.dumps(secret_cases.secret(metadata=place))
    file = tmp_path / "sealed"
    done = engine.run("python", "-m", "ops", "seal", "--cert", sealing_certificate, "-o", str(file), *form, stdin=text)
    assert done.code == 0, done.text
    assert (ran := applied(engine, file)).code == 0, ran.text
    found = engine.kubectl("get", "sealedsecret", "smile", "-n", "default", "-o", "json")
    assert json.loads(found.out)["spec"]["template"]["metadata"]["annotations"]["note"] == "\U0001f600"


@pytest.mark.usefixtures("sealed_secrets")
@pytest.mark.parametrize(("kib", "warned"), [(189, False), (193, True), (1000, True)])
def test_the_warning_about_size_is_there_exactly_where_kubectl_stumbles(
    engine: engines.Engine, tmp_path: pathlib.Path, sealing_certificate: str, kib: int, warned: bool
) -> None:
    file = tmp_path / "sealed.yaml"
    text = yaml.safe_dump(secret_cases.secret(stringData={"a": "x" * kib * 1024}, metadata=_place(kib)))
    done = engine.run("python", "-m", "ops", "seal", "--cert", sealing_certificate, "-o", str(file), stdin=text)
    assert done.code == 0, done.text
    assert ("metadata.annotations: Too long" in done.err) is warned, done.err
    ran = applied(engine, file)
    assert (ran.code != 0, "metadata.annotations: Too long" in ran.err) == (warned, warned), ran.text
    assert (ran := applied(engine, file, "--server-side")).code == 0, ran.text


@pytest.mark.usefixtures("sealed_secrets")
def test_what_is_too_large_to_be_stored_is_so(
    engine: engines.Engine, tmp_path: pathlib.Path, sealing_certificate: str
) -> None:
    """The size at which the command refuses is one that the API server refuses as well."""
    filler = {"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": _place(0)}
    file = tmp_path / "sealed.json"
    file.write_text(json.dumps({**filler, "spec": {"encryptedData": {"a": "x" * 1536 * 1024}}}))
    ran = applied(engine, file, "--server-side")
    assert ran.code != 0
    assert "too large" in ran.err.lower() or "too long" in ran.err.lower(), ran.text
    many = yaml.safe_dump(secret_cases.secret(stringData={f"k{number}": "x" * 100 for number in range(4000)}))
    done = engine.run("python", "-m", "ops", "seal", "--cert", sealing_certificate, stdin=many)
    assert (done.code, "the API server stores 1.5 MiB" in done.err) == (1, True), done.text


def _place(number: int) -> dict[str, Any]:
    return {"name": f"size-{number}", "namespace": "default"}


@pytest.fixture(scope="module")
def sealing_certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A certificate with a key as long as the controller's own."""
    file = tmp_path_factory.mktemp("sealing") / "sealing.pem"
    file.write_bytes(certificates.self_signed("sealing", rsa.generate_private_key(65537, 4096))[1])
    return str(file)
