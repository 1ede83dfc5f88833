"""Avro files of any origin are read within limits, whatever they declare."""

from __future__ import annotations

import bz2
import io
import json
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pytest

from transforms.sources.files import avro
from transforms.wire.raw import Bad, Limits, Raw

SYNC = b"0123456789abcdef"
ID = {"name": "id", "type": "string"}
SIMPLE = {"type": "record", "name": "r", "fields": [ID]}


def snappy(data: bytes) -> bytes:
    packed = pa.compress(data, codec="snappy", asbytes=True)
    return bytes(packed) + zlib.crc32(data).to_bytes(4, "big")


def deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, wbits=-15)
    return packer.compress(data) + packer.flush()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "null": bytes,
    "deflate": deflate,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstandard": lambda data: bytes(pa.compress(data, codec="zstd", asbytes=True)),
    "snappy": snappy,
}


def long(value: int) -> bytes:
    file = io.BytesIO()
    fastavro.schemaless_writer(file, {"type": "long"}, value)
    return file.getvalue()


def container(schema: Any, block: bytes, count: int, codec: str = "null") -> bytes:
    """Build a file of one block by hand, with any declared counts and sizes."""
    head = io.BytesIO()
    meta = {"avro.schema": json.dumps(schema).encode(), "avro.codec": codec.encode()}
    fastavro.schemaless_writer(head, avro.HEADER, meta)
    packed = PACK.get(codec, bytes)(block)
    return b"Obj\x01" + head.getvalue() + SYNC + long(count) + long(len(packed)) + packed + SYNC


def read(tmp_path: Path, data: bytes, **limits: int) -> list[Raw | Bad]:
    path = tmp_path / "x.avro"
    path.write_bytes(data)
    return list(avro.read(path, Limits(**limits)))


def refusal(tmp_path: Path, data: bytes, **limits: int) -> str:
    (found,) = read(tmp_path, data, **limits)
    assert isinstance(found, Bad)
    return found.detail


@pytest.mark.parametrize("codec", PACK)
def test_every_codec_is_read(codec: str, tmp_path: Path) -> None:
    """Files in each of the usual codecs give their records, numbered from 1."""
    found = read(tmp_path, container(SIMPLE, b"\x02a\x02b", 2, codec))

    path = str(tmp_path / "x.avro")
    assert found == [Raw(path, 1, {"id": "a"}), Raw(path, 2, {"id": "b"})]


@pytest.mark.parametrize("codec", PACK)
def test_a_block_over_the_limit_is_refused(codec: str, tmp_path: Path) -> None:
    """A decompression bomb in any codec is refused before it takes the memory."""
    bomb = container(SIMPLE, bytes(5_000_000), 1, codec)

    limit = 1_000_000
    says = "size is out of bounds" if codec == "null" else "unpacks to more than 1000000 bytes"
    assert says in refusal(tmp_path, bomb, block=limit)


NULLS = {"type": "array", "items": "null"}
NOTHING = {"type": "record", "name": "none", "fields": [{"name": "n", "type": "null"}]}
LISTED = {"type": "record", "name": "l", "fields": [{"name": "l", "type": ["null", "l"]}]}


def record(*kinds: Any) -> dict[str, Any]:
    fields = [{"name": f"f{n}", "type": kind} for n, kind in enumerate(kinds)]
    return {"type": "record", "name": "r", "fields": fields}


def nested(levels: int) -> Any:
    kind: Any = "string"
    for _ in range(levels):
        kind = {"type": "array", "items": kind}
    return kind


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (LISTED, "refers to itself"),
        (record("string", {"type": "map", "values": "r"}), "refers to itself"),
        (record("string", "elsewhere"), "a type that is not there"),
        (record("string", NULLS), "items that take no bytes"),
        (record("string", {"type": "array", "items": NOTHING}), "items that take no bytes"),
        (
            record("string", {"type": "array", "items": {"type": "fixed", "name": "f", "size": 0}}),
            "items that take no bytes",
        ),
        (NOTHING, "records that take no bytes"),
        (record(nested(20)), "nested too deeply"),
        ("string", "not a record"),
        ({"type": "record"}, "damaged"),
        (7, "not a record"),
    ],
)
def test_an_endless_schema_is_refused(schema: Any, says: str, tmp_path: Path) -> None:
    """No schema makes the decoder recurse, or repeat empty values billions of times."""
    assert says in refusal(tmp_path, container(schema, b"\x02a\xfe\xff\xff\xff\x0f\x00", 1))


def test_named_types_may_be_reused(tmp_path: Path) -> None:
    """Using a named type twice is not recursion."""
    colour = {"type": "enum", "name": "colour", "symbols": ["red"]}
    (found,) = read(tmp_path, container(record(colour, "colour"), b"\x00\x00", 1))

    assert isinstance(found, Raw)
    assert found.body == {"f0": "red", "f1": "red"}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (container(SIMPLE, b"\x02a", 2**40), "more records than it has bytes"),
        (container(SIMPLE, b"\x02a", -1), "more records than it has bytes"),
        (container(SIMPLE, b"\x02a", 1)[:-1], "ends within a block"),
        (container(SIMPLE, b"\x02a", 1)[:-3] + b"xyz", "damaged there"),
        (container(SIMPLE, b"\x02a", 1, "lz5"), "unsupported codec; supported: null, deflate"),
        (container(SIMPLE, b"", 0) + b"\xff", "ends within a number"),
        (container(SIMPLE, b"", 0) + b"\xff" * 20, "ends within a number"),
        (b"PAR1", "not an Avro container file"),
    ],
)
def test_a_file_with_false_sizes_is_refused(data: bytes, says: str, tmp_path: Path) -> None:
    """Counts and sizes are checked before they are used."""
    assert says in refusal(tmp_path, data)


def test_records_before_the_damage_are_read(tmp_path: Path) -> None:
    """A damaged record ends the file, with its number; the records before it count."""
    found = read(tmp_path, container(SIMPLE, b"\x02a\x02b\x7f", 3))

    assert [(one.line, type(one)) for one in found] == [(1, Raw), (2, Raw), (3, Bad)]
