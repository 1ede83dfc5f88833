"""Follows all pages in the order of the docs in one clone, as a reader does who keeps every file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.blocks import Command, blocks
from tests.docs.reader import clone, differs, follow, sample_run
from tests.packaging.repository import ROOT
from tests.warehouse.dbt import link_dbt

HOW_TO = re.compile(r"\]\((how-to/[\w-]+\.md)\)")

# A group of its own, beside the tests that follow each page alone.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("docs in order")]


def pages() -> list[Path]:
    """Return the README, the tutorial and the how-to pages in the order of the docs."""
    overview = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    named = [ROOT / "docs" / path for path in HOW_TO.findall(overview)]
    return [ROOT / "README.md", ROOT / "docs" / "tutorial.md", *named]


def test_the_overview_names_every_page() -> None:
    """Every how-to page is in the overview once."""
    named = pages()[2:]

    assert sorted(named) == sorted((ROOT / "docs" / "how-to").glob("*.md"))


def test_all_pages_work_in_one_clone(tmp_path: Path) -> None:
    """No page needs a fresh clone: files of the pages before it change nothing that it shows."""
    ran = sample_run(tmp_path)
    (tmp_path / "reader").mkdir()
    folder = clone(tmp_path / "reader")
    link_dbt(folder)
    wrong = []
    for page in pages():
        for block in blocks(page):
            seen = follow(block, folder, ran)
            if seen is not None and isinstance(block, Command) and (found := differs(block, *seen)):
                wrong.append(
                    f"{page.relative_to(ROOT)}:{block.line}: something else is seen:\n{found}"
                )

    assert wrong == []
