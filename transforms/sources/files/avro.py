"""Avro container files from untrusted sources.

fastavro decodes the records. The container is read here, because a hostile file may decompress to
any size, claim any number of records, or have a recursive schema that crashes the process. The
size of a block is bounded, each record takes at least one byte, recursion is refused.
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
    """The rest of the file is unreadable; the message says why, without contents."""


class TooLargeError(Exception):
    """The decompressed bytes exceed the limit."""


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
"""The codecs; none decompresses to more than its limit."""


class _Container:
    """An open file: its schema, codec and sync marker."""

    def __init__(self, file: BinaryIO) -> None:
        if file.read(4) != MAGIC:
            raise DamagedError("it is not an Avro container file")
        start = BytesIO(file.read(MAX_META))
        meta = cast(dict[str, bytes], fastavro.schemaless_reader(start, HEADER, None))
        schema = json.loads(meta["avro.schema"])
        check(schema)
        self.schema = fastavro.parse_schema(schema)
        self.columns = tuple(str(field["name"]) for field in schema["fields"])
        self.codec = meta.get("avro.codec", b"null").decode()
        if self.codec not in UNPACK:
            raise DamagedError(f"unsupported codec; supported: {', '.join(UNPACK)}")
        self.sync = start.read(SYNC)
        file.seek(4 + start.tell())
        self.file = file

    def blocks(self, limits: Limits) -> Iterator[tuple[int, BytesIO]]:
        """Yield the number of records and the decompressed bytes of each block."""
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
    except Exception as error:  # see _describe
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
    except Exception as error:  # see _describe
        yield Bad(str(path), number + 1, "unreadable", _describe(error))


def _describe(error: Exception) -> str:
    """Describe an error; damaged bytes may raise any exception in the decoder."""
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
    """Refuse a schema that is not a record, is recursive, or has items of zero bytes."""
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise DamagedError("its schema is not a record")
    if not _width(schema, {}, 0):
        raise DamagedError("its schema has records that take no bytes")


def _width(kind: Any, named: dict[str, int | None], depth: int) -> int:
    """Return the minimum size of a value; a named type that is still open is None."""
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
