"""README and CONTRIBUTING name only what exists."""

from __future__ import annotations

import re

import pytest

from tests.packaging.repository import ROOT
from towpath.cli.main import COMMANDS

PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")


def code(page: str) -> str:
    """Return the code of a page."""
    text = (ROOT / page).read_text()
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_exist(page: str) -> None:
    """Every ``make TARGET`` that a page names is in the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"\bmake ([a-z][a-z-]*)", code(page))) - targets == set()


@pytest.mark.parametrize("page", PAGES)
def test_commands_exist(page: str) -> None:
    """Every ``towpath COMMAND`` that a page names is a command."""
    assert set(re.findall(r"\btowpath ([a-z]+(?:-[a-z]+)*)", code(page))) - set(COMMANDS) == set()


@pytest.mark.parametrize("page", PAGES)
def test_links_are_valid(page: str) -> None:
    """Every link to a file of the repository is valid."""
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text())

    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_make_target_has_a_description() -> None:
    """``make help`` has a line for every target."""
    makefile = (ROOT / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split()

    assert [t for t in targets if not re.search(rf"^{t}:.* ## \w", makefile, re.MULTILINE)] == []
