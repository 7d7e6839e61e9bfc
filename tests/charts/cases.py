"""What the program installs, chart by chart: every committed stack, and the variants that no stack file has."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from typing import Any
from unittest import mock

import yaml

from tests import recording

PROJECT = "gitops-platform"
INGRESS = {
    "tcpServices": {"5432": "db/postgres:5432"},
    "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "384Mi"}},
}
VARIANTS: dict[str, dict[str, Any]] = {
    "ionos-dns": {"dns": {"provider": "ionos", "domains": ["example.org"]}, "addons": {}},
    "traefik": {"addons": {"ingress": {"controller": "traefik"}}, "availability": "high", "monitoring": True},
    "traefik-nginx-class": {"addons": {"ingress": {"controller": "traefik", "nginxClass": True, **INGRESS}}},
    "ingress-nginx-tcp": {"addons": {"ingress": {"controller": "ingress-nginx", **INGRESS}}},
    "production": {
        "availability": "high",
        "monitoring": True,
        "argocd": {"github": {"clientId": "Iv1.0123456789abcdef", "organization": "Example"}},
    },
    "github": {
        "argocd": {"github": {"clientId": "Iv1.0123456789abcdef", "organization": "Example", "teams": ["ops"]}},
    },
}
"""Name -> sections that replace those of the stack `lab`."""
SECRETS = {"ionosDnsToken": "token-of-a-check", "githubClientSecret": "secret-of-a-check"}
CREDENTIALS = dict.fromkeys(("IONOS_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "of-a-check")


@dataclasses.dataclass(frozen=True)
class Case:
    """One chart as one environment installs it; `environment` is a stack's or a variant's name."""

    environment: str
    chart: str
    version: str
    repository: str
    release: str
    namespace: str
    kubernetes_version: str
    values: dict[str, Any]


def everything() -> list[Case]:
    """All cases, by chart."""
    files = sorted(recording.PROJECT.glob("Pulumi.*.yaml"))
    stacks = {file.name.split(".")[1]: yaml.safe_load(file.read_text())["config"] for file in files}
    found = [case for stack, config in stacks.items() for case in of(stack, stack, config)]
    for name, sections in VARIANTS.items():
        changed = {**stacks["lab"], **{f"{PROJECT}:{key}": value for key, value in sections.items()}}
        found += of(name, "lab", changed)
    return sorted(found, key=lambda case: case.chart)


def of(environment: str, stack: str, config: dict[str, Any]) -> Iterator[Case]:
    """What the program, run with this config against a recording engine, has Argo CD and Helm install."""
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    wanted = {"ionosDnsToken": '"ionos"' in texts[f"{PROJECT}:dns"], "githubClientSecret": "github" in str(texts)}
    secrets = {f"{PROJECT}:{key}": SECRETS[key] for key, needed in wanted.items() if needed}
    with mock.patch.dict(os.environ, CREDENTIALS):
        run = recording.run_main(stack, {**texts, **secrets}, tuple(secrets))
    version = run.outputs["cluster"]["kubernetesVersion"]
    release = run.one("kubernetes:helm.sh/v3:Release").inputs
    yield Case(
        environment, release["chart"], release["version"], release["repositoryOpts"]["repo"], release["name"],
        "argocd", version, release["values"],
    )  # fmt: skip
    for application in run.of_type("kubernetes:argoproj.io/v1alpha1:Application"):
        spec = application.inputs["spec"]
        for source in [spec["source"]] if "source" in spec else spec["sources"]:
            if "chart" in source:
                yield Case(
                    environment, source["chart"], source["targetRevision"], source["repoURL"], application.name,
                    spec["destination"]["namespace"], version, source["helm"]["valuesObject"],
                )  # fmt: skip
