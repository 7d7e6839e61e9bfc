"""The add-ons do their work: names resolve, certificates are issued, traffic arrives. One stack for this file."""

from __future__ import annotations

import base64
import datetime
import http.client
import json
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

import engine as engines
import pytest
import reach
import second_acme
import workload
from cryptography import x509
from cryptography.x509 import oid

from lab import acme, kube, layout

pytestmark = pytest.mark.timeout(900)
DOMAIN = workload.DOMAIN
ARGOCD = f"argocd.{DOMAIN}"
SPACE = "traffic"
# cert-manager waits a minute between seeing a dns01 record and telling the ACME server of it.
DNS01_SECONDS = 150
HTTP01_SECONDS = 90


@pytest.fixture(scope="module")
def environment(engine: engines.Engine) -> Iterator[engines.Engine]:
    """The stack, up; and gone at the end, also when it never came up.

    `up` does not wait for the certificate: the minute that dns01 takes is that of the first tests.
    """
    with engine.changed_config(unhurried):
        try:
            engine.up()
            yield engine
        finally:
            destroyed = engine.pulumi("destroy --yes --skip-preview")
    assert destroyed.code == 0, destroyed.text
    assert ready(engine).code == 2, "a stack that is not up is no environment that fails"


def unhurried(config: dict[str, Any]) -> None:
    config["gitops-platform:addons"]["certManager"]["issuer"]["waitReady"] = False


@pytest.fixture(scope="module")
def application(environment: engines.Engine) -> kube.KubeClient:
    """An application in a namespace of its own, which goes with the cluster."""
    workload.make(environment.cluster, SPACE)
    return environment.cluster


def make_ingress(cluster: kube.KubeClient, name: str, issuer: str | None = None, ingress_class: str = "nginx") -> str:
    """An Ingress for `<name>.<domain>`, with TLS when an issuer is named; returns the host."""
    wanted = {"cert-manager.io/cluster-issuer": issuer} if issuer else {}
    return workload.ingress(cluster, SPACE, name, ingress_class, tls=f"{name}-tls" if issuer else None, **wanted)


def ready_certificate(cluster: kube.KubeClient, namespace: str, secret: str, seconds: float) -> list[x509.Certificate]:
    """The chain in a TLS Secret once its Certificate is Ready."""
    where = f"/apis/cert-manager.io/v1/namespaces/{namespace}/certificates/{secret}"

    def ready() -> bool:
        found = cluster.find(where) or {}
        conditions = found.get("status", {}).get("conditions", ())
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    engines.wait_for(ready, seconds, f"certificate {namespace}/{secret} is issued")
    data = cluster.get(f"/api/v1/namespaces/{namespace}/secrets/{secret}")["data"]["tls.crt"]
    return x509.load_pem_x509_certificates(base64.b64decode(data))


def hosts(certificate: x509.Certificate) -> list[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.DNSName)


def issuer(certificate: x509.Certificate) -> str:
    return str(certificate.issuer.get_attributes_for_oid(oid.NameOID.COMMON_NAME)[0].value)


def issuer_name(engine: engines.Engine, solver: str) -> str:
    names = engine.outputs()["clusterIssuers"]
    return names[0] if solver == "dns01" else next(name for name in names if name.endswith("-http01"))


def test_argo_cds_name_leads_to_the_reserved_address(environment: engines.Engine) -> None:
    assert reach.address(environment.lab, ARGOCD) == environment.outputs()["ingressAddresses"][0]


def test_the_ingress_itself_has_a_name(environment: engines.Engine) -> None:
    assert reach.address(environment.lab, f"ingress.{DOMAIN}") == environment.outputs()["ingressAddresses"][0]


def test_every_record_is_marked_with_the_stacks_own_owner(environment: engines.Engine) -> None:
    reach.address(environment.lab, ARGOCD)
    aws = environment.aws("route53")
    zone = aws.list_hosted_zones()["HostedZones"][0]["Id"]
    records = aws.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    marks = [
        value["Value"]
        for record in records
        if record["Type"] == "TXT" and not record["Name"].startswith("_acme")
        for value in record["ResourceRecords"]
    ]
    assert marks, "external-dns keeps its registry in the zone"
    for mark in marks:
        assert "external-dns/owner=gitops-platform-lab," in mark, "two stacks on one zone must not share an owner"


def test_a_record_at_the_zones_apex_is_made_follows_its_address_and_goes_with_its_ingress(
    environment: engines.Engine, application: kube.KubeClient
) -> None:
    lab, path = environment.lab, workload.ingresses(SPACE, workload.APEX)
    host = workload.ingress(application, SPACE, workload.APEX, "nginx")
    assert host == DOMAIN, "no name below it"
    assert reach.address(lab, host) == environment.outputs()["ingressAddresses"][0]
    elsewhere = {"metadata": {"annotations": {"external-dns.alpha.kubernetes.io/target": "192.0.2.7"}}}
    application.patch(path, elsewhere)
    engines.wait_for(
        lambda: reach.ask(lab, host).values == ["192.0.2.7"], reach.RECORD_SECONDS, "the record follows the address"
    )
    application.delete(path)
    engines.wait_for(lambda: reach.ask(lab, host).values == [], reach.RECORD_SECONDS, "the record is gone")
    zone = environment.aws("route53").list_hosted_zones()["HostedZones"][0]["Id"]
    assert not {("A", host), ("TXT", f"a-edns.{host}")} & environment.records(zone), "and its mark"


def test_an_application_is_reached_by_its_name_until_its_ingress_goes(
    environment: engines.Engine, application: kube.KubeClient
) -> None:
    host = make_ingress(application, "hello")
    engines.wait_for(lambda: reach.get(environment.lab, f"http://{host}/ping") == (200, "OK"), 20, "traffic arrives")
    application.delete(workload.ingresses(SPACE, "hello"))
    engines.wait_for(
        lambda: reach.ask(environment.lab, host).code == "NXDOMAIN",
        reach.RECORD_SECONDS,
        "the record goes with the Ingress",
    )


def test_an_ingress_of_another_class_is_left_alone(environment: engines.Engine, application: kube.KubeClient) -> None:
    """Class `traefik` where ingress-nginx is asked for; the same rule under its own class shows that it is seen."""
    where = (environment.outputs()["ingressAddresses"][0], environment.lab.usable(80))
    strange = make_ingress(application, "strange", ingress_class="traefik")
    own = make_ingress(application, "own-class")
    engines.wait_for(lambda: reach.at(where, own, "/ping") == 200, 20, "its own class is served")
    assert reach.at(where, strange, "/ping") == 404
    status = application.get(workload.ingresses(SPACE, "strange"))["status"]
    assert not status["loadBalancer"].get("ingress"), "nobody gives it an address, so it gets no name either"
    application.delete(workload.ingresses(SPACE, "strange"))


def test_a_certificate_by_http01(environment: engines.Engine, application: kube.KubeClient) -> None:
    if environment.lab.usable(80) != 80:
        pytest.skip("cert-manager looks for its answer on port 80, which this machine keeps for root")
    host = make_ingress(application, "shop", issuer_name(environment, "http01"))
    chain = ready_certificate(application, SPACE, "shop-tls", HTTP01_SECONDS)
    assert hosts(chain[0]) == [host]
    assert issuer(chain[0]).startswith("Pebble Intermediate CA")
    engines.wait_for(lambda: _answers(environment.lab, f"https://{host}/ping"), 20, "the ingress serves it")
    pods = application.list(f"/api/v1/namespaces/{SPACE}/pods")
    assert [pod["metadata"]["name"] for pod in pods] == ["app"], "the solver's pod is gone"


def _answers(lab: layout.Lab, url: str) -> bool:
    try:
        return reach.get(lab, url) == (200, "OK")
    except ssl.SSLCertVerificationError:
        return False


def test_a_self_signed_certificate(environment: engines.Engine, application: kube.KubeClient) -> None:
    assert "selfsigned-issuer" in environment.outputs()["clusterIssuers"]
    spec = {
        "secretName": "own",
        "dnsNames": ["own.example.org"],
        "issuerRef": {"name": "selfsigned-issuer", "kind": "ClusterIssuer", "group": "cert-manager.io"},
    }
    body = {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "own"}, "spec": spec}
    application.create(f"/apis/cert-manager.io/v1/namespaces/{SPACE}/certificates", body)
    certificate = ready_certificate(application, SPACE, "own", 30)[0]
    assert hosts(certificate) == ["own.example.org"]
    certificate.verify_directly_issued_by(certificate)


def test_a_certificate_by_dns01_and_argo_cd_behind_it(environment: engines.Engine) -> None:
    lab = environment.lab
    chain = ready_certificate(environment.cluster, "argocd", "argocd-server-tls", DNS01_SECONDS)
    assert hosts(chain[0]) == [ARGOCD]
    assert issuer(chain[0]).startswith("Pebble Intermediate CA")

    def answer() -> Any:
        try:
            return reach.get(lab, f"https://{ARGOCD}/api/version")
        except ssl.SSLCertVerificationError:
            return None  # the ingress has not seen the Secret yet

    status, body = engines.wait_for(answer, 20, "HTTPS with the certificate")
    assert status == 200
    assert json.loads(body)["Version"].startswith("v3."), "the answer is Argo CD's own"
    assert reach.get(lab, f"http://{ARGOCD}/")[0] in (301, 308), "plain HTTP leads to HTTPS"


def test_that_certificate_was_proved_by_dns01_and_by_nothing_else(environment: engines.Engine) -> None:
    """Though the issuer has http01 for names outside the zones; cert-manager's own key wrote the challenge's record."""
    zone = environment.outputs()["dns"]["zoneId"]
    where = "/apis/cert-manager.io/v1/namespaces/argocd/certificates/argocd-server-tls"
    name = environment.cluster.get(where)["spec"]["issuerRef"]["name"]
    acme = environment.cluster.get(f"/apis/cert-manager.io/v1/clusterissuers/{name}")["spec"]["acme"]
    (solver,) = [one for one in acme["solvers"] if "selector" in one]
    assert solver["dns01"]["route53"]["hostedZoneID"] == zone
    keys = environment.key_ids()

    def written() -> list[dict[str, Any]]:
        return [
            one
            for one in environment.about_aws("changes")
            if keys.get(one["key"]) == "cert-manager-lab"
            and one["normalizedrecordnames"] == [f"_acme-challenge.{ARGOCD}"]
        ]

    assert written(), "cert-manager writes the challenge's record with its own key"
    for one in written():
        assert one["resources"] == [f"arn:aws:route53:::hostedzone/{zone}"]
        assert one["recordtypes"] == ["TXT"]
    engines.wait_for(
        lambda: {"UPSERT", "DELETE"} <= {action for one in written() for action in one["actions"]},
        30, "it is written, and taken back",
    )  # fmt: skip


def test_a_sign_in_as_admin_works_through_the_ingress(environment: engines.Engine) -> None:
    data = environment.cluster.get("/api/v1/namespaces/argocd/secrets/argocd-initial-admin-secret")["data"]
    password = base64.b64decode(data["password"]).decode()
    where = (reach.address(environment.lab, ARGOCD), environment.lab.usable(443))
    connection = http.client.HTTPSConnection(ARGOCD, timeout=10)
    connection.sock = reach.trust(environment.lab).wrap_socket(
        socket.create_connection(where, timeout=10), server_hostname=ARGOCD
    )
    body = json.dumps({"username": "admin", "password": password})
    connection.request("POST", "/api/v1/session", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    assert json.loads(answer.read())["token"]


def test_a_name_that_nobody_asked_a_certificate_for_gets_the_ingresss_own(environment: engines.Engine) -> None:
    where = (reach.address(environment.lab, ARGOCD), environment.lab.usable(443))
    with pytest.raises(ssl.SSLCertVerificationError):
        reach.trust(environment.lab).wrap_socket(
            socket.create_connection(where, timeout=10), server_hostname=f"nobody.{DOMAIN}"
        )


def test_a_load_balancer_follows_its_pods(environment: engines.Engine) -> None:
    """The ingress's pod is deleted: its successor gets the traffic, by itself."""
    cluster, lab = environment.cluster, environment.lab
    pods = "/api/v1/namespaces/ingress-nginx/pods"
    (old,) = [pod["metadata"]["name"] for pod in cluster.list(pods)]
    cluster.delete(f"{pods}/{old}")

    def answers() -> bool:
        try:
            return reach.get(lab, f"https://{ARGOCD}/api/version")[0] == 200 and old not in {
                pod["metadata"]["name"] for pod in cluster.list(pods)
            }
        except (OSError, http.client.HTTPException):
            return False

    # The old pod takes up to 40 s to end: it still answers for a while, then waits for open connections.
    engines.wait_for(answers, 120, "the new pod carries the traffic")


def test_neither_controller_ever_asked_for_more_than_it_may(environment: engines.Engine) -> None:
    keys = environment.key_ids()
    assert set(keys.values()) == {"external-dns-lab", "cert-manager-lab"}
    assert [one for one in environment.about_aws("denied") if one["key"] in keys] == []


def test_what_is_outside_the_lab_does_not_exist(environment: engines.Engine) -> None:
    began = time.monotonic()
    assert reach.ask(environment.lab, "github.com").code == "NXDOMAIN"
    assert time.monotonic() - began < 2, "it is refused at once, not after a time-out"


def ready(engine: engines.Engine, *more: str) -> engines.Run:
    """`python -m ops ready` as people run it after `source .lab/env`."""
    return engine.run(sys.executable, "-m", "ops", "ready", "lab", *more)


def test_the_ready_command_tells_what_it_saw(environment: engines.Engine) -> None:
    done = ready(environment, "--json")
    assert done.code == 0, done.text
    said = json.loads(done.out)
    assert said["ready"]
    assert (said["host"], said["addresses"]) == (ARGOCD, environment.outputs()["ingressAddresses"])
    assert said["certificate"]["names"] == [ARGOCD]
    assert said["certificate"]["issuer"].startswith("Pebble Intermediate CA")
    assert said["argocd"]["version"].startswith("v3.")
    checks = {one["check"] for one in said["checks"]}
    assert {f"application {name}" for name in environment.outputs()["addons"]} < checks
    assert {f"issuer {name}" for name in environment.outputs()["clusterIssuers"]} < checks
    assert {"Argo CD", "certificate", "name", "https"} < checks


def test_an_add_on_that_crashes_at_start_is_named_with_its_last_words(environment: engines.Engine) -> None:
    where = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/external-dns"

    def flag(value: str | None) -> None:
        values = {"extraArgs": {"no-such-flag": value}}
        environment.cluster.patch(where, {"spec": {"source": {"helm": {"valuesObject": values}}}})

    def crashes() -> bool:
        pods = environment.cluster.list("/api/v1/namespaces/external-dns/pods")
        statuses = [one for pod in pods for one in pod["status"].get("containerStatuses", ())]
        return any(one["restartCount"] for one in statuses)

    flag("x")
    engines.wait_for(crashes, 60, "the pod of the new values crashes")
    done = ready(environment, "--wait-minutes", "0.1")
    assert done.code == 1, done.text
    assert "error: application external-dns is not ready" in done.err
    assert "container external-dns: " in done.err
    assert "ended with code 1" in done.err
    assert "unknown long flag '--no-such-flag'" in done.err, "the reason is in the pod's log"
    assert "next: " in done.err
    told = environment.lab.home / "ready.err"
    with told.open("w") as err:
        waiting = subprocess.Popen(
            [sys.executable, "-m", "ops", "ready", "lab", "--wait-minutes", "3"], cwd=layout.PROJECT,
            env=environment.environment(), stdout=subprocess.DEVNULL, stderr=err,
        )  # fmt: skip
    engines.wait_for(lambda: "waiting  application external-dns" in told.read_text(), 60, "it says what it waits for")
    flag(None)
    assert waiting.wait(240) == 0, told.read_text()
    assert "ok       application external-dns: Synced, Healthy" in told.read_text()


def warnings(engine: engines.Engine) -> list[str]:
    """What the ready command warns of."""
    return json.loads(ready(engine, "--json", "--wait-minutes", "0").out)["warnings"]


def named(said: list[str], *words: str) -> list[str]:
    return [one for one in said if all(word in one for word in words)]


def test_a_name_outside_the_zones_is_said_and_proved_by_http01_through_the_default_issuer(
    environment: engines.Engine, application: kube.KubeClient
) -> None:
    if environment.lab.usable(80) != 80:
        pytest.skip("cert-manager looks for its answer on port 80, which this machine keeps for root")
    default = environment.outputs()["clusterIssuers"][0]
    issuer = {"cert-manager.io/cluster-issuer": default}
    host = workload.ingress(
        application, SPACE, "away", "nginx", tls="away-tls", domain="elsewhere.example.net", **issuer
    )
    away = ("certificate traffic/away-tls (away.elsewhere.example.net) waits", "is in none of the environment's zones")
    said = engines.wait_for(lambda: named(warnings(environment), *away), 60, "the Certificate and its host are named")
    assert "http01 cannot prove it before" in said[0]
    engines.wait_for(
        lambda: named(warnings(environment), f"Ingress traffic/away: {host} does not lead to"),
        30,
        "its Ingress as well",
    )
    route53 = environment.aws("route53")
    zone = route53.create_hosted_zone(Name="elsewhere.example.net", CallerReference="elsewhere")["HostedZone"]["Id"]
    environment.write_record(zone, host, "A", environment.outputs()["ingressAddresses"][0])
    chain = ready_certificate(application, SPACE, "away-tls", HTTP01_SECONDS)
    assert hosts(chain[0]) == [host]
    assert named(warnings(environment), "away") == []
    application.delete(workload.ingresses(SPACE, "away"))
    environment.remove_record(zone, host, "A")
    route53.delete_hosted_zone(Id=zone)


def test_a_record_of_others_that_is_in_the_way_is_named(
    environment: engines.Engine, application: kube.KubeClient
) -> None:
    zone, host = environment.outputs()["dns"]["zoneId"], f"taken.{DOMAIN}"
    environment.write_record(zone, host, "A", "192.0.2.7")
    make_ingress(application, "taken")
    words = (f"Ingress traffic/taken: {host} leads to 192.0.2.7, not to", "not external-dns's own")
    engines.wait_for(lambda: named(warnings(environment), *words), 30, "the host and where it leads")
    application.delete(workload.ingresses(SPACE, "taken"))
    environment.remove_record(zone, host, "A")


def test_an_ingress_whose_load_balancer_has_a_name_is_found_by_it(
    environment: engines.Engine, application: kube.KubeClient
) -> None:
    """As on clouds whose load balancers have no address of their own: external-dns writes an alias."""
    host = make_ingress(application, "by-name", ingress_class="of-another-cloud")
    status = {"status": {"loadBalancer": {"ingress": [{"hostname": f"ingress.{DOMAIN}"}]}}}
    application.patch(f"{workload.ingresses(SPACE, 'by-name')}/status", status)
    outputs = environment.outputs(secrets=True) | {
        "argocd": {"url": f"https://{host}", "namespace": SPACE}, "ingressAddresses": [], "clusterIssuers": [],
    }  # fmt: skip

    def look() -> dict[str, Any]:
        done = environment.run(
            sys.executable, "-m", "ops", "ready", "lab", "--json", "--wait-minutes", "0", "--outputs", "-",
            stdin=json.dumps(outputs),
        )  # fmt: skip
        return next(one for one in json.loads(done.out)["checks"] if one["check"] == "name")

    engines.wait_for(lambda: look()["met"], reach.RECORD_SECONDS, "the name is right")
    assert f"(ingress.{DOMAIN})" in look()["what"]
    assert named(warnings(environment), "by-name") == []
    status["status"]["loadBalancer"]["ingress"][0]["hostname"] = f"nobody.{DOMAIN}"
    application.patch(f"{workload.ingresses(SPACE, 'by-name')}/status", status)
    engines.wait_for(lambda: f"own name nobody.{DOMAIN}: does not resolve" in look()["what"], 30, "which is said")
    application.delete(workload.ingresses(SPACE, "by-name"))


def test_a_load_balancer_that_waits_for_an_address_names_who_holds_it(environment: engines.Engine) -> None:
    (address,) = environment.outputs()["ingressAddresses"]
    services = "/api/v1/namespaces/ingress-nginx/services"
    spec = {"type": "LoadBalancer", "loadBalancerIP": address, "ports": [{"port": 81}], "selector": {"app": "none"}}
    environment.cluster.create(services, {"metadata": {"name": "second"}, "spec": spec})

    def said() -> str:
        return ready(environment, "--wait-minutes", "0").err

    engines.wait_for(lambda: "is in use by another Service" in said(), 30, "the cloud's own words")
    (holder,) = [
        one["metadata"]["name"]
        for one in environment.cluster.list(services)
        if one["spec"]["type"] == "LoadBalancer" and one["metadata"]["name"] != "second"
    ]
    told = said()
    assert "error: load balancer ingress-nginx/second" in told
    assert f"it waits for {address}, which Service ingress-nginx/{holder} holds" in told
    assert f"kubectl delete service -n ingress-nginx {holder}" in told
    environment.cluster.delete(f"{services}/second")


def test_a_certificate_of_the_server_before_is_named_and_renewed_as_it_says(
    environment: engines.Engine, application: kube.KubeClient, tmp_path: pathlib.Path
) -> None:
    where = "/apis/cert-manager.io/v1/namespaces/argocd/certificates/argocd-server-tls"
    application.create(
        f"/apis/cert-manager.io/v1/namespaces/{SPACE}/certificates",
        {
            "apiVersion": "cert-manager.io/v1",
            "kind": "Certificate",
            "metadata": {"name": "theirs"},
            "spec": {**environment.cluster.get(where)["spec"], "secretName": "theirs"},
        },
    )
    ready_certificate(application, SPACE, "theirs", DNS01_SECONDS)
    before = urllib.parse.urlsplit(acme.directory(environment.lab)).netloc
    with (
        second_acme.running(environment.lab, tmp_path) as second,
        environment.changed_config(
            lambda config: config["gitops-platform:addons"]["certManager"].update(server=second.directory)
        ),
    ):
        environment.up()
        both = tmp_path / "both.pem"
        both.write_bytes(acme.root(environment.lab).read_bytes() + second.root.read_bytes())
        for roots in (both, second.root):
            done = ready(environment, "--ca", str(roots), "--wait-minutes", "3")
            assert done.code == 1, done.text
            assert (
                f"argocd/argocd-server-tls: issued by {before}, and its issuer's server is {second.directory}"
                in done.err
            )
            assert "name the right one" not in done.err, "the file with the root is right, the certificate is not"
            assert f"warning: certificate {SPACE}/theirs: issued by {before}" in done.err
        (command,) = re.findall(r"next: .*`(kubectl patch certificate argocd-server-tls .*)`", done.err)
        renewed = environment.run("bash", "-c", command)
        assert renewed.code == 0, renewed.text
        engines.wait_for(
            lambda: ready(environment, "--ca", str(second.root), "--wait-minutes", "0").code == 0,
            DNS01_SECONDS + 60,
            "it is served",
        )
        assert named(warnings(environment), f"{SPACE}/theirs"), "nobody renewed that one"
        condition = {"type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "renewed by hand"}
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = json.dumps({"status": {"conditions": [{**condition, "lastTransitionTime": now}]}})
        done = environment.kubectl(
            "patch", "certificate", "theirs", "-n", SPACE, "--subresource", "status", "--type", "merge", "-p", body
        )
        assert done.code == 0, done.text
        engines.wait_for(lambda: not named(warnings(environment), f"{SPACE}/theirs: issued by"), 30, "so it is issued")
        # A challenge that is not over would hold up what comes after.
        application.delete(f"/apis/cert-manager.io/v1/namespaces/{SPACE}/certificates/theirs")
        challenges = f"/apis/acme.cert-manager.io/v1/namespaces/{SPACE}/challenges"
        engines.wait_for(lambda: not application.list(challenges), 60, "its challenge goes with it")


def test_a_last_run_that_is_refused_costs_one_more_destroy_and_no_more(environment: engines.Engine) -> None:
    """The zone is the environment's own: what external-dns cannot remove goes with it."""
    nothing = {"Effect": "Allow", "Action": ["route53:GetGeoLocation"], "Resource": ["*"]}
    document = json.dumps({"Version": "2012-10-17", "Statement": [nothing]})
    environment.aws("iam").put_user_policy(UserName="external-dns-lab", PolicyName="route53", PolicyDocument=document)
    told = environment.pulumi("destroy --yes --skip-preview")
    assert told.code != 0
    assert "external-dns-last-run" in told.text, told.text
    done = environment.pulumi("destroy --yes --skip-preview --refresh")
    assert done.code == 0, done.text
    assert environment.aws("route53").list_hosted_zones()["HostedZones"] == []
    assert not environment.ionos_objects()
