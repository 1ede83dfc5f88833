"""Parquet files; their types come from the Avro schemas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
    """Read all rows of a file."""
    return list(rows_of(path))


def rows_of(path: Place, at_once: int = 1_000) -> Iterator[Row]:
    """Read the rows of a file, so many at once; times are datetimes."""
    source = path if isinstance(path, Path) else pa.BufferReader(path.read_bytes())
    with pq.ParquetFile(source) as table:
        for batch in table.iter_batches(at_once):
            yield from batch.to_pylist()


def _encode(kind: str, rows: list[Row]) -> bytes:
    table = pa.Table.from_pylist(rows, arrow_schema(kind))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", store_schema=False)
    return bytes(sink.getvalue())
