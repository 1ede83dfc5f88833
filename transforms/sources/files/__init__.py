"""Event files: one module per format, selected by the file's suffix."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Protocol

from transforms.flows.diagnostics import printable, quoted, shortened, suggest
from transforms.sources.files import avro, csv_rows, json_lines, lines, parquet
from transforms.wire.decode import is_envelope_line
from transforms.wire.mapping import Mapping, column_names
from transforms.wire.raw import DEFAULT, WHOLE, Bad, Limits, Range, Raw

FIRST = 1000
SHOWN = 50
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
    if names is not None and len(names) > limits.columns:
        detail = f"{len(names):,} columns, more than {limits.columns:,}"
        return (Bad(str(path), 1, "too_large", detail),)
    if names is None or set(names) >= ENVELOPE:
        return ()
    if mapping is None:
        detail = 'it has no columns "type" and "messageId", so it needs a mapping (--map)'
        return (Bad(str(path), 1, "missing_column", detail),)
    missing = [name for name in column_names(mapping) if not _has(name, names)]
    return tuple(Bad(str(path), 1, "missing_column", _missing(name, names)) for name in missing)


def _has(column: str, names: tuple[str, ...]) -> bool:
    """Return True if a column is there, or may be: a path into a value whose fields are unknown."""
    if column in names:
        return True
    within = column
    while "." in within:
        within = within.rpartition(".")[0]
        if within in names:
            return not any(name.startswith(f"{within}.") for name in names)
    return False


def reads_mapping(path: Path, limits: Limits = DEFAULT) -> bool:
    """Return True if a mapping applies to a file: its records are not those of the envelope.

    For JSON lines the first records decide; a file that cannot be read may need one.
    """
    source = source_of(path)
    names = source.columns(path, limits) if source is not None else None
    if isinstance(names, tuple):
        return not set(names) >= ENVELOPE
    if source is None or names is not None:
        return True
    first = list(islice(source.read(path, limits), FIRST))
    lines = [raw.body for raw in first if isinstance(raw, Raw) and isinstance(raw.body, bytes)]
    return not lines or not all(map(is_envelope_line, lines))


def _missing(name: str, names: tuple[str, ...]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    known = shortened(quoted(names[:SHOWN])) + more
    close = suggest(name, names)
    guess = f"{close} " if close.startswith("did you mean") else ""
    return printable(f'there is no column "{name}"; {guess}The columns are {known}')


def ranges(path: Path, count: int) -> list[Range]:
    """Divide a file into ranges that can be read separately; none if that is impossible.

    In a CSV file with quotes, a line may continue the row of the one before.
    """
    source = source_of(path)
    if path.suffix == ".gz" or source not in (csv_rows, json_lines):
        return []
    return lines.ranges(path, count, b'"' if source is csv_rows else b"")


def read(
    path: Path, mapping: Mapping | None, limits: Limits = DEFAULT, within: Range = WHOLE
) -> Iterator[Raw | Bad]:
    """Read the records of a file; unreadable ones are ``Bad`` values, never exceptions."""
    problems = file_problems(path, mapping, limits)
    source = source_of(path)
    if problems or source is None:
        return iter(() if within.start else problems)
    if within == WHOLE:
        return source.read(path, limits)
    return (csv_rows if source is csv_rows else json_lines).read(path, limits, within)
