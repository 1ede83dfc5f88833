"""Avro's codecs, none of which may unpack to more than it is allowed."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable

import pyarrow as pa


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
