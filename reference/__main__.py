"""Write what is generated from the models, or say what is stale.

Exit code: 0 everything is as it should be, 1 something is stale (with --check) or a page is in no navigation,
2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
from typing import Any, cast

import yaml

from reference import configuration, contract, declarations, outputs, schema

PROJECT = pathlib.Path(__file__).resolve().parent.parent


def made(project: pathlib.Path = PROJECT) -> dict[str, str]:
    """Every generated file and what it should say."""
    name = str(yaml.safe_load((project / "Pulumi.yaml").read_text("utf-8"))["name"])
    return {
        "Pulumi.yaml": declarations.project_file(project / "Pulumi.yaml"),
        "docs/configuration.md": configuration.page(name),
        "docs/outputs.md": outputs.page(project),
        "schemas/outputs.schema.json": _json(contract.json_schema()),
        "schemas/stack.schema.json": _json(schema.stack_file(name)),
    }


def stale(project: pathlib.Path = PROJECT) -> dict[str, str]:
    """The generated files that do not say what they should, with what they should say."""

    def says(file: pathlib.Path) -> str | None:
        return file.read_text("utf-8") if file.exists() else None

    return {name: text for name, text in made(project).items() if says(project / name) != text}


def unlisted(project: pathlib.Path = PROJECT) -> list[str]:
    """The pages of docs/ that the site's navigation does not name."""
    navigation = yaml.safe_load((project / "mkdocs.yml").read_text("utf-8"))["nav"]
    pages = sorted(str(page.relative_to(project / "docs")) for page in (project / "docs").rglob("*.md"))
    return [page for page in pages if page not in _pages(navigation)]


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, only say what is stale")
    check = parser.parse_args(arguments).check
    found = stale()
    for name, text in found.items():
        if check:
            print(f"{name}: stale; run `make docs` and commit it", file=sys.stderr)
        else:
            (PROJECT / name).write_text(text, "utf-8")
            print(f"{name}: written")
    lost = unlisted()
    for page in lost:
        print(f"docs/{page}: nobody finds it; name it below `nav` in mkdocs.yml", file=sys.stderr)
    return 1 if lost or (found and check) else 0


def _pages(navigation: Any) -> list[str]:
    if isinstance(navigation, str):
        return [navigation]
    entries = cast(dict[str, Any], navigation).values() if isinstance(navigation, dict) else navigation
    return [page for entry in entries for page in _pages(entry)]


def _json(tree: object) -> str:
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
