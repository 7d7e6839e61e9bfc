"""`python -m ops ready`: what counts as ready, what an error says, and how HTTPS and DNS are asked."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import json
import os
import pathlib
import re
import socket
import ssl
import stat
import sys
import threading
from collections.abc import Iterator
from typing import Any

import dnslib
import dnslib.server
import pytest
import typer.testing
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import oid

from ops import __main__ as ops
from ops import kubectl, ready, ready_checks, ready_look, ready_probe, ready_steps, ready_why
from ops.ready_probe import ProbeError, Resolver, Served

RUNNER = typer.testing.CliRunner()
HOST, ADDRESS = "argocd.example.org", "127.0.0.1"
ADDONS = {name: name for name in ("cert-manager", "external-dns", "ingress-nginx", "sealed-secrets")}
ENVIRONMENT = ready_checks.Environment("canary-kubeconfig", HOST, "argocd", [ADDRESS], ADDONS, ["le-issuer"])
OUTPUTS = {
    "kubeconfig": "canary-kubeconfig",
    "argocd": {"url": f"https://{HOST}", "namespace": "argocd"},
    "ingressAddresses": [ADDRESS],
    "addons": {name: {"namespace": name} for name in ADDONS},
    "clusterIssuers": ["le-issuer"],
}
READY = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}


# What the outputs say


def test_a_stack_that_is_not_up_is_no_environment() -> None:
    assert ready_checks.environment({}) is None
    assert ready_checks.environment({**OUTPUTS, "kubeconfig": None}) is None


def test_the_environment_is_read_from_the_contract() -> None:
    assert ready_checks.environment(OUTPUTS) == ENVIRONMENT
    assert "canary" not in repr(ENVIRONMENT), "a traceback must not show the kubeconfig"


# Applications


def application(sync: str = "Synced", health: str = "Healthy", **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "external-dns"},
        "spec": {"destination": {"namespace": "dns"}},
        "status": {"sync": {"status": sync}, "health": {"status": health}, **status},
    }


def test_an_application_is_ready_when_synced_healthy_and_done() -> None:
    done = ready_checks.application("x", application(operationState={"phase": "Succeeded", "message": "all ran"}))
    assert (done.met, done.what, done.reasons) == (True, "Synced, Healthy", ())


@pytest.mark.parametrize(
    ("found", "what"),
    [
        (None, "it is not there"),
        ({"metadata": {}}, "Unknown, Unknown"),
        (application("OutOfSync"), "OutOfSync, Healthy"),
        (application(health="Degraded"), "Synced, Degraded"),
        (application(operationState={"phase": "Running"}), "Synced, Healthy, sync Running"),
    ],
)
def test_an_application_that_is_not(found: dict[str, Any] | None, what: str) -> None:
    one = ready_checks.application("external-dns", found)
    assert (one.met, one.what) == (False, what)
    assert one.next


def test_an_applications_conditions_messages_and_resources_are_told_once_each() -> None:
    found = application(
        "Unknown",
        "Degraded",
        conditions=[{"type": "ComparisonError", "message": "chart\n  repository   unreachable"}],
        operationState={
            "phase": "Failed",
            "message": "one or more tasks failed",
            "syncResult": {
                "resources": [
                    {"kind": "Service", "name": "a", "status": "SyncFailed", "message": "field is immutable"},
                    {
                        "kind": "Job",
                        "name": "check",
                        "status": "Synced",
                        "hookPhase": "Failed",
                        "message": "BackoffLimit",
                    },
                    {"kind": "ConfigMap", "name": "b", "status": "Synced", "message": "configured"},
                ]
            },
        },
        resources=[
            {"kind": "Deployment", "name": "d", "health": {"status": "Degraded", "message": "too slow"}},
            {"kind": "Service", "name": "s", "health": {"status": "Healthy"}},
            {"kind": "ConfigMap", "name": "c"},
        ],
    )
    assert ready_checks.application("external-dns", found).reasons == (
        "ComparisonError: chart repository unreachable",
        "sync Failed: one or more tasks failed",
        "Service a: field is immutable",
        "Job check: BackoffLimit",
        "Deployment d is Degraded: too slow",
    )


def test_a_long_message_keeps_its_end_where_argo_cd_puts_the_cause() -> None:
    message = f"failed to load: {'rpc error: ' * 60}no such chart"
    found = application("Unknown", conditions=[{"type": "ComparisonError", "message": message}])
    (reason,) = ready_checks.application("external-dns", found).reasons
    assert reason.startswith("ComparisonError: failed to load")
    assert reason.endswith("no such chart")
    assert len(reason) < 420


# Issuers and the certificate


def waiting(kind: str = "", name: str = "argocd-server-tls", **status: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": "argocd"}, "spec": {}, "status": status}


def test_an_issuer_names_the_server_that_it_cannot_reach() -> None:
    condition = {"type": "Ready", "status": "False", "reason": "ErrInitIssuer", "message": "connection refused"}
    found = {"spec": {"acme": {"server": "https://acme.example/dir"}}, "status": {"conditions": [condition]}}
    one = ready_checks.issuer("le-issuer", found, "cert-manager")
    assert (one.met, one.what) == (False, "ErrInitIssuer: connection refused")
    assert "https://acme.example/dir" in one.next
    assert ready_checks.issuer("le-issuer", READY, "cert-manager").met


def test_a_certificate_that_is_late_says_what_its_challenge_waits_for() -> None:
    certificate = waiting(conditions=[{"type": "Ready", "status": "False", "reason": "DoesNotExist", "message": "no"}])
    steps = [
        waiting("Challenge", "c-1", state="pending", reason="AccessDenied: not authorized to perform"),
        waiting("Order", "o-1", state="pending"),
        waiting("Order", "o-0", state="valid", reason="of yesterday"),
        waiting(
            "CertificateRequest", "r-1", conditions=[{"type": "Ready", "status": "False", "message": "on order o-1"}]
        ),
    ]
    one = ready_checks.certificate(HOST, certificate, steps, "cert-manager")
    assert not one.met
    assert one.reasons == (
        "Challenge c-1: pending: AccessDenied: not authorized to perform",
        "CertificateRequest r-1: not ready: on order o-1",
    )
    assert "cmctl renew -n argocd argocd-server-tls" in one.next


def test_a_certificate_that_is_missing_or_there() -> None:
    assert not ready_checks.certificate(HOST, None, [], "cert-manager").met
    assert ready_checks.certificate(HOST, {**waiting(), **READY}, [], "cert-manager").met


# Name and HTTPS


def test_a_name_has_to_lead_to_the_ingress_and_nowhere_else() -> None:
    def name(expected: list[str], *found: str) -> ready_checks.Finding:
        return ready_checks.name(ENVIRONMENT, expected, list(found))

    assert name(["10.0.0.1"], "10.0.0.1").met
    assert name(["10.0.0.1", "10.0.0.2"], "10.0.0.2").met, "a reserved address may be unused"
    assert name(["2001:db8::1"], "2001:0db8:0::1").met
    wrong = name(["10.0.0.1"], "10.0.0.9")
    assert (wrong.met, wrong.what) == (False, f"{HOST} → 10.0.0.9, but the ingress is at 10.0.0.1")
    assert not name(["10.0.0.1"], "10.0.0.1", "10.0.0.9").met, "half of the visitors would end elsewhere"
    none = name([], "10.0.0.1")
    assert (none.met, none.addon) == (False, "ingress-nginx")


def test_a_name_that_does_not_resolve_tells_where_its_zone_is_delegated_to() -> None:
    servers = ["ns-1.example.net", "ns-2.example.net"]
    environment = ready_checks.environment({**OUTPUTS, "dns": {"zoneId": "Z1", "nameServers": servers}})
    assert environment is not None
    one = ready_checks.name(environment, [ADDRESS], ProbeError("does not resolve (NXDOMAIN)"))
    assert "its registrar has to name the servers ns-1.example.net, ns-2.example.net" in one.next
    unknown = ready_checks.name(ENVIRONMENT, [ADDRESS], ProbeError("does not resolve (NXDOMAIN)"))
    assert "the servers of `pulumi stack output dns`" in unknown.next


def test_a_name_that_does_not_resolve_points_to_external_dns_or_to_the_reader() -> None:
    one = ready_checks.name(ENVIRONMENT, [ADDRESS], ProbeError("does not resolve (NXDOMAIN)"))
    assert (one.what, one.addon) == (f"{HOST}: does not resolve (NXDOMAIN)", "external-dns")
    bare = ready_checks.Environment("", HOST, "argocd", [ADDRESS], {}, [])
    assert f"{HOST} → {ADDRESS}" in ready_checks.name(bare, [ADDRESS], ProbeError("no")).next


@pytest.mark.parametrize(
    ("kind", "server", "with_ca", "addon", "hopeless", "step"),
    [
        ("untrusted", "https://acme-staging-v02.api.letsencrypt.org/directory", False, "", True, "staging"),
        ("untrusted", "https://acme.example/dir", False, "", True, "name the issuer's root with --ca"),
        ("untrusted", "https://acme.example/dir", True, "", True, "does not hold the issuer's root"),
        ("certificate", "", False, "ingress-nginx", False, "does not serve Argo CD's certificate"),
        ("connection", "", False, "ingress-nginx", False, "ingress controller"),
        ("answer", "", False, "argocd", False, "what is behind it does not"),
    ],
)
def test_what_to_do_when_https_does_not_answer(
    kind: Any, server: str, with_ca: bool, addon: str, hopeless: bool, step: str
) -> None:
    one = ready_checks.answer(ENVIRONMENT, ProbeError("it is so", kind), server, with_ca)
    assert (one.met, one.addon, one.hopeless) == (False, addon, hopeless)
    assert step in one.next


# Workloads and pods


def workload(kind: str, spec: dict[str, Any], status: dict[str, Any], generation: int = 1) -> str:
    metadata = {"name": "x", "generation": generation}
    return ready_why.workload({"metadata": metadata, "spec": spec, "status": {"observedGeneration": 1, **status}}, kind)


def test_a_workload_with_all_its_pods_is_in_no_trouble() -> None:
    assert workload("deployments", {"replicas": 2}, {"availableReplicas": 2}) == ""
    assert workload("daemonsets", {}, {"desiredNumberScheduled": 1, "numberAvailable": 1}) == ""


def test_a_workload_says_what_it_lacks() -> None:
    late = {"type": "Progressing", "status": "False", "message": "exceeded its progress deadline"}
    status = {"availableReplicas": 1, "conditions": [late, {"type": "Available", "status": "True", "message": "fine"}]}
    assert workload("deployments", {"replicas": 2}, status) == (
        "deployment x: 1 of 2 pods available; exceeded its progress deadline"
    )
    assert "scaled to 0" in workload("statefulsets", {"replicas": 0}, {})
    assert "not carried out" in workload("deployments", {"replicas": 1}, {"availableReplicas": 1}, generation=2)


def test_a_daemonset_without_a_node_names_the_labels_that_it_wants() -> None:
    spec = {"template": {"spec": {"nodeSelector": {"nodepool": "ingress"}}}}
    assert "no node to run on (it wants nodepool=ingress" in workload("daemonsets", spec, {}), (
        "Argo CD finds it Healthy"
    )


def pod(
    state: dict[str, Any], ready: bool = False, last: dict[str, Any] | None = None, **status: Any
) -> dict[str, Any]:
    container = {"name": "main", "state": state, "ready": ready, "lastState": {"terminated": last} if last else {}}
    return {"metadata": {"name": "p", "namespace": "n"}, "status": {"containerStatuses": [container], **status}}


@pytest.mark.parametrize(
    ("found", "trouble"),
    [
        (pod({"running": {}}, ready=True), None),
        (pod({"terminated": {"exitCode": 0}}, phase="Succeeded"), None),
        (pod({"running": {}}), ready_why.Trouble("main", "runs, but is not ready", False)),
        (
            pod({"waiting": {"reason": "CrashLoopBackOff"}}, last={"exitCode": 2, "reason": "Error"}),
            ready_why.Trouble("main", "CrashLoopBackOff, ended with code 2 (Error)", True),
        ),
        (
            pod({"waiting": {"reason": "ImagePullBackOff", "message": "no such tag"}}),
            ready_why.Trouble("main", "ImagePullBackOff: no such tag", False),
        ),
        (
            {"status": {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/2 nodes fit"}]}},
            ready_why.Trouble("", "cannot be placed: 0/2 nodes fit", False),
        ),
    ],
)
def test_what_is_wrong_with_a_pod(found: dict[str, Any], trouble: ready_why.Trouble | None) -> None:
    assert ready_why.pod(found) == trouble


def test_the_pod_that_does_the_work_is_the_one_to_listen_to() -> None:
    pods = [
        {"metadata": {"name": name, "labels": {"app.kubernetes.io/component": name}}}
        for name in ("webhook", "controller")
    ]
    assert ready_why.controller(pods)["metadata"]["name"] == "controller"
    assert ready_why.controller(pods[:1])["metadata"]["name"] == "webhook"


@pytest.mark.parametrize(
    ("said", "step"),
    [
        ("daemonset x: no node to run on (it wants nodepool=ingress, and its tolerations)", "cluster.ingressPool"),
        ("Challenge c-1: pending: failed to change: SignatureDoesNotMatch: the request", "not the IAM user's"),
        ("  | InvalidClientTokenId: the security token", "not the IAM user's"),
        ("Challenge c-1: AccessDenied: not authorized to perform: route53:GetChange", "lacks the action"),
        ("Challenge c-1: pending: Waiting for DNS-01 challenge propagation: not yet propagated", "delegated"),
        ("ComparisonError: failed to load: dial tcp 127.0.0.1:1: connection refused", "charts.mirror"),
        ("ComparisonError: Error: open <path to cached source>/a/values.yaml: no such f", "valuesFrom.path"),
    ],
)
def test_a_cause_that_is_known_has_a_next_step_of_its_own(said: str, step: str) -> None:
    found = ready_steps.step("as usual", ["something else", said])
    assert step in found.removesuffix("; as usual")
    assert found.endswith("; as usual"), "it comes first, not instead"
    assert ready_steps.step("as usual", ["something else"]) == "as usual"


# Waiting


class Clock:
    """A time that passes while one waits, and only then."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds


def finding(what: str, met: bool = False, hopeless: bool = False) -> ready_checks.Finding:
    return ready_checks.Finding("name", met, what, hopeless=hopeless)


def watch(*seen: ready_checks.Finding, seconds: float = 60) -> tuple[list[str], float, bool]:
    """The lines said, the time it took, and whether it ended well, when `seen` is seen in turn (the last for ever)."""
    clock, said, looks = Clock(), list[str](), iter(seen)
    last = seen[-1]
    findings = ready.watch(lambda: [next(looks, last)], said.append, seconds, clock, clock.pause)
    return said, clock.now, findings[0].met


def test_what_changes_is_said_once() -> None:
    said, took, met = watch(finding("NXDOMAIN"), finding("NXDOMAIN"), finding("resolves", met=True))
    assert [line.split() for line in said] == [
        ["0", "s", "waiting", "name:", "NXDOMAIN"],
        ["4", "s", "ok", "name:", "resolves"],
    ]
    assert (took, met) == (4, True)


def test_what_is_ready_at_once_says_nothing_and_takes_no_time() -> None:
    assert watch(finding("resolves", met=True)) == ([], 0, True)


def test_waiting_ends_at_its_limit_with_a_last_look() -> None:
    said, took, met = watch(finding("NXDOMAIN"), seconds=7)
    assert (len(said), took, met) == (1, 7, False)
    assert watch(finding("NXDOMAIN"), seconds=0)[1] == 0


def test_nobody_waits_for_what_will_not_come() -> None:
    assert watch(finding("unknown issuer", hopeless=True), seconds=600)[1] == 0


# DNS


@pytest.mark.parametrize(
    ("text", "server"),
    [("9.9.9.9", ("9.9.9.9", 53)), ("dns.example:5353", ("dns.example", 5353)), ("[::1]:54", ("::1", 54))],
)
def test_a_dns_server_is_read(text: str, server: tuple[str, int]) -> None:
    assert ready_probe.resolver(text) == server


@pytest.mark.parametrize("text", ["", "a:b", "1.2.3.4:99999", "1.2.3.4:0", "::1:53"])
def test_a_dns_server_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write HOST or HOST:PORT"):
        ready_probe.resolver(text)


class Zone(dnslib.server.BaseResolver):
    """Knows one name, by way of an alias."""

    def resolve(self, request: Any, handler: Any) -> Any:
        reply = request.reply()
        name = str(request.q.qname).rstrip(".")
        if name == HOST:
            reply.add_answer(*dnslib.RR.fromZone(f"{HOST}. 60 CNAME in.example.org.\nin.example.org. 60 A {ADDRESS}"))
        elif name != "empty.example.org":
            reply.header.rcode = dnslib.RCODE.NXDOMAIN
        return reply


@pytest.fixture
def dns() -> Iterator[Resolver]:
    server = dnslib.server.DNSServer(
        Zone(), address="127.0.0.1", port=0, logger=dnslib.server.DNSLogger("-request,-reply")
    )
    server.start_thread()
    yield Resolver("127.0.0.1", server.server.server_address[1])
    server.stop()
    server.server.server_close()


def test_a_name_is_asked_of_the_server_that_was_named(dns: Resolver) -> None:
    assert set(ready_probe.addresses(HOST, dns)) == {ADDRESS}
    with pytest.raises(ProbeError, match="NXDOMAIN"):
        ready_probe.addresses("nobody.example.org", dns)
    with pytest.raises(ProbeError, match="it has no address"):
        ready_probe.addresses("empty.example.org", dns)


# HTTPS


class Authority:
    """Issues certificates for a test's server."""

    def __init__(self, folder: pathlib.Path, name: str) -> None:
        self.key, self.folder = ec.generate_private_key(ec.SECP256R1()), folder
        self.name = x509.Name([x509.NameAttribute(oid.NameOID.COMMON_NAME, name)])
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self._sign(self.name, self.key, None, 1).public_bytes(serialization.Encoding.PEM))

    def context(self, host: str, days: int = 1) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(x509.Name([]), key, host, days)
        file = self.folder / "served.pem"
        unlocked = serialization.NoEncryption()
        pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        file.write_bytes(certificate.public_bytes(pem) + key.private_bytes(pem, form, unlocked))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _sign(self, subject: x509.Name, key: Any, host: str | None, days: int) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        start = now + datetime.timedelta(days=min(0, days) - 1)
        builder = (
            x509.CertificateBuilder(self.name, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if host:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=True)
        else:
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        return builder.sign(self.key, hashes.SHA256())


@pytest.fixture
def authority(tmp_path: pathlib.Path) -> Authority:
    return Authority(tmp_path, "test-root")


@contextlib.contextmanager
def https(context: ssl.SSLContext, body: bytes = b'{"Version":"v3.4.4"}', status: int = 200) -> Iterator[int]:
    """A server on 127.0.0.1; yields its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.headers["Host"] == HOST, "the ingress finds the Ingress by it"
            self.send_response(status if self.path == "/api/version" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_valid_answer_tells_issuer_names_end_and_version(authority: Authority) -> None:
    with https(authority.context(HOST)) as port:
        served = ready_probe.ask(HOST, [ADDRESS], port, ready_probe.trust(authority.file))
    assert (served.issuer, served.names, served.version) == ("test-root", (HOST,), "v3.4.4")
    until = datetime.datetime.fromisoformat(served.until)
    assert abs((until - datetime.datetime.now(datetime.UTC)).total_seconds() - 86_400) < 120


@pytest.mark.parametrize(
    ("host", "days", "trusted", "kind", "message"),
    [
        (HOST, 1, False, "untrusted", "unable to get local issuer certificate"),
        ("other.example.org", 1, True, "certificate", "[Hh]ostname mismatch"),
        (HOST, -1, True, "certificate", "expired"),
    ],
)
def test_a_certificate_that_is_not_valid_is_no_answer(
    authority: Authority, host: str, days: int, trusted: bool, kind: str, message: str
) -> None:
    trust = ready_probe.trust(authority.file if trusted else None)
    with https(authority.context(host, days)) as port, pytest.raises(ProbeError, match=message) as error:
        ready_probe.ask(HOST, [ADDRESS], port, trust)
    assert error.value.kind == kind


@pytest.mark.parametrize(
    ("status", "body"), [(404, b"404 page not found"), (200, b"<html>"), (503, b'{"Version":"x"}')]
)
def test_an_answer_that_is_not_argo_cds(authority: Authority, status: int, body: bytes) -> None:
    trust = ready_probe.trust(authority.file)
    with https(authority.context(HOST), body, status) as port, pytest.raises(ProbeError, match=str(status)) as error:
        ready_probe.ask(HOST, [ADDRESS], port, trust)
    assert error.value.kind == "answer"


@pytest.mark.parametrize(
    ("host", "days", "authority_name", "kind"),
    [
        (HOST, 1, "(STAGING) Pretend Pear", None),
        (HOST, 1, "somebody", "untrusted"),
        ("other.example.org", 1, "(STAGING) Pretend Pear", "certificate"),
        (HOST, -1, "(STAGING) Pretend Pear", "certificate"),
    ],
)
def test_a_staging_certificate_lacks_trust_and_nothing_else(
    tmp_path: pathlib.Path, host: str, days: int, authority_name: str, kind: str | None
) -> None:
    authority = Authority(tmp_path, authority_name)
    with https(authority.context(host, days)) as port:
        if kind is None:
            served = ready_probe.ask_staging(HOST, [ADDRESS], port)
            assert (served.trusted, served.names, served.issuer) == (False, (HOST,), authority_name)
            return
        with pytest.raises(ProbeError) as error:
            ready_probe.ask_staging(HOST, [ADDRESS], port)
    assert error.value.kind == kind, "name, time and issuer count as always"


@pytest.mark.parametrize(
    ("server", "met"), [("https://acme-staging-v02.api.letsencrypt.org/directory", True), ("https://a.example", False)]
)
def test_only_an_issuer_of_staging_does_without_trust(
    cluster: pathlib.Path, tmp_path: pathlib.Path, dns: Resolver, server: str, met: bool
) -> None:
    paths = json.loads((cluster / "paths.json").read_text())
    paths["/apis/cert-manager.io/v1/clusterissuers"]["items"][0]["spec"] = {"acme": {"server": server}}
    (cluster / "paths.json").write_text(json.dumps(paths))
    authority = Authority(tmp_path, "(STAGING) Pretend Pear")
    with https(authority.context(HOST)) as port:
        flags = ["--wait-minutes", "0", "--resolver", f"{dns.host}:{dns.port}", "--port", str(port)]
        done = run(*flags)
        with_ca = run(*flags, "--ca", str(authority.file))
    assert (done.exit_code == 0) is met, done.output
    assert (ready_checks.UNTRUSTED in done.stdout) is met, "it is said, not only let through"
    assert with_ca.exit_code == 0
    assert ready_checks.UNTRUSTED not in with_ca.stdout


def test_every_address_has_to_answer(authority: Authority) -> None:
    trust = ready_probe.trust(authority.file)
    with https(authority.context(HOST)) as port, pytest.raises(ProbeError, match=r"127\.0\.0\.9") as error:
        ready_probe.ask(HOST, [ADDRESS, "127.0.0.9"], port, trust)
    assert error.value.kind == "connection"


def test_a_file_without_certificates_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "no.pem").write_text("nothing")
    for file in (tmp_path / "no.pem", tmp_path / "missing.pem"):
        with pytest.raises(ValueError, match="holds no certificates"):
            ready_probe.trust(file)


# The command, with a Pulumi and a kubectl that answer from files


@pytest.fixture
def cluster(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A folder with `outputs.json` and `paths.json` (API path -> answer), for a fake Pulumi and kubectl."""
    folder = tmp_path / "fake"
    (folder / "bin").mkdir(parents=True)
    (folder / "outputs.json").write_text(json.dumps(OUTPUTS))
    fake = f"#!{sys.executable}\nimport json, os, pathlib, sys\nfolder = pathlib.Path({str(folder)!r})\n"
    pulumi = 'print((folder / "outputs.json").read_text())\n'
    asking = """
file = sys.argv[sys.argv.index("--kubeconfig") + 1]
with (folder / "calls").open("a") as calls:
    print(json.dumps([sys.argv, os.stat(file).st_mode, open(file).read(), dict(os.environ)]), file=calls)
path = sys.argv[-1].partition("?")[0]
answers = json.loads((folder / "paths.json").read_text())
if path not in answers:
    sys.exit("Error from server (NotFound): the server could not find the requested resource")
print(answers[path] if isinstance(answers[path], str) else json.dumps(answers[path]))
"""
    for name, script in (("pulumi", pulumi), ("kubectl", asking)):
        (folder / "bin" / name).write_text(fake + script)
        (folder / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder / "bin"))
    for name in ("CA", "RESOLVER", "HTTPS_PORT"):
        monkeypatch.delenv(f"GITOPS_PLATFORM_{name}", raising=False)
    monkeypatch.setattr(ready, "PAUSE", 0.01)
    answers(folder)
    return folder


def answers(folder: pathlib.Path, **changed: Any) -> None:
    """A healthy cluster, but for what is changed (application names in snake case -> Application)."""
    every = {name: {**application(), "metadata": {"name": name}} for name in ADDONS}
    every |= {
        name.replace("_", "-"): {**one, "metadata": {"name": name.replace("_", "-")}} for name, one in changed.items()
    }
    certificate = {
        "metadata": {"name": "argocd-server-tls", "namespace": "argocd"},
        "spec": {"dnsNames": [HOST], "issuerRef": {"name": "le-issuer"}},
    }
    crashed = pod({"waiting": {"reason": "CrashLoopBackOff"}}, last={"exitCode": 2, "reason": "Error"})
    paths = {
        "/apis/argoproj.io/v1alpha1/applications": {"items": list(every.values())},
        "/apis/cert-manager.io/v1/clusterissuers": {"items": [{"metadata": {"name": "le-issuer"}, **READY}]},
        "/apis/cert-manager.io/v1/namespaces/argocd/certificates": {"items": [certificate | READY]},
        "/api/v1/namespaces/dns/pods": {"items": [crashed]},
        "/api/v1/namespaces/n/pods/p/log": "starting\n\x1b[31mfatal: no zone\x1b[0m\x07",
    }
    (folder / "paths.json").write_text(json.dumps(paths))


def run(*arguments: str) -> Any:
    return RUNNER.invoke(ops.app, ["ready", "sbx", *arguments])


def test_a_ready_environment(cluster: pathlib.Path, authority: Authority, dns: Resolver) -> None:
    with https(authority.context(HOST)) as port:
        flags = ["--ca", str(authority.file), "--resolver", f"{dns.host}:{dns.port}", "--port", str(port)]
        plain, machine = run(*flags), run(*flags, "--json")
    assert (plain.exit_code, machine.exit_code) == (0, 0), plain.output
    assert plain.stdout.startswith(f"ready: https://{HOST}\n")
    assert plain.stderr == "", "nothing had to be waited for"
    said = json.loads(machine.stdout)
    assert said["ready"]
    assert said["addresses"] == [ADDRESS]
    assert said["certificate"]["names"] == [HOST]
    assert said["argocd"] == {"version": "v3.4.4"}
    assert {one["check"] for one in said["checks"]} == {
        "Argo CD", *(f"application {name}" for name in ADDONS), "issuer le-issuer", "certificate", "name", "https",
    }  # fmt: skip


def test_the_environments_variables_stand_for_the_flags(
    cluster: pathlib.Path, authority: Authority, dns: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with https(authority.context(HOST)) as port:
        monkeypatch.setenv("GITOPS_PLATFORM_CA", str(authority.file))
        monkeypatch.setenv("GITOPS_PLATFORM_RESOLVER", f"{dns.host}:{dns.port}")
        monkeypatch.setenv("GITOPS_PLATFORM_HTTPS_PORT", str(port))
        assert run().exit_code == 0


def _without_times(said: str) -> str:
    return re.sub(r"after \d+ s:", "after N s:", said)


def test_what_is_not_ready_is_told_with_its_cause_and_the_next_step(cluster: pathlib.Path, dns: Resolver) -> None:
    condition = {"type": "SyncError", "message": "failed to apply"}
    answers(cluster, external_dns=application("OutOfSync", "Degraded", conditions=[condition]))
    with socket.socket() as closed:  # held, but nobody listens
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        done = run("--wait-minutes", "0", "--resolver", f"{dns.host}:{dns.port}", "--port", str(port))
    assert done.exit_code == 1
    assert done.stdout == ""
    said = _without_times(done.stderr)
    assert "error: application external-dns is not ready after N s: OutOfSync, Degraded\n" in said
    for part in (
        "SyncError: failed to apply",
        "pod p, container main: CrashLoopBackOff, ended with code 2 (Error)",
        "| fatal: no zone",
        "next: repair what is named here",
        f"error: https (add-on ingress-nginx) is not ready after N s: https://{HOST}: no answer from {ADDRESS}:{port}",
        "stack sbx is not ready: 2 of 9 checks are not met",
    ):
        assert part in said, said
    assert "\x1b" not in done.stderr
    assert "\x07" not in done.stderr, "a log must not steer the terminal"


def test_the_kubeconfig_is_for_kubectl_alone(cluster: pathlib.Path, dns: Resolver) -> None:
    done = run("--wait-minutes", "0", "--resolver", f"{dns.host}:{dns.port}", "--port", "9", "--json")
    assert "canary-kubeconfig" not in done.output
    https = json.loads(done.stdout)["checks"][-1]
    assert (https["check"], https["met"], bool(https["next"])) == ("https", False, True)
    assert "application ingress-nginx: Synced, Healthy" in https["details"]
    calls = [json.loads(line) for line in (cluster / "calls").read_text().splitlines()]
    assert calls
    for argv, mode, text, variables in calls:
        assert text == "canary-kubeconfig"
        assert stat.S_IMODE(mode) == 0o600
        assert "canary" not in json.dumps([argv, variables])
        assert not pathlib.Path(argv[argv.index("--kubeconfig") + 1]).exists(), "it goes when the call ends"


def test_a_cluster_that_does_not_answer_is_one_error(cluster: pathlib.Path) -> None:
    (cluster / "bin" / "kubectl").write_text("#!/bin/sh\necho 'The connection to the server was refused' >&2; exit 1\n")
    done = run("--wait-minutes", "0")
    assert done.exit_code == 1
    said = _without_times(done.stderr)
    assert "error: cluster is not ready after N s: it cannot be asked: The connection to the server was" in said


def test_outputs_can_be_given_where_pulumi_cannot_be_asked(
    cluster: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ready_probe, "SECONDS", 0.1)
    os.remove(cluster / "bin" / "pulumi")
    arguments = ["ready", "sbx", "--wait-minutes", "0", "--resolver", "127.0.0.1:9", "--outputs", "-"]
    done = RUNNER.invoke(ops.app, arguments, input=json.dumps(OUTPUTS))
    assert (done.exit_code, "no answer from the DNS server 127.0.0.1:9" in done.stderr) == (1, True), done.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"kubeconfig": ', "is no JSON, or is cut off"),
        ("[]", "is no JSON object"),
        ('{"kubeconfig": "[secret]"}', "the secrets of stdin are hidden"),
        ('{"kubeconfig": "x", "argocd": "y"}', "`pulumi up` renews"),
        ('{"kubeconfig": "x", "argocd": {"url": "https://y"}, "addons": {"z": {}}}', "`pulumi up` renews"),
    ],
)
def test_outputs_that_are_none_are_said_in_a_sentence(text: str, said: str) -> None:
    done = RUNNER.invoke(ops.app, ["ready", "sbx", "--outputs", "-"], input=text)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert said in done.stderr


@pytest.mark.parametrize(
    ("arguments", "outputs", "message"),
    [
        ([], {}, "stack sbx is not up: `pulumi up` has to make its cluster first"),
        (["--ca", "missing.pem"], OUTPUTS, "missing.pem holds no certificates"),
        (["--resolver", "a:b"], OUTPUTS, "write HOST or HOST:PORT"),
        (["--wait-minutes", "-1"], OUTPUTS, "wait-minutes"),
    ],
)
def test_wrong_usage_ends_with_2(cluster: pathlib.Path, arguments: list[str], outputs: Any, message: str) -> None:
    (cluster / "outputs.json").write_text(json.dumps(outputs))
    done = run(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr


def test_a_stack_that_does_not_exist_and_missing_commands_end_with_2(cluster: pathlib.Path) -> None:
    (cluster / "bin" / "pulumi").write_text("#!/bin/sh\necho \"error: no stack named 'sbx' found\" >&2; exit 255\n")
    done = run()
    assert (done.exit_code, "no stack named 'sbx' found" in done.stderr) == (2, True)
    os.remove(cluster / "bin" / "pulumi")
    done = run()
    assert (done.exit_code, "pulumi is not on PATH" in done.stderr) == (2, True)


def test_kubectl_missing_is_said(cluster: pathlib.Path) -> None:
    os.remove(cluster / "bin" / "kubectl")
    done = run()
    assert (done.exit_code, "kubectl is not on PATH" in done.stderr) == (2, True)


def test_the_application_that_applies_the_repository_is_missed(cluster: pathlib.Path) -> None:
    handed_over = ready_checks.environment({**OUTPUTS, "gitops": {"application": "root"}})
    kept = ready_checks.environment({**OUTPUTS, "gitops": {"application": None}})
    assert handed_over is not None
    assert kept == ENVIRONMENT
    for environment, unmet in ((ENVIRONMENT, []), (handed_over, ["application root"])):
        look = ready_look.Look(environment, None, ssl.create_default_context(), 443, with_ca=False)
        assert [one.check for one in look._inside()[0] if one.what == "it is not there"] == unmet


def test_addresses_come_from_the_ingress_where_the_stack_knows_none(cluster: pathlib.Path) -> None:
    paths = json.loads((cluster / "paths.json").read_text())
    ingress = {
        "spec": {"rules": [{"host": HOST}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}, {"hostname": "elb.example"}]}},
    }
    paths["/apis/networking.k8s.io/v1/namespaces/argocd/ingresses"] = {"items": [{"spec": {}}, ingress]}
    (cluster / "paths.json").write_text(json.dumps(paths))
    look = ready_look.Look(ENVIRONMENT, None, ssl.create_default_context(), 443, with_ca=False)
    assert look._ingress_addresses() == ["203.0.113.7"]


def test_a_log_that_is_not_there_is_no_error(cluster: pathlib.Path) -> None:
    assert kubectl.Kubectl("x").log("n", "gone", "main", 10) == []


def test_an_answer_that_was_served_is_met() -> None:
    one = ready_checks.answer(ENVIRONMENT, Served("i", (HOST,), "2027-01-01T00:00:00Z", "v3"), "", False)
    assert (one.met, one.what) == (True, f"https://{HOST} answers: Argo CD v3")


def test_a_long_line_of_a_log_keeps_its_start_and_its_end() -> None:
    line = f"failed to list records: {'operation error ' * 80}api error AccessDenied: not authorized"
    (cut,) = ready_why._clean([line])
    assert cut.startswith("failed to list records")
    assert cut.endswith("AccessDenied: not authorized"), "the cause is what an SDK's error ends with"
    assert len(cut) < 700
