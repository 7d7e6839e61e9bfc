"""The life of an environment, from nothing to nothing: the tests of this file run in order on one stack."""

from __future__ import annotations

import base64
import json
import pathlib
import re
import shutil
import signal
import stat
import subprocess
from collections import Counter
from collections.abc import Iterator
from typing import Any

import canaries
import consuming
import engine as engines
import jsonschema
import pytest
import yaml

from lab import layout, services, workspace
from reference import contract
from tests import documented

GITHUB_CANARY = "canary-github-7f3a91"
SERVERS = [
    ["redis-server"],
    ["argocd-repo-server"],
    ["argocd-application-controller"],
    ["argocd-applicationset-controller"],
    ["argocd-server"],
    ["controller", "--key-renew-period"],
]
"""What containers run for real; the last one is sealed-secrets'."""
APPLICATIONS = ["cert-manager", "external-dns", "ingress-nginx", "sealed-secrets"]
pytestmark = pytest.mark.timeout(900)


def operations(preview: dict[str, Any]) -> Counter[str]:
    """How often each operation stands in a preview, unchanged resources left out."""
    return Counter(step["op"] for step in preview["steps"] if step["op"] != "same")


def application(engine: engines.Engine, name: str) -> dict[str, Any]:
    return engine.cluster.get(f"/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/{name}")


@pytest.fixture(scope="module", autouse=True)
def _secrets_planted(engine: engines.Engine) -> Iterator[None]:
    """GitHub sign-in with a client secret that must show up nowhere; the stack file is put back at the end."""
    with engine.changed_config(lambda _config: None):
        plant_secrets(engine)
        yield


def plant_secrets(engine: engines.Engine) -> None:
    run = engine.run("pulumi", "config", "set", "--secret", "githubClientSecret", stdin=GITHUB_CANARY)
    assert run.code == 0, run.text
    file = workspace.config_file(engine.lab)
    document = yaml.safe_load(file.read_text())
    argocd = document["config"].setdefault("gitops-platform:argocd", {})
    argocd["github"] = {"clientId": "Iv1.0123456789abcdef", "organization": "Example"}
    argocd["adminEnabled"] = True
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    assert GITHUB_CANARY not in file.read_text(), "the stack file holds the secret encrypted"


def test_preview_of_nothing_creates_everything_and_touches_nothing(
    engine: engines.Engine, tmp_path: pathlib.Path
) -> None:
    preview = engine.preview()
    (tmp_path / "lab.json").write_text(json.dumps(preview))
    report = engine.run("python", "-m", "ops", "preview-report", str(tmp_path))
    assert f"| `lab` | new, nothing exists yet | {len(preview['steps'])} |" in report.out, (
        "the report reads this engine"
    )
    assert set(operations(preview)) == {"create"}
    assert len(preview["steps"]) <= 100, "the whole environment is at most 100 resources"
    assert not engine.ionos_objects(), "a preview makes nothing"


PHASES = [
    (signal.SIGKILL, "aws:iam:AccessKey", "while keys are made"),
    (signal.SIGKILL, "cluster-default-pool", "while node pools are made"),
    (signal.SIGINT, "helm.sh/v3:Release", "while Argo CD is installed"),
    (signal.SIGTERM, "argoproj.io/v1alpha1:Application", "while add-ons are waited for"),
]


@pytest.mark.parametrize(("how", "marker", "phase"), PHASES, ids=[phase for _, _, phase in PHASES])
def test_an_interrupted_up_goes_on_where_it_was(
    engine: engines.Engine, how: signal.Signals, marker: str, phase: str
) -> None:
    process = engine.start_up()
    log = engine.lab.home / "up.out"
    engines.wait_for(
        lambda: re.search(rf"{marker}.*creating", log.read_text()) or process.poll() is not None, 180, phase
    )
    assert process.poll() is None, log.read_text()
    assert engines.end(process, how) != 0
    if how == signal.SIGKILL:
        refused = engine.pulumi("up --yes --skip-preview")
        assert refused.code != 0, "a killed run leaves its lock; Pulumi says so instead of guessing"
        recovered = engine.run("python", "-m", "ops", "recover", "lab", "--yes")
        assert recovered.code == 0, recovered.text


def test_the_rerun_finishes_without_duplicates(engine: engines.Engine) -> None:
    engine.up()
    assert engine.ionos_objects() == {"datacenter": 1, "ipblock": 1, "k8s": 1, "nodepool": 2}
    iam = engine.aws("iam")
    users = [user["UserName"] for user in iam.list_users()["Users"]]
    assert sorted(users) == ["cert-manager-lab", "external-dns-lab"]
    for user in users:
        assert len(iam.list_access_keys(UserName=user)["AccessKeyMetadata"]) == 1, f"orphan keys of {user}"
    assert len(engine.aws("route53").list_hosted_zones()["HostedZones"]) == 1


def test_up_again_changes_nothing(engine: engines.Engine) -> None:
    engine.up("--expect-no-changes")


def test_demo_again_is_quick_and_changes_nothing(engine: engines.Engine) -> None:
    before = {entry["urn"]: entry.get("modified") for entry in engine.state()["resources"]}
    run = engine.run("python", "-m", "lab", "demo", seconds=120)
    assert run.code == 0, run.text
    assert "unchanged" in run.text
    assert {entry["urn"]: entry.get("modified") for entry in engine.state()["resources"]} == before
    shown, outputs = " ".join(run.out.split()), engine.outputs()
    host = outputs["argocd"]["url"].removeprefix("https://")
    assert f"name {host} → {outputs['ingressAddresses'][0]} certificate" in shown, "as the lab's DNS resolves it"
    assert re.search(rf"certificate {host}, by Pebble .+, until \d{{4}}-\d\d-\d\d \(\d+ days\) answers", shown), shown
    assert re.search(rf"answers https://{host}/api/version: Argo CD v\d+\.\d+\.\d+", shown), shown


def test_a_real_argo_cd_installed_every_add_on(engine: engines.Engine) -> None:
    for name in APPLICATIONS:
        found = application(engine, name)
        assert found["status"]["sync"]["status"] == "Synced"
        assert found["status"]["health"]["status"] == "Healthy"
        assert found["metadata"]["labels"]["purpose"] == "infra"
    running = engines.commands(engine.lab.home)
    for program, *words in SERVERS:
        found = [
            argv for argv in running if pathlib.Path(argv[0].split()[0]).name == program and set(words) <= set(argv)
        ]
        assert len(found) == 1, f"{program} runs for real, started by its pod: {running}"


def test_the_outputs_are_the_contract(engine: engines.Engine) -> None:
    outputs = engine.outputs()
    strict = jsonschema.Draft7Validator(contract.closed(contract.json_schema()))
    strict.validate(outputs)
    strict.validate(engine.outputs(secrets=True))
    assert {key for key, value in outputs.items() if value == "[secret]"} == {"kubeconfig"}
    assert "BEGIN CERTIFICATE" in outputs["sealing"]["certificate"]
    kubeconfig = engine.lab.home / "from-output"
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(engine.outputs(secrets=True)["kubeconfig"])
    assert engine.run("kubectl", "--kubeconfig", str(kubeconfig), "get", "nodes").code == 0


def test_a_script_uses_the_outputs(engine: engines.Engine, tmp_path: pathlib.Path) -> None:
    run = consuming.shell(engine, "examples/outputs.sh", tmp_path / "project")
    assert run.code == 0, run.text
    assert run.out.splitlines()[0] == engine.outputs()["argocd"]["url"]
    for line in ("cert-manager cert-manager v", "namespace/argocd"):
        assert line in run.out
    assert stat.S_IMODE((tmp_path / "project" / "kubeconfig-platform.yaml").stat().st_mode) == 0o600
    assert (tmp_path / "project" / "sealing.pem").read_text() == engine.outputs()["sealing"]["certificate"] + "\n"


def test_another_program_uses_the_outputs(engine: engines.Engine, tmp_path: pathlib.Path) -> None:
    folder, env = consuming.consumer(engine, tmp_path)

    def pulumi(*arguments: str) -> engines.Run:
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"], cwd=folder, env=env,
            capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return engines.Run(done.returncode, done.stdout, done.stderr)

    pulumi("stack", "init", "lab")
    pulumi("config", "set", "environment", "organization/gitops-platform/lab")
    said = pulumi("up", "--yes", "--skip-preview", "--diff")
    written = engine.cluster.get("/api/v1/namespaces/default/configmaps/platform")["data"]
    outputs = engine.outputs(secrets=True)
    told = {"contract": contract.VERSION, "environment": "lab", "domain": outputs["domain"]}
    assert written == {**told, "issuer": outputs["clusterIssuers"][0]}
    token = yaml.safe_load(outputs["kubeconfig"])["users"][0]["user"]["token"]
    state = pulumi("stack", "export")
    assert token not in state.text + said.text, "the environment's kubeconfig stays a secret in the consumer's state"
    pulumi("destroy", "--yes", "--skip-preview")
    pulumi("stack", "rm", "lab", "--yes")


def test_documented_commands_do_what_the_pages_say(engine: engines.Engine, tmp_path: pathlib.Path) -> None:
    pages = consuming.documented_blocks(engine)
    assert len(pages) >= 10, "the pages say which of their blocks are run here"
    folder = tmp_path / "project"
    documented.copy_of_the_project(folder)
    for page, blocks in pages.items():
        documented.as_copied(folder)
        for name, text in consuming.GIVEN.items():
            (folder / name).write_text(text)
        with engine.changed_config(lambda _config: None), consuming.zones_taken_back(engine):
            for line, script in blocks.items():
                run = consuming.shell(engine, script, folder)
                assert run.code == 0, f"{page}:{line}\n{script}\n{run.text}"
    shutil.rmtree(folder)  # it has kubeconfigs
    engine.up("--expect-no-changes")


def test_the_ingress_controller_has_the_reserved_address(engine: engines.Engine) -> None:
    service = engine.cluster.get("/api/v1/namespaces/ingress-nginx/services/ingress-nginx-controller")
    assert service["spec"]["externalTrafficPolicy"] == "Local", "or clients' source addresses are lost"
    addresses = [entry["ip"] for entry in service["status"]["loadBalancer"]["ingress"]]
    assert addresses == engine.outputs()["ingressAddresses"]


def test_each_controller_has_its_own_key_in_the_cluster(engine: engines.Engine) -> None:
    iam = engine.aws("iam")
    ids = {
        user: iam.list_access_keys(UserName=f"{user}-lab")["AccessKeyMetadata"][0]["AccessKeyId"]
        for user in ("external-dns", "cert-manager")
    }
    file = secret(engine, "external-dns", "aws-access-key")["credentials"]
    assert file.startswith("[default]\n")
    assert ids["external-dns"] in file
    assert secret(engine, "cert-manager", "aws-access-key")["keyId"] == ids["cert-manager"]
    zone = engine.outputs()["dns"]["zoneId"]
    for user in ids:
        policy = iam.get_user_policy(UserName=f"{user}-lab", PolicyName="route53")["PolicyDocument"]
        assert f"hostedzone/{zone}" in json.dumps(policy), "the policy names exactly this zone"


SEALED: dict[str, str] = {}


def test_what_was_sealed_offline_is_opened_in_the_cluster(engine: engines.Engine) -> None:
    certificate = engine.lab.home / "sealing.pem"
    certificate.write_text(engine.outputs()["sealing"]["certificate"])
    plain = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sealed", "namespace": "default"},
             "stringData": {"password": "opened-by-the-real-controller"}}  # fmt: skip
    # No cluster in reach: kubeseal gets the certificate and nothing else.
    sealed = engine.run("kubeseal", "--cert", str(certificate), "-o", "yaml", stdin=json.dumps(plain),
                        KUBECONFIG="/dev/null")  # fmt: skip
    assert sealed.code == 0, sealed.text
    SEALED["manifest"] = sealed.out
    assert_opened(engine)


def assert_opened(engine: engines.Engine) -> None:
    applied = engine.kubectl("apply", "-f", "-", stdin=SEALED["manifest"])
    assert applied.code == 0, applied.text
    engines.wait_for(
        lambda: secret(engine, "default", "sealed").get("password") == "opened-by-the-real-controller",
        30, "the controller opens the SealedSecret",
    )  # fmt: skip


def secret(engine: engines.Engine, namespace: str, name: str) -> dict[str, str]:
    try:
        data = engine.cluster.get(f"/api/v1/namespaces/{namespace}/secrets/{name}").get("data", {})
    except Exception as error:
        if getattr(error, "status", None) == 404:
            return {}
        raise
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def test_a_changed_setting_updates_exactly_its_add_on(engine: engines.Engine) -> None:
    def change(config: dict[str, Any]) -> None:
        config.setdefault("gitops-platform:addons", {}).setdefault("externalDns", {})["policy"] = "upsert-only"

    with engine.changed_config(change):
        preview = engine.preview()
        changed = [step["urn"].rsplit("::", 1)[1] for step in preview["steps"] if step["op"] != "same"]
        assert operations(preview) == {"update": 1}, changed
        assert changed == ["external-dns"]
        engine.up()
        engines.wait_for(
            lambda: "--policy=upsert-only" in json.dumps(
                engine.cluster.get("/apis/apps/v1/namespaces/external-dns/deployments/external-dns")
            ), 60, "Argo CD rolls the new value out",
        )  # fmt: skip
    engine.up()


def test_drift_is_found_by_refresh_and_put_back_by_up(engine: engines.Engine) -> None:
    body = {"data": {"keyId": base64.b64encode(b"somebody-elses").decode()}}
    engine.cluster.patch("/api/v1/namespaces/cert-manager/secrets/aws-access-key", body, "merge")
    refreshed = engine.pulumi("refresh --yes --skip-preview --diff")
    assert refreshed.code == 0, refreshed.text
    assert "aws-access-key" in refreshed.text or "dns-credentials-cert-manager" in refreshed.text
    assert "somebody-elses" not in refreshed.text, "a Secret's data is secret also where it drifted"
    engine.up()
    assert secret(engine, "cert-manager", "aws-access-key")["keyId"].startswith("AKIA")
    engine.up("--expect-no-changes")


def secret_values(engine: engines.Engine) -> dict[str, str]:
    """Secret values that exist in this environment, by what they are."""
    file = secret(engine, "external-dns", "aws-access-key")["credentials"]
    key = secret(engine, "sealed-secrets", "sealing-key")["tls.key"]
    kubeconfig = yaml.safe_load(engine.outputs(secrets=True)["kubeconfig"])
    return {
        "GitHub client secret": GITHUB_CANARY,
        "external-dns's AWS key": file.rsplit("= ", 1)[1].strip(),
        "cert-manager's AWS key": secret(engine, "cert-manager", "aws-access-key")["key"],
        "sealing key": key.splitlines()[5],
        "cluster token": kubeconfig["users"][0]["user"]["token"],
        "IONOS token": engine.environment()["IONOS_TOKEN"],
        "AWS admin key": engine.environment()["AWS_SECRET_ACCESS_KEY"],
        "passphrase": engine.lab.secret("passphrase"),
        "redis's password": secret(engine, "argocd", "argocd-redis")["auth"],
        "Argo CD's first admin password": secret(engine, "argocd", "argocd-initial-admin-secret")["password"],
    }


def test_no_secret_is_readable_where_it_does_not_belong(engine: engines.Engine) -> None:
    """State, previews, logs and process arguments are searched for every secret, plain and as base64."""
    up = {"up": (engine.lab.home / "up.out").read_text()}
    canaries.assert_hidden(secret_values(engine), canaries.printed(engine) | canaries.written(engine) | up)


def test_no_other_user_can_read_the_labs_files(engine: engines.Engine) -> None:
    assert stat.S_IMODE(engine.lab.home.stat().st_mode) == 0o700
    for name in ("env", "kubeconfig", "passphrase", "ionos-token"):
        assert stat.S_IMODE((engine.lab.home / name).stat().st_mode) == 0o600, name


def test_the_shell_environment_is_all_that_plain_tools_need(engine: engines.Engine) -> None:
    script = (
        f"source {engine.lab.home}/env && pulumi stack --show-name && kubectl get nodes -o name "
        "&& helm list -n argocd -q && kubeseal --version && pulumi config get gitops-platform:githubClientSecret "
        '&& python -c \'import boto3; print(len(boto3.client("route53").list_hosted_zones()["HostedZones"]), "zone")\''
    )
    run = subprocess_bash(script)
    assert run.code == 0, run.text
    assert run.out.split()[0] == "lab"
    assert "argocd" in run.out
    assert GITHUB_CANARY in run.out, "the lab's passphrase opens the lab's stack"
    assert "1 zone" in run.out
    assert str(engine.lab.home) in engine.run("pulumi", "whoami", "-v").out, "where the state is"


def subprocess_bash(script: str) -> engines.Run:
    import os
    import subprocess

    # What a user's shell may have from other work.
    theirs = {
        "PULUMI_CONFIG_PASSPHRASE": "theirs",
        "AWS_PROFILE": "theirs",
        "AWS_ENDPOINT_URL_ROUTE53": "http://127.0.0.1:1",
        "AWS_SESSION_TOKEN": "theirs",
        "https_proxy": "http://127.0.0.1:1",
        "http_proxy": "http://127.0.0.1:1",
    }
    clean = {"HOME": os.environ["HOME"], "PATH": "/usr/bin:/bin", **theirs}  # fmt: skip
    done = subprocess.run(["bash", "-c", script], cwd=layout.PROJECT, env=clean, capture_output=True, text=True,
                          timeout=120, check=False)  # fmt: skip
    return engines.Run(done.returncode, done.stdout, done.stderr)


def test_a_rebuilt_cluster_opens_what_was_sealed_for_the_lost_one(engine: engines.Engine) -> None:
    (address,) = engine.outputs()["ingressAddresses"]
    engine.lose_the_cluster()
    assert address in engine.stranded()[-1]["addresses"], "the cloud sees a load balancer that loses its cluster"
    engine.up("--refresh", PULUMI_K8S_DELETE_UNREACHABLE="true")
    assert_opened(engine)
    engine.up()  # the provider forgets that switch again
    engine.up("--expect-no-changes")


def test_destroy_leaves_nothing(engine: engines.Engine) -> None:
    stranded, seen = engine.stranded(), len(engine.about_aws("changes"))
    keys, zone = engine.key_ids(), f"arn:aws:route53:::hostedzone/{engine.outputs()['dns']['zoneId']}"
    destroyed = engine.pulumi("destroy --yes --skip-preview")
    assert destroyed.code == 0, destroyed.text
    assert engine.stranded() == stranded, "the load balancer goes before its nodes and its cluster"
    changes = [one for one in engine.about_aws("changes")[seen:] if one["resources"] == [zone]]
    assert changes[-1]["action"] == "DeleteHostedZone"
    removed = [one for one in changes[:-1] if "DELETE" in one.get("actions", ())]
    assert "external-dns-lab" in {keys.get(one["key"]) for one in removed}, "external-dns empties the zone"
    assert "lab" not in {one["key"] for one in removed}, "when the zone goes nothing is left for Pulumi to remove"
    assert not engine.ionos_objects(), "no IONOS object is left"
    assert engine.aws("route53").list_hosted_zones()["HostedZones"] == []
    assert engine.aws("iam").list_users()["Users"] == []
    assert not engine.state().get("resources"), "the state is empty"


def test_a_killed_run_leaves_no_process_for_longer_than_the_lab(engine: engines.Engine) -> None:
    process = engine.start_up()
    engines.wait_for(lambda: "creating" in (engine.lab.home / "up.out").read_text(), 60, "the run is under way")
    engines.end(process, signal.SIGKILL)
    services._stop_orphans(engine.lab)
    engines.wait_for(
        lambda: not [argv for argv in engines.processes_under(engine.lab.home) if "pulumi-language" in argv],
        10, "no plugin host is left",
    )  # fmt: skip
    assert engine.run("python", "-m", "ops", "recover", "lab", "--yes").code == 0
    assert engine.pulumi("destroy --yes --skip-preview").code == 0
