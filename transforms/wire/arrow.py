"""Arrow schemas of records, derived from their Avro schemas; the only module of wire that needs Arrow."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pyarrow as pa

from transforms.wire.rows import fields

TYPES: dict[str, Callable[[], pa.DataType]] = {
    "string": pa.string,
    "json": pa.string,
    "long": pa.int64,
    "double": pa.float64,
    "boolean": pa.bool_,
    "bytes": pa.binary,
    "time": lambda: pa.timestamp("ms", tz="UTC"),
    "strings": lambda: pa.list_(pa.field("element", pa.string(), nullable=False)),
}


@cache
def arrow_schema(name: str) -> pa.Schema:
    """Derive the Arrow schema of a record's table."""
    return pa.schema(
        [pa.field(field.name, TYPES[field.kind](), field.optional) for field in fields(name)]
    )
