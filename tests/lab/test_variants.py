"""An environment that differs wherever it can: IONOS DNS, Traefik with class nginx, http01, GitHub sign-in."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import urllib.request
from collections.abc import Iterator
from typing import Any

import engine as engines
import pytest
import reach
import workload
import yaml

from lab import kube, layout
from lab.agent import images

pytestmark = pytest.mark.timeout(900)
DOMAIN = workload.DOMAIN
ARGOCD = f"argocd.{DOMAIN}"
SPACE = "variants"
OWNER = "dome-trust"
TCP_PORTS = {"222": "below 1024", "8443": "the port of Traefik's own HTTPS", "9100": "that of its metrics"}
GITHUB_SECRET = "canary-github-91ac3d"
IN_PLAIN_HTTP = {"traefik.ingress.kubernetes.io/router.entrypoints": "web"}


def ionos_dns(lab: layout.Lab, method: str, path: str, body: Any = None) -> Any:
    """A call to the lab's IONOS DNS, as its console makes it."""
    headers = {"Authorization": f"Bearer {lab.secret('ionos-dns-token')}"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{lab.endpoint('ionos')}/dns{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"null")


def records(lab: layout.Lab) -> dict[tuple[str, str], str]:
    """(type, name) -> content of everything in the zone."""
    items = ionos_dns(lab, "GET", "/records")["items"]
    return {(each["properties"]["type"], each["metadata"]["fqdn"]): each["properties"]["content"] for each in items}


def variant(config: dict[str, Any]) -> None:
    config["gitops-platform:dns"] = {"provider": "ionos", "domains": [DOMAIN]}
    config["gitops-platform:argocd"] = {
        "github": {"clientId": "Iv1.0123456789abcdef", "organization": "Example", "teams": ["ops"]}
    }
    addons = config["gitops-platform:addons"]
    tcp_services = dict.fromkeys(TCP_PORTS, f"{OWNER}/app:8080")
    addons["ingress"] = {"controller": "traefik", "nginxClass": True, "tcpServices": tcp_services}
    del addons["certManager"]["issuer"]


@pytest.fixture(scope="module")
def environment(engine: engines.Engine) -> Iterator[engines.Engine]:
    """The stack, up, with a zone at IONOS DNS; both are gone at the end."""
    lab = engine.lab
    if lab.usable(80) != 80:
        pytest.skip("cert-manager looks for its answer on port 80, which this machine keeps for root")
    zone = ionos_dns(lab, "POST", "/zones", {"properties": {"zoneName": DOMAIN}})["id"]
    secrets = {"ionosDnsToken": lab.secret("ionos-dns-token"), "githubClientSecret": GITHUB_SECRET}
    with engine.changed_config(variant):
        for key, value in secrets.items():
            run = engine.run("pulumi", "config", "set", "--secret", key, stdin=value)
            assert run.code == 0, run.text
        try:
            engine.up()
            every_issuer_is_ready(engine)
            ready = engine.run("python", "-m", "ops", "ready", "lab")
            assert ready.code == 0, ready.text
            yield engine
        finally:
            destroyed = engine.pulumi("destroy --yes --skip-preview")
        assert destroyed.code == 0, destroyed.text
        assert records(lab) == {}, "external-dns takes its records back before it goes"
    ionos_dns(lab, "DELETE", f"/zones/{zone}")


def every_issuer_is_ready(engine: engines.Engine) -> None:
    """Without waiting: `up` did."""
    found = engine.cluster.list("/apis/cert-manager.io/v1/clusterissuers")
    assert {each["metadata"]["name"] for each in found} == set(engine.outputs()["clusterIssuers"])
    for each in found:
        conditions = {one["type"]: one["status"] for one in each["status"]["conditions"]}
        assert conditions["Ready"] == "True", each["metadata"]["name"]


@pytest.fixture(scope="module")
def application(environment: engines.Engine) -> Iterator[kube.KubeClient]:
    """An application in a namespace of its own."""
    cluster = environment.cluster
    workload.make(cluster, SPACE)
    yield cluster
    for ingress in cluster.list(workload.ingresses(SPACE)):
        cluster.delete(workload.ingresses(SPACE, ingress["metadata"]["name"]))
    cluster.delete(f"/api/v1/namespaces/{SPACE}")


def answers(lab: layout.Lab, url: str, status: int) -> None:
    """Wait until the URL answers this status."""
    engines.wait_for(lambda: reach.get(lab, url, verify=False)[0] == status, 30, f"{status} from {url}")


def test_external_dns_and_its_webhook_share_a_pod(environment: engines.Engine) -> None:
    assert readiness(environment) == {"external-dns": True, "webhook": True}
    assert webhook_processes(environment), "the webhook runs for real"


def readiness(engine: engines.Engine) -> dict[str, bool]:
    """Container of external-dns's pod -> ready."""
    (pod,) = engine.cluster.list("/api/v1/namespaces/external-dns/pods")
    return {each["name"]: each["ready"] for each in pod["status"]["containerStatuses"]}


def webhook_processes(engine: engines.Engine) -> list[int]:
    """The webhook's processes, without bubblewrap's around them."""
    found = []
    for file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = file.read_bytes().decode(errors="replace").split("\0")
            variables = (file.parent / "environ").read_bytes().decode(errors="replace")
            ours = f"METRICS_HOST=127.{engine.lab.network}." in variables
            if ours and images.WEBHOOK in words and "--die-with-parent" not in words:
                found.append(int(file.parent.name))
    return found


def test_a_webhook_that_does_not_answer_is_not_ready(environment: engines.Engine) -> None:
    (pod,) = environment.cluster.list("/api/v1/namespaces/external-dns/pods")
    (container,) = [one for one in pod["spec"]["containers"] if one["name"] == "webhook"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for kind in ("readinessProbe", "livenessProbe"):
        probe = container[kind]["httpGet"]
        assert probe["path"] == "/healthz"
        assert ports.get(probe["port"], probe["port"]) == 8080, "where the webhook tells of its health"
    (webhook,) = webhook_processes(environment)
    os.kill(webhook, signal.SIGSTOP)
    try:
        half = {"external-dns": True, "webhook": False}
        engines.wait_for(lambda: readiness(environment) == half, 30, "the pod is 1/2")
    finally:
        os.kill(webhook, signal.SIGCONT)
    engines.wait_for(lambda: all(readiness(environment).values()), 30, "the pod is 2/2 again")
    assert webhook_processes(environment) == [webhook], "it is the same one"


def test_names_are_in_ionos_dns_and_nowhere_else(environment: engines.Engine) -> None:
    address = environment.outputs()["ingressAddresses"][0]
    found = records(environment.lab)
    assert found["A", ARGOCD] == found["A", f"ingress.{DOMAIN}"] == address
    owners = {content for (kind, _), content in found.items() if kind == "TXT"}
    assert all("external-dns/owner=gitops-platform-lab," in each for each in owners), owners
    assert reach.address(environment.lab, ARGOCD) == address
    assert environment.aws("route53").list_hosted_zones()["HostedZones"] == []
    assert environment.outputs()["dns"] == {"zoneId": None, "nameServers": [], "zones": []}


def test_argo_cds_certificate_came_by_http01(environment: engines.Engine) -> None:
    names = environment.outputs()["clusterIssuers"]
    assert names == ["letsencrypt-lab-issuer", "selfsigned-issuer"], "without Route53 there is no dns01"
    status, body = reach.get(environment.lab, f"https://{ARGOCD}/api/version")
    assert status == 200
    assert json.loads(body)["Version"].startswith("v3.")
    assert reach.get(environment.lab, f"http://{ARGOCD}/")[0] in (301, 308), "plain HTTP leads to HTTPS"


def test_class_nginx_keeps_the_manners_of_ingress_nginx(
    environment: engines.Engine, application: kube.KubeClient
) -> None:
    lab = environment.lab
    host = workload.ingress(application, SPACE, "old", "nginx", tls="")
    answers(lab, f"https://{host}/ping", 200)
    assert reach.get(lab, f"http://{host}/ping")[0] in (301, 308), "with TLS, plain HTTP leads there"
    host = workload.ingress(application, SPACE, "plain", "nginx")
    answers(lab, f"http://{host}/ping", 200)
    answers(lab, f"https://{host}/ping", 200)


def test_class_traefik_is_https_unless_it_is_told_otherwise(
    environment: engines.Engine, application: kube.KubeClient
) -> None:
    lab = environment.lab
    host = workload.ingress(application, SPACE, "new", "traefik")
    answers(lab, f"https://{host}/ping", 200)
    assert reach.get(lab, f"http://{host}/ping")[0] in (301, 308)
    host = workload.ingress(application, SPACE, "open", "traefik", **IN_PLAIN_HTTP)
    answers(lab, f"http://{host}/ping", 200)


def test_a_record_goes_with_its_ingress(environment: engines.Engine, application: kube.KubeClient) -> None:
    host = workload.ingress(application, SPACE, "short", "traefik")
    reach.address(environment.lab, host)
    application.delete(workload.ingresses(SPACE, "short"))
    engines.wait_for(
        lambda: reach.ask(environment.lab, host).code == "NXDOMAIN", reach.RECORD_SECONDS, f"{host} is gone"
    )


def test_tcp_ports_that_are_privileged_or_traefiks_own_lead_to_their_service(environment: engines.Engine) -> None:
    lab, cluster = environment.lab, environment.cluster
    workload.deploy(cluster, OWNER)
    address = environment.outputs()["ingressAddresses"][0]
    for port, kind in TCP_PORTS.items():
        where = (address, lab.usable(int(port)))
        engines.wait_for(
            lambda where=where: reach.at(where, "app", "/ping") == 200, 30, f"bytes through {port}, {kind}"
        )
    assert cluster.list("/apis/traefik.io/v1alpha1/namespaces/traefik/ingressroutetcps") == []
    assert len(cluster.list(f"/apis/traefik.io/v1alpha1/namespaces/{OWNER}/ingressroutetcps")) == len(TCP_PORTS)


def test_the_zones_apex_has_a_record_which_the_last_run_finds(
    environment: engines.Engine,
) -> None:
    """Its Ingress stays: that the zone is empty after `destroy` is seen at the end of this file."""
    lab = environment.lab
    workload.ingress(environment.cluster, "default", workload.APEX, "traefik")
    assert reach.address(lab, DOMAIN) == environment.outputs()["ingressAddresses"][0]
    engines.wait_for(lambda: ("TXT", f"a-edns.{DOMAIN}") in records(lab), 30, "the apex's record is marked")


def test_argo_cd_makes_a_valid_dex_configuration_of_it(environment: engines.Engine) -> None:
    """Argo CD's own generator, on what is in the cluster; the fields as https://dexidp.io/docs has them."""
    file = environment.lab.folder("dex") / "config.yaml"
    made = environment.run(
        "argocd", "gendexcfg", "--namespace", "argocd", "--out", str(file), ARGOCD_BINARY_NAME="argocd-dex"
    )
    assert made.code == 0, made.text
    dex = yaml.safe_load(file.read_text())
    assert dex["issuer"] == f"https://{ARGOCD}/api/dex"
    (connector,) = dex["connectors"]
    assert {key: connector[key] for key in ("type", "id", "name")} == {
        "type": "github", "id": "github", "name": "GitHub",
    }  # fmt: skip
    assert connector["config"] == {
        "clientID": "Iv1.0123456789abcdef",
        "clientSecret": GITHUB_SECRET,
        "orgs": [{"name": "Example", "teams": ["ops"]}],
        "teamNameField": "slug",
        "redirectURI": f"https://{ARGOCD}/api/dex/callback",
    }, "the reference is resolved, and Argo CD itself says where GitHub sends people back to"
    clients = {client["id"]: client for client in dex["staticClients"]}
    assert f"https://{ARGOCD}/auth/callback" in clients["argo-cd"]["redirectURIs"]
    assert clients["argo-cd"]["secret"], "the client of Argo CD's own server has a secret"
    assert {"argo-cd", "argo-cd-cli"} <= set(clients)
