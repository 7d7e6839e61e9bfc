"""What the program installs: every committed stack, and the variants that no stack file has.

`everything()` is the charts with their values, `objects()` what the program makes in the cluster itself.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
from collections.abc import Iterator
from typing import Any
from unittest import mock

import yaml

from tests import recording

PROJECT = "gitops-platform"
RELEASE = "kubernetes:helm.sh/v3:Release"
INGRESS = {
    "tcpServices": {"5432": "db/postgres:5432"},
    "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "384Mi"}},
}
VARIANTS: dict[str, dict[str, Any]] = {
    "ionos-dns": {"dns": {"provider": "ionos", "domains": ["example.org"]}, "addons": {}},
    "traefik": {"addons": {"ingress": {"controller": "traefik"}}, "availability": "high", "monitoring": True},
    "traefik-nginx-class": {"addons": {"ingress": {"controller": "traefik", "nginxClass": True, **INGRESS}}},
    "ingress-nginx-tcp": {"addons": {"ingress": {"controller": "ingress-nginx", **INGRESS}}},
    "handed-over": {
        "gitops": {"repository": "https://git.example.org/apps", "handOver": True, "include": ["a.yaml"]},
    },
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
    found = [case for environment, run in runs().items() for case in installed(environment, run)]
    return sorted(found, key=lambda case: case.chart)


def objects() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object that the program makes by itself, with its environment."""
    for environment, run in runs().items():
        for resource in run.resources:
            if resource.type.startswith("kubernetes:") and resource.type != RELEASE:
                yield environment, {key: value for key, value in whole(resource.inputs).items() if value is not None}


@functools.cache
def runs() -> dict[str, recording.Recording]:
    """What the program does for each stack and variant, run against a recording engine."""
    files = sorted(recording.PROJECT.glob("Pulumi.*.yaml"))
    stacks = {file.name.split(".")[1]: yaml.safe_load(file.read_text())["config"] for file in files}
    found = {stack: _run(stack, config) for stack, config in stacks.items()}
    for name, sections in VARIANTS.items():
        found[name] = _run("lab", {**stacks["lab"], **{f"{PROJECT}:{key}": value for key, value in sections.items()}})
    return found


def _run(stack: str, config: dict[str, Any]) -> recording.Recording:
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    wanted = {"ionosDnsToken": '"ionos"' in texts[f"{PROJECT}:dns"], "githubClientSecret": "github" in str(texts)}
    secrets = {f"{PROJECT}:{key}": SECRETS[key] for key, needed in wanted.items() if needed}
    with mock.patch.dict(os.environ, CREDENTIALS):
        return recording.run_main(stack, {**texts, **secrets}, tuple(secrets))


def installed(environment: str, run: recording.Recording) -> Iterator[Case]:
    """What Argo CD and Helm install in a run."""
    version = run.outputs["cluster"]["kubernetesVersion"]
    release = run.one(RELEASE).inputs
    yield Case(
        environment, release["chart"], release["version"], release["repositoryOpts"]["repo"], release["name"],
        "argocd", version, whole(release["values"]),
    )  # fmt: skip
    for application in run.of_type("kubernetes:argoproj.io/v1alpha1:Application"):
        spec = application.inputs["spec"]
        for source in [spec["source"]] if "source" in spec else spec["sources"]:
            if "chart" in source:
                yield Case(
                    environment, source["chart"], source["targetRevision"], source["repoURL"], application.name,
                    spec["destination"]["namespace"], version, whole(source["helm"]["valuesObject"]),
                )  # fmt: skip


def whole(value: Any) -> Any:
    """The engine's protocol knows no integers: 1.0 is 1 again."""
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
