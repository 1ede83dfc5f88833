"""Parquet tables of a stream: one file per window, then its entry in the table's manifest.

Rows are sorted and the file is named by its window and contents, so writing a window again gives the
same file. A file enters the manifest after the runner has committed it, as a separate addition:
readers ignore files of a crash, and workers need no lock. The address is a folder or a store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import msgspec
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms import trigger
from apache_beam.transforms.window import FixedWindows, GlobalWindows
from apache_beam.utils.timestamp import Duration

import schemas
from transforms.beam.elements import BAD, Decided
from transforms.beam.window_counts import paced
from transforms.beam.write_outputs import of_rejected
from transforms.flows.protocol import outputs
from transforms.sinks import parquet
from transforms.sinks.folders import Table, folder_of, shard_of
from transforms.sinks.part_files import Part, add_parts
from transforms.wire.messages import kind_of
from transforms.wire.rows import to_row

WHOLE = ("flow_state", "handover", "forwarded", "state_export")
"""Kinds without a table: a flow state changes in place, the others hold whole states."""
TO_TABLES = tuple(kind for kind in schemas.OUTPUTS if kind not in WHOLE)

LONGEST_LATENESS = 100 * 366 * 86_400
"""Seconds. A receipt is data and may be years old; no row of the raw tables is left out."""

_part = msgspec.msgpack.Decoder(Part).decode


class WriteTables(beam.PTransform):
    """Write rows to Parquet files by window, then add the files to the manifests of their tables.

    The output is dead letters for rows that do not fit their schema.
    """

    def __init__(self, out: str, window: int, pace: int | None) -> None:
        super().__init__()
        self._out, self._window, self._pace = out, window, pace

    def expand(self, decided: Any) -> Any:
        rows = beam.FlatMap(rows_of_tables).with_output_types(tuple[Table, bytes])
        windows = beam.WindowInto(
            FixedWindows(self._window),
            trigger=paced(self._pace, early=False),
            accumulation_mode=trigger.AccumulationMode.DISCARDING,
            allowed_lateness=Duration(LONGEST_LATENESS),
        )
        write = beam.ParDo(WriteRows(self._out))
        written = (
            decided
            | "By table" >> rows
            | "Windows of a file" >> windows
            | "Rows of a file" >> beam.GroupByKey()
            | "Write rows" >> write.with_outputs(BAD, main="parts")
        )
        _ = (
            written.parts
            | "Files of a table" >> beam.GroupByKey()
            | "List files" >> beam.ParDo(WriteManifest(self._out))
        )
        return written[BAD] | "In no window" >> beam.WindowInto(GlobalWindows())


def rows_of_tables(decided: Decided) -> Iterator[tuple[Table, bytes]]:
    """Select the rows that have a table, keyed by space and kind."""
    (space, _), encoded = decided
    for row in encoded:
        kind = kind_of(row)
        if kind in TO_TABLES:
            yield (space, kind), row


@beam.typehints.with_input_types(tuple[Table, Iterable[bytes]])
@beam.typehints.with_output_types(tuple[Table, bytes])
class WriteRows(beam.DoFn):
    """Write the rows of one kind and window; yield the parts for the manifest."""

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
            for letter in of_rejected("tables", [(space, one) for one in decoded], written.bad):
                yield TaggedOutput(BAD, letter)
        for part in written.parts:
            yield (space, kind), msgspec.msgpack.encode(part)


@beam.typehints.with_input_types(tuple[Table, Iterable[bytes]])
class WriteManifest(beam.DoFn):
    """Add parts to the manifest of their table; a part with an existing name replaces the old one."""

    def __init__(self, out: str) -> None:
        self._out = out

    def process(self, element: tuple[Table, Iterable[bytes]]) -> None:
        (space, kind), parts = element
        add_parts(kind, folder_of(self._out, space), [_part(part) for part in parts])
