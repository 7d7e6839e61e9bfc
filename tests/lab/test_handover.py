"""The hand-over to a Git repository and what people keep there sealed: real Argo CD, git, kubeseal and controller.

The repository is laid out as the teams' are, and private. The tests of this file run in order on one stack.
"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterator
from typing import Any

import canaries
import engine as engines
import gitserver
import pytest
import yaml

from lab import layout, workspace
from lab.charts import repository as repository_of_charts

pytestmark = pytest.mark.timeout(900)
PASSWORD, WRONG = "canary-right-62f0", "canary-wrong-9c1d"
TOKENS = {"right token": PASSWORD, "wrong token": WRONG}
SECONDS = 240
CHART = {"apiVersion": "v2", "version": "0.1.0"}
CONFIG_MAP = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {text: {{ .Values.text | quote }}}\n"
)
UPSTREAM = "external-dns"
"""A chart of the lab's chart repository, with an image that the lab reports Ready."""


def chart(name: str, text: str) -> dict[str, str | None]:
    """A chart in the environment's folder: a ConfigMap of the Application's name that holds `text`."""
    folder = f"ionos_lab/{name}"
    return {
        f"{folder}/Chart.yaml": yaml.safe_dump({**CHART, "name": name}),
        f"{folder}/values.yaml": f"text: {text}\n",
        f"{folder}/templates/map.yaml": CONFIG_MAP,
    }


def values(name: str, text: str) -> dict[str, Any]:
    """Values of the upstream chart: a Deployment of this name, annotated with `text`."""
    return {
        "fullnameOverride": name,
        "image": {"repository": "example.org/nothing", "tag": "1"},
        "podAnnotations": {"text": text},
    }


def wrapped(text: str) -> str:
    return yaml.safe_dump({UPSTREAM: values("ledger", text)})


def wrapper(charts: str) -> str:
    """Chart.yaml of a wrapper chart: nothing but one dependency."""
    dependency = {"name": UPSTREAM, "version": upstream_version(), "repository": charts}
    return yaml.safe_dump({**CHART, "name": "ledger", "dependencies": [dependency]})


def upstream_version() -> str:
    return repository_of_charts.metadata(UPSTREAM)["version"]


def child(url: str, name: str, **helm: Any) -> dict[str, Any]:
    """The spec of an Application in project `default`, as the teams write it."""
    return {
        "project": "default",
        "source": {"repoURL": url, "path": f"ionos_lab/{name}", "targetRevision": "HEAD", **helm},
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "default"},
        "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
    }


def two_sources(url: str, charts: str) -> dict[str, Any]:
    """The same with an upstream chart, and its values from the folder that all environments share."""
    spec = child(url, "rates")
    del spec["source"]
    helm = {"valueFiles": ["$values/ionos_common/rates/values.yaml"]}
    return {
        **spec,
        "sources": [
            {"repoURL": charts, "chart": UPSTREAM, "targetRevision": upstream_version(), "helm": helm},
            {"repoURL": url, "targetRevision": "HEAD", "ref": "values"},
        ],
    }


def manifest(kind: str, name: str, spec: dict[str, Any]) -> str:
    metadata = {"name": name, "namespace": "argocd", "finalizers": ["resources-finalizer.argocd.argoproj.io"]}
    return yaml.safe_dump({"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})


@pytest.fixture(scope="module")
def repository(lab: layout.Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[gitserver.Repository]:
    charts = lab.endpoint("charts")
    with gitserver.serve(tmp_path_factory.mktemp("git"), lab.address, PASSWORD) as made:
        specs = {
            "marketplace/shop": child(made.url, "shop"),
            "marketplace/ledger": child(made.url, "ledger"),
            "analytics/rates": two_sources(made.url, charts),
            "infrastructure/base": child(made.url, "base"),
            "monitoring/board": child(made.url, "board"),
        }
        files = {
            f"applications_lab/{place}.yaml": manifest("Application", place.split("/")[1], spec)
            for place, spec in specs.items()
        }
        charts_in_git = chart("shop", "one") | chart("base", "one") | chart("board", "one")
        others = {
            "ionos_lab/ledger/Chart.yaml": wrapper(charts),
            "ionos_lab/ledger/values.yaml": wrapped("one"),
            "ionos_common/rates/values.yaml": yaml.safe_dump(values("rates", "one")),
        }
        made.commit({**files, **charts_in_git, **others})
        yield made


@pytest.fixture(scope="module")
def environment(engine: engines.Engine, repository: gitserver.Repository) -> Iterator[engines.Engine]:
    """The stack's settings, with a wrong token; `up` is the tests' business."""

    def change(config: dict[str, Any]) -> None:
        off = {name: {"enabled": False} for name in ("ingress", "externalDns", "certManager")}
        config["gitops-platform:addons"] = off
        # `exclude` is the default: it takes out what `include` lets in.
        include = ["marketplace/*", "analytics/*", "infrastructure/*"]
        section = {"repository": repository.url, "handOver": True, "include": include, "timeoutMinutes": 10}
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


def annotated(engine: engines.Engine, name: str) -> str | None:
    """What the upstream chart was told."""
    found = engine.cluster.find(f"/apis/apps/v1/namespaces/default/deployments/{name}")
    return found["spec"]["template"]["metadata"]["annotations"]["text"] if found else None


def test_a_wrong_token_is_the_cause_that_ready_names(environment: engines.Engine) -> None:
    with environment.changed_config(lambda config: config["gitops-platform:gitops"].update(timeoutMinutes=1)):
        run = environment.pulumi("up --yes --skip-preview")
    assert run.code != 0
    # On a busy machine Argo CD may not have got that far within the minute.
    engines.wait_for(
        lambda: application(environment, "root").get("status", {}).get("conditions"), SECONDS, "Argo CD asked for it"
    )
    ready = environment.run("python", "-m", "ops", "ready", "lab", "--wait-minutes", "0")
    assert ready.code == 1, ready.text
    root = ready.err.partition("error: application root")[2].partition("\nerror: ")[0]
    assert "authentication required" in root, ready.text
    assert "next: " in root
    canaries.assert_hidden(TOKENS, {"up": run.text, "ready": ready.text})


def test_a_changed_token_shows_up_nowhere(environment: engines.Engine) -> None:
    token(environment, PASSWORD)
    places = canaries.printed(environment)
    assert "connections-repository" in places["preview --diff"], "the preview has the change"
    canaries.assert_hidden(TOKENS, places)


def test_with_the_right_token_the_folder_is_handed_over(
    environment: engines.Engine, repository: gitserver.Repository
) -> None:
    environment.up()
    root = application(environment, "root")["status"]
    assert (root["sync"]["status"], root["health"]["status"]) == ("Synced", "Healthy")
    for name in ("shop", "ledger", "rates"):
        assert application(environment, name)["status"]["health"]["status"] == "Healthy", "up waits for the children"
    assert text_of(environment, "shop") == "one"
    assert annotated(environment, "ledger") == "one", "a wrapper chart's dependency is fetched"
    assert annotated(environment, "rates") == "one", "values come from the other source"
    assert not application(environment, "base"), "infrastructure is the program's own"
    assert not application(environment, "board"), "only what is included"
    environment.up("--expect-no-changes")
    told = environment.outputs()["gitops"]
    assert (told["repository"], told["path"], told["application"]) == (repository.url, "applications_lab", "root")


def test_what_changes_in_git_follows_in_the_cluster(
    environment: engines.Engine, repository: gitserver.Repository
) -> None:
    told = {"helm": {"parameters": [{"name": "text", "value": "two"}]}}
    changed = {
        "applications_lab/marketplace/shop.yaml": manifest(
            "Application", "shop", child(repository.url, "shop", **told)
        ),
        "applications_lab/marketplace/till.yaml": manifest("Application", "till", child(repository.url, "till")),
        "ionos_lab/ledger/values.yaml": wrapped("two"),
        "ionos_common/rates/values.yaml": yaml.safe_dump(values("rates", "two")),
    }
    repository.commit({**changed, **chart("till", "new")})
    look_again(environment, "root", "ledger", "rates")
    engines.wait_for(lambda: text_of(environment, "shop") == "two", SECONDS, "an Application is changed")
    engines.wait_for(lambda: text_of(environment, "till") == "new", SECONDS, "a new Application is made")
    for name in ("ledger", "rates"):
        engines.wait_for(
            lambda name=name: annotated(environment, name) == "two", SECONDS, f"a changed value arrives: {name}"
        )
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

    def health() -> str:
        return application(environment, "root")["status"]["health"]["status"]

    engines.wait_for(lambda: health() == "Healthy", SECONDS, "what the set generated is Synced and Healthy")


def test_a_child_that_cannot_be_synced_keeps_the_folder_from_being_ready(
    environment: engines.Engine, repository: gitserver.Repository
) -> None:
    """Its chart has no workload, so that Argo CD itself calls it Healthy as soon as it has looked at it."""
    spec = child(repository.url, "lost")
    spec["destination"]["namespace"] = "nowhere"
    spec["syncPolicy"]["retry"] = {"limit": 1, "backoff": {"duration": "1s"}}
    by_hand = {**child(repository.url, "lost"), "syncPolicy": {}}
    repository.commit(
        {
            **chart("lost", "one"),
            "applications_lab/analytics/lost.yaml": manifest("Application", "lost", spec),
            "applications_lab/analytics/idle.yaml": manifest("Application", "idle", by_hand),
        }
    )

    def change(config: dict[str, Any]) -> None:
        section = config["gitops-platform:gitops"]
        section.update(include=[*section["include"], "other/*"], timeoutMinutes=1)

    with environment.changed_config(change):
        run = environment.pulumi("up --yes --skip-preview")
    assert run.code != 0, "`up` does not end well before every child is synced"
    root = application(environment, "root")["status"]
    assert root["sync"]["status"] == "Synced", "all Applications of the folder are made"
    assert root["health"]["status"] != "Healthy"
    ready = environment.run("python", "-m", "ops", "ready", "lab", "--wait-minutes", "0")
    assert ready.code == 1, ready.text
    said = ready.err.partition("error: application lost")[2].partition("\nerror: ")[0]
    assert 'namespaces "nowhere" not found' in said, ready.text
    assert "appOwners" in said.partition("next: ")[2], ready.text
    assert "error: application idle" not in ready.err, "what people sync is not waited for"
    repository.commit({f"applications_lab/analytics/{name}.yaml": None for name in ("lost", "idle")})
    look_again(environment, "root")
    engines.wait_for(lambda: not application(environment, "lost"), SECONDS, "it is removed")
    environment.up()
    assert application(environment, "root")["status"]["health"]["status"] == "Healthy"


def test_a_file_without_an_api_version_is_looked_for(
    environment: engines.Engine, repository: gitserver.Repository
) -> None:
    broken = yaml.safe_load(manifest("Application", "broken", child(repository.url, "shop")))
    del broken["apiVersion"]
    repository.commit({"applications_lab/analytics/broken.yaml": yaml.safe_dump(broken)})
    look_again(environment, "root")
    engines.wait_for(
        lambda: application(environment, "root")["status"].get("conditions"), SECONDS, "Argo CD cannot read the folder"
    )
    ready = environment.run("python", "-m", "ops", "ready", "lab", "--wait-minutes", "0")
    assert ready.code == 1, ready.text
    said = ready.err.partition("error: application root")[2].partition("\nerror: ")[0]
    assert "applications_lab" in said.partition("next: ")[2], ready.text
    repository.commit({"applications_lab/analytics/broken.yaml": None})
    look_again(environment, "root")
    engines.wait_for(
        lambda: not application(environment, "root")["status"].get("conditions"), SECONDS, "it is mended in Git"
    )


def test_the_folder_makes_applications_and_nothing_else(
    environment: engines.Engine, repository: gitserver.Repository
) -> None:
    stray = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "stray", "namespace": "argocd"}}
    repository.commit({"applications_lab/marketplace/stray.yaml": yaml.safe_dump(stray)})
    look_again(environment, "root")

    def why() -> str:
        return str(application(environment, "root").get("status", {}).get("operationState", {}))

    engines.wait_for(lambda: "is not permitted in project root" in why(), SECONDS, "Argo CD says why it refuses")
    assert environment.cluster.find("/api/v1/namespaces/argocd/configmaps/stray") is None
    repository.commit({"applications_lab/marketplace/stray.yaml": None})
    look_again(environment, "root")

    def mended() -> bool:
        status = application(environment, "root")["status"]
        return (status["sync"]["status"], status["operationState"]["phase"]) == ("Synced", "Succeeded")

    engines.wait_for(mended, SECONDS, "what is mended in Git is not tried again as it was")


# An add-on's values in Git

VALUES = "ionos_lab/sealed-secrets/values.yaml"
CONTROLLER = "/apis/apps/v1/namespaces/sealed-secrets/deployments/sealed-secrets"


def in_git(text: str) -> dict[str, str | None]:
    return {VALUES: yaml.safe_dump({"podAnnotations": {"text": text, "both": "git"}})}


def controller_annotations(engine: engines.Engine) -> dict[str, str]:
    return engine.cluster.get(CONTROLLER)["spec"]["template"]["metadata"].get("annotations", {})


def test_an_add_on_takes_values_from_git_and_those_of_the_settings_win(
    environment: engines.Engine, repository: gitserver.Repository
) -> None:
    repository.commit(in_git("one"))

    def change(config: dict[str, Any]) -> None:
        config["gitops-platform:addons"]["sealedSecrets"] = {
            "valuesFrom": {"path": VALUES}, "values": {"podAnnotations": {"both": "settings"}},
        }  # fmt: skip

    with environment.changed_config(change):
        environment.up()
        assert controller_annotations(environment) == {"text": "one", "both": "settings"}, "`up` waited for both"
        found = application(environment, "sealed-secrets")
        names = [source.get("name") for source in found["status"]["sync"]["comparedTo"]["sources"]]
        assert names == [found["spec"]["sources"][0]["name"], None], "what the wait reads is the chart's fingerprint"
        environment.up("--expect-no-changes")

        repository.commit(in_git("two"))
        look_again(environment, "sealed-secrets")
        engines.wait_for(
            lambda: controller_annotations(environment)["text"] == "two", SECONDS, "what changes in Git follows"
        )

        repository.commit({VALUES: None})
        look_again(environment, "sealed-secrets")
        engines.wait_for(
            lambda: application(environment, "sealed-secrets")["status"].get("conditions"),
            SECONDS,
            "the file is missed",
        )
        ready = environment.run("python", "-m", "ops", "ready", "lab", "--wait-minutes", "0")
        assert ready.code == 1, ready.text
        said = ready.err.partition("error: application sealed-secrets")[2].partition("\nerror: ")[0]
        assert VALUES in said, ready.text
        assert "valuesFrom" in said.partition("next: ")[2], said
        repository.commit(in_git("three"))
        look_again(environment, "sealed-secrets")
    environment.up()
    assert "both" not in controller_annotations(environment), "without `valuesFrom` it is one source again"


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


# Taking it back


def test_applications_stay_when_root_goes_without_its_finalizer(environment: engines.Engine) -> None:
    patch = '{"metadata": {"finalizers": null}}'
    run = environment.kubectl("patch", "application", "root", "-n", "argocd", "--type", "merge", "-p", patch)
    assert run.code == 0, run.text
    with environment.changed_config(lambda config: config["gitops-platform:gitops"].update(handOver=False)):
        environment.up()
    assert not application(environment, "root")
    assert environment.outputs()["gitops"]["application"] is None
    till = application(environment, "till")
    assert till, "an Application that root made"
    assert text_of(environment, "till") == "new", "and what it installed"
    environment.up()
    root = application(environment, "root")["status"]
    assert root["sync"]["status"] == "Synced"
    assert application(environment, "till")["metadata"]["uid"] == till["metadata"]["uid"], "taken over again as it is"


def test_an_add_on_that_is_there_already_is_synced_by_hand(environment: engines.Engine) -> None:
    """Its Application went without what it installed, so the next one has nothing to do, and no sync to wait for."""

    def patch(text: str) -> None:
        run = environment.kubectl(
            "patch", "application", "sealed-secrets", "-n", "argocd", "--type", "merge", "-p", text
        )
        assert run.code == 0, run.text

    def status() -> dict[str, Any]:
        return application(environment, "sealed-secrets").get("status", {})

    patch('{"metadata": {"finalizers": null}}')
    assert environment.kubectl("delete", "application", "sealed-secrets", "-n", "argocd").code == 0
    assert environment.pulumi("refresh --yes --skip-preview").code == 0
    process = environment.start_up()
    engines.wait_for(
        lambda: (status().get("sync", {}).get("status"), status().get("health", {}).get("status"))
        == ("Synced", "Healthy"),
        SECONDS, "Argo CD finds it as it should be",
    )  # fmt: skip
    assert "operationState" not in status(), "or nobody would have to do anything"
    assert process.poll() is None, (environment.lab.home / "up.out").read_text()
    patch('{"operation": {"sync": {}}}')
    assert process.wait(SECONDS) == 0, (environment.lab.home / "up.out").read_text()


def test_nothing_that_was_written_has_the_repositorys_token(environment: engines.Engine) -> None:
    canaries.assert_hidden(TOKENS, canaries.written(environment))
