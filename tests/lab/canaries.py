"""Where a secret value would show if it leaked: what commands print, and what is written or runs on the machine."""

from __future__ import annotations

import base64
import json
import pathlib
from collections.abc import Mapping

import engine as engines

FOLDERS = ("log", "pulumi/state", "pulumi/home/logs", "project", "ionos")


def printed(engine: engines.Engine) -> dict[str, str]:
    """Texts of previews, of the report made of one, and of the outputs."""
    preview = json.dumps(engine.preview())
    report = engine.run("python", "-m", "ops", "preview-report", "lab=-", stdin=preview)
    assert report.code == 0, report.text
    return {
        "preview --diff": engine.pulumi("preview --diff").text,
        "preview --json": preview,
        "preview-report": report.text,
        "stack output": engine.pulumi("stack output").text,
    }


def written(engine: engines.Engine) -> dict[str, str]:
    """The lab's logs, state and stack file, and the arguments of all processes."""
    home = engine.lab.home
    places = {"process arguments": "\n".join(engines.processes_under(pathlib.Path("/")))}
    for folder in FOLDERS:
        for file in (home / folder).rglob("*"):
            if file.is_file():
                places[str(file.relative_to(home))] = file.read_text(errors="replace")
    assert any(place.startswith("log/") for place in places), "a lab writes logs"
    return places


def assert_hidden(secrets: Mapping[str, str], places: Mapping[str, str]) -> None:
    """None of the secret values stands anywhere, plain or as base64."""
    for name, value in secrets.items():
        assert len(value) > 8, name
        forms = {value, *base64_forms(value)}
        for place, text in places.items():
            assert not any(form in text for form in forms), f"{name} stands in {place}"


def base64_forms(value: str) -> set[str]:
    """What the value looks like in base64, wherever in a longer text it stands: without what its neighbours change."""
    found: set[str] = set()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + value.encode()).decode()
        whole = (before + len(value.encode())) // 3 * 4
        found.add(encoded[(0, 2, 3)[before] : whole])
    return found
