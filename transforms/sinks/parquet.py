"""Parquet files; their types come from the Avro schemas."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.sinks.part_files import By, Place, Written, write_parts
from transforms.wire.arrow import arrow_schema
from transforms.wire.rows import Row


def write(
    kind: str, rows: Iterable[Row], folder: Place, *, by: By = "day", shard: str = ""
) -> Written:
    """Write rows as Parquet below ``folder/kind``."""
    return write_parts(kind, rows, folder, _encode, ".parquet", by, shard)


def read(path: Path) -> list[Row]:
    """Read the rows of a file; times are datetimes."""
    rows: list[Row] = pq.ParquetFile(path).read().to_pylist()
    return rows


def _encode(kind: str, rows: list[Row]) -> bytes:
    table = pa.Table.from_pylist(rows, arrow_schema(kind))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", store_schema=False)
    return bytes(sink.getvalue())
