"""What a source gives: records not yet decoded, and records that cannot be, each with its place.

A bad record is a value, never an exception, and says nothing of the record's contents.
"""

from __future__ import annotations

from typing import Any

import msgspec


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
    """A record, or the rest of a file, that could not be used; ``reason`` is in ``reasons.RECORDS``."""

    file: str
    line: int
    reason: str
    detail: str
