"""Runs the documentation: types every command and writes every file of a page, in order."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.docs.blocks import Command, blocks, rewritten
from tests.docs.reader import clone, differs, follow, run_command, sample_run
from tests.packaging.repository import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "docs" / "tutorial.md",
    *sorted(
        page
        for page in (ROOT / "docs" / "how-to").glob("*.md")
        if page.stem not in ("warehouse", "twenty-questions")  # tests/warehouse runs these
    ),
]

DRAWN = {"diff": "build/diff.svg"}
"""Pages whose commands draw the picture of the same name."""

# One xdist group: the replay of the whole sample is shared with the tests of the sample.
pytestmark = pytest.mark.xdist_group("sample")


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Run ``make run`` once; return its output and the folder of its results."""
    return sample_run(tmp_path_factory.getbasetemp())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_of_the_page_print_what_it_shows(
    page: Path, tmp_path: Path, ran: tuple[str, Path], rewrite: bool
) -> None:
    """Running the commands of a page in order gives the outputs that the page shows."""
    folder = clone(tmp_path)
    typed_so_far: list[tuple[Command, str]] = []
    for block in blocks(page):
        seen = follow(block, folder, ran)
        if seen is not None and isinstance(block, Command):
            typed_so_far.append((block, seen[0]))
            wrong = differs(block, *seen)
            place = f"{page.relative_to(ROOT)}:{block.line}"
            assert rewrite or not wrong, f"{place}: something else is seen:\n{wrong}"
    if rewrite:
        text = page.read_text(encoding="utf-8")
        page.write_text(rewritten(text, typed_so_far), encoding="utf-8")
    if page.stem in DRAWN:
        drawn, kept = folder / DRAWN[page.stem], ROOT / "docs" / "pictures" / f"{page.stem}.svg"
        if rewrite:
            shutil.copyfile(drawn, kept)
        assert kept.read_bytes() == drawn.read_bytes()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_has_commands(page: Path) -> None:
    """Every page in the list has at least one command."""
    assert any(isinstance(block, Command) for block in blocks(page))


def test_pictures_of_the_readme_are_up_to_date(ran: tuple[str, Path], rewrite: bool) -> None:
    """The pictures in the README are those that ``make run`` draws; ``--rewrite`` copies them."""
    for name in ("funnel.svg", "weekly.svg"):
        kept = ROOT / "docs" / "pictures" / name
        if rewrite:
            shutil.copyfile(ran[1] / name, kept)
        assert kept.read_bytes() == (ran[1] / name).read_bytes()


def test_picture_of_the_win_back_flow_is_up_to_date(tmp_path: Path, rewrite: bool) -> None:
    """The picture of the win-back flow is the one that ``towpath graph`` draws."""
    folder, kept = clone(tmp_path), ROOT / "docs" / "pictures" / "win_back.svg"
    output, code = run_command("towpath graph flow_defs/win_back.yaml --out win_back.svg", folder)
    assert code == 0, output
    if rewrite:
        shutil.copyfile(folder / "win_back.svg", kept)

    assert kept.read_bytes() == (folder / "win_back.svg").read_bytes()
