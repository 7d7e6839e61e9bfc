"""What an owner's AppProject lets through and what not, asked of real Argo CD with an Application per rule."""

from __future__ import annotations

import json
from typing import Any

import engine as engines
import gitserver
import yaml

from components.gitops import project

SECONDS = 60
RBAC = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
TOKEN = {"type": "kubernetes.io/service-account-token"}
DEFAULT = {"annotations": {"kubernetes.io/service-account.name": "default"}}
PRIVILEGED = {"managedNamespaceMetadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}},
              "syncOptions": ["CreateNamespace=true"]}  # fmt: skip
PERMITTED = "is not permitted in project"


def _object(api: str, kind: str, name: str = "mine", metadata: Any = None, **content: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, **(metadata or {})}, **content}


def files(other: str) -> dict[str, dict[str, Any]]:
    """What the owner's repository holds, by folder; `other` is another owner's namespace."""
    account = [{"kind": "ServiceAccount", "name": "default"}]
    rbac = "rbac.authorization.k8s.io/v1"
    return {
        "good": _object("v1", "ConfigMap", data={"text": "good"}),
        "elsewhere": _object("v1", "ConfigMap", metadata={"namespace": other}),
        "cluster": _object(rbac, "ClusterRole", rules=[]),
        "namespace": _object("v1", "Namespace", "one-more"),
        "quota": _object("v1", "ResourceQuota", spec={"hard": {"pods": "99"}}),
        "binding": _object(rbac, "RoleBinding", roleRef=RBAC, subjects=account),
        "role": _object(rbac, "Role", rules=[]),
        "application": _object("argoproj.io/v1alpha1", "Application", spec={"project": "default"}),
        "token": _object("v1", "Secret", metadata=DEFAULT, **TOKEN),
        "isolation": _object("networking.k8s.io/v1", "NetworkPolicy", "app-owner", spec={"podSelector": {}}),
    }


def refused(other: str, foreign: str) -> dict[str, tuple[dict[str, Any], str]]:
    """What differs from a good Application, and what Argo CD has to say to it, by name."""
    kinds = {
        "cluster": "ClusterRole", "namespace": ":Namespace", "quota": ":ResourceQuota", "binding": ":RoleBinding",
        "role": ":Role ", "application": ":Application ",
    }  # fmt: skip
    return {
        **{name: ({"path": name}, f"{kind.rstrip()} {PERMITTED}") for name, kind in kinds.items()},
        "elsewhere": ({"path": "elsewhere"}, f"namespace {other} {PERMITTED}"),
        "foreign": ({"repoURL": foreign}, f"application repo {foreign} {PERMITTED}"),
        "aimed-elsewhere": ({"namespace": other}, "do not match any of the allowed destinations in project"),
        "labels": ({"policy": PRIVILEGED}, f":Namespace {PERMITTED}"),
        # The project lets these through, or is not the owner's: admission refuses them.
        "token": ({"path": "token"}, "app owners make no tokens"),
        "isolation": ({"path": "isolation"}, "the rights and bounds of this namespace"),
        "labels-by-default": ({"project": "default", "policy": PRIVILEGED}, "an app owner's namespace, its labels"),
    }


def application(url: str, owner: str, name: str, change: dict[str, Any]) -> dict[str, Any]:
    place = {"server": "https://kubernetes.default.svc", "namespace": change.get("namespace", owner)}
    source = {"repoURL": change.get("repoURL", url), "path": change.get("path", "good"), "targetRevision": "HEAD"}
    policy = {"automated": {}, "retry": {"limit": 0}, **change.get("policy", {})}
    spec = {"project": change.get("project", owner), "destination": place, "source": source, "syncPolicy": policy}
    metadata = {"namespace": "argocd", "labels": {"tried": owner}}
    return _object("argoproj.io/v1alpha1", "Application", f"{owner}-{name}", metadata, spec=spec)


def check(engine: engines.Engine, repository: gitserver.Repository, owner: str, other: str) -> None:
    """Each rule of the project of `owner` is broken once; all at once, since each waits for Argo CD."""
    repository.commit({f"{folder}/object.yaml": yaml.safe_dump(one) for folder, one in files(other).items()})
    tries = refused(other, repository.url.replace("served", "foreign"))
    before = _kept(engine, owner, other)
    wanted = {"good": {}, **{name: change for name, (change, _) in tries.items()}}
    made = [application(repository.url, owner, name, change) for name, change in wanted.items()]
    applied = engine.kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": made}))
    assert applied.code == 0, applied.text

    def said(name: str) -> str:
        status = _application(engine, f"{owner}-{name}").get("status", {})
        return json.dumps({key: status.get(key) for key in ("conditions", "operationState")})

    def synced() -> bool:
        return _application(engine, f"{owner}-good").get("status", {}).get("sync", {}).get("status") == "Synced"

    try:
        engines.wait_for(synced, SECONDS, "what is the owner's own is deployed")
        found = engine.cluster.get(f"/api/v1/namespaces/{owner}/configmaps/mine")
        assert found["data"] == {"text": "good"}
        for name, (_, words) in tries.items():
            try:
                engines.wait_for(lambda name=name, words=words: words in said(name), SECONDS, words)
            except AssertionError:
                raise AssertionError(f"{name}: not {words!r} but {said(name)}") from None
        assert _kept(engine, owner, other) == before, "what is refused has changed nothing"
    finally:
        gone = engine.kubectl("delete", "applications", "-n", "argocd", "-l", f"tried={owner}", "--timeout=60s")
    assert gone.code == 0, gone.text


def _application(engine: engines.Engine, name: str) -> dict[str, Any]:
    return engine.cluster.find(f"/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/{name}") or {}


def _kept(engine: engines.Engine, owner: str, other: str) -> list[str]:
    """Names of everything that an Application could have made, and the labels of the owner's namespace."""
    kinds = "configmaps,secrets,resourcequotas,roles,rolebindings,networkpolicies,applications"
    inside = [engine.kubectl("get", kinds, "-n", name, "-o", "name").out for name in (owner, other)]
    found = "".join(inside) + engine.kubectl("get", "clusterroles,namespaces", "-o", "name").out
    labels = engine.cluster.get(f"/api/v1/namespaces/{owner}")["metadata"]["labels"]
    isolation = engine.cluster.get(f"/apis/networking.k8s.io/v1/namespaces/{owner}/networkpolicies/app-owner")["spec"]
    return [
        *sorted(name for name in found.split() if name != "configmap/mine"), json.dumps([labels, isolation])
    ]  # fmt: skip


GROUP, STRANGERS = "Example:team", "Example:others"
MAY = (("get", "applications"), ("sync", "applications"), ("get", "logs"))
MAY_NOT = (
    ("create", "applications"), ("update", "applications"), ("delete", "applications"), ("override", "applications"),
    ("action/apps/Deployment/restart", "applications"), ("delete/*/Pod/*/*", "applications"), ("create", "exec"),
)  # fmt: skip


def check_team(engine: engines.Engine, folder: Any) -> None:
    """Argo CD's own answer to what a team may do, with the role as the program writes it."""
    wanted = project.ProjectArgs(["https://git/a/b"], ["one"], owner=project.Owner("one", group=GROUP))
    [role] = project.spec("one", wanted)["roles"]
    lines = [*role["policies"], *(f"g, {group}, proj:one:{role['name']}" for group in role["groups"])]
    policy = folder / "policy.csv"
    policy.write_text("\n".join(lines) + "\n")

    def may(who: str, verb: str, kind: str, what: str) -> bool:
        run = engine.run("argocd", "admin", "settings", "rbac", "can", who, verb, kind, what,
                         "--policy-file", str(policy), seconds=30)  # fmt: skip
        answer = run.out.strip()
        assert answer in ("Yes", "No"), run.text
        return answer == "Yes"

    for verb, kind in MAY:
        assert may(GROUP, verb, kind, "one/app"), f"{verb} {kind}"
        assert not may(GROUP, verb, kind, "two/app"), f"{verb} {kind} of another project"
        assert not may(STRANGERS, verb, kind, "one/app"), f"{verb} {kind} of somebody else's"
    for verb, kind in MAY_NOT:
        assert not may(GROUP, verb, kind, "one/app"), f"{verb} {kind}"
    assert not may(GROUP, "update", "projects", "one")
    assert not may(GROUP, "get", "repositories", "https://git/a/b")
