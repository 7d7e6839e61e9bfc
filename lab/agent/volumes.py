"""A pod's volumes: what files they hold (pure), and how these reach the disk: a reader sees all or nothing new."""

from __future__ import annotations

import collections.abc
import dataclasses
import os
import pathlib
import shutil
import tempfile

from lab import kube
from lab.agent import environment

DEFAULT_MODE = 0o644
CURRENT = "..data"


@dataclasses.dataclass(frozen=True)
class File:
    """Content and mode of one file of a volume."""

    data: bytes
    mode: int


Files = dict[str, File]
Token = collections.abc.Callable[[kube.Object], bytes]
"""Gives a token for a `serviceAccountToken` source (audience, expirationSeconds)."""

WRITTEN = ("secret", "configMap", "projected", "downwardAPI")


def is_written(volume: kube.Object) -> bool:
    """Whether the agent fills this volume (and keeps it fresh); any other starts as an empty folder."""
    return any(kind in volume for kind in WRITTEN)


def files(volume: kube.Object, pod: kube.Object, lookup: environment.Lookup, token: Token) -> Files:
    """Path in the volume -> file; environment.Missing when a source is not there and not optional."""
    if "secret" in volume:
        source = volume["secret"]
        return _keyed("Secret", source, source["secretName"], source.get("defaultMode"), lookup)
    if "configMap" in volume:
        source = volume["configMap"]
        return _keyed("ConfigMap", source, source["name"], source.get("defaultMode"), lookup)
    if "downwardAPI" in volume:
        return _downward(volume["downwardAPI"], pod, volume["downwardAPI"].get("defaultMode"))
    found: Files = {}
    projected = volume["projected"]
    mode = projected.get("defaultMode")
    for source in projected.get("sources", ()):
        if "secret" in source:
            found |= _keyed("Secret", source["secret"], source["secret"]["name"], mode, lookup)
        elif "configMap" in source:
            found |= _keyed("ConfigMap", source["configMap"], source["configMap"]["name"], mode, lookup)
        elif "downwardAPI" in source:
            found |= _downward(source["downwardAPI"], pod, mode)
        elif "serviceAccountToken" in source:
            asked = source["serviceAccountToken"]
            found[asked["path"]] = File(token(asked), DEFAULT_MODE if mode is None else mode)
    return found


def references(pod: kube.Object) -> set[tuple[str, str]]:
    """(kind, name) of every Secret and ConfigMap that the pod's volumes show, so that changes can be carried in."""
    found: set[tuple[str, str]] = set()
    for volume in pod["spec"].get("volumes", ()):
        for source in (volume, *volume.get("projected", {}).get("sources", ())):
            if "secret" in source:
                found.add(("Secret", source["secret"].get("secretName") or source["secret"].get("name")))
            if "configMap" in source:
                found.add(("ConfigMap", source["configMap"]["name"]))
    return found


def write(folder: pathlib.Path, wanted: Files) -> bool:
    """Make the folder hold exactly these files; False when it did already.

    All files change in one step: they are links through `..data`, which a rename points at a new folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    current = folder / CURRENT
    if current.exists() and _read(current) == wanted:
        return False
    fresh = pathlib.Path(tempfile.mkdtemp(prefix="..v", dir=folder))
    fresh.chmod(0o755)
    for path, file in wanted.items():
        target = fresh / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.data)
        target.chmod(file.mode)
    link = folder / "..data_new"
    link.unlink(missing_ok=True)
    link.symlink_to(fresh.name)
    os.replace(link, current)
    tops = {path.partition("/")[0] for path in wanted}
    for top in tops:
        if not (folder / top).is_symlink():
            (folder / top).symlink_to(f"{CURRENT}/{top}")
    for entry in folder.iterdir():
        if entry.name == CURRENT or entry.name == fresh.name or entry.name in tops:
            continue
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    return True


def _read(folder: pathlib.Path) -> Files:
    return {
        str(path.relative_to(folder.resolve())): File(path.read_bytes(), path.stat().st_mode & 0o777)
        for path in folder.resolve().rglob("*")
        if path.is_file()
    }


def _keyed(kind: str, source: kube.Object, name: str, mode: int | None, lookup: environment.Lookup) -> Files:
    data = lookup(kind, name)
    if data is None:
        if source.get("optional"):
            return {}
        raise environment.Missing(f'{kind.lower()} "{name}" not found')
    mode = DEFAULT_MODE if mode is None else mode
    items = source.get("items")
    if not items:
        return {key: File(value, mode) for key, value in data.items()}
    found: Files = {}
    for item in items:
        if item["key"] in data:
            found[item["path"]] = File(data[item["key"]], item.get("mode", mode))
        elif not source.get("optional"):
            raise environment.Missing(f'references non-existent key {item["key"]} of {kind.lower()} "{name}"')
    return found


def _downward(source: kube.Object, pod: kube.Object, mode: int | None) -> Files:
    found: Files = {}
    for item in source.get("items", ()):
        if "fieldRef" in item:
            text = environment.field(pod, item["fieldRef"]["fieldPath"])
        else:
            text = environment.resource(pod, item["resourceFieldRef"])
        found[item["path"]] = File(text.encode(), item.get("mode", DEFAULT_MODE if mode is None else mode))
    return found
