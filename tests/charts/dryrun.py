"""A strict dry run on a real API server: it finds what is misspelt in lists, resources and raw specs.

etcd and kube-apiserver of the lab, with nothing else of it, in a folder of their own. Custom resources are checked
against the CRDs that are installed first. https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lab import control_plane, kube, layout

TOOLS = ("etcd", "kube-apiserver")
CRD = "CustomResourceDefinition"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SECONDS = 120
"""How long the API server may take until it serves a new CRD; seen: 2 s, on a busy machine 30."""
STRICT = {"dryRun": "All", "fieldValidation": "Strict", "fieldManager": "check-charts"}

Object = Mapping[str, Any]


@contextlib.contextmanager
def serving(folder: pathlib.Path) -> Iterator[Server]:
    """An API server with an empty cluster, stopped again at the end; LabError when it cannot be started."""
    lab = layout.create(folder)
    try:
        control_plane.start(lab, TOOLS)
        yield Server(kube.KubeClient(lab.kubeconfig))
    finally:
        control_plane.stop(lab)


class Server:
    """An API server that is asked what it thinks of objects. Of them only CRDs and namespaces are made."""

    def __init__(self, client: kube.KubeClient) -> None:
        self._client = client
        self._collections: dict[tuple[str, str], tuple[str, bool]] = {}
        self._asked: set[str] = set()
        self._namespaces: set[str] = set()

    def install(self, definitions: Iterable[Object]) -> list[str]:
        """Make these CRDs, once each, and wait until they are served; what is wrong with them."""
        problems: list[str] = []
        made: list[Object] = []
        for definition in definitions:
            try:
                self._client.request("POST", CRDS, dict(definition), query={"fieldValidation": "Strict"})
                made.append(definition)
            except kube.KubeError as error:
                if error.status != 409:
                    problems.append(_problem(definition, str(error)))
        end = time.monotonic() + SECONDS
        for definition in made:
            versions = [each["name"] for each in definition["spec"]["versions"] if each.get("served")]
            group, plural = definition["spec"]["group"], definition["spec"]["names"]["plural"]
            for version in versions:
                while not self._served(f"/apis/{group}/{version}/{plural}"):
                    if time.monotonic() > end:
                        raise layout.LabError(f"{plural}.{group} is not served after {SECONDS} s")
                    time.sleep(0.05)
        self._asked.clear()
        return problems

    def _served(self, path: str) -> bool:
        try:
            return self._client.find(path) is not None
        except kube.KubeError as error:
            if error.status != 429:  # "storage is (re)initializing", right after the CRD was made
                raise
            return False

    def problems(self, found: Object, namespace: str) -> list[str]:
        """What the API server says against an object; `namespace` is for those that name none."""
        if found.get("kind", "").endswith("List") and "items" in found:
            return [problem for item in found["items"] for problem in self.problems(item, namespace)]
        where = self._collection(found.get("apiVersion", ""), found.get("kind", ""))
        if where is None:
            return [_problem(found, f"no chart brings the kind {found.get('kind')} of {found.get('apiVersion')}")]
        path, namespaced = where
        if namespaced:
            namespace = found["metadata"].get("namespace") or namespace
            self._make_namespace(namespace)
            prefix, _, plural = path.rpartition("/")
            path = f"{prefix}/namespaces/{namespace}/{plural}"
        try:
            self._client.request("POST", path, dict(found), query=STRICT)
        except kube.KubeError as error:
            # Of this name there is one: a namespace or a CRD that was made here. It was decoded before that is said.
            if error.status != 409:
                return [_problem(found, str(error))]
        return []

    def _collection(self, version: str, kind: str) -> tuple[str, bool] | None:
        """Path of the collection of a kind, and whether it is one of namespaces."""
        if version not in self._asked:
            self._asked.add(version)
            root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
            for each in (self._client.find(root) or {"resources": []})["resources"]:
                if "/" not in each["name"]:
                    self._collections[version, each["kind"]] = (f"{root}/{each['name']}", each["namespaced"])
        return self._collections.get((version, kind))

    def _make_namespace(self, name: str) -> None:
        if name in self._namespaces:
            return
        self._namespaces.add(name)
        with contextlib.suppress(kube.KubeError):  # `default` is there; a name that is refused is said of its objects
            self._client.create("/api/v1/namespaces", {"metadata": {"name": name}})


class Rendered:
    """Objects, each once however many environments have it, and who has it where."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[Object, str, list[str]]] = {}

    def add(self, objects: Iterable[Object], namespace: str, environment: str) -> None:
        """Take what an environment renders into a namespace."""
        for each in objects:
            known = self._objects.setdefault(json.dumps([each, namespace], sort_keys=True), (each, namespace, []))
            if environment not in known[2]:
                known[2].append(environment)

    def definitions(self) -> list[Object]:
        """The CRDs among them."""
        return [each for each, _, _ in self._objects.values() if each.get("kind") == CRD]

    def problems(self, server: Server) -> dict[str, list[str]]:
        """Problem -> environments that have it. CRDs are not among what is asked: they are installed before."""
        found: dict[str, list[str]] = {}
        for each, namespace, environments in self._objects.values():
            if each.get("kind") != CRD:
                for problem in server.problems(each, namespace):
                    known = found.setdefault(problem, [])
                    known += [one for one in environments if one not in known]
        return found

    def __len__(self) -> int:
        return len(self._objects)


def _problem(found: Object, message: str) -> str:
    name = found.get("metadata", {}).get("name", "?")
    return f"{found.get('kind', 'an object')} {name}: {message}"
