"""Whose an object on an existing cluster is: decided from what is written on it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

Metadata = Mapping[str, Any]

TRACKING = "argocd.argoproj.io/tracking-id"
"""What Argo CD writes on all that it applies but CRDs: `<Application>:<group>/<kind>:<namespace>/<name>`."""
INSTANCE = "app.kubernetes.io/instance"
HELM_RELEASE, HELM_NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"
ENVIRONMENT = "gitops-platform/environment"
"""Label of the namespaces that the program makes."""
ARGO_CD = "argocd-controller"
"""Argo CD's name among the managers of an object's fields."""
WRITERS = {
    "helm": "written by Helm",
    "kubectl-client-side-apply": "written by kubectl apply",
    "kubectl-create": "written by kubectl create",
    ARGO_CD: "written by an Argo CD",
}
FLUX = re.compile(r"(kustomize|helm)\.toolkit\.fluxcd\.io/name")


class Home(NamedTuple):
    """Argo CD's namespace: whether this environment made it, and the Applications in it."""

    ours: bool
    applications: frozenset[str]


def of_release(found: Metadata, release: str, namespace: str, home: Home) -> bool:
    """Whether an object is of this environment's own Helm release, as Helm itself decides."""
    notes = found.get("annotations") or {}
    return home.ours and (notes.get(HELM_RELEASE), notes.get(HELM_NAMESPACE)) == (release, namespace)


def of_application(found: Metadata, names: Iterable[str], home: Home, *, by_label: bool = False) -> bool:
    """Whether an object is tracked by one of these Applications, and that Application is in this environment's Argo CD.

    The mark alone says nothing: another Argo CD's Application may have the same name, and writes the same.
    `by_label`: Argo CD tracks by label (`application.resourceTrackingMethod`).
    """
    app = application(found, by_label=by_label)
    return home.ours and app in home.applications and app in set(names)


def by_argo_cd(found: Metadata) -> bool:
    """Whether any Argo CD wrote an object."""
    return bool(application(found)) or ARGO_CD in managers(found)


def left_behind(crd: Metadata, release: str) -> bool:
    """Whether a CRD may be what an earlier `destroy` left: Argo CD never deletes CRDs, and writes no mark on them."""
    notes, labels = crd.get("annotations") or {}, crd.get("labels") or {}
    return HELM_RELEASE not in notes and by_argo_cd(crd) and labels.get(INSTANCE, release) == release


def application(found: Metadata, *, by_label: bool = False) -> str:
    """The Application that tracks an object; empty: none."""
    mark = str((found.get("annotations") or {}).get(TRACKING) or "")
    if mark:
        return mark.partition(":")[0]
    return str((found.get("labels") or {}).get(INSTANCE) or "") if by_label else ""


def owner(found: Metadata) -> str:
    """Whose an object is, for people; empty: nothing on it says so."""
    notes, labels = found.get("annotations") or {}, found.get("labels") or {}
    if app := application(found):
        return f"Argo CD's Application {app}"
    for key, name in labels.items():
        if FLUX.fullmatch(str(key)):
            return f"Flux's {name}"
    if notes.get(HELM_RELEASE):
        return f"Helm release {notes.get(HELM_NAMESPACE)}/{notes[HELM_RELEASE]}"
    return next((WRITERS[name] for name in managers(found) if name in WRITERS), "")


def managers(found: Metadata) -> list[str]:
    """Who wrote fields of an object, as they call themselves, oldest first."""
    entries = sorted(found.get("managedFields") or [], key=lambda one: str(one.get("time") or ""))
    return list(dict.fromkeys(str(one.get("manager") or "") for one in entries))
