"""JSON lines, for people and small tools; free-form maps are written as maps."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from transforms.sinks.part_files import By, Place, Written, write_parts
from transforms.wire.rows import Row, fields


def write(
    kind: str, rows: Iterable[Row], folder: Place, *, by: By = "day", shard: str = ""
) -> Written:
    """Write rows as JSON lines below ``folder/kind``."""
    return write_parts(kind, rows, folder, _encode, ".jsonl", by, shard)


def read(path: Path) -> list[Row]:
    """Read the rows of a file; free-form maps are maps."""
    return msgspec.json.Decoder(Row).decode_lines(path.read_bytes())


def _encode(kind: str, rows: list[Row]) -> bytes:
    maps = [field.name for field in fields(kind) if field.kind == "json"]
    names = [field.name for field in fields(kind)]
    return msgspec.json.Encoder().encode_lines([_record(row, names, maps) for row in rows])


def _record(row: Row, names: list[str], maps: list[str]) -> Row:
    record: Row = {name: row.get(name) for name in names}
    for name in maps:
        text = record[name]
        if text is not None:
            record[name] = msgspec.Raw(text.encode())
    return record
