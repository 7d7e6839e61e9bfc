"""The lab's chart repository: the pinned names and versions, and every value key the program sets."""

from __future__ import annotations

import copy
import io
import os
import pathlib
import stat
import subprocess
import sys
import tarfile
import urllib.request
from typing import Any

import jsonschema
import pytest
import yaml

from components.addons import charts, external_dns, ingress, last_run
from components.gitops import argocd, health
from lab import layout, manual, manual_values, toolchain
from lab.agent import environment
from lab.charts import __main__ as server
from lab.charts import repository
from tests.charts import containers
from tests.unit import chart_values

pytestmark = pytest.mark.may_skip("`make unit` builds no helm; `make test` does")
SAMPLES = chart_values.samples()
NAMESPACE = {"argo-cd": "argocd"}
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
REPLICATED = {
    "argo-cd": {"argocd-server", "argocd-repo-server"},
    "cert-manager": {"cert-manager", "cert-manager-webhook", "cert-manager-cainjector"},
}
REAL_PROCESSES = ("argo-cd", "sealed-secrets", "external-dns", "cert-manager", "traefik")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("charts")
    for name in repository.names():
        with tarfile.open(fileobj=io.BytesIO(repository.package(name))) as archive:
            archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def helm() -> pathlib.Path:
    found = toolchain.find("helm")
    if not found:
        pytest.skip("helm is not built yet: `python -m lab.toolchain` builds it")
    return found


def render(helm: pathlib.Path, chart: pathlib.Path, values: dict[str, Any]) -> list[dict[str, Any]]:
    namespace = NAMESPACE.get(chart.name, chart.name)
    command = [str(helm), "template", namespace, str(chart), "--namespace", namespace, "--include-crds"]
    done = subprocess.run(
        [*command, "--kube-version", "1.34.3", "--values", "-"],
        input=yaml.safe_dump(values),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def pods(documents: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{document['kind']}/{document['metadata']['name']}", document["spec"]["template"]["spec"])
        for document in documents
        if document["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "Job")
    ]


def test_what_argo_cds_chart_is_to_carry_along_is_rendered(helm: pathlib.Path, unpacked: pathlib.Path) -> None:
    objects = last_run.objects("external-dns", external_dns.values(chart_values.route53()))
    found = render(helm, unpacked / "argo-cd", argocd.values(chart_values.argo_cd(last=objects)))
    made = [one for one in found if one["metadata"]["name"] == last_run.NAME]
    assert sorted(made, key=str) == sorted(objects, key=str)


def test_rediss_password_is_in_a_file_for_its_owner_only_and_in_no_argument(
    helm: pathlib.Path, unpacked: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    found = pods(render(helm, unpacked / "argo-cd", argocd.values(chart_values.argo_cd())))
    container = dict(found)["Deployment/argocd-redis"]["containers"][0]
    server = tmp_path / "redis-server"
    server.write_text('#!/bin/sh\necho "$@"\n')
    server.chmod(0o755)
    variables = {"REDIS_PASSWORD": "canary-redis", "POD_IP": "127.0.0.1", "HOME": str(tmp_path)}
    words = [environment.expand(word, variables) for word in [*container["command"], *container["args"]]]
    path = f"{tmp_path}{os.pathsep}{os.defpath}"
    ran = subprocess.run(
        words, env={**variables, "PATH": path}, capture_output=True, text=True, timeout=10, check=True, umask=0o022
    )
    assert "canary-redis" not in "".join(words) + ran.stdout, "every user of the machine can read arguments"
    file = pathlib.Path(ran.stdout.split()[0])
    assert file.read_text() == 'requirepass "canary-redis"\n'
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert ran.stdout.split()[1:] == ["--save", "--appendonly", "no", "--bind", "127.0.0.1"]


def test_the_lab_has_every_chart_under_the_pinned_version() -> None:
    versions = {name: repository.metadata(name) for name in repository.names()}
    found = {name: (chart["version"], chart["appVersion"]) for name, chart in versions.items()}
    pinned = {chart.name: (chart.version, chart.app_version) for chart in charts.ALL}
    assert found == pinned, "raise version and appVersion in lab/charts/<name>/Chart.yaml together with the pin"


def test_the_repository_is_the_same_at_every_start(tmp_path: pathlib.Path) -> None:
    first, second = repository.build(tmp_path / "a"), repository.build(tmp_path / "b")
    assert first.read_bytes() == second.read_bytes(), "Argo CD would see a new chart at every start"


def test_the_index_names_archives_that_are_there_and_old_ones_go(tmp_path: pathlib.Path) -> None:
    (tmp_path / "sealed-secrets-0.0.1.tgz").write_bytes(b"old")
    index = yaml.safe_load(repository.build(tmp_path).read_text())
    files = {entry["urls"][0] for entries in index["entries"].values() for entry in entries}
    assert files == {path.name for path in tmp_path.glob("*.tgz")}
    assert set(index["entries"]) == set(repository.names())


def test_two_labs_do_not_meet_where_argo_cd_takes_no_address() -> None:
    ports = [
        server.overrides(layout.Lab(pathlib.Path(), network, {}))["argo-cd"]["controller"]["containerPorts"]["metrics"]
        for network in (layout.FIRST_NETWORK, layout.LAST_NETWORK)
    ]
    assert len(set(ports)) == 2
    assert all(1024 < port < 32768 for port in ports), "outside the ephemeral ports"


def test_the_server_serves_the_repository_until_it_is_told_to_stop(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    lab = layout.create(tmp_path)
    environment = {**os.environ, "LAB_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "lab.charts"]
    process = subprocess.Popen(command, cwd=layout.PROJECT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert lab.endpoint("charts") in process.stdout.readline()
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            f"{lab.endpoint('charts')}/index.yaml", timeout=5
        ) as answer:
            assert set(yaml.safe_load(answer.read())["entries"]) == set(repository.names())
        process.terminate()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.communicate()


def test_without_a_lab_the_server_says_how_to_get_one(tmp_path: pathlib.Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lab.charts"],
        cwd=layout.PROJECT,
        env={**os.environ, "LAB_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "make demo" in done.stderr


def test_a_lab_can_change_defaults_without_changing_the_sources(tmp_path: pathlib.Path) -> None:
    before = repository.defaults("argo-cd")
    archive = repository.package("argo-cd", {"controller": {"containerPorts": {"metrics": 20077}}})
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        values = yaml.safe_load(packed.extractfile("argo-cd/values.yaml").read())
    assert values["controller"]["containerPorts"]["metrics"] == 20077
    assert values["controller"]["replicas"] == before["controller"]["replicas"]
    assert repository.defaults("argo-cd") == before


@pytest.mark.parametrize(("chart", "variant"), SAMPLES)
def test_the_lab_knows_every_value_the_program_sets(chart: str, variant: str) -> None:
    jsonschema.validate(SAMPLES[chart, variant], repository.schema(repository.defaults(chart)))


@pytest.mark.parametrize(("chart", "variant"), SAMPLES)
def test_a_misspelt_value_is_refused(chart: str, variant: str) -> None:
    values = copy.deepcopy(SAMPLES[chart, variant])
    values["fullnameOveride"] = "x"
    with pytest.raises(jsonschema.ValidationError, match="fullnameOveride"):
        jsonschema.validate(values, repository.schema(repository.defaults(chart)))


def test_a_value_of_the_wrong_kind_is_refused() -> None:
    with pytest.raises(jsonschema.ValidationError, match="is not of type 'string'"):
        jsonschema.validate({"keyrenewperiod": 0}, repository.schema(repository.defaults("sealed-secrets")))


@pytest.mark.parametrize(("chart", "variant"), SAMPLES)
def test_charts_render_and_stay_in_their_namespace(
    chart: str, variant: str, unpacked: pathlib.Path, helm: pathlib.Path
) -> None:
    documents = render(helm, unpacked / chart, SAMPLES[chart, variant])
    spaces = {document["metadata"].get("namespace") for document in documents} - {None}
    assert spaces == {NAMESPACE.get(chart, chart)}, "the add-ons' project allows nothing else"
    identities = [(d["kind"], d["metadata"].get("namespace"), d["metadata"]["name"]) for d in documents]
    assert len(identities) == len(set(identities))


def test_switches_among_external_dnss_extra_arguments_are_written_as_the_real_chart_does(
    unpacked: pathlib.Path, helm: pathlib.Path
) -> None:
    values = {
        **SAMPLES["external-dns", "route53"],
        "extraArgs": {"dry-run": False, "aws-prefer-cname": True, "a": [1, 2]},
    }
    ((_, pod),) = pods(render(helm, unpacked / "external-dns", values))
    assert {"--no-dry-run", "--aws-prefer-cname", "--a=1", "--a=2"} <= set(pod["containers"][0]["args"])


BY_HAND = {
    "ingress-nginx": manual_values.ingress("203.0.113.9"),
    "external-dns": manual_values.external_dns(),
    "cert-manager": manual_values.cert_manager(),
}


@pytest.mark.parametrize("chart", BY_HAND)
def test_what_the_bench_does_by_hand_fits_the_charts(chart: str, unpacked: pathlib.Path, helm: pathlib.Path) -> None:
    values = BY_HAND[chart]
    jsonschema.validate(values, repository.schema(repository.defaults(chart)))
    by_hand = {name: pod["containers"][0]["image"] for name, pod in pods(render(helm, unpacked / chart, values))}
    program = SAMPLES[chart, "route53" if chart == "external-dns" else "plain"]
    ours = {name: pod["containers"][0]["image"] for name, pod in pods(render(helm, unpacked / chart, program))}
    assert by_hand == ours, "both make the same environment"
    assert set(BY_HAND) < set(manual.ADDONS)


@pytest.mark.parametrize(("chart", "variant"), SAMPLES)
def test_every_container_asks_for_cpu_and_memory_and_has_a_memory_limit(
    chart: str, variant: str, unpacked: pathlib.Path, helm: pathlib.Path
) -> None:
    found = render(helm, unpacked / chart, SAMPLES[chart, variant])
    assert containers.without_amounts(found) == []


@pytest.mark.parametrize("chart", REPLICATED)
def test_two_replicas_have_a_budget_and_different_nodes(chart: str, unpacked: pathlib.Path, helm: pathlib.Path) -> None:
    found = render(helm, unpacked / chart, SAMPLES[chart, "production"])
    twice = {d["metadata"]["name"]: d["spec"] for d in found if d.get("spec", {}).get("replicas") == 2}
    assert set(twice) == REPLICATED[chart]
    budgets = {d["metadata"]["name"]: d["spec"] for d in found if d["kind"] == "PodDisruptionBudget"}
    assert set(budgets) == set(twice)
    for name, spec in twice.items():
        labels = spec["template"]["metadata"]["labels"]
        (constraint,) = spec["template"]["spec"]["topologySpreadConstraints"]
        for selector in (budgets[name]["selector"], constraint["labelSelector"]):
            chosen = selector["matchLabels"].items()
            assert chosen <= labels.items(), f"{name}: it selects its own pods"
            others = [d for d in found if d["kind"] in WORKLOADS and d["metadata"]["name"] != name]
            for other in others:
                theirs = other["spec"]["template"]["metadata"]["labels"]
                assert not chosen <= theirs.items(), f"{name}: not those of {other['metadata']['name']}"


@pytest.mark.parametrize(("chart", "variant"), [key for key in SAMPLES if key[0] in REAL_PROCESSES])
def test_servers_listen_on_their_pods_own_address(
    chart: str, variant: str, unpacked: pathlib.Path, helm: pathlib.Path
) -> None:
    for name, pod in pods(render(helm, unpacked / chart, SAMPLES[chart, variant])):
        for container in pod["containers"]:
            env = {item["name"] for item in container.get("env", [])}
            assert "POD_IP" in env, f"{name}: every pod of a lab shares the machine's ports"


def test_keys_are_not_renewed_and_the_controller_has_its_well_known_name(
    unpacked: pathlib.Path, helm: pathlib.Path
) -> None:
    documents = render(helm, unpacked / "sealed-secrets", SAMPLES["sealed-secrets", "default"])
    ((name, pod),) = pods(documents)
    assert name == "Deployment/sealed-secrets"
    args = pod["containers"][0]["args"]
    assert args[args.index("--key-renew-period") + 1] == "0"


@pytest.mark.parametrize(("chart", "name"), [("ingress-nginx", "ingress-nginx-controller"), ("traefik", "traefik")])
def test_the_ingress_runs_on_its_nodes_behind_its_address(
    chart: str, name: str, unpacked: pathlib.Path, helm: pathlib.Path
) -> None:
    documents = render(helm, unpacked / chart, SAMPLES[chart, "full"])
    pod = dict(pods(documents))[f"DaemonSet/{name}"]
    assert pod["nodeSelector"] == {"kubernetes.io/os": "linux", "nodepool": "ingress"}
    assert pod["tolerations"] == [chart_values.TOLERATION]
    service = next(d for d in documents if d["kind"] == "Service" and d["spec"].get("type") == "LoadBalancer")
    assert service["spec"]["loadBalancerIP"] == "203.0.113.9"
    assert service["spec"]["externalTrafficPolicy"] == "Local"
    assert service["metadata"]["annotations"]["cloud.ionos.com/node-selector"] == "nodepool=ingress"
    assert 5432 in {port["port"] for port in service["spec"]["ports"]}
    (workload,) = [d for d in documents if d["kind"] == "DaemonSet"]
    assert workload["spec"]["updateStrategy"] == ingress.ROLLOUT
    classes = {d["metadata"]["name"] for d in documents if d["kind"] == "IngressClass"}
    assert classes == ({"nginx"} if chart == "ingress-nginx" else {"traefik", "nginx"})


def test_external_dns_gets_its_limits_as_options(unpacked: pathlib.Path, helm: pathlib.Path) -> None:
    ((_, pod),) = pods(render(helm, unpacked / "external-dns", SAMPLES["external-dns", "route53"]))
    args = pod["containers"][0]["args"]
    for option in ("--policy=sync", "--txt-owner-id=gitops-platform-sbx", "--zone-id-filter=Z2", "--provider=aws"):
        assert option in args
    assert {"--domain-filter=example.org", "--domain-filter=example.io"} <= set(args)


def test_external_dns_takes_extra_arguments_as_a_list_too(unpacked: pathlib.Path, helm: pathlib.Path) -> None:
    values = {**SAMPLES["external-dns", "route53"], "extraArgs": ["--events", "--zone-id-filter=Z1"]}
    ((_, pod),) = pods(render(helm, unpacked / "external-dns", values))
    assert {"--events", "--zone-id-filter=Z1"} <= set(pod["containers"][0]["args"])


def test_argo_cds_configuration_arrives_in_its_configmaps(unpacked: pathlib.Path, helm: pathlib.Path) -> None:
    documents = render(helm, unpacked / "argo-cd", SAMPLES["argo-cd", "github"])
    maps = {d["metadata"]["name"]: d["data"] for d in documents if d["kind"] == "ConfigMap" and d.get("data")}
    assert maps["argocd-cm"]["admin.enabled"] == "false"
    assert {key: maps["argocd-cm"][key] for key in health.CUSTOMIZATIONS} == health.CUSTOMIZATIONS
    assert maps["argocd-cmd-params-cm"]["server.insecure"] == "true"
    assert maps["argocd-rbac-cm"]["policy.default"] == "role:readonly"
    (service,) = (d for d in documents if d["kind"] == "Service" and d["metadata"]["name"] == "argocd-server")
    assert "http" in {port["name"] for port in service["spec"]["ports"]}, "Argo CD's Ingress names this port"


def test_argo_cd_finds_its_configuration(unpacked: pathlib.Path, helm: pathlib.Path) -> None:
    documents = render(helm, unpacked / "argo-cd", SAMPLES["argo-cd", "plain"])
    read = [d for d in documents if d["metadata"]["name"] in ("argocd-cm", "argocd-rbac-cm", "argocd-secret")]
    assert len(read) == 3
    for document in read:
        labels = document["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "argocd", "without the label Argo CD does not see it, and ends"


def test_dex_is_there_only_with_github(unpacked: pathlib.Path, helm: pathlib.Path) -> None:
    for variant, there in (("github", True), ("plain", False)):
        names = {name for name, _ in pods(render(helm, unpacked / "argo-cd", SAMPLES["argo-cd", variant]))}
        assert ("Deployment/argocd-dex-server" in names) is there
