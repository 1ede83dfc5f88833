"""Write outputs to Parquet, one file per kind and bucket, by column and in bounded memory.

The values of rows are kept in one list, of which a column is every n-th: rows as objects of their
own, or a list per column, take longer.

Row groups have a fixed number of rows, so the bytes depend only on the rows and their order. A file
is written atomically and replaces that of an earlier run.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec.structs import astuple

from transforms.sinks.part_files import UNFINISHED, Part
from transforms.wire.arrow import arrow_schema
from transforms.wire.rows import TYPES, canonical, fields

GROUP: Final = 65_536
CHUNK: Final = 1_024  # few enough that the rows of all tables stay in the processor's cache
UNLIKE: Final = {"id", "user", "session", "communication", "cause", "address", "flows", "data"}
EMPTY: Final = canonical({}).decode()
UNEQUAL: Final = ("double", "json")
"""Equal floats may differ (0.0 and -0.0), and so may maps with floats."""
INTEGER: Final = pa.int64()


class Tables:
    """The tables of one bucket, of all kinds or the chosen ones; each is opened with its first row."""

    def __init__(self, folder: Path, bucket: int, kinds: Collection[str] | None = None) -> None:
        self._folder = folder
        self._place = f"bucket={bucket:02}/part-0.parquet"
        self._open: dict[str, _Table] = {}
        self._by_type: dict[type, _Table] = {}
        chosen = TYPES if kinds is None else kinds
        self._left_out = {TYPES[name] for name in TYPES if name not in chosen}

    def write(self, outputs: Iterable[msgspec.Struct]) -> None:
        """Add each row to the table of its kind."""
        by_type = self._by_type
        for output in outputs:
            table = by_type.get(type(output))
            if table is None:
                if type(output) in self._left_out:
                    continue
                table = self._table(type(output))
            values = table.values
            values.extend(astuple(output))
            if len(values) >= table.full:
                table.flush()

    def _table(self, kind: type[msgspec.Struct]) -> _Table:
        name = str(kind.__struct_config__.tag)
        found = _Table(name, self._folder / name, self._place)
        self._open[name] = self._by_type[kind] = found
        return found

    def close(self) -> dict[str, Part]:
        """Finish all tables; return the file of each kind."""
        return {name: table.close() for name, table in sorted(self._open.items())}

    def discard(self) -> None:
        """Delete the unfinished files, after an error."""
        for table in self._open.values():
            table.discard()


class _Table:
    """An open file; ``values`` are those of the rows to come, row after row."""

    def __init__(self, kind: str, folder: Path, place: str) -> None:
        self.values: list[Any] = []
        self._width = len(TYPES[kind].__struct_fields__)
        self.full = CHUNK * self._width
        self._kind, self._place = kind, place
        self._path = folder / place
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._partly = self._path.with_name(f"{UNFINISHED}{os.getpid()}")
        self._writer = writer(self._partly, kind)
        self._count = 0
        self._chunks: list[pa.RecordBatch] = []
        self._schema = arrow_schema(kind)
        self._columns = _columns(kind)

    def flush(self) -> None:
        """Convert the rows to columns, and write them once they fill a row group."""
        values, width = self.values, self._width
        if values:
            self._count += len(values) // width
            arrays = [column.array(values[column.place :: width]) for column in self._columns]
            values.clear()
            self._chunks.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
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
        with suppress(OSError, pa.ArrowException):  # a full disk fails again
            self._writer.close()
        self._partly.unlink(missing_ok=True)


def writer(path: Path, kind: str) -> pq.ParquetWriter:
    """Open a file for rows of a kind.

    Ids have no dictionary, because few are equal. Only times and numbers have statistics, with which
    queries skip row groups.
    """
    named = [field.name for field in fields(kind) if field.name not in UNLIKE]
    ranged = [field.name for field in fields(kind) if field.kind in ("time", "long", "double")]
    return pq.ParquetWriter(
        path,
        arrow_schema(kind),
        compression="zstd",
        store_schema=False,
        use_dictionary=named,
        write_statistics=ranged,
    )


def part_of(path: Path, place: str, rows: int) -> Part:
    """Describe a finished file for the manifest."""
    digest = blake2b(digest_size=16)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return Part(place, rows, path.stat().st_size, digest.hexdigest())


class _Column:
    """A column of a table: the position of its values in a row, and how they become an array."""

    def __init__(self, place: int, kind: str, arrow: pa.DataType) -> None:
        self.place = place
        self._kind, self._arrow = kind, arrow
        self._value: Any = None
        self._constant: pa.Array | None = None

    def array(self, values: list[Any]) -> pa.Array:
        """Make an array; one of a constant is made once and used again."""
        first = values[0]
        exact = first is None or self._kind not in UNEQUAL
        if not exact or values[-1] is not first or values.count(first) != len(values):
            return self._made(values)
        constant = self._constant
        if constant is None or self._value is not first or len(constant) < len(values):
            constant = self._constant = self._made(values)
            self._value = first
        return constant.slice(0, len(values)) if len(constant) > len(values) else constant

    def _made(self, values: list[Any]) -> pa.Array:
        kind = self._kind
        if kind == "time":  # Arrow checks each integer for a zone otherwise
            return pa.array(values, INTEGER).view(self._arrow)
        if kind == "json":
            return pa.array([_json(value) for value in values], self._arrow)
        if kind == "double":
            # Integers are allowed; Arrow would refuse those beyond 53 bits.
            numbers = [None if value is None else float(value) for value in values]
            return pa.array(numbers, self._arrow)
        return pa.array(values, self._arrow)


def _columns(kind: str) -> list[_Column]:
    schema, own = arrow_schema(kind), TYPES[kind].__struct_fields__
    return [
        _Column(own.index(field.name), field.kind, schema.field(field.name).type)
        for field in fields(kind)
    ]


def _json(value: Any) -> str:
    return EMPTY if value.__class__ is dict and not value else canonical(value).decode()
