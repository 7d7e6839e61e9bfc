"""`python -m ops ready`: certificates of a former server, hosts outside the zones, load balancers and their names."""

from __future__ import annotations

import datetime
import json
import pathlib
import ssl
import subprocess
from typing import Any

import pytest
import test_ops_ready
from test_ops_ready import ADDRESS, ENVIRONMENT, HOST, READY, Authority, https, run

from ops import ready_addresses, ready_certificates, ready_checks, ready_look, ready_probe, ready_steps, ready_warnings
from ops import ready_why as why
from ops.ready_certificates import Issuance
from ops.ready_probe import ProbeError, Resolver

cluster, dns = test_ops_ready.cluster, test_ops_ready.dns
OLD, NEW = "https://acme-staging.example:14000/dir", "https://acme.example:14000/dir"
WAITS = {
    "status": {"conditions": [{"type": "Ready", "status": "False", "reason": "DoesNotExist", "message": "Issuing"}]}
}


def owned(name: str, owner: str, space: str = "shop", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": space, "ownerReferences": [{"name": owner}], "annotations": {}}
    return {"metadata": metadata, **more}


def certificate(name: str = "web", space: str = "shop", **status: Any) -> dict[str, Any]:
    spec = {"dnsNames": ["web.other.org"], "issuerRef": {"name": "le-issuer", "kind": "ClusterIssuer"}}
    return {"metadata": {"name": name, "namespace": space}, "spec": spec, **(status or READY)}


def request(revision: int, owner: str = "web", space: str = "shop") -> dict[str, Any]:
    found = owned(f"{owner}-{revision}", owner, space, kind="CertificateRequest", **READY)
    found["metadata"]["annotations"] = {"cert-manager.io/certificate-revision": str(revision)}
    return found


def order(revision: int, server: str, owner: str = "web", space: str = "shop", **status: Any) -> dict[str, Any]:
    url = f"{server.rpartition('/')[0]}/my-order/{revision}"
    status = {"state": "valid", "url": url, **status}
    return owned(f"{owner}-{revision}-1", f"{owner}-{revision}", space, kind="Order", status=status)


# Issued by another server


def test_the_order_of_the_last_request_says_which_server_issued() -> None:
    made = Issuance([request(2), request(10)], [order(10, OLD), order(2, NEW)])
    assert ready_certificates.former_server(certificate(), made, NEW) == "acme-staging.example:14000"
    assert ready_certificates.former_server(certificate(), made, OLD) == ""
    assert ready_certificates.former_server(certificate("other"), made, NEW) == "", "those of another Certificate"
    assert ready_certificates.former_server(certificate(space="x"), made, NEW) == "", "nor of another namespace"
    assert ready_certificates.former_server(certificate(), Issuance([request(2)]), NEW) == "", "nobody knows"
    assert ready_certificates.former_server(certificate(), made, "") == "", "an issuer that is no ACME server's"


def paths(cluster: pathlib.Path, **changed: Any) -> None:
    file = cluster / "paths.json"
    found = json.loads(file.read_text())
    found["/apis/cert-manager.io/v1/clusterissuers"]["items"][0]["spec"] = {"acme": {"server": NEW}}
    names = {
        "requests": "/apis/cert-manager.io/v1/namespaces/argocd/certificaterequests",
        "orders": "/apis/acme.cert-manager.io/v1/namespaces/argocd/orders",
        "certificates": "/apis/cert-manager.io/v1/certificates",
        "ingresses": "/apis/networking.k8s.io/v1/ingresses",
        "services": "/api/v1/services",
    }
    for name, items in changed.items():
        found[names.get(name, name)] = {"items": items}
    file.write_text(json.dumps(found))


@pytest.mark.parametrize("going", [False, True])
def test_a_certificate_of_a_former_server_is_not_ready_and_says_how_to_renew_it(
    cluster: pathlib.Path, dns: Resolver, tmp_path: pathlib.Path, going: bool
) -> None:
    tls = ("argocd-server-tls", "argocd")
    paths(cluster, requests=[request(1, *tls)], orders=[order(1, OLD, *tls)])
    if going:
        found = json.loads((cluster / "paths.json").read_text())
        one = found["/apis/cert-manager.io/v1/namespaces/argocd/certificates"]["items"][0]
        one["status"]["conditions"].append({"type": "Issuing", "status": "True"})
        (cluster / "paths.json").write_text(json.dumps(found))
    served = Authority(tmp_path, "the former root")
    other = tmp_path / "other"
    other.mkdir()
    with https(served.context(HOST)) as port:
        flags = ["--resolver", f"{dns.host}:{dns.port}", "--port", str(port), "--wait-minutes", "0.001"]
        trusted = run(*flags, "--ca", str(served.file))
        untrusted = run(*flags, "--ca", str(Authority(other, "the present root").file))
    for done in (trusted, untrusted):
        assert done.exit_code == 1
        assert (
            f"argocd/argocd-server-tls: issued by acme-staging.example:14000, and its issuer's server is {NEW} now"
            in done.stderr
        )
        assert ready_steps.renewal("argocd", "argocd-server-tls") in done.stderr
        assert ("being issued again" in done.stderr) is going
    assert "next: see the certificate, above" in untrusted.stderr
    assert "name the right one" not in untrusted.stderr, "the file with the root is right, the certificate is not"


def test_a_certificate_of_staging_is_seen_where_the_issuer_is_production_now(
    cluster: pathlib.Path, dns: Resolver, tmp_path: pathlib.Path
) -> None:
    """Its Order is gone; what is served tells."""
    found = json.loads((cluster / "paths.json").read_text())
    server = "https://acme-v02.api.letsencrypt.org/directory"
    found["/apis/cert-manager.io/v1/clusterissuers"]["items"][0]["spec"] = {"acme": {"server": server}}
    (cluster / "paths.json").write_text(json.dumps(found))
    authority = Authority(tmp_path, "(STAGING) Pretend Pear")
    with https(authority.context(HOST)) as port:
        flags = ["--wait-minutes", "0", "--resolver", f"{dns.host}:{dns.port}", "--port", str(port)]
        for more in ([], ["--ca", str(authority.file)]):
            done = run(*flags, *more)
            assert done.exit_code == 1
            assert "(STAGING) Pretend Pear, and its issuer's server is https://acme-v02" in done.stderr


def test_the_renewal_is_what_cmctl_does_and_needs_kubectl_alone() -> None:
    command = ready_steps.renewal("argocd", "web")
    assert command.startswith("kubectl patch certificate web -n argocd --subresource status --type merge -p '")
    shown = subprocess.run(
        ["bash", "-c", f'kubectl() {{ printf %s "${{@: -1}}"; }}; {command}'],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (condition,) = json.loads(shown)["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("Issuing", "True")
    age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(condition["lastTransitionTime"])
    assert abs(age) < datetime.timedelta(minutes=5), "a request that failed before that is not this one's failure"


# Certificates that wait


def test_an_order_without_a_solver_says_so_in_its_event_alone() -> None:
    waiting = order(1, NEW, state="")
    event = {
        "type": "Warning", "message": "no configured challenge solvers can be used for this challenge",
        "involvedObject": {"kind": "Order", "name": "web-1-1", "namespace": "shop"},
    }  # fmt: skip
    other = {**event, "involvedObject": {"kind": "Order", "name": "web-1-1", "namespace": "x"}, "message": "another's"}
    made = Issuance([request(1)], [waiting], events=[event, other])
    assert (
        "Order web-1-1: no configured challenge solvers can be used for this challenge"
        in ready_certificates.reasons(certificate(), made)
    )
    assert "another's" not in str(ready_certificates.reasons(certificate(), made))


def test_a_certificate_that_waits_is_a_warning_with_its_reasons_and_its_hosts_outside_the_zones() -> None:
    status = {"state": "pending", "reason": "Waiting for HTTP-01 challenge propagation: wrong status code"}
    challenge = owned("web-1-1-1", "web-1-1", kind="Challenge", status=status)
    made = Issuance([request(1)], [order(1, NEW, state="pending")], [challenge])
    (said,) = ready_warnings.certificates([certificate(**WAITS)], made, {"le-issuer": NEW}, ["example.org"])
    for part in (
        "certificate shop/web (web.other.org) waits: DoesNotExist: Issuing",
        "Challenge web-1-1-1: pending: Waiting for HTTP-01",
        "web.other.org is in none of the environment's zones (example.org)",
    ):
        assert part in said
    assert ready_warnings.certificates([certificate()], made, {"le-issuer": NEW}, ["example.org"]) == []
    (said,) = ready_warnings.certificates(
        [certificate()], Issuance([request(1)], [order(1, OLD)]), {"le-issuer": NEW}, []
    )
    assert ready_steps.renewal("shop", "web") in said


def test_an_add_ons_certificate_that_waits_is_an_error_and_an_owners_a_warning(
    cluster: pathlib.Path, dns: Resolver
) -> None:
    paths(cluster, certificates=[certificate("metrics", "external-dns", **WAITS), certificate(**WAITS)])
    done = run("--resolver", f"{dns.host}:{dns.port}", "--port", "9", "--wait-minutes", "0", "--json")
    said = json.loads(done.stdout)
    assert [one["met"] for one in said["checks"] if one["check"] == "certificate external-dns/metrics"] == [False]
    assert [one.startswith("certificate shop/web ") for one in said["warnings"]] == [True]
    assert "warning: certificate shop/web" in done.stderr


@pytest.mark.parametrize(
    ("name", "outside"),
    [("example.org", False), ("a.b.example.org", False), ("badexample.org", True), ("example.net", True)],
)
def test_a_host_is_in_a_zone_or_outside(name: str, outside: bool) -> None:
    assert ready_certificates.outside([name], ["example.org", "x.io"]) == ([name] if outside else [])
    assert ready_certificates.outside([name], []) == [], "no zone is known"


# Hosts


def ingress(*hosts: str, at: str = ADDRESS) -> dict[str, Any]:
    given = [{"hostname": at} if ready_addresses.is_name(at) else {"ip": at}] if at else []
    return {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"rules": [{"host": host} for host in hosts]},
        "status": {"loadBalancer": {"ingress": given}},
    }


@pytest.mark.parametrize(
    ("host", "led", "words"),
    [
        ("a.example.org", ["127.0.0.1"], ""),
        ("a.example.org", ["192.0.2.7"], "leads to 192.0.2.7, not to 127.0.0.1: a record that is not external-dns's"),
        ("a.example.org", [], "has no record yet"),
        ("a.example.org", None, ""),
        ("a.other.org", ["127.0.0.1"], ""),
        (
            "a.other.org",
            [],
            "a.other.org does not lead to 127.0.0.1: a.other.org is in none of the environment's zones",
        ),
        ("a.other.org", ["192.0.2.7"], "a.other.org leads to 192.0.2.7, not to 127.0.0.1"),
        ("*.example.org", [], ""),
        ("", [], ""),
    ],
)
def test_hosts_that_lead_elsewhere_are_named_with_their_ingress(host: str, led: list[str] | None, words: str) -> None:
    said = ready_warnings.hosts([ingress(host)], {host: led}, ["example.org"], True)
    assert bool(said) is bool(words)
    assert words in "".join(said)
    assert all(one.startswith("Ingress shop/web: ") for one in said)


def test_hosts_without_external_dns_or_an_ingress_that_serves_them_are_nobodys_business() -> None:
    assert ready_warnings.hosts([ingress("a.example.org")], {"a.example.org": []}, ["example.org"], False) == []
    assert ready_warnings.hosts([ingress("a.example.org", at="")], {"a.example.org": []}, ["example.org"], True) == []


def test_a_host_may_lead_to_a_load_balancers_name_or_its_addresses() -> None:
    found = [ingress("a.example.org", "b.example.org", at="lb.cloud.example")]
    led = {
        "lb.cloud.example": ["127.0.0.5"],
        "a.example.org": ["127.0.0.9", "lb.cloud.example"],
        "b.example.org": ["127.0.0.5"],
    }
    assert ready_warnings.hosts(found, led, ["example.org"], True) == []
    assert ready_warnings.hosts(found, {**led, "lb.cloud.example": ["127.0.0.6"]}, ["example.org"], True)[0].startswith(
        "Ingress shop/web: b.example.org leads to 127.0.0.5"
    )


def test_many_warnings_are_few() -> None:
    many = [f"h{number}.example.org" for number in range(30)]
    said = ready_warnings.hosts([ingress(*many)], {host: [] for host in many}, ["example.org"], True)
    assert (len(said), said[-1]) == (21, "and 10 more hosts")


# Load balancers


def service(name: str, *given: str, wanted: str = "", **annotations: str) -> dict[str, Any]:
    found = [{"hostname": one} if ready_addresses.is_name(one) else {"ip": one} for one in given]
    return {
        "metadata": {"name": name, "namespace": "ingress-nginx", "annotations": annotations},
        "spec": {"type": "LoadBalancer", "loadBalancerIP": wanted},
        "status": {"loadBalancer": {"ingress": found}},
    }


def test_a_load_balancer_has_an_address_or_a_name() -> None:
    for given in ("203.0.113.1", "lb.cloud.example"):
        one = ready_addresses.load_balancer(service("a", given), [], [], "x")
        assert (one.met, one.what) == (True, given)


@pytest.mark.parametrize("how", [{"wanted": "203.0.113.1"}, {"metallb.io/loadBalancerIPs": "203.0.113.2, 203.0.113.1"}])
def test_a_load_balancer_that_waits_names_the_service_that_holds_its_address(how: dict[str, str]) -> None:
    waits, holds = service("new", **how), service("old", "203.0.113.1")
    events = [{"type": "Normal", "message": "Ensuring"}, {"type": "Warning", "message": "address in use"}]
    one = ready_addresses.load_balancer(waits, [waits, service("other", "203.0.113.9"), holds], events, "traefik")
    assert (one.met, one.addon, one.reasons) == (False, "traefik", ("address in use",))
    assert one.what == "it waits for 203.0.113.1, which Service ingress-nginx/old holds"
    assert "kubectl delete service -n ingress-nginx old" in one.next
    alone = ready_addresses.load_balancer(waits, [waits], events, "traefik")
    assert "delete" not in alone.next
    assert ready_addresses.load_balancer(service("b"), [], [], "x").what == "it has no address yet"


def test_only_the_environments_own_load_balancers_are_checks(cluster: pathlib.Path) -> None:
    theirs = service("theirs")
    theirs["metadata"]["namespace"] = "shop"
    inner = {**service("inner"), "spec": {"type": "ClusterIP"}}
    paths(cluster, services=[service("ours"), theirs, inner])
    look = ready_look.Look(ENVIRONMENT, None, ssl.create_default_context(), 443, with_ca=False)
    found = [one for one in look._inside()[0] if one.check.startswith("load balancer")]
    assert [(one.check, one.met) for one in found] == [("load balancer ingress-nginx/ours", False)]


# A load balancer with a name


@pytest.mark.parametrize(
    ("found", "behind", "aliases", "met"),
    [
        ([ADDRESS], [ADDRESS, "127.0.0.9"], [], True),
        (["127.0.0.5"], [ADDRESS], [], False),
        (["127.0.0.5"], [ADDRESS], ["lb.example"], True),
        ([ADDRESS], ProbeError("does not resolve (NXDOMAIN)"), [], False),
    ],
)
def test_a_name_leads_to_a_load_balancers_name(found: Any, behind: Any, aliases: list[str], met: bool) -> None:
    one = ready_checks.name(ENVIRONMENT, [], found, {"lb.example": behind}, aliases)
    assert one.met is met
    assert "lb.example" in one.what
    assert "no address yet" not in one.what


def test_a_status_with_a_name_alone_is_an_address(cluster: pathlib.Path) -> None:
    paths(cluster, **{"/apis/networking.k8s.io/v1/namespaces/argocd/ingresses": [ingress(HOST, at="lb.example")]})
    look = ready_look.Look(ENVIRONMENT, None, ssl.create_default_context(), 443, with_ca=False)
    assert look._ingress_addresses(names=True) == ["lb.example"]
    assert look._ingress_addresses() == []


def test_an_alias_is_asked_of_the_dns_server(monkeypatch: pytest.MonkeyPatch) -> None:
    import dnslib

    reply = dnslib.DNSRecord.question("a.example").reply()
    reply.add_answer(*dnslib.RR.fromZone("a.example 60 CNAME lb.example.\nlb.example. 60 A 127.0.0.1"))
    monkeypatch.setattr(ready_probe, "_reply", lambda *_: reply)
    assert ready_probe.aliases("a.example", Resolver("127.0.0.1", 5)) == ["lb.example"]
    assert ready_probe.addresses("a.example", Resolver("127.0.0.1", 5))[0] == "127.0.0.1"


def test_the_zones_are_those_that_external_dns_writes_to(cluster: pathlib.Path) -> None:
    """Zones at IONOS DNS are not among the outputs."""
    helm = {"valuesObject": {"domainFilters": ["example.io"]}}
    test_ops_ready.answers(
        cluster, external_dns={**test_ops_ready.application(), "spec": {"source": {"helm": helm}, "destination": {}}}
    )
    look = ready_look.Look(ENVIRONMENT, None, ssl.create_default_context(), 443, with_ca=False)
    look._inside()
    assert look._zones == ["example.io"]
    outputs = {**test_ops_ready.OUTPUTS, "dns": {"zones": [{"name": "example.org"}]}}
    environment = ready_checks.environment(outputs)
    assert environment
    assert environment.zones == ("example.org",)


# What is printed


def test_what_controllers_and_pods_write_is_shown_without_secrets(
    cluster: pathlib.Path, dns: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "plainword")
    condition = {"type": "SyncError", "message": "401 for Authorization: token hunter2"}
    test_ops_ready.answers(cluster, external_dns=test_ops_ready.application("OutOfSync", conditions=[condition]))
    found = json.loads((cluster / "paths.json").read_text())
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEcanary\n-----END RSA PRIVATE KEY-----"
    found["/api/v1/namespaces/n/pods/p/log"] = f"GET https://user:hunter2@x\n{key}\nplainword"
    (cluster / "paths.json").write_text(json.dumps(found))
    flags = ["--resolver", f"{dns.host}:{dns.port}", "--port", "9", "--wait-minutes", "0"]
    for done in (run(*flags), run(*flags, "--json")):
        assert "token [secret]" in done.output
        for secret in ("hunter2", "plainword", "MIIEcanary"):
            assert secret not in done.output


def test_a_log_keeps_its_lines_without_secrets() -> None:
    assert why._clean(["one", "", "password=hunter2", "two"]) == ["one", "password=[secret]", "two"]
