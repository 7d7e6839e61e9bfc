"""The hand-over to a Git repository and what people keep there sealed: real Argo CD, git, kubeseal and controller.

The repository is laid out as the teams' are, and private. The tests of this file run in order on one stack.
"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterator
from typing import Any

import engine as engines
import gitserver
import pytest
import yaml

from lab import layout, workspace

pytestmark = pytest.mark.timeout(900)
PASSWORD, WRONG = "canary-right-62f0", "canary-wrong-9c1d"
SECONDS = 90
CHART = "apiVersion: v2\nname: app\nversion: 0.1.0\n"
CONFIG_MAP = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {text: {{ .Values.text | quote }}}\n"
)


def chart(name: str, text: str) -> dict[str, str | None]:
    """A wrapper chart in the environment's folder: a ConfigMap of the Application's name that holds `text`."""
    folder = f"ionos_lab/{name}"
    return {
        f"{folder}/Chart.yaml": CHART,
        f"{folder}/values.yaml": f"text: {text}\n",
        f"{folder}/templates/map.yaml": CONFIG_MAP,
    }


def child(url: str, name: str, **helm: Any) -> dict[str, Any]:
    """The spec of an Application in project `default`, as the teams write it."""
    return {
        "project": "default",
        "source": {"repoURL": url, "path": f"ionos_lab/{name}", "targetRevision": "HEAD", **helm},
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "default"},
        "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
    }


def manifest(kind: str, name: str, spec: dict[str, Any]) -> str:
    metadata = {"name": name, "namespace": "argocd", "finalizers": ["resources-finalizer.argocd.argoproj.io"]}
    return yaml.safe_dump({"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})


@pytest.fixture(scope="module")
def repository(lab: layout.Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[gitserver.Repository]:
    with gitserver.serve(tmp_path_factory.mktemp("git"), lab.address, PASSWORD) as made:
        files = {f"applications_lab/{place}.yaml": manifest("Application", name, child(made.url, name))
                 for place, name in (("marketplace/shop", "shop"), ("infrastructure/base", "base"))}  # fmt: skip
        made.commit({**files, **chart("shop", "one"), **chart("base", "one")})
        yield made


@pytest.fixture(scope="module")
def environment(engine: engines.Engine, repository: gitserver.Repository) -> Iterator[engines.Engine]:
    """The stack's settings, with a wrong token; `up` is the tests' business."""

    def change(config: dict[str, Any]) -> None:
        off = {name: {"enabled": False} for name in ("ingress", "externalDns", "certManager")}
        config["gitops-platform:addons"] = off
        section = {"repository": repository.url, "handOver": True, "timeoutMinutes": 1}
        config["gitops-platform:gitops"] = section

    with engine.changed_config(change):
        token(engine, WRONG)
        yield engine
        destroyed = engine.pulumi("destroy --yes --skip-preview")
        assert destroyed.code == 0, destroyed.text
    assert "gitopsToken" not in workspace.config_file(engine.lab).read_text()


def token(engine: engines.Engine, value: str) -> None:
    run = engine.run("pulumi", "config", "set", "--secret", "gitopsToken", stdin=value)
    assert run.code == 0, run.text


def application(engine: engines.Engine, name: str) -> dict[str, Any]:
    """An Application, or {}."""
    return engine.cluster.find(f"/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/{name}") or {}


def look_again(engine: engines.Engine, *names: str) -> None:
    """Let Argo CD look at Git now, and not in some minutes."""
    for name in names:
        run = engine.kubectl(
            "annotate", "-n", "argocd", f"application/{name}", "argocd.argoproj.io/refresh=normal", "--overwrite"
        )
        assert run.code == 0, run.text


def text_of(engine: engines.Engine, name: str) -> str | None:
    found = engine.cluster.find(f"/api/v1/namespaces/default/configmaps/{name}")
    return found["data"]["text"] if found else None


def test_a_wrong_token_is_the_cause_that_the_failure_names(environment: engines.Engine) -> None:
    run = environment.pulumi("up --yes --skip-preview")
    assert run.code != 0
    assert "authentication required" in run.text, run.text
    for value in (WRONG, PASSWORD):
        assert value not in run.text


def test_with_the_right_token_the_folder_is_handed_over(environment: engines.Engine) -> None:
    token(environment, PASSWORD)
    with environment.changed_config(lambda config: config["gitops-platform:gitops"].update(timeoutMinutes=5)):
        environment.up()
        root = application(environment, "root")["status"]
        assert (root["sync"]["status"], root["health"]["status"]) == ("Synced", "Healthy")
        assert application(environment, "shop")["status"]["health"]["status"] == "Healthy", "up waits for the children"
        assert text_of(environment, "shop") == "one"
        assert not application(environment, "base"), "infrastructure is the program's own"
        environment.up("--expect-no-changes")


def test_what_changes_in_git_follows_in_the_cluster(
    environment: engines.Engine, repository: gitserver.Repository
) -> None:
    till = {"applications_lab/marketplace/till.yaml": manifest("Application", "till", child(repository.url, "till"))}
    repository.commit({"ionos_lab/shop/values.yaml": "text: two\n", **till, **chart("till", "new")})
    look_again(environment, "root", "shop")
    engines.wait_for(lambda: text_of(environment, "shop") == "two", SECONDS, "a changed value arrives")
    engines.wait_for(lambda: text_of(environment, "till") == "new", SECONDS, "a new Application is made")
    repository.commit({"applications_lab/marketplace/shop.yaml": None})
    look_again(environment, "root")
    engines.wait_for(lambda: not application(environment, "shop"), SECONDS, "a deleted Application is removed")
    assert text_of(environment, "shop") is None, "and so is what it installed"


def test_an_application_set_in_git_knows_the_environment(
    environment: engines.Engine, repository: gitserver.Repository
) -> None:
    host = {"helm": {"parameters": [{"name": "text", "value": "hello.{{.metadata.annotations.domain}}"}]}}
    spec = {
        "goTemplate": True,
        "goTemplateOptions": ["missingkey=error"],
        "generators": [{"clusters": {"selector": {"matchLabels": {"environment": "lab"}}}}],
        "template": {"metadata": {"name": "hello-{{.name}}"}, "spec": child(repository.url, "till", **host)},
    }
    repository.commit({"applications_lab/marketplace/hello.yaml": manifest("ApplicationSet", "hello", spec)})
    look_again(environment, "root")
    name = "hello-in-cluster"
    engines.wait_for(lambda: text_of(environment, name) == "hello.lab.example.org", SECONDS, "the domain is rendered")
    run = environment.preview()
    assert {step["op"] for step in run["steps"]} == {"same"}, "what Git makes is no drift"


def test_the_folder_makes_applications_and_nothing_else(
    environment: engines.Engine, repository: gitserver.Repository
) -> None:
    stray = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "stray", "namespace": "argocd"}}
    repository.commit({"applications_lab/stray.yaml": yaml.safe_dump(stray)})
    look_again(environment, "root")

    def why() -> str:
        return str(application(environment, "root").get("status", {}).get("operationState", {}))

    engines.wait_for(lambda: "is not permitted in project root" in why(), SECONDS, "Argo CD says why it refuses")
    assert environment.cluster.find("/api/v1/namespaces/argocd/configmaps/stray") is None
    repository.commit({"applications_lab/stray.yaml": None})
    look_again(environment, "root")

    def mended() -> bool:
        status = application(environment, "root")["status"]
        return (status["sync"]["status"], status["operationState"]["phase"]) == ("Synced", "Succeeded")

    engines.wait_for(mended, SECONDS, "what is mended in Git is not tried again as it was")


# Sealed secrets

PLAIN = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "plain", "namespace": "default"}}


def seal(engine: engines.Engine, *arguments: str, stdin: str | None = None) -> str:
    run = engine.run("python", "-m", "ops", "seal", "--stack", "lab", *arguments, stdin=stdin, seconds=60)
    assert run.code == 0, run.text
    return run.out


def apply(engine: engines.Engine, sealed: str, name: str | None = None) -> None:
    """Create a SealedSecret, renamed or not."""
    document = yaml.safe_load(sealed)
    document["metadata"]["name"] = name or document["metadata"]["name"]
    run = engine.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(document))
    assert run.code == 0, run.text


def opened(engine: engines.Engine, name: str) -> dict[str, str] | None:
    found = engine.cluster.find(f"/api/v1/namespaces/default/secrets/{name}")
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()} if found else None


@pytest.mark.parametrize("scope", ["strict", "namespace-wide", "cluster-wide"])
def test_the_real_controller_opens_what_the_command_sealed(environment: engines.Engine, scope: str) -> None:
    secret = {
        **PLAIN,
        "stringData": {"a": "plain-ä"},
        "data": {"b": "AAE="},
        "type": "example.org/x",
        "immutable": True,
    }
    sealed = seal(environment, "--scope", scope, stdin=yaml.safe_dump(secret))
    apply(environment, sealed, f"renamed-{scope}" if scope != "strict" else None)
    name = "plain" if scope == "strict" else f"renamed-{scope}"
    engines.wait_for(lambda: opened(environment, name) == {"a": "plain-ä", "b": "\x00\x01"}, 30, "it is opened")
    made = environment.cluster.get(f"/api/v1/namespaces/default/secrets/{name}")
    assert (made["type"], made["immutable"]) == ("example.org/x", True)


def test_a_strict_one_under_another_name_stays_closed(environment: engines.Engine) -> None:
    sealed = seal(environment, "--name", "mine", "-n", "default", "b=typed", "--from-file", "a=-", stdin="plain")
    apply(environment, sealed)
    engines.wait_for(lambda: opened(environment, "mine") == {"a": "plain", "b": "typed"}, 30, "it is opened")
    apply(environment, sealed, "stolen")
    path = "/apis/bitnami.com/v1alpha1/namespaces/default/sealedsecrets/stolen"

    def refused() -> bool:
        conditions = environment.cluster.get(path).get("status", {}).get("conditions", ())
        return any(each["status"] == "False" and "no key could decrypt" in each["message"] for each in conditions)

    engines.wait_for(refused, 30, "the controller says why")
    assert opened(environment, "stolen") is None


def test_the_documented_call_of_kubeseal_works_offline(environment: engines.Engine) -> None:
    read = "python -c 'import json, sys; print(json.load(sys.stdin)[\"certificate\"])'"
    text = yaml.safe_dump(
        {**PLAIN, "metadata": {"name": "by-kubeseal", "namespace": "default"}, "stringData": {"a": "b"}}
    )
    call = f"kubeseal --cert <(pulumi stack output sealing --json | {read}) -o yaml <<< {shlex.quote(text)}"
    run = environment.run("bash", "-c", call, seconds=60, KUBECONFIG="/nowhere")
    assert run.code == 0, run.text
    apply(environment, run.out)
    engines.wait_for(lambda: opened(environment, "by-kubeseal") == {"a": "b"}, 30, "it is opened")
