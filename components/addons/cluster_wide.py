"""Which objects a chart makes that belong to no namespace: names that another installation on the cluster may have too.

Argo CD overwrites an object that is there already without a word, and deletes it with the Application. So the names
are looked for before anything is installed, which is before there is a chart to render: what a chart would make is
worked out here, from its values. `python -m tests.charts` compares this with what the pinned charts render.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import yaml

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
KINDS = {
    "APIService": "/apis/apiregistration.k8s.io/v1/apiservices",
    "ClusterRole": f"{RBAC}/clusterroles",
    "ClusterRoleBinding": f"{RBAC}/clusterrolebindings",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "GatewayClass": "/apis/gateway.networking.k8s.io/v1/gatewayclasses",
    "IngressClass": "/apis/networking.k8s.io/v1/ingressclasses",
    "MutatingWebhookConfiguration": f"{ADMISSION}/mutatingwebhookconfigurations",
    "PriorityClass": "/apis/scheduling.k8s.io/v1/priorityclasses",
    "StorageClass": "/apis/storage.k8s.io/v1/storageclasses",
    "ValidatingAdmissionPolicy": f"{ADMISSION}/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": f"{ADMISSION}/validatingadmissionpolicybindings",
    "ValidatingWebhookConfiguration": f"{ADMISSION}/validatingwebhookconfigurations",
}
"""Kinds without a namespace that charts make (Namespaces apart) -> where the API server has them."""

Values = Mapping[str, Any]


class Object(NamedTuple):
    """An object by its kind (of `KINDS`) and name."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


class Release(NamedTuple):
    """A chart as it is installed: the Application's or Helm release's name, where to, with which values."""

    chart: str
    name: str
    namespace: str
    values: Values


def objects(release: Release) -> list[Object]:
    """Everything without a namespace that an installation makes, each once, sorted; hooks among them.

    Raises:
        KeyError: no chart of that name is known here.
    """
    made = {*CHARTS[release.chart](release), *_extra(release.values)}
    return sorted(one for one in made if one.kind in KINDS)


def _sealed_secrets(release: Release) -> Iterator[Object]:
    yield from _crds("bitnami.com", "sealedsecrets")
    if _on(release, "rbac.create") and not _on(release, "rbac.namespacedRoles", default=False):
        if _on(release, "rbac.clusterRole"):
            yield Object("ClusterRole", str(_at(release.values, "rbac.clusterRoleName", "secrets-unsealer")))
        yield Object("ClusterRoleBinding", _fullname(release))


def _ingress_nginx(release: Release) -> Iterator[Object]:
    name = _fullname(release)
    if _on(release, "rbac.create") and not _on(release, "rbac.scope", default=False):
        yield from _role(name)
    at = "controller.ingressClassResource"
    if _on(release, f"{at}.enabled"):
        for one in (_at(release.values, f"{at}.name", "nginx"), *_at(release.values, f"{at}.aliases", ())):
            yield Object("IngressClass", str(one))
    at = "controller.admissionWebhooks"
    if _on(release, f"{at}.enabled"):
        webhook = f"{name}-{_at(release.values, f'{at}.name', 'admission')}"
        yield Object("ValidatingWebhookConfiguration", webhook)
        patched = _on(release, f"{at}.patch.enabled") and _on(release, f"{at}.patch.rbac.create")
        if patched and not _on(release, f"{at}.certManager.enabled", default=False):
            yield from _role(webhook)


def _traefik(release: Release) -> Iterator[Object]:
    yield from _crds("traefik.io", *TRAEFIK_CRDS)
    yield from _crds("hub.traefik.io", *TRAEFIK_HUB_CRDS)
    name = _fullname(release)
    if _on(release, "rbac.enabled") and not _on(release, "rbac.namespaced", default=False):
        yield from _role(f"{name}-{_at(release.values, 'namespaceOverride', '') or release.namespace}")
    if _on(release, "ingressClass.enabled"):
        yield Object("IngressClass", str(_at(release.values, "ingressClass.name", "") or name))
    if _on(release, "gatewayClass.enabled") and _on(release, "providers.kubernetesGateway.enabled", default=False):
        yield Object("GatewayClass", str(_at(release.values, "gatewayClass.name", "") or "traefik"))


def _external_dns(release: Release) -> Iterator[Object]:
    yield from _crds("externaldns.k8s.io", "dnsendpoints")
    if _on(release, "rbac.create") and not _on(release, "namespaced", default=False):
        yield Object("ClusterRole", _fullname(release))
        yield Object("ClusterRoleBinding", f"{_fullname(release)}-viewer")


def _cert_manager(release: Release) -> Iterator[Object]:
    name = _fullname(release)
    if _on(release, "crds.enabled", default=False) or _on(release, "installCRDs", default=False):
        yield from _crds("cert-manager.io", "certificaterequests", "certificates", "clusterissuers", "issuers")
        yield from _crds("acme.cert-manager.io", "challenges", "orders")
    yield Object("MutatingWebhookConfiguration", f"{name}-webhook")
    yield Object("ValidatingWebhookConfiguration", f"{name}-webhook")
    if not _on(release, "global.rbac.create"):
        return
    for part in ("certificates", "certificatesigningrequests", "challenges", "clusterissuers", "ingress-shim",
                 "issuers", "orders"):  # fmt: skip
        yield from _role(f"{name}-controller-{part}")
    if not _on(release, "disableAutoApproval", default=False):
        yield from _role(f"{name}-controller-approve:cert-manager-io")
    if _on(release, "cainjector.enabled"):
        yield from _role(f"{name}-cainjector")
    yield from _role(f"{name}-webhook:subjectaccessreviews")
    aggregated = ["cluster-view"] if _on(release, "global.rbac.aggregateClusterRoles") else []
    for part in ("edit", "view", *aggregated):
        yield Object("ClusterRole", f"{name}-{part}")


def _argo_cd(release: Release) -> Iterator[Object]:
    name = _fullname(release)
    if _on(release, "crds.install"):
        yield from _crds("argoproj.io", "applications", "applicationsets", "appprojects")
    if _on(release, "createAggregateRoles", default=False):
        for part in ("view", "edit", "admin"):
            yield Object("ClusterRole", f"{name}-aggregate-to-{part}")
    parts = {
        "controller": ("application-controller", _on(release, "createClusterRoles")),
        "server": ("server", _on(release, "createClusterRoles")),
        "applicationSet": (
            "applicationset-controller",
            _on(release, "applicationSet.allowAnyNamespace", default=False),
        ),
        "notifications": (
            "notifications-controller",
            _on(release, "createClusterRoles") and _on(release, "notifications.enabled"),
        ),
        "repoServer": (
            "repo-server",
            _on(release, "createClusterRoles") and _on(release, "repoServer.clusterRoleRules.enabled", default=False),
        ),
    }
    for part, (usual, on) in parts.items():
        if on:
            yield from _role(f"{name}-{_at(release.values, f'{part}.name', usual)}")


CHARTS: Mapping[str, Callable[[Release], Iterator[Object]]] = {
    "argo-cd": _argo_cd,
    "cert-manager": _cert_manager,
    "external-dns": _external_dns,
    "ingress-nginx": _ingress_nginx,
    "sealed-secrets": _sealed_secrets,
    "traefik": _traefik,
}

TRAEFIK_CRDS = (
    "ingressroutes", "ingressroutetcps", "ingressrouteudps", "middlewares", "middlewaretcps", "serverstransports",
    "serverstransporttcps", "tlsoptions", "tlsstores", "traefikservices",
)  # fmt: skip
TRAEFIK_HUB_CRDS = (
    "accesscontrolpolicies", "aiservices", "apiauths", "apibundles", "apicatalogitems", "apiplans", "apiportalauths",
    "apiportals", "apiratelimits", "apis", "apiversions", "contentitems", "managedapplications",
    "managedsubscriptions", "uplinks",
)  # fmt: skip


def _crds(group: str, *plurals: str) -> Iterator[Object]:
    return (Object("CustomResourceDefinition", f"{plural}.{group}") for plural in plurals)


def _role(name: str) -> Iterator[Object]:
    """A ClusterRole and its binding, of one name."""
    return (Object(kind, name) for kind in ("ClusterRole", "ClusterRoleBinding"))


def _fullname(release: Release) -> str:
    """Every release's name contains its chart's, or the chart's own short name: then it is the full name as well."""
    return str(_at(release.values, "fullnameOverride", "") or release.name)[:63].rstrip("-")


def _on(release: Release, path: str, *, default: bool = True) -> bool:
    return bool(_at(release.values, path, default))


def _at(values: Any, path: str, default: Any) -> Any:
    """The value at a dotted path; the chart's own default where the values say nothing."""
    for key in path.split("."):
        if not isinstance(values, Mapping) or key not in values:
            return default
        values = values[key]
    return default if values is None else values


def _extra(values: Values) -> Iterator[Object]:
    """Objects that the values themselves bring along; those that are templates are not looked into."""
    for key in ("extraObjects", "extraDeploy"):
        given = values.get(key) or ()
        manifests: Iterable[Any] = given.values() if isinstance(given, Mapping) else given
        for one in manifests:
            found = _plain(one) if isinstance(one, str) else one
            if isinstance(found, Mapping) and isinstance(found.get("metadata"), Mapping):
                yield Object(str(found.get("kind")), str(found["metadata"].get("name")))


def _plain(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None
