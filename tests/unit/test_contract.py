"""The contract of stack outputs: what the program exports, and that it breaks no consumer."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import jsonschema
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
}


@pytest.mark.parametrize("made", ENVIRONMENTS.values(), ids=ENVIRONMENTS.keys())
def test_outputs_are_what_the_contract_says(made: Any) -> None:
    run = made()
    STRICT.validate(run.outputs)
    assert run.secret_outputs == set(contract.SECRETS), "neither more nor less is secret"


def test_an_output_that_the_contract_does_not_know_is_noticed() -> None:
    found = exported().outputs
    assert not STRICT.is_valid({**found, "more": 1})
    assert not STRICT.is_valid({**found, "cluster": {**found["cluster"], "more": 1}})
    jsonschema.Draft7Validator(SCHEMA).validate({**found, "more": 1})  # consumers bear what a later release adds


def test_the_version_is_one() -> None:
    assert outputs.API_VERSION == contract.VERSION


def test_no_promise_is_broken() -> None:
    shape = contract.shape(SCHEMA, SCHEMA["definitions"])
    broken = [line for line in PROMISED if line not in shape]
    assert not broken, f"consumers of {contract.VERSION} rely on this: keep it, or make a new apiVersion"


def test_every_key_is_promised() -> None:
    new = [line for line in contract.shape(SCHEMA, SCHEMA["definitions"]) if line not in PROMISED]
    assert not new, "add these lines to tests/unit/outputs-v1.txt: from then on consumers may rely on them"


def test_every_key_is_always_there() -> None:
    for node in [SCHEMA, *SCHEMA["definitions"].values()]:
        assert node["required"] == list(node["properties"]), "a consumer need not ask whether a key exists"
