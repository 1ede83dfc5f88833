"""Event files: one module per format, selected by the file's suffix."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from transforms.flows.diagnostics import printable, suggest
from transforms.sources.files import avro, csv_rows, json_lines, parquet
from transforms.wire.mapping import Mapping, column_names
from transforms.wire.raw import DEFAULT, Bad, Limits, Raw

ENVELOPE = {"type", "messageId"}


class Source(Protocol):
    """A file format: a module with these two functions, which never raise."""

    def columns(self, path: Path, limits: Limits) -> tuple[str, ...] | Bad | None:
        """Return the column names; None for a format without columns."""

    def read(self, path: Path, limits: Limits) -> Iterator[Raw | Bad]:
        """Read the records one at a time, in bounded memory."""


SOURCES: dict[str, Source] = {
    ".csv": csv_rows,
    ".csv.gz": csv_rows,
    ".json": json_lines,
    ".json.gz": json_lines,
    ".jsonl": json_lines,
    ".jsonl.gz": json_lines,
    ".ndjson": json_lines,
    ".ndjson.gz": json_lines,
    ".avro": avro,
    ".parquet": parquet,
}


def source_of(path: Path) -> Source | None:
    """Find the format of a file by its longest known suffix."""
    name = path.name.lower()
    endings = [ending for ending in SOURCES if name.endswith(ending)]
    return SOURCES[max(endings, key=len)] if endings else None


def file_problems(path: Path, mapping: Mapping | None, limits: Limits = DEFAULT) -> tuple[Bad, ...]:
    """Find the problems that make a whole file unreadable: format, header, missing columns."""
    source = source_of(path)
    if source is None:
        detail = f"supported: {', '.join(SOURCES)}"
        return (Bad(str(path), 0, "unknown_format", detail),)
    names = source.columns(path, limits)
    if isinstance(names, Bad):
        return (names,)
    if names is None or set(names) >= ENVELOPE:
        return ()
    if mapping is None:
        detail = 'it has no columns "type" and "messageId", so it needs a mapping (--map)'
        return (Bad(str(path), 1, "missing_column", detail),)
    missing = [name for name in column_names(mapping) if name not in names]
    return tuple(Bad(str(path), 1, "missing_column", _missing(name, names)) for name in missing)


def _missing(name: str, names: tuple[str, ...]) -> str:
    known = ", ".join(f'"{column}"' for column in names)
    close = suggest(name, names)
    guess = f"{close} " if close.startswith("did you mean") else ""
    return printable(f'there is no column "{name}"; {guess}The columns are {known}')


def read(path: Path, mapping: Mapping | None, limits: Limits = DEFAULT) -> Iterator[Raw | Bad]:
    """Read the records of a file; unreadable ones are ``Bad`` values, never exceptions."""
    problems = file_problems(path, mapping, limits)
    source = source_of(path)
    return iter(problems) if problems or source is None else source.read(path, limits)
