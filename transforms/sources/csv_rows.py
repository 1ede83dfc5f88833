"""CSV with a header: each row a dict of texts by column."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from transforms.sources.lines import lines
from transforms.sources.raw import Bad, Limits, Raw


def columns(path: Path, limits: Limits) -> tuple[str, ...] | Bad:
    """Read the names of the columns."""
    table = _Table(path, limits)
    header = table.row()
    if isinstance(header, Bad):
        return header
    if header is None:
        return table.bad.pop() if table.bad else Bad(str(path), 1, "unreadable", "it is empty")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        return Bad(str(path), 1, "wrong_columns", f'column "{twice[0]}" stands twice')
    return tuple(header)


def read(path: Path, limits: Limits) -> Iterator[Raw | Bad]:
    """Read each row that is not blank; ``line`` is the line where the row begins."""
    table = _Table(path, limits)
    header = table.row()
    if not isinstance(header, list):
        return
    while (row := table.row()) is not None or table.bad:
        yield from table.bad
        table.bad.clear()
        if isinstance(row, Bad):
            yield row
        elif row and len(row) != len(header):
            detail = f"{len(row)} values for {len(header)} columns"
            yield Bad(str(path), table.line, "wrong_columns", detail)
        elif row:
            yield Raw(str(path), table.line, dict(zip(header, row, strict=True)))


class _Table:
    """The rows of a file: ``line`` is where the last one began, ``bad`` holds lines left out."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path = path
        self.bad: list[Bad] = []
        self.line = 0
        self._reader = csv.reader(self._texts(limits), strict=True)

    def row(self) -> list[str] | Bad | None:
        """Read the next row; None at the end."""
        self.line = 0
        try:
            return next(self._reader, None)
        except csv.Error:
            return Bad(str(self.path), self.line, "not_csv", "an open quote or too long a field")

    def _texts(self, limits: Limits) -> Iterator[str]:
        for item in lines(self.path, limits):
            if isinstance(item, Bad):
                self.bad.append(item)
                continue
            number, line = item
            try:
                text = line.decode() + "\n"
            except UnicodeDecodeError:
                self.bad.append(Bad(str(self.path), number, "not_utf8", "not UTF-8 text"))
                continue
            self.line = self.line or number
            yield text
