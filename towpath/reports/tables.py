"""The result tables of a replay, opened for SQL."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipelines.replay.database import in_memory, parquet
from transforms.sinks.part_files import listed
from transforms.wire.arrow import arrow_schema

Row = tuple[Any, ...]


class Tables:
    """An in-memory database with a view for each table of a replay; missing tables are empty."""

    def __init__(
        self, out: Path, kinds: Iterable[str], part: str = "", distinct: bool = False
    ) -> None:
        """Open the tables; ``part`` selects one folder of each (default: all).

        ``distinct`` drops duplicate rows, which a streaming job that lost its state may write.
        """
        self.database = in_memory()
        self.select = "select distinct" if distinct else "select"
        for kind in kinds:
            self._open(out, kind, part)

    def _open(self, out: Path, kind: str, part: str) -> None:
        paths = [p for p in listed(kind, out) if not part or p.parent.name == part]
        if paths:
            source = f"{self.select} * from {parquet(paths)}"
            self.database.execute(f"create view {kind} as {source}")
        else:
            empty = arrow_schema(kind).empty_table()
            self.database.register(kind, empty)

    def rows(self, query: str, *values: object) -> list[Row]:
        """Run a query and return its rows."""
        return self.database.execute(query, list(values)).fetchall()

    def records(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Run a query and return its rows as dicts."""
        done = self.database.execute(query, list(values))
        names = [column[0] for column in done.description or ()]
        return [dict(zip(names, row, strict=True)) for row in done.fetchall()]

    def __enter__(self) -> Tables:
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()
