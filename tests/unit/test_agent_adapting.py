"""Programs of the lab that stand in for others: what becomes of their arguments and their way out."""

from __future__ import annotations

import pathlib

import pytest

from lab import layout
from lab.agent import adapting, egress, images

PORTS = {"dns": 53, "aws": 5000, "aws_proxy": 5001, "ionos": 8080}
LAB = layout.Lab(pathlib.Path("nowhere"), 77, PORTS)
POD = "127.77.1.9"


@pytest.fixture(autouse=True)
def _root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "_may_use_low_ports", lambda _address: True)


def test_the_add_ons_images_have_programs_and_their_companions_do_not() -> None:
    for reference in (
        "registry.k8s.io/external-dns/external-dns:v0.21.0",
        "quay.io/jetstack/cert-manager-controller:v1.21.1",
        "quay.io/jetstack/cert-manager-acmesolver:v1.11.5",
        "docker.io/traefik:v3.7.11",
        "registry.k8s.io/ingress-nginx/controller:v1.15.1@sha256:abc",
        "ghcr.io/ionos-cloud/external-dns-ionos-webhook:v0.13.0",
    ):
        assert images.find(reference), reference
    assert images.find("quay.io/jetstack/cert-manager-webhook:v1") is None


@pytest.mark.parametrize(("asked", "seconds"), [((), "0s"), (("--shutdown-grace-period=10",), "10s")])
def test_traefik_in_ingress_nginxs_place_stops_listening_when_nginx_would(asked: tuple[str, ...], seconds: str) -> None:
    words = adapting.ingress_nginx(("/nginx-ingress-controller", *asked), LAB, POD)
    found = {word.partition("=")[2] for word in words if "requestAcceptGraceTimeout" in word}
    assert found == {seconds}, "nginx does so at once unless it is told to wait"


def test_traefik_in_ingress_nginxs_place_serves_the_same_class_on_the_pods_address() -> None:
    asked = (
        "/nginx-ingress-controller", "--publish-service=ingress-nginx/web", "--controller-class=k8s.io/ingress-nginx",
        "--ingress-class=nginx", "--watch-ingress-without-class=true", "--configmap=a/b", "--enable-metrics",
    )  # fmt: skip
    words = adapting.ingress_nginx(asked, LAB, POD)
    assert words[0] == "traefik"
    for wanted in (
        "--providers.kubernetesIngressNGINX.ingressClass=nginx",
        "--providers.kubernetesIngressNGINX.controllerClass=k8s.io/ingress-nginx",
        "--providers.kubernetesIngressNGINX.publishService=ingress-nginx/web",
        "--providers.kubernetesIngressNGINX.watchIngressWithoutClass=true",
        "--providers.kubernetesIngressNGINX.httpEntryPoint=http",
        f"--entryPoints.http.address={POD}:80",
        f"--entryPoints.https.address={POD}:443",
    ):
        assert wanted in words
    assert not any("configmap" in word or "metrics" in word for word in words), "Traefik refuses unknown options"


def test_cert_manager_is_told_of_a_name_server_only_where_resolv_conf_cannot_name_it() -> None:
    asked = ("controller", "--v=2")
    assert adapting.cert_manager(asked, LAB, POD) == asked
    shifted = layout.Lab(LAB.home, 77, {**PORTS, "dns": 5353})
    words = adapting.cert_manager(asked, shifted, POD)
    assert words[:2] == asked
    assert "--dns01-recursive-nameservers=127.77.0.1:5353" in words
    assert "--acme-http01-solver-nameservers=127.77.0.1:5353" in words


def test_a_solver_gets_a_port_that_nobody_else_has() -> None:
    assert images.with_port(["acmesolver", "--listen-port=8089", "--token=x"], ("--listen-port", 1), 40001) == (
        ("acmesolver", "--token=x", "--listen-port=40001"), 8089,
    )  # fmt: skip
    assert images.with_port(["acmesolver"], ("--listen-port", 8089), 40001)[1] == 8089


def test_a_pod_reaches_the_labs_aws_and_trusts_the_lab_and_nobody_else(tmp_path: pathlib.Path) -> None:
    lab = layout.Lab(tmp_path, 77, PORTS)
    (lab.folder("pki") / "ca.crt").write_text("LAB\n")
    assert egress.trust(lab) == "LAB\n"
    (tmp_path / "acme-root.pem").write_text("ACME\n")
    assert egress.trust(lab) == "LAB\nACME\n"
    assert egress.resolv_conf(lab).startswith("nameserver 127.77.0.1\n")
    for image in images.IMAGES:
        assert set(image.egress) <= set(egress.variables(lab)), image.repository
