"""Rows of a stream as Parquet: a file a window, a manifest over the files of a table, last.

The rows of a window are sorted by the sink, and the file is named by window and contents, so
a window that is written again leaves the same file. A file that no manifest names is no part
of the table: what a crash left behind is not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import msgspec
from apache_beam.metrics import Metrics

from transforms.flows import outputs
from transforms.records import to_row
from transforms.sinks import parquet
from transforms.sinks.folders import Table, add_parts, folder_of, shard_of
from transforms.sinks.parts import Part

_part = msgspec.msgpack.Decoder(Part).decode


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
