"""Argo CD's way in: an Ingress and a certificate that come last and go first."""

from __future__ import annotations

from components.gitops import access
from lab.plugins.kubernetes import waitfor
from tests import recording

INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"
CERTIFICATE = "kubernetes:cert-manager.io/v1:Certificate"


def made(**changes: object) -> recording.Recording:
    given: dict = {"namespace": "argocd", "host": "argocd.example.org", "ingress_class": "nginx",
                   "issuer": "letsencrypt-test-issuer", **changes}  # fmt: skip
    return recording.run(lambda: access.Access("argocd-access", access.AccessArgs(**given)) and None)


def test_the_ingress_leads_to_the_server_with_tls() -> None:
    spec = made().one(INGRESS).inputs["spec"]
    assert spec["ingressClassName"] == "nginx"
    assert spec["tls"] == [{"hosts": ["argocd.example.org"], "secretName": "argocd-server-tls"}]
    backend = spec["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": "argocd-server", "port": {"name": "http"}}, "TLS ends at the ingress"


def test_the_certificate_is_waited_for_and_kept_where_the_ingress_looks() -> None:
    certificate = made(timeout="7m").one(CERTIFICATE)
    assert certificate.inputs["metadata"]["annotations"]["pulumi.com/waitFor"] == "condition=Ready"
    assert certificate.timeouts["create"] == "7m"
    spec = certificate.inputs["spec"]
    assert (spec["secretName"], spec["dnsNames"]) == ("argocd-server-tls", ["argocd.example.org"])
    assert spec["issuerRef"]["name"] == "letsencrypt-test-issuer"


def test_any_kind_of_address_will_do_and_nothing_else_is_waited_for() -> None:
    run = made(timeout="7m")
    ingress = run.one(INGRESS)
    assert ingress.timeouts["create"] == "7m"
    checks = waitfor.parse(ingress.inputs["metadata"]["annotations"]["pulumi.com/waitFor"])
    for addresses, ready in [
        ([{"ip": "203.0.113.7"}], True),
        ([{"hostname": "lb.example.com"}], True),
        ([], False),
        (None, False),
    ]:
        obj = {"status": {"loadBalancer": {"ingress": addresses} if addresses is not None else {}}}
        assert all(check.check(obj)[0] for check in checks) == ready, addresses


def test_the_certificate_is_not_held_up_by_the_ingress() -> None:
    run = made()
    assert not [urn for urn in run.one(CERTIFICATE).dependencies if "Ingress" in urn]


def test_deletion_waits_for_what_the_objects_own() -> None:
    run = made()
    for kind in (INGRESS, CERTIFICATE):
        annotations = run.one(kind).inputs["metadata"]["annotations"]
        assert annotations["pulumi.com/deletionPropagationPolicy"] == "foreground", (
            "an unfinished challenge whose cert-manager is gone keeps its finalizer, and the namespace forever"
        )


def test_without_cert_manager_there_is_no_tls() -> None:
    run = made(issuer=None)
    assert run.of_type(CERTIFICATE) == []
    assert "tls" not in run.one(INGRESS).inputs["spec"]


def test_nothing_is_waited_for_where_no_controller_runs() -> None:
    run = made(wait=False)
    assert run.one(INGRESS).inputs["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true"
    assert "pulumi.com/waitFor" not in run.one(CERTIFICATE).inputs["metadata"]["annotations"]
