"""Parquet files: each row is a dict by column, a few thousand rows at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.wire.raw import Bad, Limits, Raw

BATCH = 4096
MAX_NESTING = 16
UNREADABLE = (OSError, pa.ArrowException, OverflowError)


def columns(path: Path, limits: Limits) -> tuple[str, ...] | Bad:
    """Read the names of the columns, and those within structs as paths."""
    try:
        with path.open("rb") as file:
            return tuple(_names(pq.read_schema(file), "", 0))
    except UNREADABLE as error:
        return _unreadable(path, 1, error)


def _names(fields: Iterable[pa.Field], within: str, depth: int) -> Iterator[str]:
    for field in fields:
        name = f"{within}{field.name}"
        yield name
        if pa.types.is_struct(field.type) and depth < MAX_NESTING:
            yield from _names(field.type, f"{name}.", depth + 1)


def read(path: Path, limits: Limits) -> Iterator[Raw | Bad]:
    """Read each row; ``line`` counts rows from 1. Times become ms, maps become dicts."""
    number = 0
    try:
        with path.open("rb") as file, pq.ParquetFile(file) as table:
            if _largest_group(table) > limits.group:
                detail = f"a row group takes more than {limits.group} bytes"
                yield Bad(str(path), 1, "too_large", detail)
                return
            for batch in table.iter_batches(BATCH):
                for row in _in_ms(batch).to_pylist(maps_as_pydicts="lossy"):
                    number += 1
                    yield Raw(str(path), number, row)
    except UNREADABLE as error:
        yield _unreadable(path, number + 1, error)


def _largest_group(table: pq.ParquetFile) -> int:
    meta = table.metadata
    groups = range(meta.num_row_groups)
    return max((meta.row_group(group).total_byte_size for group in groups), default=0)


def _in_ms(batch: pa.RecordBatch) -> pa.RecordBatch:
    schema = pa.schema(
        [
            field.with_type(pa.timestamp("ms", field.type.tz))
            if pa.types.is_timestamp(field.type)
            else field
            for field in batch.schema
        ]
    )
    return batch if schema == batch.schema else batch.cast(schema, safe=False)


def _unreadable(path: Path, row: int, error: Exception) -> Bad:
    # pyarrow raises OSError without a number for damage, with what it found in the text.
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return Bad(str(path), row, "unreadable", error.strerror)
    return Bad(str(path), row, "unreadable", "it is damaged, or not a Parquet file")
