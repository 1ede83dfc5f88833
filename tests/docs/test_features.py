"""Every proved row of the feature table cites tests that exist."""

from __future__ import annotations

import ast
import importlib
import re

import pytest

from docs.generating import features
from docs.generating.features import Row, rows
from tests.packaging.repository import ROOT
from transforms.scenarios.grammar import read_stories

NUMBERS = {"L": 16, "B": 10, "J": 15, "C": 24, "I": 32, "P": 29}
ROWS = rows()


def titles(path: str) -> list[str]:
    """List the titles of a scenario file."""
    read = read_stories(path, (ROOT / path).read_text(encoding="utf-8"))
    assert read.value is not None
    return [story.title for story in read.value.stories]


def functions(path: str) -> list[str]:
    """List the test functions of a Python file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


def parameters(path: str, function: str) -> list[str]:
    """List the parameters with which a test is called."""
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    marks = getattr(module, function).pytestmark
    return [str(value) for mark in marks if mark.name == "parametrize" for value in mark.args[1]]


def missing(proof: str) -> str:
    """Return what is wrong with a citation; nothing if the test exists exactly once."""
    path, _, name = proof.partition("::")
    if not (ROOT / path).is_file():
        return f"{path}: no such file"
    if path.endswith(".scenarios.txt"):
        found = titles(path).count(name)
        return "" if found == 1 else f"{path}: {found} scenarios are called {name!r}"
    function, _, parameter = name.removesuffix("]").partition("[")
    if functions(path).count(function) != 1 or not function.startswith("test_"):
        return f"{path}: no test {function}"
    if parameter and parameter not in parameters(path, function):
        return f"{path}: {function} is not called with {parameter}"
    return ""


def test_every_feature_has_one_row() -> None:
    """Each feature of the table has one row, in the order of the table; the last ones may have gaps."""
    wanted = [f"{letter}{n}" for letter, most in NUMBERS.items() for n in range(1, most + 1)]

    later = [int(row.id.removeprefix("P")) for row in ROWS[len(wanted) :]]
    assert [row.id for row in ROWS[: len(wanted)]] == wanted
    assert later == sorted(set(later))
    assert list(NUMBERS) == list(features.GROUPS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_row(row: Row) -> None:
    """A row cites tests that exist, or has one reason; its kind fits the first test."""
    assert row.kind in features.KINDS
    assert sum(map(bool, (row.proof, row.pending, row.not_planned))) == 1
    assert len(set(row.proof)) == len(row.proof)
    assert [wrong for wrong in map(missing, row.proof) if wrong] == []
    if row.proof:
        assert (row.kind == "core scenario") == (".scenarios.txt::" in row.proof[0])


@pytest.mark.parametrize(
    "proof",
    [
        "tests/scenarios/steps/wait.scenarios.txt::wait: a duration is nearly exact",
        "tests/scenarios/steps/no.scenarios.txt::wait: a duration is exact",
        "tests/test_bounds.py::test_nothing",
        "tests/test_bounds.py::event",
        "tests/flows/test_flow_errors.py::test_golden[nothing.yaml]",
    ],
)
def test_a_missing_test_is_reported(proof: str) -> None:
    """A title, file, function or parameter that does not exist is reported."""
    assert missing(proof) != ""


def test_pending_rows_are_counted_at_the_top() -> None:
    """The page says before the first table how many rows are pending."""
    pending = sum(row.state == "pending" for row in ROWS)
    top = features.page().split("\n## ")[0]

    assert re.search(rf"\*\*{pending} pending\*\*", top)
