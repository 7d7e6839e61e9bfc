"""The contract of stack outputs: what the program exports, and that it breaks no consumer."""

from __future__ import annotations

import fnmatch
import json
import pathlib
from collections.abc import Iterator
from typing import Any, Literal

import jsonschema
import pydantic
import pytest

import outputs
from reference import contract
from tests import recording
from tests.stacks import test_program

SCHEMA = contract.json_schema()
STRICT = jsonschema.Draft7Validator(contract.closed(SCHEMA))
PROMISED = (pathlib.Path(__file__).parent / "outputs-v1.txt").read_text().splitlines()


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IONOS_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of-a-test")


def exported(stack: str = "lab", secrets: tuple[str, ...] = (), **more: Any) -> recording.Recording:
    given = {f"gitops-platform:{key}": json.dumps(value) for key, value in more.items()}
    names = tuple(f"gitops-platform:{key}" for key in secrets)
    return recording.run_main(stack, {**test_program.config(stack), **given}, names)


ENVIRONMENTS = {
    "as committed": exported,
    "without add-ons": lambda: exported(
        addons={key: {"enabled": False} for key in ("sealedSecrets", "ingress", "externalDns", "certManager")}
    ),
    "with IONOS DNS": lambda: exported(
        secrets=("ionosDnsToken",),
        dns={"provider": "ionos", "domains": ["lab.example.org"]},
        addons={},
        ionosDnsToken="token",
    ),
    "production": lambda: exported("prd"),
    "with a token that never expires": lambda: exported(
        appOwners=[{"organization": "a", "namespaces": ["shop"], "permanentToken": True}]
    ),
}


@pytest.mark.parametrize("made", ENVIRONMENTS.values(), ids=ENVIRONMENTS.keys())
def test_outputs_are_what_the_contract_says(made: Any) -> None:
    run = made()
    STRICT.validate(run.outputs)
    expected = {path for path in leaves(run.outputs) if is_secret(path)}
    assert run.secret_outputs == expected, "neither more nor less is secret"
    owners = [name for name, owner in run.outputs["appOwners"].items() if owner["permanentToken"]]
    assert expected == {"kubeconfig", *(f"appOwnerKubeconfigs.{name}" for name in owners)}


def leaves(tree: Any, path: str = "") -> Iterator[str]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, f"{path}.{key}".lstrip("."))
    else:
        yield path


def is_secret(path: str) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in contract.SECRETS)


def test_an_output_that_the_contract_does_not_know_is_noticed() -> None:
    found = exported().outputs
    assert not STRICT.is_valid({**found, "more": 1})
    assert not STRICT.is_valid({**found, "cluster": {**found["cluster"], "more": 1}})
    jsonschema.Draft7Validator(SCHEMA).validate({**found, "more": 1})  # consumers bear what a later release adds


def test_the_version_is_one() -> None:
    assert outputs.API_VERSION == contract.VERSION


def broken() -> list[str]:
    """What is promised and not kept."""
    schema = contract.json_schema()
    shape = contract.shape(schema, schema["definitions"])
    return [line for line in PROMISED if line not in shape]


def test_no_promise_is_broken() -> None:
    assert not broken(), f"consumers of {contract.VERSION} rely on this: keep it, or make a new apiVersion"


def changed(**keys: Any) -> type[contract.Outputs]:
    """The contract with other keys: name -> type."""
    return pydantic.create_model(
        "Outputs", __base__=contract.Outputs, **{key: (kind, ...) for key, kind in keys.items()}
    )


@pytest.mark.parametrize("values", [("ionos",), ("ionos", "existing", "aws")], ids=["one fewer", "one more"])
def test_other_values_of_a_key_break_a_promise(values: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    made = pydantic.create_model("Cluster", __base__=contract.Cluster, provider=(Literal[values], ...))
    monkeypatch.setattr(contract, "Outputs", changed(cluster=made))
    assert broken() == ["cluster.provider: string (existing, ionos)"], "consumers decide by these values"


@pytest.mark.parametrize("secrets", [("appOwnerKubeconfigs.*",), (*contract.SECRETS, "domain")], ids=["less", "more"])
def test_what_is_secret_is_a_promise(secrets: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    (key,) = set(contract.SECRETS) ^ set(secrets)
    monkeypatch.setattr(contract, "SECRETS", secrets)
    assert [line.partition(":")[0] for line in broken()] == [key], "a consumer reads it with --show-secrets, or without"


def test_the_pages_say_what_is_secret() -> None:
    said = {name for name, value in SCHEMA["properties"].items() if "**Secret" in value["description"]}
    assert said == {path.partition(".")[0] for path in contract.SECRETS}


def test_every_key_is_promised() -> None:
    new = [line for line in contract.shape(SCHEMA, SCHEMA["definitions"]) if line not in PROMISED]
    assert not new, "add these lines to tests/unit/outputs-v1.txt: from then on consumers may rely on them"


def test_every_key_is_always_there() -> None:
    for node in [SCHEMA, *SCHEMA["definitions"].values()]:
        assert node["required"] == list(node["properties"]), "a consumer need not ask whether a key exists"
