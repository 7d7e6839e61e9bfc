"""The text of a new stack file, out of a few answers. Pure but for reading the files that are there."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import yaml

import settings
from ops import neighbours, stackfiles
from settings import documents

SCHEMA = "# yaml-language-server: $schema="


@dataclasses.dataclass(frozen=True)
class Answers:
    """What an environment is. None: not answered; what does not belong to the provider has to stay None."""

    name: str
    domains: tuple[str, ...]
    provider: str
    zone_id: str | None = None
    location: str | None = None
    kubernetes_version: str | None = None
    cluster_name: str | None = None
    kubeconfig_path: str | None = None
    context: str | None = None
    dns: str = "route53"
    ingress: str = "traefik"
    email: str | None = None
    certificates: str = "production"
    purpose: str = "an environment"


FLAGS = {
    "environment": "NAME",
    "cluster.provider": "--provider",
    "cluster.location": "--location",
    "cluster.kubernetesVersion": "--kubernetes-version",
    "cluster.name": "--cluster-name",
    "cluster.kubeconfigPath": "--kubeconfig-path",
    "cluster.context": "--context",
    "dns.provider": "--dns",
    "dns.domains": "--domain",
    "dns.domains[0].zoneId": "--zone-id",
    "addons.ingress.controller": "--ingress",
    "addons.certManager.email": "--email",
    "addons.certManager.server": "--certificates",
}
"""Setting -> the flag that it comes from."""

_POOL = {"cores": 4, "ramMb": 8192, "storageGb": 10, "cpuFamily": "INTEL_SKYLAKE"}


def config(answers: Answers) -> dict[str, Any]:
    """The settings, as they stand below the project's namespace."""
    domains: list[Any] = list(answers.domains)
    if answers.zone_id and domains:
        domains[0] = {"name": domains[0], "zoneId": answers.zone_id}
    solver = "http01" if answers.dns == "ionos" else "dns01"
    manager: dict[str, Any] = {"server": answers.certificates, "issuer": {"solver": solver}}
    if answers.email:
        manager["email"] = answers.email
    return {
        "cluster": _cluster(answers),
        "dns": {"provider": answers.dns, "domains": domains},
        "argocd": {"rbac": {"defaultRole": "role:readonly"}},
        "addons": {"ingress": {"controller": answers.ingress}, "certManager": manager},
    }


def secrets(answers: Answers) -> dict[str, str]:
    """Secrets to be set once the stack is there, and what each is for."""
    wanted = dict[str, str]()
    if answers.dns == "ionos":
        wanted["ionosDnsToken"] = settings.SECRETS["ionosDnsToken"]
    if answers.provider == "ionos":
        wanted["ionosToken"] = settings.SECRETS["ionosToken"]
    return wanted


def mistakes(answers: Answers, folder: pathlib.Path) -> list[settings.Mistake]:
    """All that is wrong with the answers, by flag; those that other stacks rule out as well."""
    found: list[settings.Mistake] = []
    owned = {"ionos": ("location", "kubernetes_version"), "existing": ("kubeconfig_path", "context")}
    for provider, fields in owned.items():
        for field in fields:
            if provider != answers.provider and getattr(answers, field) is not None:
                flag = "--" + field.replace("_", "-")
                found.append(settings.Mistake(flag, f"it belongs to --provider {provider}", "leave it out"))
    mine, others = neighbours.of_section(answers.name, config(answers)["dns"]), neighbours.others(folder, answers.name)
    found += [dataclasses.replace(one, path="--domain") for one in neighbours.mistakes(mine, others)]
    present = {name for name in secrets(answers) if name == "ionosDnsToken"}
    try:
        settings.parse(config(answers), answers.name, present)
    except settings.SettingsError as error:
        found += [dataclasses.replace(one, path=_flag(one.path)) for one in error.mistakes]
    return list(dict.fromkeys(found))


def warnings(answers: Answers, folder: pathlib.Path) -> list[settings.Mistake]:
    """What to see to because of other stacks, by flag."""
    mine, others = neighbours.of_section(answers.name, config(answers)["dns"]), neighbours.others(folder, answers.name)
    return [dataclasses.replace(one, path="--domain") for one in neighbours.warnings(mine, others)]


def text(answers: Answers, folder: pathlib.Path, kept: dict[str, Any] | None = None) -> str:
    """The file, headed like the others; `kept` is what a file that is written over has to hand on."""
    namespace, kept = stackfiles.project(folder), kept or {}
    values = {f"{namespace}:{key}": value for key, value in config(answers).items()}
    content = {"config": {**values, **kept.get("config", {})}}
    content |= {key: value for key, value in kept.items() if key != "config"}
    body = yaml.safe_dump(content, sort_keys=False, width=120, allow_unicode=True)
    about = " ".join(answers.purpose.split())
    command = f"python -m ops config check {answers.name}"
    return f"{_schema_line(folder)}# {answers.name}: {about}. Check this file with `{command}`.\n{body}"


def keep(file: pathlib.Path) -> dict[str, Any]:
    """What must outlive a file that is written over: its encryption and its encrypted settings."""
    try:
        content = documents.read(file.read_bytes()).content
    except (OSError, documents.Broken):
        text = f"{file.name} cannot be read, so its encrypted secrets would be lost: mend it, or move it away"
        raise stackfiles.Unreadable(text) from None
    if not isinstance(content, dict):
        return {}
    kept = {key: value for key, value in content.items() if key in stackfiles.TOP and key != "config"}
    values = content.get("config")
    encrypted = {
        key: value
        for key, value in (values if isinstance(values, dict) else {}).items()
        if isinstance(value, dict) and set(value) == {"secure"}
    }
    return kept | ({"config": encrypted} if encrypted else {})


def _cluster(answers: Answers) -> dict[str, Any]:
    if answers.provider != "ionos":
        named = {
            "name": answers.cluster_name,
            "kubeconfigPath": answers.kubeconfig_path,
            "context": answers.context,
        }
        return {"provider": answers.provider, **{key: value for key, value in named.items() if value is not None}}
    named = {
        "name": answers.cluster_name,
        "location": answers.location,
        "kubernetesVersion": answers.kubernetes_version,
    }
    return {
        "provider": "ionos",
        **{key: value for key, value in named.items() if value is not None},
        "defaultPool": {"nodeCount": 2, **_POOL},
        "ingressPool": {"nodeCount": 1, **_POOL, "cores": 2, "ramMb": 4096, "taint": True},
    }


def _flag(path: str) -> str:
    place = path
    while place:
        if place in FLAGS:
            return FLAGS[place]
        place = place[: max(place.rfind("."), place.rfind("["), 0)]
    return path


def _schema_line(folder: pathlib.Path) -> str:
    """The line by which editors check a stack file, as the files that are there have it."""
    for stack in stackfiles.names(folder):
        file = folder / f"Pulumi.{stack}.yaml"
        first = file.read_text("utf-8", errors="replace").partition("\n")[0] if file.exists() else ""
        if first.startswith(SCHEMA):
            return first + "\n"
    return ""
