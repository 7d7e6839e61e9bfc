"""The schema of stack files, the pages and the declarations made from the settings models."""

from __future__ import annotations

import copy
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import hypothesis
import jsonschema
import pulumi
import pydantic_core
import pytest
import yaml
from hypothesis import strategies
from pulumi.runtime import config

import settings
from ops import stackfiles
from reference import __main__ as reference
from reference import declarations, schema, tree
from settings import checks
from tests.unit import test_settings_rules

PROJECT = "gitops-platform"
SCHEMA = schema.stack_file(PROJECT)
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)
GOOD = {"config": {f"{PROJECT}:{key}": value for key, value in test_settings_rules.GOOD.items()}}


def mistakes(document: Any) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(document)]


def test_generated_files_say_what_the_models_say() -> None:
    assert not reference.stale(), "run `make docs` and commit what it writes"


def test_a_stale_file_is_named_and_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference, "made", lambda project: {"docs/outputs.md": "other\n", "no-such-file": "x\n"})
    assert reference.main(["--check"]) == 1
    said = capsys.readouterr().err
    assert "docs/outputs.md: stale; run `make docs`" in said
    assert "no-such-file: stale" in said
    assert not (reference.PROJECT / "no-such-file").exists()


def test_a_page_that_no_navigation_names_is_found(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs" / "more").mkdir(parents=True)
    for page in ("index.md", "more/a.md", "more/b.md"):
        (tmp_path / "docs" / page).touch()
    (tmp_path / "mkdocs.yml").write_text("nav: [index.md, {More: [{A: more/a.md}]}]\n")
    assert reference.unlisted(tmp_path) == ["more/b.md"]
    monkeypatch.setattr(reference, "unlisted", lambda: ["more/b.md"])
    assert reference.main(["--check"]) == 1
    assert "docs/more/b.md: nobody finds it" in capsys.readouterr().err


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("stack", stackfiles.names(stackfiles.PROJECT))
def test_a_committed_stack_file_is_valid_and_names_the_schema(stack: str) -> None:
    file = stackfiles.PROJECT / f"Pulumi.{stack}.yaml"
    assert mistakes(yaml.safe_load(file.read_text())) == []
    first = file.read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=schemas/stack.schema.json", "or editors know nothing of it"


def test_what_pulumi_writes_itself_is_valid() -> None:
    document = copy.deepcopy(GOOD)
    document["config"] |= {f"{PROJECT}:{key}": {"secure": "v1:abc"} for key in settings.SECRETS}
    document["config"] |= {f"{PROJECT}:waitMinutes": "7", "aws:region": "eu-west-1", "other:list": [1]}
    assert mistakes(document | {"encryptionsalt": "v1:abc", "secretsprovider": "passphrase"}) == []


def put(path: str, value: Any) -> Any:
    """The good document with one value changed; `path` below the project's namespace."""
    document: dict[str, Any] = copy.deepcopy(GOOD)
    first, *rest = path.split(".")
    keys = [f"{PROJECT}:{first}", *rest]
    place: Any = document["config"]
    for key in keys[:-1]:
        place = place.setdefault(key, {})
    place[keys[-1]] = value
    return document


WRONG = {
    "an unknown section": put("adons", {}),
    "an unknown key": put("addons.ingress.contoller", "traefik"),
    "a word that is no choice": put("addons.ingress.controller", "nginx"),
    "a number in quotes": put("cluster.defaultPool", {"nodeCount": "2"}),
    "a number out of range": put("waitMinutes", 121),
    "GB for MB": put("cluster.defaultPool", {"ramMb": 8}),
    "MB that are no whole GB": put("cluster.defaultPool", {"ramMb": 8000}),
    "half a version": put("cluster.kubernetesVersion", "1.34"),
    "a version without quotes": put("cluster.kubernetesVersion", 1.34),
    "a provider that is none": put("cluster.provider", "aws"),
    "keys of the other provider": put("cluster.kubeconfigPath", "~/.kube/config"),
    "no domain": put("dns.domains", []),
    "a zone's path": put("dns.domains", [{"name": "example.org", "zoneId": "/hostedzone/Z0123456789"}]),
    "a label's key": put("cluster.defaultPool", {"labels": {"a b": "c"}}),
    "a secret in plain text": put("ionosToken", "hunter2"),
    "no cluster": {"config": {f"{PROJECT}:dns": {"domains": ["example.org"]}}},
    "no config": {},
    "a key beside config": {**GOOD, "confg": {}},
    "a key without namespace": {"config": {**GOOD["config"], "cluster": {}}},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_refused(wrong: Any) -> None:
    assert mistakes(GOOD) == [], "the rest is well"
    assert mistakes(wrong), "an editor has to underline it"


def described() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every setting with its schema."""
    for path, node in [("Settings", {"properties": SCHEMA["properties"]["config"]["properties"]})] + [
        (name, definition) for name, definition in SCHEMA["definitions"].items()
    ]:
        for key, value in node["properties"].items():
            yield f"{path}.{key}", value


@pytest.mark.parametrize(("key", "node"), list(described()), ids=[key for key, _ in described()])
def test_a_setting_is_described_and_its_example_is_valid(key: str, node: dict[str, Any]) -> None:
    assert node.get("description"), f"{key} says nothing in an editor"
    if node.get("required") == ["secure"]:
        return
    for example in node["examples"]:
        jsonschema.Draft7Validator({**node, "definitions": SCHEMA["definitions"]}).validate(example)
    if "default" in node:
        jsonschema.Draft7Validator({**node, "definitions": SCHEMA["definitions"]}).validate(node["default"])


PATTERNS = {check: limit["pattern"] for check, limit in schema.LIMITS.items() if "pattern" in limit}


def taken(check: Any, value: Any) -> bool:
    try:
        check(value)
    except pydantic_core.PydanticCustomError:
        return False
    return True


@pytest.mark.parametrize("check", PATTERNS, ids=[check.__name__ for check in PATTERNS])
@hypothesis.given(data=strategies.data())
@hypothesis.settings(max_examples=40, deadline=None)
def test_a_pattern_refuses_what_the_settings_refuse_and_nothing_else(check: Any, data: strategies.DataObject) -> None:
    good = data.draw(strategies.from_regex(PATTERNS[check], fullmatch=True))
    bent = data.draw(strategies.sampled_from([good, good + " ", good.upper(), "x" + good, good[1:], good * 9]))
    assert taken(check, bent) == bool(PATTERNS[check].fullmatch(bent))


@hypothesis.given(value=strategies.integers(-5, 9000) | strategies.integers(1, 70).map(lambda gb: gb * 1024))
def test_the_limits_of_memory_are_the_settings_own(value: int) -> None:
    valid = jsonschema.Draft7Validator({"type": "integer", **schema.LIMITS[checks.ram_mb]}).is_valid(value)
    assert taken(checks.ram_mb, value) == valid


def test_every_key_is_declared_in_the_project_file() -> None:
    declared = yaml.safe_load((stackfiles.PROJECT / "Pulumi.yaml").read_text())["config"]
    known = [field.alias or name for name, field in settings.Settings.model_fields.items()] + list(settings.SECRETS)
    assert [key for key in declared if ":" not in key] == known
    for key in known:
        assert set(declared[key]) == {"description", "default"}, "the engine would demand it, or refuse before we do"


def test_a_declared_default_is_as_good_as_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """As the engine hands them over: texts, everything else as JSON."""

    def load(given: dict[str, Any]) -> settings.Settings:
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in given.items()}
        pulumi.runtime.set_all_config({f"{PROJECT}:{key}": value for key, value in texts.items()}, [])
        return settings.load()

    before = config.CONFIG.get()
    pulumi.runtime.set_mocks(_Nothing(), project=PROJECT, stack="sbx")
    defaults = {key: declaration["default"] for key, declaration in declarations.declared().items()}
    try:
        plain = load(test_settings_rules.GOOD)
        assert load({**defaults, **test_settings_rules.GOOD}) == plain
        assert set(vars(settings.load_secrets()).values()) == {None}, "a default is no secret"
        with pytest.raises(SystemExit):
            load(defaults)
        for key in ("cluster", "dns"):
            assert f"{key}: it is missing" in caplog.text, "the engine does not ask for it before the program can"
    finally:
        pulumi.runtime.set_all_config(before, [])


class _Nothing(pulumi.runtime.Mocks):
    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        return args.name, args.inputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        return {}


def test_a_project_file_without_the_marker_is_refused(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "Pulumi.yaml"
    file.write_text("name: p\nruntime: python\n")
    with pytest.raises(ValueError, match="is missing"):
        declarations.project_file(file)


def test_every_setting_has_a_row_and_every_link_an_anchor() -> None:
    page = (stackfiles.PROJECT / "docs" / "configuration.md").read_text()
    for key in ("cluster.ingressPool.ramMb", "addons.certManager.issuer.solver", "waitMinutes", "ionosToken"):
        assert f'<a id="{key}"></a>' in page, "so that one can link to it"
    anchors = [line.split("# ", 1)[1] for line in page.splitlines() if line.startswith("## ")]
    assert "cluster.defaultPool" in anchors
    for name, there in tree.places(schema.of_model(settings.Settings)).items():
        assert f"](#{tree.slug(tree.heading(there))})" in page, f"nothing leads to {name}"
