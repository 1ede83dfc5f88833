"""Rows of a stream as Parquet: a file a window, a manifest over the files of a table, last.

The rows of a window are sorted by the sink, and the file is named by window and contents, so
a window that is written again leaves the same file. A file is listed once the runner holds it
as written, in an entry of the manifest of its own: what a crash left behind is not read, and
workers do not wait for each other. It goes to a folder or to a store, by its address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import msgspec
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput

from transforms.beam.bundles import left_out
from transforms.beam.elements import BAD
from transforms.flows.protocol import outputs
from transforms.sinks import parquet
from transforms.sinks.folders import Table, folder_of, shard_of
from transforms.sinks.part_files import Part, add_parts
from transforms.wire.rows import to_row

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
    ) -> Iterator[tuple[Table, bytes] | TaggedOutput]:
        (space, kind), encoded = element
        found = list(encoded)
        shard = shard_of(window.start.micros // 1000, found)
        decoded = [outputs.decode(row) for row in found]
        folder = folder_of(self._out, space)
        written = parquet.write(kind, map(to_row, decoded), folder, shard=shard)
        if written.bad_rows:
            self._bad.inc(written.bad_rows)
            for letter in left_out("tables", [(space, one) for one in decoded], written.bad):
                yield TaggedOutput(BAD, letter)
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
