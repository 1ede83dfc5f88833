"""Avro container files from anywhere, read within bounds.

fastavro decodes the records; the container is read here, because a foreign file may unpack to
any size, claim any number of records, or bring a schema that never ends (which would crash the
process). A block's unpacked size is bounded, each record takes a byte at least, no recursion.
"""

from __future__ import annotations

import bz2
import json
import lzma
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

import fastavro
import pyarrow as pa

from transforms.wire.raw import Bad, Limits, Raw

MAGIC = b"Obj\x01"
SYNC = 16
MAX_META = 1024 * 1024
MAX_NESTING = 16
PRIMITIVES = {"boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8, "bytes": 1, "string": 1}
HEADER = fastavro.parse_schema({"type": "map", "values": "bytes"})


class DamagedError(Exception):
    """The file cannot be read on; the message says why, without its contents."""


class TooLargeError(Exception):
    """Unpacked, the bytes would be over the bound."""


def _bounded(unpacked: bytes, limit: int) -> bytes:
    if len(unpacked) > limit:
        raise TooLargeError(f"a block unpacks to more than {limit} bytes")
    return unpacked


def _null(packed: bytes, limit: int) -> bytes:
    return _bounded(packed, limit)


def _deflate(packed: bytes, limit: int) -> bytes:
    return _bounded(zlib.decompressobj(-15).decompress(packed, limit + 1), limit)


def _bzip2(packed: bytes, limit: int) -> bytes:
    return _bounded(bz2.BZ2Decompressor().decompress(packed, limit + 1), limit)


def _xz(packed: bytes, limit: int) -> bytes:
    return _bounded(lzma.LZMADecompressor().decompress(packed, limit + 1), limit)


def _zstandard(packed: bytes, limit: int) -> bytes:
    with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
        return _bounded(stream.read(limit + 1), limit)


def _snappy(packed: bytes, limit: int) -> bytes:
    size = 0
    for place, byte in enumerate(packed[:5]):
        size |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            break
    if size > limit:
        raise TooLargeError(f"a block unpacks to more than {limit} bytes")
    checksum = 4
    unpacked = pa.decompress(packed[:-checksum], size, codec="snappy", asbytes=True)
    if zlib.crc32(unpacked).to_bytes(checksum, "big") != packed[-checksum:]:
        raise ValueError("wrong checksum")
    return bytes(unpacked)


UNPACK: dict[str, Callable[[bytes, int], bytes]] = {
    "null": _null,
    "deflate": _deflate,
    "bzip2": _bzip2,
    "xz": _xz,
    "zstandard": _zstandard,
    "snappy": _snappy,
}
"""Each codec, bounded in what it unpacks to."""


class _Container:
    """A file whose header was read: the schema of its records, codec and sync marker."""

    def __init__(self, file: BinaryIO) -> None:
        if file.read(4) != MAGIC:
            raise DamagedError("it is no Avro container file")
        start = BytesIO(file.read(MAX_META))
        meta = cast(dict[str, bytes], fastavro.schemaless_reader(start, HEADER, None))
        schema = json.loads(meta["avro.schema"])
        check(schema)
        self.schema = fastavro.parse_schema(schema)
        self.columns = tuple(str(field["name"]) for field in schema["fields"])
        self.codec = meta.get("avro.codec", b"null").decode()
        if self.codec not in UNPACK:
            raise DamagedError(f"its codec is none of {', '.join(UNPACK)}")
        self.sync = start.read(SYNC)
        file.seek(4 + start.tell())
        self.file = file

    def blocks(self, limits: Limits) -> Iterator[tuple[int, BytesIO]]:
        """Give each block's number of records and unpacked bytes."""
        while (count := _long(self.file)) is not None:
            size = _long(self.file)
            if size is None or not 0 <= size <= limits.block:
                raise DamagedError("a block's size is out of bounds")
            packed = self.file.read(size)
            if len(packed) < size or self.file.read(SYNC) != self.sync:
                raise DamagedError("it ends within a block, or is damaged there")
            block = UNPACK[self.codec](packed, limits.block)
            if not 0 <= count <= len(block):
                raise DamagedError("a block claims more records than it has bytes")
            yield count, BytesIO(block)


def columns(path: Path, limits: Limits) -> tuple[str, ...] | Bad:
    """Read the names of the top-level fields."""
    try:
        with path.open("rb") as file:
            return _Container(file).columns
    except Exception as error:  # _describe says why all
        return Bad(str(path), 1, "unreadable", _describe(error))


def read(path: Path, limits: Limits) -> Iterator[Raw | Bad]:
    """Read each record; ``line`` counts records from 1."""
    number = 0
    try:
        with path.open("rb") as file:
            container = _Container(file)
            for count, block in container.blocks(limits):
                for _ in range(count):
                    row = fastavro.schemaless_reader(block, container.schema, None)
                    number += 1
                    yield Raw(str(path), number, cast(dict[str, Any], row))
    except Exception as error:  # _describe says why all
        yield Bad(str(path), number + 1, "unreadable", _describe(error))


def _describe(error: Exception) -> str:
    """Say what is wrong: damaged bytes raise whatever they happen to hit in the decoder."""
    match error:
        case DamagedError() | TooLargeError():
            return str(error)
        case OSError():
            return error.strerror or "it cannot be read"
        case _:
            return "it is damaged"


def _long(file: BinaryIO) -> int | None:
    """Read a zigzag number; None at the end of the file."""
    value = shift = 0
    while byte := file.read(1):
        value |= (byte[0] & 0x7F) << shift
        shift += 7
        if byte[0] < 0x80:
            return (value >> 1) ^ -(value & 1)
        if shift > 63:
            break
    if shift:
        raise DamagedError("it ends within a number, or is damaged there")
    return None


def check(schema: Any) -> None:
    """Refuse a schema that is no record, that refers to itself, or whose items take no bytes."""
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise DamagedError("its records are no Avro records")
    if not _width(schema, {}, 0):
        raise DamagedError("its schema has records that take no bytes")


def _width(kind: Any, named: dict[str, int | None], depth: int) -> int:
    """Count the bytes that a value takes at least; ``named`` types still open are None."""
    if depth > MAX_NESTING:
        raise DamagedError("its schema is nested too deeply")
    if isinstance(kind, list):
        for branch in kind:
            _width(branch, named, depth + 1)
        return 1
    if isinstance(kind, str):
        return _named_width(kind, named)
    match kind["type"]:
        case "record" | "error":
            named[kind["name"]] = None
            named[kind["name"]] = sum(_width(f["type"], named, depth + 1) for f in kind["fields"])
            return named[kind["name"]] or 0
        case "fixed" | "enum":
            named[kind["name"]] = int(kind.get("size", 1))
            return named[kind["name"]] or 0
        case "array" | "map" as name:
            item = _width(kind["items" if name == "array" else "values"], named, depth + 1)
            if name == "array" and not item:
                raise DamagedError("its schema has items that take no bytes")
            return 1
        case inner:
            return _width(inner, named, depth + 1)


def _named_width(kind: str, named: dict[str, int | None]) -> int:
    if kind == "null":
        return 0
    if kind in PRIMITIVES:
        return PRIMITIVES[kind]
    width = named.get(kind, named.get(kind.rpartition(".")[2]))
    if width is None:
        raise DamagedError("its schema refers to itself, or to a type that is not there")
    return width
