"""CSV with a header: each row is a dict of texts by column.

An unclosed quote would swallow the rest of the file, so a row has at most ``LINES`` lines. After
a row that cannot be read, reading continues at its second line.
"""

from __future__ import annotations

import codecs
import csv
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from transforms.sources.files.lines import lines
from transforms.wire.raw import WHOLE, Bad, Limits, Range, Raw

LINES: Final = 100
LETTERS: Final = 1 << 20
"""Limits of one row."""


UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
SEPARATORS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}


class _TooLong(Exception):
    """The row has too many lines or characters."""


def columns(path: Path, limits: Limits) -> tuple[str, ...] | Bad:
    """Read the column names."""
    table = _Table(path, limits)
    header = table.row()
    if isinstance(header, Bad):
        return header
    if table.bad:
        return _not_text(path, limits) or table.bad[0]
    if header is None:
        return Bad(str(path), 1, "unreadable", "it is empty")
    if len(header) == 1 and (found := next((c for c in SEPARATORS if c in header[0]), None)):
        detail = f"one column, separated by {SEPARATORS[found]}; separate columns by commas"
        return Bad(str(path), 1, "wrong_columns", detail)
    if twice := sorted(name for name, count in Counter(header).items() if count > 1):
        return Bad(str(path), 1, "wrong_columns", f'column "{twice[0]}" appears twice')
    return tuple(header)


def _not_text(path: Path, limits: Limits) -> Bad | None:
    """Report a file that is UTF-16."""
    first = next(lines(path, limits), None)
    if isinstance(first, Bad | None) or not first[1].startswith(UTF16):
        return None
    detail = f"UTF-16, not UTF-8; try iconv -f UTF-16 -t UTF-8 {path.name} > utf8.csv"
    return Bad(str(path), 1, "not_utf8", detail)


def read(path: Path, limits: Limits, within: Range = WHOLE) -> Iterator[Raw | Bad]:
    """Read each row that is not blank; ``line`` is the row's first line."""
    table, name = _Table(path, limits, WHOLE if within.start else within), str(path)
    header = table.row()
    if not isinstance(header, list):
        return
    if within.start:
        table = _Table(path, limits, within)
    while (row := table.row()) is not None or table.bad:
        yield from table.bad
        table.bad.clear()
        if isinstance(row, Bad):
            yield row
        elif row and len(row) != len(header):
            detail = f"{len(row)} values for {len(header)} columns{table.span()}"
            yield Bad(name, table.line, "wrong_columns", detail)
        elif row:
            yield Raw(name, table.line, dict(zip(header, row, strict=True)))


class _Table:
    """The rows of a file; ``line`` is the first line of the last row, ``bad`` the skipped lines."""

    def __init__(self, path: Path, limits: Limits, within: Range = WHOLE) -> None:
        self.path = path
        self.bad: list[Bad] = []
        self.line = 0
        self._lines = self._texts(limits, within)
        self._row: list[tuple[int, str]] = []
        self._letters = 0
        self._again: deque[tuple[int, str]] = deque()
        self._reader = csv.reader(self, strict=True)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """Return the next line of the current row."""
        if len(self._row) >= LINES or self._letters > LETTERS:
            raise _TooLong
        number, text = self._again.popleft() if self._again else next(self._lines)
        self._row.append((number, text))
        self._letters += len(text)
        self.line = self.line or number
        return text

    def row(self) -> list[str] | Bad | None:
        """Read the next row; None at the end."""
        self.line, self._letters = 0, 0
        self._row.clear()
        try:
            return next(self._reader, None)
        except (csv.Error, _TooLong):
            detail = f"an open quote or too long a field{self.span()}"
            self._again.extendleft(reversed(self._row[1:]))
            return Bad(str(self.path), self.line, "not_csv", detail)

    def span(self) -> str:
        """Describe the lines of the last row, if it has several."""
        last = self._row[-1][0] if self._row else self.line
        return f", lines {self.line} to {last}" if last != self.line else ""

    def _texts(self, limits: Limits, within: Range) -> Iterator[tuple[int, str]]:
        for item in lines(self.path, limits, within):
            if isinstance(item, Bad):
                self.bad.append(item)
                continue
            number, line = item
            try:
                text = line.decode() + "\n"
            except UnicodeDecodeError:
                self.bad.append(Bad(str(self.path), number, "not_utf8", "not UTF-8 text"))
                continue
            yield number, text
