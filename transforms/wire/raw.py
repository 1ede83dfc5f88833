"""What a source emits: undecoded records, and unusable ones, each with its place.

An unusable record is a value, never an exception, and shows none of the record's contents.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec


class Limits(msgspec.Struct, frozen=True, gc=False):
    """Limits against files that are made to exhaust a machine.

    ``line`` bytes of a line, ``block`` bytes of a decompressed Avro block, ``group`` bytes
    of a Parquet row group, ``columns`` of a table; ``ratio`` of unpacked to packed bytes, from ``ratio_from`` bytes on.
    """

    line: int = 256 * 1024
    block: int = 64 * 1024 * 1024
    group: int = 1024 * 1024 * 1024
    columns: int = 2_000
    ratio: int = 200
    ratio_from: int = 64 * 1024 * 1024


DEFAULT = Limits()


class Range(msgspec.Struct, frozen=True, gc=False):
    """Whole lines of a text file: those after ``before`` lines, from a byte on, to the ``last``."""

    start: int = 0
    before: int = 0
    last: int = sys.maxsize


WHOLE = Range()


class Raw(msgspec.Struct, frozen=True, gc=False):
    """An undecoded record: JSON text or a row of a table; ``line`` counts from 1."""

    file: str
    line: int
    body: bytes | dict[str, Any]


class Bad(msgspec.Struct, frozen=True, gc=False):
    """A record, or the rest of a file, that is unusable; ``reason`` is in ``reason_codes.RECORDS``."""

    file: str
    line: int
    reason: str
    detail: str
