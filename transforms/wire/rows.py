"""Outputs and metrics as rows of their Avro schemas, and back: for Avro, Arrow and JSON.

A row is a plain dict with the schema's fields in order. A free-form map is stored as
canonical JSON text (sorted keys), so that equal outputs are equal rows, byte for byte (R4).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, cast, get_args

import msgspec

import schemas
from transforms.flows.protocol.outputs import AnyOutput
from transforms.metrics import Metric

Row = dict[str, Any]
Record = AnyOutput | Metric

canonical = msgspec.json.Encoder(order="sorted").encode


class Field(msgspec.Struct, frozen=True, gc=False):
    """One field of a schema; ``kind`` is an Avro type, or ``time``, ``json``, ``strings``."""

    name: str
    kind: str
    optional: bool


PYTHON: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "json": (str,),
    "long": (int,),
    "double": (float, int),
    "boolean": (bool,),
    "bytes": (bytes,),
    "time": (int,),
    "strings": (list,),
}
INTEGERS = {"long", "time"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
TYPES: dict[str, type[Record]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(Record)
}
KIND_OF = {kind: name for name, kind in TYPES.items()}
"""The name of the schema of each type."""


def name_of(output: Record) -> str:
    """Name the schema of an output or metric, for example ``transition``."""
    return KIND_OF[type(output)]


@cache
def fields(name: str) -> tuple[Field, ...]:
    """List the fields of a schema, in order."""
    return tuple(_field(field) for field in schemas.load(name)["fields"])


def _field(field: dict[str, Any]) -> Field:
    kind, optional = field["type"], False
    if isinstance(kind, list):
        kind, optional = kind[1], True
    if isinstance(kind, dict):
        kind = "strings" if kind["type"] == "array" else "time"
    return Field(field["name"], "json" if field.get("json") else kind, optional)


def to_row(output: Record) -> Row:
    """Convert an output or metric to a row of its schema."""
    row: Row = {}
    for name, kind in _columns(name_of(output)):
        value = getattr(output, name)
        if kind == "json":
            value = canonical(value).decode()
        elif kind == "strings":
            value = list(value)
        row[name] = value
    return row


def from_row(name: str, row: Row) -> Record:
    """Convert a row from JSON, Avro or Parquet back to the output or metric.

    Raises msgspec.ValidationError.
    """
    values = {field: _plain(kind, row[field]) for field, kind in _columns(name) if field in row}
    return msgspec.convert(values | {"is": name}, TYPES[name])


def _plain(kind: str, value: Any) -> Any:
    if kind == "json" and isinstance(value, str):
        return msgspec.json.decode(value)
    if isinstance(value, datetime):
        return (value - EPOCH) // MILLISECOND
    return value


@cache
def _columns(name: str) -> tuple[tuple[str, str], ...]:
    return tuple((field.name, field.kind) for field in fields(name))


def problem(name: str, row: Row) -> str | None:
    """Describe why a row does not fit its schema, without its values; None if it fits."""
    for field in fields(name):
        value = row.get(field.name)
        if value is None:
            if not field.optional:
                return f"{field.name} is missing"
        elif not _fits(field.kind, value):
            return f"{field.name} is not of type {field.kind}"
    if len(row) > len(fields(name)):
        unknown = sorted(set(row) - {field.name for field in fields(name)})
        return f"unknown field {unknown[0]}"
    return None


def _fits(kind: str, value: object) -> bool:
    if not isinstance(value, PYTHON[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return False
    if kind in INTEGERS:
        return -(2**63) <= cast(int, value) < 2**63
    return kind != "strings" or all(isinstance(item, str) for item in cast("list[Any]", value))
