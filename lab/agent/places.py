"""Where a pod's containers live: its folders, and the root that is made of them for each container."""

from __future__ import annotations

import collections.abc
import dataclasses
import pathlib

from lab import kube, layout
from lab.agent import balancing, environment, images, sandbox


@dataclasses.dataclass(frozen=True)
class Place:
    """What a pod gives each of its containers. volumes: name -> folder; logs: one folder per container in it."""

    folder: pathlib.Path
    logs: pathlib.Path
    etc: pathlib.Path
    hosts: pathlib.Path
    volumes: dict[str, pathlib.Path]
    address: str
    hostname: str
    base_environment: dict[str, str]
    egress: dict[str, str]
    lab: layout.Lab
    balancers: balancing.Balancers
    bwrap: pathlib.Path | None
    find_tool: collections.abc.Callable[[str], pathlib.Path | None]
    lookup: environment.Lookup
    say: collections.abc.Callable[[str, str, str], None]
    """(reason, message, kind of event)"""
    changed: collections.abc.Callable[[], None]


class NoTool(Exception):
    """The lab lacks the program that stands in for an image; the message says how to get it."""


def root(
    place: Place, container: kube.Object, image: images.Image, variables: collections.abc.Mapping[str, str]
) -> sandbox.Root:
    """The file system of one container; NoTool, or ValueError for a mount that leads out of its volume."""
    found = {path: tool for path, name in image.tools if (tool := place.find_tool(name))}
    if place.bwrap is None or (image.tools and image.tools[0][0] not in found):
        name = image.required if place.bwrap else "bwrap"
        raise NoTool(f"the lab has no {name} yet: run `python -m lab.toolchain {name}`")
    theirs = tuple(sandbox.Mount(pathlib.Path(path), path, True) for path in image.machine if path != "/usr")
    temporary = place.folder / "tmp" / container["name"]
    temporary.mkdir(parents=True, exist_ok=True)
    return sandbox.Root(
        bwrap=place.bwrap,
        etc=place.etc,
        hosts=place.hosts,
        temporary=temporary,
        home=image.home,
        hostname=place.hostname,
        tools=tuple(sandbox.Mount(tool.resolve(), path, True) for path, tool in found.items()),
        links=image.links,
        mounts=(*theirs, *mounts(place.volumes, container, variables)),
    )


def mounts(
    volumes: collections.abc.Mapping[str, pathlib.Path],
    container: kube.Object,
    variables: collections.abc.Mapping[str, str],
) -> collections.abc.Iterator[sandbox.Mount]:
    """The container's volume mounts; `volumes`: name -> folder."""
    for mount in container.get("volumeMounts", ()):
        folder = volumes[mount["name"]]
        part = mount.get("subPath") or environment.expand(mount.get("subPathExpr", ""), variables)
        source = (folder / part) if part else folder
        if part:
            # A part of a volume is bound as it is now, as on a real node: later versions do not reach it.
            source = source.resolve()
            if not source.is_relative_to(folder.resolve()):
                raise ValueError(f"subPath {part} leads out of the volume {mount['name']}")
            if not source.exists():
                source.mkdir(parents=True)
        yield sandbox.Mount(source, mount["mountPath"], bool(mount.get("readOnly")))
