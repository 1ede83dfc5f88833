"""What a source gives: records not yet decoded, and records that cannot be, each with its place.

A bad record is a value, never an exception, and says nothing of the record's contents.
"""

from __future__ import annotations

from typing import Any

import msgspec

from transforms.flows.ids import hashed
from transforms.flows.outputs import DeadLetter

REASONS = {
    "unreadable": "the file cannot be opened or is damaged from here on",
    "unknown_format": "the file's ending names no format that can be read",
    "missing_column": "the file lacks a column that the mapping names",
    "wrong_columns": "the row has more or fewer values than there are columns",
    "not_utf8": "the line is not UTF-8 text",
    "not_csv": "the row is not CSV: an open quote, or a field that is too long",
    "not_json": "the record is not JSON",
    "unknown_schema": "the message names a schema or an encoding that is not known",
    "missing": "a required field is missing",
    "invalid": "a field is not of its type, or too long",
    "out_of_range": "a time outside of the years 1970 to 2200, or a number beyond 64 bits",
    "too_large": "the record, or its properties, are over the bound",
    "too_deep": "values are nested deeper than the bound",
}


class Limits(msgspec.Struct, frozen=True, gc=False):
    """Bounds against files made to exhaust a machine.

    ``line`` bytes of a line, ``block`` bytes of a decompressed Avro block, ``group`` bytes
    of a Parquet row group; ``ratio`` of unpacked to packed bytes, from ``ratio_from`` on.
    """

    line: int = 256 * 1024
    block: int = 64 * 1024 * 1024
    group: int = 1024 * 1024 * 1024
    ratio: int = 200
    ratio_from: int = 64 * 1024 * 1024


DEFAULT = Limits()


class Raw(msgspec.Struct, frozen=True, gc=False):
    """A record as read: JSON text, or a row of a table; ``line`` counts lines or rows from 1."""

    file: str
    line: int
    body: bytes | dict[str, Any]


class Bad(msgspec.Struct, frozen=True, gc=False):
    """A record, or the rest of a file, that could not be used; ``reason`` is in ``REASONS``."""

    file: str
    line: int
    reason: str
    detail: str


def dead_letter(bad: Bad, at: int) -> DeadLetter:
    """Turn a bad record into a dead letter of the instant ``at``; its user is not known."""
    cause = f"{bad.file}:{bad.line}"
    ident = hashed("dead_letter", bad.file, str(bad.line), bad.reason)
    return DeadLetter(id=ident, user="", at=at, reason=bad.reason, cause=cause, detail=bad.detail)
