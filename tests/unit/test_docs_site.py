"""The documentation as a whole: every page can be found, and reading it asks nobody else."""

from __future__ import annotations

import html
import os
import pathlib
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest
import yaml

from reference import tree

PROJECT = pathlib.Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"
SITE: dict[str, Any] = yaml.safe_load((PROJECT / "mkdocs.yml").read_text())


def pages_of(nav: list[Any]) -> list[str]:
    """The files that a navigation names, in its order."""
    found: list[str] = []
    for entry in nav:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            found += pages_of(value) if isinstance(value, list) else [value]
    return found


def test_every_page_stands_in_the_navigation_once() -> None:
    there = sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))
    assert sorted(pages_of(SITE["nav"])) == there, "name the page under `nav` in mkdocs.yml, or nobody finds it"


def test_reading_a_page_asks_nobody_else() -> None:
    theme = SITE["theme"]
    assert theme["font"] is False, "the theme loads fonts from Google otherwise"
    assert "analytics" not in SITE.get("extra", {})
    for page in DOCS.rglob("*.md"):
        text = page.read_text()
        assert "```mermaid" not in text, f"{page.name}: the theme loads mermaid from a CDN; draw with text"
        assert not re.search(r"!\[[^]]*\]\(https?:|<(script|img|iframe|link)\b", text), f"{page.name} loads something"


def built(folder: pathlib.Path) -> subprocess.CompletedProcess[str]:
    """The site of a copy of the pages, built as `make docs` does."""
    path = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["zensical", "build", "--clean", "--strict"], cwd=folder, env=os.environ | {"PATH": path},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_the_site_builds_without_a_warning(tmp_path: pathlib.Path) -> None:
    shutil.copy(PROJECT / "mkdocs.yml", tmp_path)
    shutil.copytree(DOCS, tmp_path / "docs")
    done = built(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "site" / "index.html").is_file()
    with (tmp_path / "docs" / "secrets.md").open("a") as page:
        page.write("\n[nowhere](nowhere.md)\n")
    done = built(tmp_path)
    assert done.returncode, "a link that leads nowhere fails the build"
    assert "page does not exist" in done.stdout + done.stderr


def prose(page: pathlib.Path) -> str:
    """A page without its code blocks."""
    return re.sub(r"^( *)```.*?^\1```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page: pathlib.Path) -> set[str]:
    """What a link can name on a page: its headings' slugs, and ids written by hand."""
    text = prose(page)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {tree.slug(html.unescape(heading)) for heading in headings} | set(re.findall(r'<a id="([^"]+)"', text))


PAGES = [*sorted(DOCS.rglob("*.md")), PROJECT / "README.md", PROJECT / "lab" / "README.md"]


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(PROJECT)) for page in PAGES])
def test_no_link_leads_nowhere(page: pathlib.Path) -> None:
    """The build of the site says so too; this looks at the READMEs as well."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path) if path else page
        assert there.exists(), target
        if DOCS in page.parents:
            assert DOCS in there.resolve().parents, f"{target}: the site has only what is in docs/"
        assert not anchor or anchor in anchors(there), target
