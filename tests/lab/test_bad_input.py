"""What a person gets wrong: one clear error, at preview already, and nothing half-made."""

from __future__ import annotations

import pathlib
from typing import Any

import engine as engines
import pytest
import yaml

import preflight.cluster
import settings
from lab import layout, workspace
from tests import certificates

COMMANDS = ("preview", "up --yes --skip-preview")


def refused(engine: engines.Engine, *words: str, command: str = "preview", **env: str) -> str:
    """The one error of a command that has to fail, containing all the words."""
    run = engine.pulumi(command, **env)
    assert run.code != 0, run.text
    for word in words:
        assert word in run.text, run.text
    assert "Traceback" not in run.text, run.text
    errors = [line for line in run.text.splitlines() if line.lstrip().startswith("error:")]
    assert len(errors) == 1, f"one mistake, one error: {run.text}"
    assert not engine.ionos_objects(), "nothing is half-made"
    made = [resource["type"] for resource in engine.state().get("resources", [])]
    # The engine's own provider comes with asking it for the stack's outputs, at which lost owners are seen.
    assert set(made) <= {"pulumi:pulumi:Stack", "pulumi:providers:pulumi"}, "nothing is half-made"
    return run.text


def test_all_mistakes_of_a_stack_file_are_said_at_once(engine: engines.Engine) -> None:
    def change(config: dict[str, Any]) -> None:
        config["gitops-platform:cluster"]["ingressPool"]["ramMb"] = 8
        config["gitops-platform:cluster"]["defaultPool"]["autoscaling"] = {"min": 2, "max": 2}
        config["gitops-platform:cluster"]["locatoin"] = "de/fra"
        config["gitops-platform:dns"]["domains"] = ["not a domain"]
        config["gitops-platform:addons"]["grafana"] = {}

    with engine.changed_config(change):
        for command in COMMANDS:
            text = refused(engine, "cluster.ingressPool.ramMb", "8192", "cluster.defaultPool.autoscaling",
                           "cluster.locatoin", "dns.domains", "addons.grafana", command=command)  # fmt: skip
            assert "5 mistakes" in text


NO_OTHER_AWS_KEY = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_CONFIG_FILE": "/dev/null",
}
"""On a machine of AWS's, or of somebody who uses it."""


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ({"IONOS_TOKEN": ""}, ["IONOS_TOKEN"]),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", **NO_OTHER_AWS_KEY}, ["AWS_ACCESS_KEY_ID"]),
    ],
    ids=["IONOS", "AWS"],
)
def test_missing_credentials_are_said_before_anything_is_made(
    engine: engines.Engine, missing: dict[str, str], words: list[str], tmp_path: pathlib.Path
) -> None:
    for command in COMMANDS:
        refused(engine, *words, command=command, **missing, HOME=str(tmp_path))


def test_a_missing_secret_comes_with_the_command_that_sets_it(engine: engines.Engine) -> None:
    def change(config: dict[str, Any]) -> None:
        config["gitops-platform:argocd"] = {"github": {"clientId": "Iv1.0123456789abcdef", "organization": "Example"}}

    with engine.changed_config(change):
        for command in COMMANDS:
            refused(engine, "githubClientSecret", "pulumi config set --secret githubClientSecret", command=command)


def existing(path: pathlib.Path, **more: str) -> dict[str, Any]:
    return {"provider": "existing", "name": "factory-1", "kubeconfigPath": str(path), **more}


def test_an_existing_cluster_that_does_not_answer_is_said_at_preview(
    engine: engines.Engine, tmp_path: pathlib.Path
) -> None:
    config = yaml.safe_load(engine.lab.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(config))
    with engine.changed_config(lambda c: c.update({"gitops-platform:cluster": existing(file)})):
        for command in COMMANDS:
            refused(engine, "127.0.0.1:1", command=command)


def test_a_client_certificate_of_another_authority_is_said_at_preview(
    engine: engines.Engine, tmp_path: pathlib.Path, control_plane: None
) -> None:
    for name, content in zip(("key.pem", "cert.pem"), certificates.self_signed("kubernetes-admin"), strict=True):
        (tmp_path / name).write_bytes(content)
    config = yaml.safe_load(engine.lab.kubeconfig.read_text())
    config["users"][0]["user"] = {"client-certificate": "cert.pem", "client-key": "key.pem"}
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    section = existing(tmp_path / "config")
    with engine.changed_config(lambda c: c.update({"gitops-platform:cluster": section})):
        for command in COMMANDS:
            refused(engine, "does not take its client certificate (401)", command=command)


def test_a_client_certificate_that_the_cluster_takes_is_fine(engine: engines.Engine, control_plane: None) -> None:
    config, pair = yaml.safe_load(engine.lab.kubeconfig.read_text()), engine.lab.folder("pki") / "kubelet-client"
    config["users"][0]["user"] = {"client-certificate": f"{pair}.crt", "client-key": f"{pair}.key"}
    cluster = settings.ExistingCluster(provider="existing", name="factory-1")
    assert list(preflight.cluster.problems(cluster, yaml.safe_dump(config))) == []


def test_a_wrong_context_is_said_with_those_there_are(engine: engines.Engine) -> None:
    names = [c["name"] for c in yaml.safe_load(engine.lab.kubeconfig.read_text())["contexts"]]
    section = existing(engine.lab.kubeconfig, context="nowhere")
    with engine.changed_config(lambda c: c.update({"gitops-platform:cluster": section})):
        for command in COMMANDS:
            refused(engine, "nowhere", *names, command=command)


def test_config_check_says_the_same_without_an_engine(engine: engines.Engine, tmp_path: pathlib.Path) -> None:
    document = yaml.safe_load(workspace.config_file(engine.lab).read_text())
    document["config"]["gitops-platform:dns"]["domains"] = ["not a domain"]
    (tmp_path / "Pulumi.bad.yaml").write_text(yaml.safe_dump(document))
    (tmp_path / "Pulumi.yaml").write_text((layout.PROJECT / "Pulumi.yaml").read_text())
    run = engine.run("python", "-m", "ops", "config", "check", "bad", "--directory", str(tmp_path))
    assert run.code == 1, run.text
    (mistake,) = run.out.splitlines()

    def change(config: dict[str, Any]) -> None:
        config["gitops-platform:dns"]["domains"] = ["not a domain"]

    with engine.changed_config(change):
        refused(engine, *mistake.partition(": ")[2].split(" → "))
