"""What an existing cluster is looked through for, out of the settings. Pure, no resources."""

from __future__ import annotations

from typing import Any

import pulumi

import arguments
import settings as config
from components.addons import (
    cert_manager,
    charts,
    external_dns,
    ingress_nginx,
    merge,
    sealed_secrets,
    traefik,
)
from components.addons.cluster_wide import Release
from components.gitops import argocd
from preflight import others

APPLICATIONS = ("sealed-secrets", "ingress-nginx", "traefik", "external-dns", "cert-manager")


def wanted(settings: config.Settings, secrets: config.Secrets) -> others.Wanted:
    """Charts with the values that they get, and namespaces. `valuesFrom` is not read: what the program sets wins."""
    on = settings.addons
    spaces: Any = {name: name for name in arguments.platform_namespaces(settings).names}
    argo_cd = argocd.values(arguments.argo_cd(settings, secrets, arguments.ARGOCD))
    found = {"argocd": Release(charts.ARGO_CD.name, argocd.RELEASE, arguments.ARGOCD, argo_cd)}
    if on.sealed_secrets.enabled:
        args = arguments.sealed_secrets_addon(settings, arguments.SEALED_SECRETS)
        found["addons.sealedSecrets"] = _release("sealed-secrets", sealed_secrets.values(args), on.sealed_secrets)
    if on.ingress.enabled:
        name = on.ingress.controller
        given = arguments.ingress_addon(settings, spaces, pulumi.Output.from_input([""]))
        values = traefik.values(given) if name == "traefik" else ingress_nginx.values(given)
        found["addons.ingress"] = _release(name, values, on.ingress)
    if on.external_dns.enabled:
        given = arguments.external_dns_addon(settings, arguments.EXTERNAL_DNS, None)
        found["addons.externalDns"] = _release("external-dns", external_dns.merged(given), on.external_dns)
    if on.cert_manager.enabled:
        given = arguments.cert_manager_addon(settings, arguments.CERT_MANAGER)
        found["addons.certManager"] = _release("cert-manager", cert_manager.values(given), on.cert_manager)
    place = settings.cluster
    return others.Wanted(
        settings.environment,
        found,
        APPLICATIONS,
        {
            **dict.fromkeys(spaces, "cluster"),
            **{name: "appOwners" for owner in settings.app_owners for name in owner.namespaces},
        },
        place.take_over if isinstance(place, config.ExistingCluster) else (),
        by_label=argo_cd["configs"]["cm"].get("application.resourceTrackingMethod") == "label",
    )


def _release(name: str, values: Any, addon: config.Addon) -> Release:
    """Of an add-on: chart, Application and namespace have one name."""
    return Release(name, name, name, merge.deep(values, addon.values))
