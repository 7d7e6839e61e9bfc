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
        forms = {value, base64.b64encode(value.encode()).decode().rstrip("=")[:-2]}
        for place, text in places.items():
            assert not any(form in text for form in forms), f"{name} stands in {place}"
