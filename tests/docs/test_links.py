"""Links between pages are valid, sections included, and every page is linked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.packaging.repository import ROOT, files

PAGES = [
    path for path in files() if path.suffix == ".md" and path.parts[0] in ("docs", "README.md")
]
LINK = re.compile(r"(?:\]\(|src=\")([^)\s\"]+)[)\"]")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def links(page: Path) -> list[str]:
    """List the links of a page to places in the repository."""
    text = FENCED.sub("", (ROOT / page).read_text(encoding="utf-8"))
    return [link for link in LINK.findall(text) if "://" not in link]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's sections."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_are_valid(page: Path) -> None:
    """Every link leads to a file that exists, and to a section that it has."""
    broken = []
    for link in links(page):
        name, _, section = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        if not target.exists() or (section and section not in anchors(target)):
            broken.append(link)

    assert broken == []


def test_every_page_is_linked() -> None:
    """Every page of the documentation can be reached from the first one."""
    first = Path("docs/README.md")
    seen, left = {first}, [first]
    while left:
        page = left.pop()
        for link in links(page):
            target = ((ROOT / page).parent / link.partition("#")[0]).resolve()
            inside = target.is_relative_to(ROOT) and target.suffix == ".md"
            path = target.relative_to(ROOT) if inside else first
            if path not in seen and path.parts[0] == "docs" and target.is_file():
                seen.add(path)
                left.append(path)

    assert sorted({p for p in PAGES if p.parts[0] == "docs"} - seen) == []
