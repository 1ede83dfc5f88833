"""A scenario or the docstring of a test cites every rule of transforms/flows/RULES.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.docs.test_features import titles
from tests.packaging.repository import ROOT
from towpath.scenario_files import ENDING

RULES = re.findall(r"\*\*(R\d+)\.\*\*", (ROOT / "transforms/flows/RULES.md").read_text("utf-8"))
NOT_YET: set[str] = set()
"""Rules that nothing cites yet; remove a rule from here when it is tested."""

WITHOUT_STORY = {"R4", "R31"}
"""Rules that tests in Python cite, and no story of one user does."""

CITED = re.compile(r"\bR([1-9]|[12]\d|3[0-2])\b")


def cited(text: str) -> set[str]:
    """List the rules that a text cites."""
    return {f"R{number}" for number in CITED.findall(text)}


def in_stories() -> set[str]:
    """List the rules that titles of stories cite."""
    paths = [p for top in ("tests", "flow_defs") for p in (ROOT / top).rglob(f"*{ENDING}")]
    found = [titles(path.relative_to(ROOT).as_posix()) for path in paths]
    return cited(" ".join(title for file in found for title in file))


def in_tests() -> set[str]:
    """List the rules that docstrings of test functions cite."""
    return {rule for path in (ROOT / "tests").rglob("test_*.py") for rule in promised(path)}


def promised(path: Path) -> set[str]:
    """List the rules that the tests of a file cite."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    promises = [ast.get_docstring(test) or "" for test in tests if test.name.startswith("test_")]
    return cited(" ".join(promises))


def test_the_page_lists_the_rules_in_order() -> None:
    """RULES.md has R1 to R32, each once."""
    assert [f"R{number}" for number in range(1, 33)] == RULES


def test_every_rule_is_cited() -> None:
    """Every rule has a story or a test, except those listed as uncited."""
    assert set(RULES) - in_stories() - in_tests() == NOT_YET


def test_every_rule_has_a_story() -> None:
    """Rules without a story are exactly those listed, and tests cite them."""
    assert set(RULES) - in_stories() == WITHOUT_STORY | NOT_YET
    assert in_tests() >= WITHOUT_STORY


def test_a_citation_is_a_whole_word() -> None:
    """A citation is a whole word; `P26` and `R33` are none."""
    assert cited("R1, R32: as in (R14); not R33, R0, P26, AR7 or R1x") == {"R1", "R32", "R14"}
