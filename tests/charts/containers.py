"""What rendered objects ask for: CPU and memory of every container. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def without_amounts(documents: Iterable[Mapping[str, Any]]) -> list[str]:
    """`Kind/name/container` of every container without a request of CPU and memory, or without a limit of memory."""
    return [
        f"{document['kind']}/{document['metadata']['name']}/{container['name']}"
        for document in documents
        for container in _containers(document)
        if not _amounts(container)
    ]


def _containers(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    spec = document.get("spec") or {}
    if document["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    pod = spec if document["kind"] == "Pod" else (spec.get("template") or {}).get("spec") or {}
    yield from pod.get("containers") or ()
    yield from pod.get("initContainers") or ()


def _amounts(container: Mapping[str, Any]) -> bool:
    given = container.get("resources") or {}
    return {"cpu", "memory"} <= (given.get("requests") or {}).keys() and "memory" in (given.get("limits") or {})
