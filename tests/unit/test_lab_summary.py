"""What `make demo` says at its end."""

from __future__ import annotations

import datetime
import io
import json
import pathlib

import pytest
import rich.console

from lab import layout, summary

ADDONS = {
    "sealed-secrets": {"chart": "sealed-secrets", "version": "2.17.9", "namespace": "sealed-secrets"},
    "external-dns": {"chart": "external-dns", "version": "1.19.0", "namespace": "external-dns"},
}
OUTPUTS = {
    "environment": "lab",
    "domain": "lab.example.org",
    "cluster": {"name": "platform-lab", "kubernetesVersion": "1.34.3", "provider": "ionos"},
    "dns": {"nameServers": ["ns1.example.org", "ns2.example.org"]},
    "addons": ADDONS,
}
RESOURCES = [
    {"type": "pulumi:pulumi:Stack"},
    {"type": "pulumi:providers:aws", "custom": True},
    {"type": "aws:route53/zone:Zone", "custom": True},
    {"type": "kubernetes:core/v1:Namespace", "custom": True},
    {"type": "kubernetes:core/v1:Secret", "custom": True},
]
READY = {
    "host": "argocd.lab.example.org",
    "addresses": ["127.77.200.1"],
    "certificate": {
        "names": ["argocd.lab.example.org"],
        "issuer": "Pebble",
        "until": (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=90)).isoformat(),
    },
    "argocd": {"version": "v3.2.6"},
}


@pytest.fixture
def said(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The summary of an environment that took a minute and a half."""
    lab = layout.Lab(tmp_path / ".lab", 77, dict(layout.PORTS))
    answers = {"output": OUTPUTS, "export": {"deployment": {"resources": RESOURCES}}}
    monkeypatch.setattr(summary, "_pulumi", lambda _lab, *words: json.dumps(answers[words[1]]))
    monkeypatch.chdir(tmp_path)
    console = rich.console.Console(file=io.StringIO(), width=200, highlight=False, soft_wrap=True)
    summary.show(lab, console, READY, {"lab": 6.2, "pulumi up": 81.4, "ready check": 4})
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_every_add_on_is_named_with_its_version_and_namespace(said: str) -> None:
    rows = [line.replace("│", " ").split() for line in said.splitlines()]
    for name, addon in ADDONS.items():
        assert [name, addon["chart"], addon["version"], addon["namespace"]] in rows


def test_it_says_what_was_made_and_how_long_each_phase_took(said: str) -> None:
    facts = dict(line.strip().split("  ", 1) for line in said.splitlines() if "  " in line.strip())
    assert facts["took"].strip() == "lab 6 s, pulumi up 81 s, ready check 4 s"
    assert facts["made"].strip() == "2 kubernetes, 1 aws", "providers and the stack itself are nobody's news"


def test_it_says_where_the_kubeconfig_is_and_what_to_try_next(said: str, tmp_path: pathlib.Path) -> None:
    facts, _, steps = said.partition("Try next")
    assert str(tmp_path / ".lab" / "kubeconfig") in facts
    assert steps.splitlines()[1].split() == ["source", ".lab/env"], "the rest of them needs it"
    for command in ("kubectl get applications", "pulumi preview", "kubeseal", "make down"):
        assert command in steps


def test_it_says_how_to_reach_argo_cd(said: str) -> None:
    assert "argocd.lab.example.org → 127.77.200.1" in said
    assert "(90 days)" in said
    assert "Argo CD v3.2.6" in said
    assert "--resolve argocd.lab.example.org:" in said
