"""The way from Pulumi's configuration to settings: what the program sees, and how it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pulumi
import pytest
from pulumi.runtime import config

import settings
from tests.unit.test_settings_rules import GOOD

PROJECT = "gitops-platform"


@pytest.fixture(autouse=True)
def _stack() -> Iterator[None]:
    pulumi.runtime.set_mocks(_Mocks(), project=PROJECT, stack="sbx")
    before = config.CONFIG.get()
    yield
    pulumi.runtime.set_all_config(before, [])


class _Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        return args.name, args.inputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        return {}


def refusal() -> str:
    """The one error that the program ends with."""
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pulumi.log, "error", said.append)
        with pytest.raises(SystemExit) as ended:
            settings.load()
    assert ended.value.code == 32, "after any other code the language host adds an error of its own"
    (text,) = said
    return text


def configure(values: dict[str, Any], secrets: tuple[str, ...] = ()) -> None:
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    named = {key if ":" in key else f"{PROJECT}:{key}": value for key, value in texts.items()}
    pulumi.runtime.set_all_config(named, [f"{PROJECT}:{key}" for key in secrets])


def test_the_program_reads_its_own_namespace_only() -> None:
    configure({**GOOD, "aws:region": "eu-west-1", "pulumi:disable-default-providers": ["*"], "waitMinutes": "7"})
    found = settings.load()
    assert (found.environment, found.wait_minutes) == ("sbx", 7)


def test_all_mistakes_are_one_error_without_a_traceback() -> None:
    configure({**GOOD, "adons": {}, "waitMinutes": 0, "gitops-platfrom:charts": {}})
    text = refusal()
    assert text.startswith("Pulumi.sbx.yaml: 3 mistakes; nothing was changed\n"), "the heading names file and count"
    assert [line.split(":")[0] for line in text.splitlines()[1:]] == ["  gitops-platfrom", "  adons", "  waitMinutes"]


def test_a_secret_in_plain_text_is_refused_without_being_shown() -> None:
    configure({**GOOD, "ionosToken": "hunter2"})
    text = refusal()
    assert "pulumi config set --secret ionosToken" in text
    assert "hunter2" not in text, "a CI log would keep it"


def test_an_empty_secret_is_none() -> None:
    configure(
        {**GOOD, "dns": {"provider": "ionos", "domains": ["example.org"]}, "ionosDnsToken": ""}, ("ionosDnsToken",)
    )
    assert "ionosDnsToken" in refusal()


def test_secrets_are_secret_outputs() -> None:
    configure({**GOOD, "ionosToken": "hunter2"}, ("ionosToken",))
    settings.load()
    found = settings.load_secrets()
    assert found.kubeconfig is None
    assert found.ionos_token is not None
    assert "hunter2" not in repr(found), "a dataclass in a message must not reveal it"
    assert settings.reveal("ionosToken") == "hunter2"


def test_checking_stack_files_needs_no_sdk() -> None:
    code = "import sys, settings, ops.__main__; sys.exit('pulumi' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": "."}, check=False)
    assert ran.returncode == 0, "the command would start in 0.5 s instead of 0.2 s"
