"""Defaults that follow from other settings, filled in before a stack's settings are checked."""

from __future__ import annotations

from typing import Any

import pydantic_core

from settings import checks, trees

FREE_FORM = ("values",)
"""Keys whose content belongs to a chart; a null means something there (it removes a value)."""

ADDONS = ("sealedSecrets", "ingress", "externalDns", "certManager")


def without_nulls(raw: Any) -> Any:
    """A copy in which a key that has nothing behind it is as good as left out."""
    if isinstance(raw, list):
        return [without_nulls(item) for item in trees.items(raw)]
    if not isinstance(raw, dict):
        return raw
    pairs = [(key, value) for key, value in trees.mapping(raw).items() if value is not None]
    return {key: value if key in FREE_FORM else without_nulls(value) for key, value in pairs}


def fill(given: dict[str, Any], stack: str) -> dict[str, Any]:
    """The settings with every derived default that they leave open.

    Whatever has the wrong shape stays as it is: to say so is the models' task.
    """
    raw: dict[str, Any] = {"environment": stack, **without_nulls(given)}
    environment = _good(checks.environment, raw["environment"]) or "environment"
    for key in ("argocd", "addons", "gitops", "charts", "security"):
        raw.setdefault(key, {})
    raw.setdefault("availability", "high" if environment == "prd" else "single")
    _cluster(trees.mapping(raw.get("cluster")), environment, high=raw["availability"] == "high")

    dns = trees.mapping(raw.get("dns"))
    argocd = trees.mapping(raw["argocd"])
    if main := main_domain(dns):
        argocd.setdefault("host", f"argocd.{main}")
    argocd.setdefault("adminEnabled", "github" not in argocd)

    trees.mapping(raw["gitops"]).setdefault("path", f"applications_{environment}")

    addons = trees.mapping(raw["addons"])
    for key in ADDONS:
        trees.mapping(addons.setdefault(key, {})).setdefault("timeoutMinutes", raw.get("waitMinutes", 10))
    manager = trees.mapping(addons.get("certManager"))
    manager.setdefault("server", "production" if environment == "prd" else "staging")
    issuer = trees.mapping(manager.setdefault("issuer", {}))
    issuer.setdefault("name", f"letsencrypt-{environment}-issuer")
    issuer.setdefault("solver", "http01" if dns.get("provider") == "ionos" else "dns01")
    return raw


def _cluster(cluster: dict[str, Any], environment: str, *, high: bool) -> None:
    if cluster.get("provider") != "ionos":
        return
    cluster.setdefault("name", f"gitops-{environment}")
    cluster.setdefault("protect", environment == "prd")
    standing = [cluster.setdefault("defaultPool", {}), cluster.setdefault("ingressPool", {})]
    trees.mapping(standing[1]).setdefault("nodeCount", 2 if high else 1)
    for each in standing + list(trees.mapping(cluster.get("extraPools")).values()):
        pool = trees.mapping(each)
        if pool.get("serverType", "DedicatedCore") == "DedicatedCore":
            pool.setdefault("cpuFamily", "INTEL_SKYLAKE")


def main_domain(dns: dict[str, Any]) -> str | None:
    """The name of the first domain, if there is one and it is a good one."""
    first = trees.at(dns, ("domains", 0))
    return _good(checks.domain, trees.mapping(first).get("name") if isinstance(first, dict) else first)


def _good(check: Any, value: Any) -> str | None:
    try:
        return check(value) if isinstance(value, str) else None
    except pydantic_core.PydanticCustomError:
        return None
