"""Parquet tables of a stream: files of a target size, then their entries in the table's manifest.

Rows of a table are spread over shards, which need no common worker; a shard writes a file once it
has enough rows, or once the first of them has waited long enough. There are no windows, so no row is
too late for its table. A file is named by its contents. It enters the manifest after the runner has
committed it, as a separate addition: readers ignore files of a crash, and workers need no lock. The
address is a folder or a store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import msgspec
from apache_beam.pvalue import TaggedOutput
from apache_beam.utils.sharded_key import ShardedKey

from transforms.beam.count_metrics import beam_counts
from transforms.beam.elements import BAD, Decided
from transforms.beam.stable_input import at_once
from transforms.beam.write_outputs import count_rejected, counted, of_rejected
from transforms.flows.protocol import outputs
from transforms.hosting import job_metrics
from transforms.sinks import parquet
from transforms.sinks.folders import TO_TABLES, Table, folder_of
from transforms.sinks.part_files import Part, add_parts
from transforms.wire.output_kinds import kind_of
from transforms.wire.rows import to_row

_part = msgspec.msgpack.Decoder(Part).decode


class WriteTables(beam.PTransform):
    """Write rows to Parquet files, then add the files to the manifests of their tables.

    A file has at most ``rows`` rows, and no row waits longer than ``wait`` seconds for its file;
    None: until there are enough. The output is dead letters for rows that do not fit their schema.
    """

    def __init__(self, out: str, rows: int, wait: int | None) -> None:
        super().__init__()
        self._out, self._rows, self._wait = out, rows, wait

    def expand(self, decided: Any) -> Any:
        rows = beam.FlatMap(rows_of_tables).with_output_types(tuple[Table, bytes])
        write = beam.ParDo(WriteRows(self._out))
        written = (
            decided
            | "By table" >> rows
            | "Rows of a file" >> beam.GroupIntoBatches.WithShardedKey(self._rows, self._wait)
            | "Write rows" >> write.with_outputs(BAD, main="parts")
        )
        # Without the grouping, a bundle that fails after it wrote could leave a listed file.
        _ = (
            written.parts
            | "At once" >> at_once()
            | "Committed files" >> beam.GroupByKey()
            | "List files" >> beam.ParDo(WriteManifest(self._out))
        )
        return written[BAD]


def rows_of_tables(decided: Decided) -> Iterator[tuple[Table, bytes]]:
    """Select the rows that have a table, keyed by space and kind."""
    (space, _), encoded = decided
    for row in encoded:
        kind = kind_of(row)
        if kind in TO_TABLES:
            yield (space, kind), row


@beam.typehints.with_output_types(tuple[Table, bytes])
class WriteRows(beam.DoFn):
    """Write rows of one kind; yield the parts for the manifest."""

    def __init__(self, out: str) -> None:
        self._out = out
        self._counts = beam_counts()

    def finish_bundle(self) -> None:
        self._counts.flush()

    def process(
        self, element: tuple[ShardedKey, Iterable[bytes]]
    ) -> Iterator[tuple[Table, bytes] | TaggedOutput]:
        sharded, encoded = element
        space, kind = sharded.key
        found = [outputs.decode(row) for row in encoded]
        written = parquet.write(kind, map(to_row, found), folder_of(self._out, space))
        if written.bad_rows:
            count_rejected("tables", space, written.bad_rows, self._counts)
            letters = of_rejected("tables", [(space, one) for one in found], written.bad)
            for letter in counted(letters, self._counts):
                yield TaggedOutput(BAD, letter)
        self._counts.add(job_metrics.ROWS_WRITTEN, len(found) - written.bad_rows, kind)
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
