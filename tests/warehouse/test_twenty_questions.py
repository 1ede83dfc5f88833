"""The page of questions: each query gives the table below it, and is SQL of BigQuery, too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from tests.packaging.repository import ROOT
from tests.warehouse.dbt import DATABASE, built, translated

pytestmark = pytest.mark.xdist_group("sample")  # shares the replay of the sample

PAGE = ROOT / "docs" / "how-to" / "twenty-questions.md"
SECTION = re.compile(r"^## (\d+)\. (.+)$", re.MULTILINE)
QUERY = re.compile(r"^```sql\n(.+?)\n```\n", re.MULTILINE | re.DOTALL)
LONGEST = 20
"""Rows of a result, at most: a page is to be read."""


class Question(msgspec.Struct, frozen=True):
    """A question of the page, its query, and its result as a table."""

    name: str
    sql: str
    table: str


def questions(text: str) -> list[Question]:
    """Read the questions of the page."""
    starts = [*SECTION.finditer(text)]
    ends = [found.start() for found in starts[1:]] + [len(text)]
    sections = [
        (found[2], text[found.end() : end]) for found, end in zip(starts, ends, strict=True)
    ]
    return [
        Question(name, query[1], section[query.end() :].strip("\n"))
        for name, section in sections
        if (query := QUERY.search(section))
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the warehouse once."""
    return built(tmp_path_factory.getbasetemp())


def test_there_are_twenty_questions() -> None:
    """Each has a number, a question that ends as one, and a query of its own."""
    text = PAGE.read_text("utf-8")
    found = questions(text)

    assert [int(match[1]) for match in SECTION.finditer(text)] == list(range(1, 21))
    assert len({question.sql for question in found}) == 20
    assert all(question.name.endswith("?") for question in found)


def test_queries_give_the_tables_of_the_page(folder: Path, rewrite: bool) -> None:
    """Each query gives its table on the whole sample, with DuckDB; ``--rewrite`` writes them."""
    text = PAGE.read_text("utf-8")
    with duckdb.connect(str(folder / DATABASE), read_only=True) as database:
        found = {question.sql: answer(database, question.sql) for question in questions(text)}
    if rewrite:
        PAGE.write_text(with_tables(text, found), encoding="utf-8")
        return
    for question in questions(text):
        assert found[question.sql] == question.table, question.name


def answer(database: duckdb.DuckDBPyConnection, sql: str) -> str:
    """Return the result of a query as a table in Markdown, numbers to the right."""
    done = database.execute(sql)
    names = [column[0] for column in done.description or ()]
    rows = done.fetchall()
    assert 0 < len(rows) <= LONGEST, sql
    numbers = [all(is_number(row[i]) for row in rows) for i in range(len(names))]
    lines = [names, ["---:" if right else "---" for right in numbers]]
    lines += [[cell(value) for value in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def is_number(value: Any) -> bool:
    """Return True for a number, or nothing in a column of numbers."""
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def cell(value: Any) -> str:
    """Return a value as the text of a cell."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def with_tables(text: str, tables: dict[str, str]) -> str:
    """Replace the table after each query of a page."""
    head, *parts = re.split(r"(?m)^(?=## )", text)
    for place, part in enumerate(parts):
        query = QUERY.search(part)
        assert query is not None
        parts[place] = f"{part[: query.end()]}\n{tables[query[1]]}\n\n"
    return (head + "".join(parts)).rstrip("\n") + "\n"


def test_queries_mean_the_same_in_bigquery(tmp_path: Path, folder: Path) -> None:
    """Read as SQL of BigQuery and translated to that of DuckDB, each query gives its table."""
    found = questions(PAGE.read_text("utf-8"))
    paths = [tmp_path / f"{number}.sql" for number in range(len(found))]
    for path, question in zip(paths, found, strict=True):
        path.write_text(question.sql)
    queries = translated(paths)

    with duckdb.connect(str(folder / DATABASE), read_only=True) as database:
        for number, question in enumerate(found):
            assert answer(database, queries[str(number)]) == question.table, question.name
