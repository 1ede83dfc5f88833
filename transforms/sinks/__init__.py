"""Where rows go: one module a sink behind one dict."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from transforms.records import Row
from transforms.sinks import files, parquet
from transforms.sinks.parts import By, Written


class Sink(Protocol):
    """A module that writes rows of one kind, from plain Python or from a worker.

    Writing the same rows again leaves the same files. A row that does not fit its schema is
    left out and reported; the others are written. All rows of a call are held in memory.
    With a ``shard``, files are named by it, and writing that shard again replaces them.
    """

    def write(
        self, kind: str, rows: Iterable[Row], folder: Path, *, by: By = "day", shard: str = ""
    ) -> Written:
        """Write rows of the schema ``kind`` below ``folder/kind``; ``finish`` comes after all."""


SINKS: dict[str, Sink] = {
    "parquet": parquet,
    "files": files,
}
