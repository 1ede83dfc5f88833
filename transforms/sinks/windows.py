"""Rows of a stream as Parquet: a file a window, a manifest over the files of a table, last.

The rows of a window are sorted by the sink, and the file is named by window and contents, so
a window that is written again leaves the same file. A file that no manifest names is no part
of the table: what a crash left behind is not read.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import quote

import apache_beam as beam
import msgspec
from apache_beam.metrics import Metrics

from transforms.flows import outputs
from transforms.records import to_row
from transforms.sinks import parquet
from transforms.sinks.parts import MANIFEST, Part, Written, finish

Table = tuple[str, str]
"""A space and a kind of row."""

LOCK = ".lock"
_part = msgspec.msgpack.Decoder(Part).decode
_manifest = msgspec.json.Decoder(dict[str, Any]).decode


def folder_of(out: str, space: str) -> Path:
    """Name the folder that holds a space's tables."""
    return Path(out) / quote(space, safe="")


def shard_of(start: int, rows: Iterable[bytes]) -> str:
    """Name a file by the start of its window, in ms, and its rows in any order."""
    digest = blake2b(digest_size=8)
    for row in sorted(rows):
        digest.update(blake2b(row, digest_size=16).digest())
    return f"{start}-{digest.hexdigest()}"


@beam.typehints.with_input_types(tuple[Table, Iterable[bytes]])
@beam.typehints.with_output_types(tuple[Table, bytes])
class WriteRows(beam.DoFn):
    """Write the outputs of one kind and window; yield the parts, for the manifest."""

    def __init__(self, out: str) -> None:
        self._out = out
        self._bad = Metrics.counter("rows", "bad")

    def process(
        self, element: tuple[Table, Iterable[bytes]], window: Any = beam.DoFn.WindowParam
    ) -> Iterator[tuple[Table, bytes]]:
        (space, kind), encoded = element
        found = list(encoded)
        shard = shard_of(window.start.micros // 1000, found)
        rows = (to_row(outputs.decode(row)) for row in found)
        written = parquet.write(kind, rows, folder_of(self._out, space), shard=shard)
        self._bad.inc(written.bad_rows)
        for part in written.parts:
            yield (space, kind), msgspec.msgpack.encode(part)


@beam.typehints.with_input_types(tuple[Table, Iterable[bytes]])
class WriteManifest(beam.DoFn):
    """Add parts to the manifest of their table; a part that is written anew replaces the old."""

    def __init__(self, out: str) -> None:
        self._out = out

    def process(self, element: tuple[Table, Iterable[bytes]]) -> None:
        (space, kind), parts = element
        add_parts(kind, folder_of(self._out, space), [_part(part) for part in parts])


def add_parts(kind: str, folder: Path, parts: Iterable[Part]) -> None:
    """Add parts to a table's manifest."""
    with _alone(folder / kind):
        path = folder / kind / MANIFEST
        before = _manifest(path.read_bytes())["parts"] if path.exists() else []
        held = tuple(Part(**part) for part in before)
        finish(kind, folder, [Written(held), Written(tuple(parts))])


@contextmanager
def _alone(table: Path) -> Iterator[None]:
    """Keep others on this machine out while a manifest is read and written."""
    table.mkdir(parents=True, exist_ok=True)
    with (table / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
