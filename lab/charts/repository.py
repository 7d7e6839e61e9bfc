"""Packs the lab's charts into a Helm chart repository: a folder of archives and its index.yaml.

Pure Python, no helm, and deterministic: the same sources give the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import pathlib
import tarfile
from collections.abc import Mapping
from typing import Any

import yaml

SOURCES = pathlib.Path(__file__).resolve().parent
SHARED = SOURCES / "shared"
OPEN = frozenset({"annotations", "nodeSelector", "ports", "resources", "spec", "updateStrategy"})
"""Maps that take any key even where the chart has defaults in them, as in the real charts."""
EPOCH = "2026-01-01T00:00:00Z"
"""Helm wants a time for every entry; a fixed one keeps the index the same between starts."""


def names() -> list[str]:
    """The charts there are, sorted."""
    return sorted(path.parent.name for path in SOURCES.glob("*/Chart.yaml"))


def metadata(name: str) -> dict[str, Any]:
    """A chart's Chart.yaml."""
    return yaml.safe_load((SOURCES / name / "Chart.yaml").read_text())


def defaults(name: str) -> dict[str, Any]:
    """A chart's values.yaml."""
    return yaml.safe_load((SOURCES / name / "values.yaml").read_text())


def build(folder: pathlib.Path, overrides: Mapping[str, Mapping[str, Any]] | None = None) -> pathlib.Path:
    """Write the repository into `folder` and return its index.

    Args:
        folder: emptied of other archives.
        overrides: chart name -> values that replace the chart's defaults, maps merged key by key.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries = {}
    kept = {"index.yaml"}
    for name in names():
        archive = package(name, (overrides or {}).get(name, {}))
        chart = metadata(name)
        file = f"{name}-{chart['version']}.tgz"
        (folder / file).write_bytes(archive)
        kept.add(file)
        entries[name] = [{**chart, "urls": [file], "digest": hashlib.sha256(archive).hexdigest(), "created": EPOCH}]
    for path in folder.iterdir():
        if path.name not in kept:
            path.unlink()
    index = folder / "index.yaml"
    index.write_text(yaml.safe_dump({"apiVersion": "v1", "entries": entries, "generated": EPOCH}, sort_keys=True))
    return index


def package(name: str, overrides: Mapping[str, Any] | None = None) -> bytes:
    """One chart as a .tgz."""
    values = _merged(defaults(name), overrides or {})
    files = {
        str(path.relative_to(SOURCES / name)): path.read_bytes()
        for path in sorted((SOURCES / name).rglob("*"))
        if path.is_file()
    }
    files |= {f"templates/{path.name}": path.read_bytes() for path in SHARED.glob("*.tpl")}
    files["values.yaml"] = yaml.safe_dump(values, sort_keys=False).encode()
    files["values.schema.json"] = json.dumps(schema(values), indent=1, sort_keys=True).encode()
    return _archive({f"{name}/{path}": content for path, content in files.items()})


def schema(values: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON Schema that takes exactly the keys of `values`, so that a misspelt key fails.

    An empty map takes any keys, null any value; `global` is always allowed, as in Helm itself.
    """
    document = _schema(values)
    document["properties"].setdefault("global", {"type": "object"})
    return {"$schema": "http://json-schema.org/draft-07/schema#", **document}


def _schema(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, Mapping):
        document: dict[str, Any] = {"type": "object"}
        if value:
            document["properties"] = {
                key: {"type": "object"} if key in OPEN and isinstance(child, Mapping) else _schema(child)
                for key, child in value.items()
            }
            document["additionalProperties"] = False
        return document
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return {"type": kinds[type(value)]}


def _merged(base: Any, over: Any) -> Any:
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return {key: _merged(base.get(key), over[key]) if key in over else base[key] for key in {**base, **over}}
    return over


def _archive(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, compresslevel=6) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for path in sorted(files):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(files[path]), 0o644
            archive.addfile(entry, io.BytesIO(files[path]))
    return packed.getvalue()
