"""Merges Parquet files of one kind: rows in the order of the table, each id once, memory bounded.

DuckDB sorts, with temporary files for what does not fit into memory; equal rows are then neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import schemas
from pipelines.replay.database import in_memory, parquet
from transforms.wire.arrow import arrow_schema

BATCH = 100_000
"""Rows at a time."""


class OtherRelease(Exception):
    """A file of another release has columns that cannot be merged without a loss."""


def merge(kind: str, paths: list[Path], size: int, scratch: Path) -> Iterator[tuple[Path, int]]:
    """Yield new files of about ``size`` bytes below ``scratch``, each with its number of rows."""
    target = scratch / "merged.parquet"
    writer: pq.ParquetWriter | None = None
    rows = 0
    for batch in _once(_sorted(kind, paths)):
        if writer is None:
            writer = pq.ParquetWriter(
                target, arrow_schema(kind), compression="zstd", store_schema=False
            )
        writer.write_table(batch)
        rows += batch.num_rows
        if target.stat().st_size >= size:
            writer.close()
            yield target, rows
            writer, rows = None, 0
    if writer is not None:
        writer.close()
        yield target, rows


def _sorted(kind: str, paths: list[Path]) -> Iterator[pa.Table]:
    schema = arrow_schema(kind)
    source = parquet(paths, ", union_by_name = true")
    order = ", ".join(f'"{name}" nulls first' for name in schemas.load(kind)["order"])
    there = _columns(kind, paths)
    with in_memory() as database:
        chosen = ", ".join(
            f'"{name}"' if name in there else f'null as "{name}"' for name in schema.names
        )
        found = database.sql(f"select {chosen} from {source} order by {order}")
        # DuckDB 1.4 has the same under another name, which later ones warn of.
        read = getattr(found, "to_arrow_reader", None) or found.fetch_record_batch
        for batch in read(BATCH):
            yield pa.Table.from_batches([batch]).cast(schema)


def _columns(kind: str, paths: list[Path]) -> set[str]:
    """Return the columns of the files; each file has all that may not be null, and none unknown."""
    schema = arrow_schema(kind)
    needed = {field.name for field in schema if not field.nullable}
    there = set[str]()
    for path in paths:
        names = set(pq.read_schema(path).names)
        if odd := sorted((names - set(schema.names)) | (needed - names)):
            raise OtherRelease(f"{kind}: {', '.join(odd)}")
        there |= names
    return there


def _once(batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Drop rows with the id of the row before."""
    last: str | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        ids = batch.column("id").combine_chunks()
        before = pa.concat_arrays([pa.array([last], ids.type), ids.slice(0, len(ids) - 1)])
        kept = batch.filter(pc.fill_null(pc.not_equal(ids, before), True))
        last = ids[-1].as_py()
        if kept.num_rows:
            yield kept
