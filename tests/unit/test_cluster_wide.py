"""Which objects without a namespace the charts make, worked out from values and rendered: both say the same."""

from __future__ import annotations

import io
import pathlib
import subprocess
import tarfile
from typing import Any

import pytest
import yaml

from components.addons import charts, cluster_wide, merge
from components.addons.cluster_wide import Object, Release
from lab import toolchain
from lab.charts import repository
from tests.charts import cases, modules, names
from tests.unit import chart_values

SAMPLES = chart_values.samples()
MODULES = {pin.name: pin for pin in modules.CHARTS}
"""Charts that Go modules carry."""
CHANGES: dict[str, list[dict[str, Any]]] = {
    "cert-manager": [
        {"crds": {"enabled": False}},
        {"fullnameOverride": None},
        {"fullnameOverride": "certs"},
        {"cainjector": {"enabled": False}, "disableAutoApproval": True},
        {"global": {"rbac": {"aggregateClusterRoles": False}}},
        {"global": {"rbac": {"create": False}}},
        {"extraObjects": ["kind: IngressClass\napiVersion: networking.k8s.io/v1\nmetadata: {name: extra}\n"]},
    ],
    "external-dns": [{"namespaced": True}, {"rbac": {"create": False}}, {"fullnameOverride": "dns"}],
    "sealed-secrets": [
        {"rbac": {"namespacedRoles": True}},
        {"rbac": {"clusterRole": False}},
        {"rbac": {"clusterRoleName": "opener"}},
        {"rbac": {"create": False}},
        {"fullnameOverride": None},
    ],
}


def release(chart: str, values: dict[str, Any]) -> Release:
    name = "argocd" if chart == "argo-cd" else chart
    return Release(chart, name, name, values)


def rendered(helm: pathlib.Path, chart: pathlib.Path, of: Release) -> set[Object]:
    """Objects of the known kinds in what `helm template` prints."""
    command = [str(helm), "template", of.name, str(chart), "--namespace", of.namespace, "--include-crds"]
    done = subprocess.run(
        [*command, "--kube-version", "1.34.3", "--values", "-"],
        input=yaml.safe_dump(of.values), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    documents = [one for one in yaml.load_all(done.stdout, yaml.CSafeLoader) if one]
    return {Object(one["kind"], one["metadata"]["name"]) for one in documents if one["kind"] in cluster_wide.KINDS}


@pytest.fixture(scope="module")
def helm() -> pathlib.Path:
    found = toolchain.find("helm")
    if not found:
        pytest.skip("helm is not built yet: `python -m lab.toolchain` builds it")
    return found


@pytest.mark.may_skip("`make unit` builds no helm; `make test` does")
@pytest.mark.parametrize("chart", MODULES)
def test_a_real_chart_makes_what_is_looked_for_and_nothing_else(chart: str, helm: pathlib.Path) -> None:
    values = next(values for (name, _), values in SAMPLES.items() if name == chart)
    for change in [{}, *CHANGES[chart]]:
        of = release(chart, merge.deep(values, change))
        assert set(cluster_wide.objects(of)) == rendered(helm, modules.chart(MODULES[chart]), of), change


@pytest.mark.may_skip("`make unit` builds no helm; `make test` does")
@pytest.mark.parametrize(("chart", "variant"), SAMPLES)
def test_the_labs_charts_make_nothing_else_than_the_real_ones(
    chart: str, variant: str, helm: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    with tarfile.open(fileobj=io.BytesIO(repository.package(chart))) as archive:
        archive.extractall(tmp_path, filter="data")
    of = release(chart, SAMPLES[chart, variant])
    made = rendered(helm, tmp_path / chart, of)
    assert made, "a chart that makes none would prove nothing in the lab"
    assert made <= set(cluster_wide.objects(of))


def test_every_chart_is_known() -> None:
    assert set(cluster_wide.CHARTS) == {chart.name for chart in charts.ALL}


@pytest.mark.parametrize(
    ("chart", "change", "there", "gone"),
    [
        ("argo-cd", {}, ["ClusterRole/argocd-server", "CustomResourceDefinition/appprojects.argoproj.io"],
         ["ClusterRole/argocd-repo-server", "ClusterRole/argocd-aggregate-to-view"]),
        ("argo-cd", {"crds": {"install": False}, "createClusterRoles": False}, [],
         ["ClusterRole/argocd-server", "CustomResourceDefinition/appprojects.argoproj.io"]),
        ("argo-cd", {"createAggregateRoles": True, "server": {"name": "web"}},
         ["ClusterRole/argocd-aggregate-to-view", "ClusterRoleBinding/argocd-web"], ["ClusterRole/argocd-server"]),
        ("ingress-nginx", {}, ["IngressClass/nginx", "ValidatingWebhookConfiguration/ingress-nginx-admission"], []),
        ("ingress-nginx", {"controller": {"ingressClassResource": {"name": "a", "aliases": ["b"]}}},
         ["IngressClass/a", "IngressClass/b"], ["IngressClass/nginx"]),
        ("ingress-nginx", {"controller": {"admissionWebhooks": {"enabled": False}}}, ["ClusterRole/ingress-nginx"],
         ["ClusterRole/ingress-nginx-admission", "ValidatingWebhookConfiguration/ingress-nginx-admission"]),
        ("traefik", {}, ["ClusterRole/traefik-traefik", "IngressClass/traefik", "IngressClass/nginx"], []),
        ("traefik", {"ingressClass": {"enabled": False}, "extraObjects": None}, ["ClusterRole/traefik-traefik"],
         ["IngressClass/traefik", "IngressClass/nginx"]),
    ],
)  # fmt: skip
def test_values_decide_what_is_made(chart: str, change: dict[str, Any], there: list[str], gone: list[str]) -> None:
    values = merge.deep(next(values for (name, _), values in SAMPLES.items() if name == chart), change)
    found = {str(one) for one in cluster_wide.objects(release(chart, values))}
    assert set(there) <= found
    assert not set(gone) & found


def test_the_check_of_published_charts_tells_what_is_not_known() -> None:
    case = cases.Case("sbx", "external-dns", "1", "x", "external-dns", "external-dns", "1.34.3", {})
    made = [{"kind": kind, "metadata": {"name": name}} for kind, name in cluster_wide.objects(
        release("external-dns", {})
    )]  # fmt: skip
    assert names.wrong(case, made) == []
    assert names.wrong(case, made[1:]) == [
        "cluster_wide.py says that it makes ClusterRole/external-dns, which it does not"
    ]
    new = {"kind": "ClusterRole", "metadata": {"name": "new"}}
    assert names.wrong(case, [*made, new]) == ["cluster_wide.py does not know that it makes ClusterRole/new"]
