"""Defaults that follow from other settings, filled in before a stack's settings are checked."""

from __future__ import annotations

from typing import Any

FREE_FORM = ("values",)
"""Keys whose content belongs to a chart; an explicit null means something there (it removes a value)."""


def without_nulls(raw: Any) -> Any:
    """A copy in which a key that has nothing behind it is as good as left out."""
    if isinstance(raw, list):
        return [without_nulls(item) for item in raw]
    if not isinstance(raw, dict):
        return raw
    return {
        key: value if key in FREE_FORM else without_nulls(value)
        for key, value in raw.items()
        if value is not None
    }


def fill(raw: dict[str, Any], stack: str) -> dict[str, Any]:
    """The settings with every derived default that they leave open.

    Whatever has the wrong shape stays as it is: to say so is the models' task.
    """
    raw = {"environment": stack, **without_nulls(raw)}
    environment = raw["environment"]
    for key in ("argocd", "addons", "gitops", "charts"):
        raw.setdefault(key, {})

    cluster = raw.get("cluster")
    if isinstance(cluster, dict) and cluster.get("provider") == "ionos":
        cluster.setdefault("name", f"gitops-{environment}")
        cluster.setdefault("protect", environment == "prd")
        extra = cluster.get("extraPools")
        pools = [cluster.setdefault("defaultPool", {}), cluster.setdefault("ingressPool", {})]
        for pool in pools + (list(extra.values()) if isinstance(extra, dict) else []):
            if isinstance(pool, dict) and pool.get("serverType", "DedicatedCore") == "DedicatedCore":
                pool.setdefault("cpuFamily", "INTEL_SKYLAKE")

    main = main_domain(raw.get("dns"))
    argocd = raw["argocd"]
    if isinstance(argocd, dict):
        if main is not None:
            argocd.setdefault("host", f"argocd.{main}")
        argocd.setdefault("adminEnabled", "github" not in argocd)

    addons = raw["addons"]
    if isinstance(addons, dict):
        for key in ("sealedSecrets", "ingress", "externalDns", "certManager"):
            addon = addons.setdefault(key, {})
            if isinstance(addon, dict):
                addon.setdefault("timeoutMinutes", raw.get("waitMinutes", 10))
        manager = addons["certManager"]
        if isinstance(manager, dict):
            dns = raw.get("dns")
            on_ionos = isinstance(dns, dict) and dns.get("provider") == "ionos"
            manager.setdefault("server", "production" if environment == "prd" else "staging")
            issuer = manager.setdefault("issuer", {})
            if isinstance(issuer, dict):
                issuer.setdefault("name", f"letsencrypt-{environment}-issuer")
                issuer.setdefault("solver", "http01" if on_ionos else "dns01")
    return raw


def main_domain(dns: Any) -> str | None:
    """The name of the first domain, if there is one that can be read."""
    domains = dns.get("domains") if isinstance(dns, dict) else None
    first = domains[0] if isinstance(domains, list) and domains else None
    name = first.get("name") if isinstance(first, dict) else first
    return name if isinstance(name, str) else None
