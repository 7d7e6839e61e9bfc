"""What `make demo` prints at the end: what was made, how long it took, what to try next."""

from __future__ import annotations

import collections
import json
import pathlib
import subprocess
from typing import Any

import rich.console
import rich.table

from lab import layout, workspace


def show(lab: layout.Lab, console: rich.console.Console, lab_seconds: float, up_seconds: float) -> None:
    """Print the summary, from the stack's outputs and state as they are now."""
    outputs = json.loads(_pulumi(lab, "stack", "output", "--json"))
    resources = json.loads(_pulumi(lab, "stack", "export"))["deployment"].get("resources", [])
    addons = rich.table.Table(title="add-ons (Synced and Healthy)", title_justify="left")
    for column in ("name", "chart", "version", "namespace"):
        addons.add_column(column)
    for name, addon in outputs["addons"].items():
        addons.add_row(name, addon["chart"], addon["version"], addon["namespace"])
    console.print()
    console.print(addons)
    cluster = outputs["cluster"]
    facts = [
        ("environment", f"{outputs['environment']} ({outputs['domain']})"),
        ("cluster", f"{cluster['name']}, Kubernetes {cluster['kubernetesVersion']} on {cluster['provider']}"),
        ("made", _made(resources)),
        ("ingress address", ", ".join(outputs["ingressAddresses"])),
        ("Argo CD", outputs["argocd"]["url"]),
        ("name servers", ", ".join(outputs["dns"]["nameServers"])),
        ("took", f"lab {lab_seconds:.0f} s, pulumi up {up_seconds:.0f} s"),
        ("kubeconfig", str(lab.kubeconfig)),
    ]
    table = rich.table.Table(box=None, show_header=False)
    for key, value in facts:
        table.add_row(f"[bold]{key}[/]", value)
    console.print(table)
    console.print("\n[bold]Try next[/]")
    for line in _next_steps(lab):
        console.print(f"  {line}")


def _made(resources: list[dict[str, Any]]) -> str:
    packages = collections.Counter(
        resource["type"].split(":")[0]
        for resource in resources
        if resource.get("custom") and not resource["type"].startswith("pulumi:")
    )
    return ", ".join(f"{count} {package}" for package, count in packages.most_common())


def _next_steps(lab: layout.Lab) -> list[str]:
    env = lab.home / "env"
    if env.is_relative_to(pathlib.Path.cwd()):
        env = env.relative_to(pathlib.Path.cwd())
    return [
        f"source {env}",
        "kubectl get applications -n argocd",
        "pulumi preview            # nothing to change",
        "pulumi stack output sealing --json | jq -r .certificate > sealing.pem",
        "kubectl create secret generic demo --dry-run=client -o yaml --from-literal=a=b \\",
        "  | kubeseal --cert sealing.pem -o yaml | kubectl apply -f -",
        "make down                 # destroy the stack, stop the lab",
    ]


def _pulumi(lab: layout.Lab, *arguments: str) -> str:
    done = subprocess.run(
        ["pulumi", *arguments, "--non-interactive"],
        cwd=layout.PROJECT,
        env=workspace.process_environment(lab),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise layout.LabError(f"pulumi {' '.join(arguments)} failed: {done.stderr.strip()}")
    return done.stdout
