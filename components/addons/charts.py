"""Every chart (and the one image that no chart pins) with its version, in one place.

The versions are the newest that were checked together; each chart's values are checked against the chart
itself before a pin moves. Renovate reads the annotations and raises the pins.
https://docs.renovatebot.com/modules/manager/regex/
"""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Chart:
    """A Helm chart: its repository's URL (no trailing slash), its version, and what it installs."""

    name: str
    repository: str
    version: str
    app_version: str


@dataclasses.dataclass(frozen=True)
class Image:
    """A container image that a chart leaves to its user to name."""

    repository: str
    tag: str


ARGO_CD = Chart(
    name="argo-cd",
    repository="https://argoproj.github.io/argo-helm",
    # renovate: datasource=helm registryUrl=https://argoproj.github.io/argo-helm depName=argo-cd
    version="10.1.1",
    app_version="v3.4.4",
)
SEALED_SECRETS = Chart(
    name="sealed-secrets",
    repository="https://bitnami.github.io/sealed-secrets",
    # renovate: datasource=helm registryUrl=https://bitnami.github.io/sealed-secrets depName=sealed-secrets
    version="2.19.1",
    app_version="0.38.4",
)
INGRESS_NGINX = Chart(
    name="ingress-nginx",
    repository="https://kubernetes.github.io/ingress-nginx",
    # renovate: datasource=helm registryUrl=https://kubernetes.github.io/ingress-nginx depName=ingress-nginx
    version="4.15.1",
    app_version="1.15.1",
)
TRAEFIK = Chart(
    name="traefik",
    repository="https://traefik.github.io/charts",
    # renovate: datasource=helm registryUrl=https://traefik.github.io/charts depName=traefik
    version="41.3.0",
    app_version="v3.7.11",
)
EXTERNAL_DNS = Chart(
    name="external-dns",
    repository="https://kubernetes-sigs.github.io/external-dns",
    # renovate: datasource=helm registryUrl=https://kubernetes-sigs.github.io/external-dns depName=external-dns
    version="1.21.1",
    app_version="0.21.0",
)
CERT_MANAGER = Chart(
    name="cert-manager",
    repository="https://charts.jetstack.io",
    # renovate: datasource=helm registryUrl=https://charts.jetstack.io depName=cert-manager
    version="v1.21.1",
    app_version="v1.21.1",
)

IONOS_WEBHOOK = Image(
    repository="ghcr.io/ionos-cloud/external-dns-ionos-webhook",
    # renovate: datasource=docker depName=ghcr.io/ionos-cloud/external-dns-ionos-webhook
    tag="v0.13.0",
)

ALL = (ARGO_CD, SEALED_SECRETS, INGRESS_NGINX, TRAEFIK, EXTERNAL_DNS, CERT_MANAGER)


OCI = "oci://"


def repository_url(chart: Chart, mirror: str | None = None) -> str:
    """Where Argo CD fetches `chart` from: its own repository, or the mirror that holds every chart.

    A registry without `oci://`: with it, Argo CD takes the address for an artifact and passes over the chart's name.
    https://argo-cd.readthedocs.io/en/stable/user-guide/helm/#helm-oci-registries
    """
    return mirror.rstrip("/").removeprefix(OCI) if mirror else chart.repository


def release_source(chart: Chart, mirror: str | None = None) -> dict[str, Any]:
    """The inputs of a Helm release that say where its chart is; in a registry it is named by its whole address."""
    if mirror and mirror.startswith(OCI):
        return {"chart": f"{mirror.rstrip('/')}/{chart.name}", "version": chart.version}
    repository = {"repo": repository_url(chart, mirror)}
    return {"chart": chart.name, "version": chart.version, "repositoryOpts": repository}
