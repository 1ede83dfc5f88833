"""Outputs as Parquet, one file a kind and bucket: columns at a time, in bounded memory.

Row groups are cut by the number of rows, so the bytes depend on the rows and their order
alone. A file appears whole or not at all, and replaces the one of an earlier run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from transforms.records import arrow_schema, canonical, fields
from transforms.sinks.parts import Part

GROUP = 65_536
CHUNK = 2_048  # so few are still in the processor's cache when they are read again
UNLIKE = {"id", "user", "session", "communication", "cause", "address", "flows", "data"}
EMPTY = canonical({}).decode()
Column = Callable[[list[Any]], pa.Array]
Take = Callable[[list[Any]], tuple[list[Any], ...]]


class Tables:
    """The tables of one bucket, opened as outputs of a kind come."""

    def __init__(self, folder: Path, bucket: int) -> None:
        self._folder = folder
        self._place = f"bucket={bucket:02}/part-0.parquet"
        self._open: dict[str, _Table] = {}
        self._by_type: dict[type, _Table] = {}

    def write(self, outputs: Iterable[msgspec.Struct]) -> None:
        """Add rows, each to the table of its kind."""
        by_type = self._by_type
        for output in outputs:
            table = by_type.get(type(output))
            if table is None:
                table = self._table(type(output))
            rows = table.rows
            rows.append(output)
            if len(rows) >= CHUNK:
                table.flush()

    def _table(self, kind: type[msgspec.Struct]) -> _Table:
        name = str(kind.__struct_config__.tag)
        found = _Table(name, self._folder / name, self._place)
        self._open[name] = self._by_type[kind] = found
        return found

    def close(self) -> dict[str, Part]:
        """Finish every table; give the file of each kind."""
        return {name: table.close() for name, table in sorted(self._open.items())}

    def discard(self) -> None:
        """Drop what was begun, when the rest cannot be had."""
        for table in self._open.values():
            table.discard()


class _Table:
    """One file being written."""

    def __init__(self, kind: str, folder: Path, place: str) -> None:
        self.rows: list[Any] = []
        self._kind, self._place = kind, place
        self._path = folder / place
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._partly = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        self._writer = writer(self._partly, kind)
        self._count = 0
        self._chunks: list[pa.RecordBatch] = []

    def flush(self) -> None:
        """Turn the rows into columns, and write them once there are enough for a group."""
        if self.rows:
            self._count += len(self.rows)
            self._chunks.append(to_batch(self._kind, self.rows))
            self.rows.clear()
            if self._count % GROUP == 0:
                self._write()

    def _write(self) -> None:
        if self._chunks:
            table = pa.Table.from_batches(self._chunks)
            self._chunks.clear()
            self._writer.write_table(table, row_group_size=GROUP)

    def close(self) -> Part:
        self.flush()
        self._write()
        self._writer.close()
        self._partly.replace(self._path)
        return part_of(self._path, self._place, self._count)

    def discard(self) -> None:
        self._writer.close()
        self._partly.unlink(missing_ok=True)


def writer(path: Path, kind: str) -> pq.ParquetWriter:
    """Open a file for rows of a kind; ids get no dictionary, since hardly two are equal."""
    named = [field.name for field in fields(kind) if field.name not in UNLIKE]
    return pq.ParquetWriter(
        path, arrow_schema(kind), compression="zstd", store_schema=False, use_dictionary=named
    )


def part_of(path: Path, place: str, rows: int) -> Part:
    """Describe a finished file for the manifest."""
    digest = blake2b(digest_size=16)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return Part(place, rows, path.stat().st_size, digest.hexdigest())


def to_batch(kind: str, rows: list[Any]) -> pa.RecordBatch:
    """Turn outputs of one kind into columns of its schema."""
    take, columns = _columns(kind)
    arrays = [make(values) for make, values in zip(columns, take(rows), strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=arrow_schema(kind))


@cache
def _columns(kind: str) -> tuple[Take, tuple[Column, ...]]:
    """Return what takes rows of a kind apart into columns, and what makes each for Arrow."""
    schema = arrow_schema(kind)
    # As text: the interpreter reads a slot that the code names three times as fast.
    taken = ", ".join(f"[row.{field.name} for row in rows]" for field in fields(kind))
    take: Take = eval(f"lambda rows: ({taken},)")
    return take, tuple(_column(f.kind, schema.field(f.name).type) for f in fields(kind))


def _column(kind: str, arrow: pa.DataType) -> Column:
    """Return what makes a column of its values."""
    if kind == "json":
        return lambda values: pa.array([_json(value) for value in values], arrow)
    if kind == "double":
        # Whole numbers are numbers, too; Arrow would refuse those beyond 53 bits.
        return lambda values: pa.array(
            [None if value is None else float(value) for value in values], arrow
        )
    return lambda values: pa.array(values, arrow)


def _json(value: Any) -> str:
    return EMPTY if value.__class__ is dict and not value else canonical(value).decode()
