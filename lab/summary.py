"""What `make demo` prints at the end: that it works, what was made, how long it took, what to try next."""

from __future__ import annotations

import collections
import datetime
import json
import pathlib
import subprocess
import sys
from typing import Any

import rich.console
import rich.markup
import rich.table

from lab import acme, layout, workspace


def check(lab: layout.Lab, console: rich.console.Console) -> dict[str, Any]:
    """What `python -m ops ready` reports of the stack; it waits, and says itself what it waits for and what is wrong.

    Raises `layout.LabError` when the environment is not ready.
    """
    done = _ready(lab, console)
    if done.returncode:
        raise layout.LabError("the environment is not ready (above); `make demo` goes on from here")
    return json.loads(done.stdout)


def explain(lab: layout.Lab, console: rich.console.Console) -> None:
    """Let `python -m ops ready` say why `pulumi up` did not come to its end."""
    _ready(lab, console, "--wait-minutes", "0")


def show(lab: layout.Lab, console: rich.console.Console, ready: dict[str, Any], seconds: dict[str, float]) -> None:
    """Print the summary, from the stack's outputs and state as they are now.

    `ready`: what `check` gave; `seconds`: phase -> how long it took.
    """
    outputs = json.loads(_pulumi(lab, "stack", "output", "--json"))
    resources = json.loads(_pulumi(lab, "stack", "export"))["deployment"].get("resources", [])
    console.print(_live(ready))
    addons = rich.table.Table(title="\nadd-ons (Synced and Healthy)", title_justify="left")
    for column in ("name", "chart", "version", "namespace"):
        addons.add_column(column)
    for name, addon in outputs["addons"].items():
        addons.add_row(name, addon["chart"], addon["version"], addon["namespace"])
    console.print(addons)
    cluster = outputs["cluster"]
    facts = {
        "environment": f"{outputs['environment']} ({outputs['domain']})",
        "cluster": f"{cluster['name']}, Kubernetes {cluster['kubernetesVersion']} on {cluster['provider']}",
        "made": _made(resources),
        "name servers": ", ".join(outputs["dns"]["nameServers"]),
        "took": ", ".join(f"{phase} {value:.0f} s" for phase, value in seconds.items()),
        "kubeconfig": str(lab.kubeconfig),
    }
    console.print(_table(facts))
    console.print("\n[bold]Try next[/]")
    for line in _next_steps(lab, ready):
        console.print(f"  {line}", markup=False)


def _ready(lab: layout.Lab, console: rich.console.Console, *flags: str) -> subprocess.CompletedProcess[str]:
    """Its progress and its errors go to the terminal; its report is for the caller."""
    console.print("\n[bold]python -m ops ready[/]")
    return subprocess.run(
        [sys.executable, "-m", "ops", "ready", workspace.STACK, "--json", *flags],
        cwd=layout.PROJECT,
        env=workspace.process_environment(lab),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )


def _live(ready: dict[str, Any]) -> rich.table.Table:
    certificate = ready["certificate"]
    until = datetime.datetime.fromisoformat(certificate["until"])
    days = round((until - datetime.datetime.now(datetime.UTC)) / datetime.timedelta(days=1))
    return _table(
        {
            "name": f"{ready['host']} → {', '.join(ready['addresses'])}",
            "certificate": f"{', '.join(certificate['names'])}, by {certificate['issuer']}, "
            f"until {until:%Y-%m-%d} ({days} days)",
            "answers": f"https://{ready['host']}/api/version: Argo CD {ready['argocd']['version']}",
        }
    )


def _table(facts: dict[str, str]) -> rich.table.Table:
    table = rich.table.Table(box=None, show_header=False)
    for key, value in facts.items():
        table.add_row(f"[bold]{key}[/]", rich.markup.escape(value))
    return table


def _made(resources: list[dict[str, Any]]) -> str:
    packages = collections.Counter(
        resource["type"].split(":")[0]
        for resource in resources
        if resource.get("custom") and not resource["type"].startswith("pulumi:")
    )
    return ", ".join(f"{count} {package}" for package, count in packages.most_common())


def _next_steps(lab: layout.Lab, ready: dict[str, Any]) -> list[str]:
    env = lab.home / "env"
    if env.is_relative_to(pathlib.Path.cwd()):
        env = env.relative_to(pathlib.Path.cwd())
    host, address, port = ready["host"], ready["addresses"][0], lab.usable(acme.HTTPS)
    url = f"https://{host}" if port == acme.HTTPS else f"https://{host}:{port}"
    return [
        f"source {env}",
        "curl --noproxy '*' --cacert $GITOPS_PLATFORM_CA \\",
        f"  --resolve {host}:{port}:{address} {url}/api/version",
        "kubectl get secret argocd-initial-admin-secret -n argocd -o jsonpath='{.data.password}' \\",
        "  | base64 -d             # the password of Argo CD's admin",
        "kubectl get applications -n argocd",
        "python -m ops ready lab   # is all well?",
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
