"""A stack's outputs: asked of Pulumi, or read from what it printed (`--outputs`)."""

from __future__ import annotations

import json
import pathlib
from typing import Any, TextIO

from ops.stack import OpsError, Stack

COMMAND = "`pulumi stack output --json --show-secrets`"
HIDDEN = "[secret]"
"""What Pulumi prints in the place of a secret without `--show-secrets`."""


def read(stack: str, file: TextIO | None, directory: pathlib.Path) -> dict[str, Any]:
    """The outputs, secrets shown. Raises `OpsError`, whose message never holds what the file does."""
    if file is None:
        return Stack(stack, directory).outputs()
    name = "stdin" if file.name in ("-", "<stdin>") else file.name
    try:
        found = json.load(file)
    except (ValueError, RecursionError):
        raise OpsError(f"--outputs: {name} is no JSON, or is cut off: write it with {COMMAND}") from None
    if not isinstance(found, dict):
        raise OpsError(f"--outputs: {name} is no JSON object with a stack's outputs: write it with {COMMAND}")
    if found.get("kubeconfig") == HIDDEN:
        raise OpsError(f"--outputs: the secrets of {name} are hidden: write it with {COMMAND}")
    return found
