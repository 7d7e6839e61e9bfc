"""The hand-over: an Application that applies a folder of Applications in Git, and removes what is deleted there.

Its project lets it make Applications and ApplicationSets, and nothing else; what those may do is up to the
projects that they name. https://argo-cd.readthedocs.io/en/stable/operator-manual/cluster-bootstrapping/
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import pulumi

from components import manifests, options
from components.gitops import application

NAME = "root"
KINDS = ("Application", "ApplicationSet")


@dataclasses.dataclass(frozen=True)
class RootArgs:
    """What to apply.

    Args:
        repository: URL of the GitOps repository.
        revision: branch, tag or commit.
        path: the folder of Applications, applied with all below it.
        include: only files that one of these globs matches, relative to `path`; empty: all.
        exclude: not the files that one of these globs matches.
        wait_healthy: wait until every child is healthy, not only until all are there.
        timeout: how long that may take, or the removal of all of it, such as "10m".
        argocd_namespace: where Argo CD runs, and all Applications are.
    """

    repository: str
    revision: str
    path: str
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    wait_healthy: bool = True
    timeout: str = "10m"
    argocd_namespace: str = "argocd"


class Root(pulumi.ComponentResource):
    """The root Application. Give everything that Applications in Git build on in `depends_on`.

    Children: `argoproj.io/v1alpha1` AppProject and Application, both named `root`. Deleting the Application
    deletes those that it made; the deletion ends when they are gone.
    """

    manifest: manifests.Manifest

    def __init__(self, name: str, args: RootArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("platform:gitops:Root", name, None, opts)
        project = manifests.Manifest(
            f"{name}-project",
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "AppProject",
                "metadata": {"name": NAME, "namespace": args.argocd_namespace, "labels": {"purpose": "infra"}},
                "spec": project_spec(args),
            },
            opts=options.child(self, opts),
        )
        self.manifest = manifests.Manifest(
            name,
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "Application",
                "metadata": {
                    "name": NAME,
                    "namespace": args.argocd_namespace,
                    "labels": {"purpose": "infra"},
                    "annotations": {"pulumi.com/waitFor": json.dumps(conditions(args))},
                    "finalizers": [application.FINALIZER],
                },
                "spec": spec(args),
            },
            opts=options.child(self, opts, depends_on=[project], create=args.timeout, delete=args.timeout),
        )
        self.register_outputs({"name": NAME})


def project_spec(args: RootArgs) -> dict[str, Any]:
    """The AppProject's spec: this repository, this namespace, these kinds."""
    return {
        "description": "Applications that the GitOps repository describes",
        "sourceRepos": [args.repository],
        "destinations": [{"server": "https://kubernetes.default.svc", "namespace": args.argocd_namespace}],
        "namespaceResourceWhitelist": [{"group": "argoproj.io", "kind": kind} for kind in KINDS],
    }


def fingerprint(args: RootArgs) -> str:
    """A name for the source that changes with it; see `application.fingerprint` for what it is good for."""
    text = json.dumps([args.repository, args.revision, args.path, *map(list, (args.include, args.exclude))])
    return f"folder-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def conditions(args: RootArgs) -> list[str]:
    """What is waited for.

    Not the end of a sync: where all that the folder describes is there already, as after a hand-over that was taken
    back, there is none, and nothing in the folder has hooks.
    """
    applied = f"jsonpath={{.status.sync.comparedTo.source.name}}={fingerprint(args)}"
    return [applied, application.SYNCED, *([application.HEALTHY] if args.wait_healthy else [])]


def spec(args: RootArgs) -> dict[str, Any]:
    """The Application's spec."""
    directory: dict[str, Any] = {"recurse": True}
    for field, globs in (("include", args.include), ("exclude", args.exclude)):
        if globs:
            directory[field] = f"{{{','.join(globs)}}}"
    return {
        "project": NAME,
        "destination": {"server": "https://kubernetes.default.svc", "namespace": args.argocd_namespace},
        "source": {
            "repoURL": args.repository,
            "path": args.path,
            "targetRevision": args.revision,
            "name": fingerprint(args),
            "directory": directory,
        },
        "syncPolicy": {
            "automated": {"prune": True, "selfHeal": True},
            # A deletion waits for the end of a sync, its retries included: seen to hold up destroy for 5 minutes with
            # 20 of them. `refresh`: a mistake that is mended in Git is not tried again.
            "retry": {
                "limit": 5,
                "refresh": True,
                "backoff": {"duration": "5s", "factor": 2, "maxDuration": "30s"},
            },
        },
    }
