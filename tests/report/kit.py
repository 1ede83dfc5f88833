"""What the tests of the page read it with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.replay import kit
from transforms.sinks import parquet
from transforms.sinks.part_files import add_parts, listed
from transforms.wire.rows import from_row, to_row

KINDS = ("transition", "message", "communication", "conversion", "rejection")
VOID = {"meta", "link"}


class Page(HTMLParser):
    """The parts of a page: its elements with attributes, its headings, tables, scripts and charts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[tuple[str, str], list[list[str]]] = {}
        self.scripts: list[str] = []
        self.charts: list[Any] = []
        self.headings: list[str] = []
        self.styles: list[str] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self._section = self._title = ""
        self._cells: list[str] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self._cells = []
            self.tables.setdefault((self._section, self._title), []).append(self._cells)
        if tag in ("td", "th") and self._cells is not None:
            self._cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        where = self._open[-1] if self._open else ""
        match where:
            case "script" if self.elements[-1][1].get("type") == "application/json":
                self.charts.append(json.loads(data))
            case "script":
                self.scripts.append(data)
            case "style":
                self.styles.append(data)
            case "h2" | "h3" | "h1":
                self.headings.append(data)
                if where == "h2":
                    self._section = data
                self._title = data
            case "td" | "th" if self._cells is not None:
                self._cells[-1] += data
        if where not in ("script", "style"):
            self.text.append(data)

    def table(self, section: str, title: str) -> dict[str, list[str]]:
        """Return the rows of a table by their first cell, without the heading."""
        return {row[0]: row[1:] for row in self.tables[section, title][1:]}


def stream_tables(
    out: Path, tables: Path, space: str, times: int = 1, other_keys: bool = False
) -> None:
    """Write the rows of a replay as the tables of a streaming job, each row ``times`` times.

    Every file is small, and is listed by its own addition to the manifest.
    With ``other_keys`` conversions are under other keys than entries, as after a merge of users.
    """
    for kind in KINDS:
        for path in listed(kind, out):
            rows = [to_row(from_row(kind, row)) for row in pq.read_table(path).to_pylist()]
            if other_keys and kind == "conversion":
                rows = [row | {"user": f"{row['user']}-{n}"} for n, row in enumerate(rows)]
            for few in _parts(rows * times):
                written = parquet.write(kind, few, tables / space)
                add_parts(kind, tables / space, written.parts)


def _parts(rows: list[Any]) -> Iterator[Iterable[Any]]:
    middle = len(rows) // 3
    return (half for half in (rows[:middle], rows[middle:]) if half)


def report(*words: object) -> kit.Done:
    """Run ``towpath report``."""
    return kit.towpath("report", *words)
