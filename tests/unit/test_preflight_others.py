"""An existing cluster's objects that others own: named at preview with what to do, and ours left alone."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import settings
from components.addons import cluster_wide
from components.addons.cluster_wide import Release
from preflight import asking, others
from tests.unit import chart_values

SAMPLES = chart_values.samples()
PATHS = cluster_wide.KINDS
APPLICATIONS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
OURS = {"gitops-platform/environment": "sbx"}


def wanted(*take_over: str, **more: Any) -> others.Wanted:
    releases = {
        "argocd": Release("argo-cd", "argocd", "argocd", SAMPLES["argo-cd", "plain"]),
        "addons.ingress": Release("ingress-nginx", "ingress-nginx", "ingress-nginx", SAMPLES["ingress-nginx", "plain"]),
        "addons.certManager": Release("cert-manager", "cert-manager", "cert-manager", SAMPLES["cert-manager", "plain"]),
    }
    names = ("ingress-nginx", "traefik", "cert-manager")
    spaces = {"argocd": "cluster", "cert-manager": "cluster", "shop": "appOwners"}
    return others.Wanted("sbx", releases, names, spaces, take_over, **more)


def one(name: str, *, annotations: dict[str, str] | None = None, manager: str = "", **labels: str) -> dict[str, Any]:
    """An object's metadata."""
    fields = [{"manager": manager, "time": "2026-01-01T00:00:00Z"}] if manager else []
    return {"name": name, "annotations": annotations or {}, "labels": labels, "managedFields": fields}


def tracked(kind: str, name: str, application: str) -> dict[str, Any]:
    return one(name, annotations={"argocd.argoproj.io/tracking-id": f"{application}:x/{kind}:ns/{name}"})


def helm(name: str, release: str, namespace: str) -> dict[str, Any]:
    notes = {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": namespace}
    return one(name, annotations=notes, manager="helm")


def space(name: str, **labels: str) -> dict[str, Any]:
    return {"name": name, "labels": labels}


def look(
    of: others.Wanted, recorded: tuple[str, ...] = (), refused: tuple[str, ...] = (), **there: list[dict[str, Any]]
) -> tuple[list[settings.Mistake], list[str]]:
    """Mistakes and warnings about a cluster with these objects, by kind (or `namespaces`, `applications`)."""
    paths = {**PATHS, "namespaces": others.NAMESPACES, "applications": APPLICATIONS}
    content = {paths[kind]: found for kind, found in there.items()}

    def ask(path: str) -> list[dict[str, Any]]:
        if path in {paths[kind] for kind in refused}:
            raise asking.Unasked("without the right to list them")
        return copy.deepcopy(content.get(path, []))

    said: list[str] = []
    return list(others.problems(of, ask, lambda: set(recorded), said.append)), said


HOME = [space("argocd", **OURS)]


def test_an_empty_cluster_is_fine() -> None:
    assert look(wanted()) == ([], [])


def test_an_object_of_others_is_named_with_its_owner_and_what_to_do() -> None:
    (found,), _ = look(wanted(), IngressClass=[helm("nginx", "ingress", "web"), one("other")])
    assert found.path == "addons.ingress"
    assert "IngressClass nginx already (Helm release web/ingress)" in found.problem
    assert "other" not in found.problem
    assert "addons.ingress.enabled: false" in found.fix
    assert "cluster.takeOver: [IngressClass/nginx]" in found.fix


def test_each_owner_is_told_of_once_with_all_its_objects() -> None:
    roles = [one("cert-manager-edit", manager="kubectl-client-side-apply"), one("cert-manager-view", manager="x")]
    (first, second), _ = look(wanted(), ClusterRole=[*roles, one("cert-manager-webhook:subjectaccessreviews")])
    assert "ClusterRole cert-manager-edit already (written by kubectl apply)" in first.problem
    assert "ClusterRole cert-manager-view, cert-manager-webhook:subjectaccessreviews already;" in second.problem


def test_another_argo_cd_is_named() -> None:
    crds = [helm(f"{name}.argoproj.io", "argo", "gitops") for name in ("applications", "appprojects")]
    (found,), _ = look(wanted(), CustomResourceDefinition=crds)
    assert found.path == "argocd"
    assert "applications.argoproj.io, appprojects.argoproj.io already (Helm release gitops/argo)" in found.problem
    assert "crds: {install: false}" in found.fix
    (found,), _ = look(wanted(), ClusterRole=[helm("argocd-server", "argocd", "argocd")])
    assert "remove the other Argo CD" in found.fix, "a release of the same name in a namespace that is not ours"


def test_what_this_environment_made_is_its_own() -> None:
    there = {
        "namespaces": [*HOME, space("cert-manager", **OURS), space("shop", **OURS)],
        "applications": [space("cert-manager"), space("ingress-nginx")],
        "ClusterRole": [
            tracked("ClusterRole", "cert-manager-view", "cert-manager"), helm("argocd-server", "argocd", "argocd"),
        ],
        "IngressClass": [tracked("IngressClass", "nginx", "ingress-nginx")],
        "CustomResourceDefinition": [
            one("certificates.cert-manager.io", manager="argocd-controller"),
            helm("applications.argoproj.io", "argocd", "argocd"),
        ],
    }  # fmt: skip
    assert look(wanted(), **there) == ([], [])


def test_the_class_of_the_controller_before_is_its_own_too() -> None:
    found = look(wanted(), namespaces=HOME, applications=[space("traefik")],
                 IngressClass=[tracked("IngressClass", "nginx", "traefik")])  # fmt: skip
    assert found == ([], []), "or no environment could change its controller"


@pytest.mark.parametrize(
    "there",
    [
        # Another Argo CD's Application of the same name, here or in another cluster.
        {"ClusterRole": [tracked("ClusterRole", "cert-manager-view", "cert-manager")]},
        {"ClusterRole": [tracked("ClusterRole", "cert-manager-view", "cert-manager")], "namespaces": HOME},
        # An Application of this Argo CD that is none of the program's.
        {"ClusterRole": [tracked("ClusterRole", "cert-manager-view", "certs")], "namespaces": HOME,
         "applications": [space("certs")]},
        {"ClusterRole": [one("cert-manager-view", **{"app.kubernetes.io/instance": "cert-manager"})],
         "namespaces": HOME, "applications": [space("cert-manager")]},
    ],
)  # fmt: skip
def test_a_mark_that_anybody_writes_does_not_make_it_ours(there: dict[str, Any]) -> None:
    (found,), _ = look(wanted(), **there)
    assert "cert-manager-view" in found.problem


def test_where_argo_cd_tracks_by_label_the_label_says_whose_it_is() -> None:
    there = {"ClusterRole": [one("cert-manager-view", **{"app.kubernetes.io/instance": "cert-manager"})],
             "namespaces": HOME, "applications": [space("cert-manager")]}  # fmt: skip
    assert look(wanted(by_label=True), **there) == ([], [])


INSTANCE = {"app.kubernetes.io/instance": "certs"}
CRDS = [one("certificates.cert-manager.io", manager="argocd-controller"), one("orders.acme.cert-manager.io")]


def test_crds_that_an_earlier_destroy_left_are_taken_again() -> None:
    assert look(wanted(), CustomResourceDefinition=CRDS[:1]) == ([], []), "Argo CD never deletes them"
    (found,), _ = look(wanted(), CustomResourceDefinition=CRDS[:1], ClusterRole=[one("cert-manager-view")])
    assert "Definition" not in found.problem, "somebody's ClusterRole says nothing about them"


@pytest.mark.parametrize(
    "there",
    [
        {"CustomResourceDefinition": [one("certificates.cert-manager.io", manager="kubectl-client-side-apply")]},
        {"CustomResourceDefinition": [helm("certificates.cert-manager.io", "cm", "certs")]},
        {"CustomResourceDefinition": [one("certificates.cert-manager.io", manager="argocd-controller", **INSTANCE)]},
        # Somebody's Argo CD keeps a whole cert-manager here.
        {"CustomResourceDefinition": CRDS[:1],
         "ClusterRole": [tracked("ClusterRole", "cert-manager-view", "cert-manager")]},
    ],
)  # fmt: skip
def test_crds_of_others_are_named(there: dict[str, Any]) -> None:
    found, _ = look(wanted(), **there)
    assert any("CustomResourceDefinition certificates.cert-manager.io" in one.problem for one in found)
    assert all(one.path == "addons.certManager" for one in found)


@pytest.mark.parametrize("pattern", ["IngressClass/nginx", "IngressClass/*", "*/nginx"])
def test_what_may_be_taken_over_is_no_obstacle(pattern: str) -> None:
    assert look(wanted(pattern), IngressClass=[helm("nginx", "ingress", "web")]) == ([], [])


def test_a_namespace_that_is_there_is_said_before_anything_is_made() -> None:
    found, _ = look(
        wanted(), namespaces=[space("argocd"), space("shop", **{**OURS, "gitops-platform/environment": "dev"})]
    )
    assert [(one.path, one.problem.partition(" is there")[0]) for one in found] == [
        ("cluster", "namespace argocd"),
        ("appOwners", "namespace shop"),
    ]
    assert "environment dev" in found[1].problem


def test_a_namespace_that_was_imported_is_this_environments() -> None:
    there = {"namespaces": [space("argocd")], "applications": [space("cert-manager")],
             "ClusterRole": [tracked("ClusterRole", "cert-manager-view", "cert-manager")]}  # fmt: skip
    assert look(wanted(), ("argocd",), **there) == ([], [])


def test_what_cannot_be_asked_is_a_warning_and_the_rest_is_looked_at() -> None:
    found, (said,) = look(wanted(), refused=("ClusterRole", "ClusterRoleBinding"), IngressClass=[one("nginx")])
    assert "clusterrolebindings, clusterroles: without the right to list them" in said
    assert len(found) == 1


@pytest.mark.parametrize("refused", ["namespaces", "applications"])
def test_without_knowing_whose_it_is_nothing_is_refused(refused: str) -> None:
    there = {"namespaces": HOME, "applications": [space("cert-manager")],
             "ClusterRole": [tracked("ClusterRole", "cert-manager-view", "cert-manager")]}  # fmt: skip
    found, (said,) = look(wanted(), refused=(refused,), **there)
    assert found == []
    assert said.startswith(f"objects of others on the cluster could not be looked for ({refused}: ")


def test_a_second_default_class_is_a_warning() -> None:
    default = {"ingressclass.kubernetes.io/is-default-class": "true"}
    found, (said,) = look(wanted(), IngressClass=[one("web", annotations=default), one("rest")])
    assert not found
    assert said.startswith("IngressClass web is the cluster's default, and nginx becomes a default")


def test_of_many_names_the_first_are_shown() -> None:
    found = others.listed([cluster_wide.Object("ClusterRole", f"r{place}") for place in range(10)])
    assert found == "ClusterRole r0, r1, r2, r3, r4, r5, r6, r7 and 2 more"
