"""ingress-nginx's snippets: configuration that an Ingress's annotations put into nginx as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from settings import errors, trees

VALUES = "addons.ingress.values.controller"


def warnings(values: Mapping[str, Any]) -> Iterator[errors.Mistake]:
    """Adjustments that allow snippets by halves: the annotations' risk is Critical, the controller's limit High."""
    controller = trees.mapping(values.get("controller"))
    level = str(trees.mapping(controller.get("config")).get("annotations-risk-level", "")).lower()
    if controller.get("allowSnippetAnnotations") is True and level != "critical":
        problem = "Ingresses with snippets are refused all the same: the controller's limit for annotations is High"
        fix = "add config: {annotations-risk-level: Critical}; whoever may make an Ingress then reads every Secret"
        yield errors.Mistake(f"{VALUES}.allowSnippetAnnotations", problem, fix)
