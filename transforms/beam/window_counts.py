"""Windowed metrics of steps and flows: a separate branch, by the event time of the rows (R25).

The numbers of a window are absolute. They are emitted while it fills, when the watermark passes its
end, and again for late rows; each time as a new file, whose name has the number of rows counted.
More rows are newer, so a bundle that is retried late never replaces newer numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam import coders
from apache_beam.transforms import trigger
from apache_beam.transforms.window import FixedWindows, TimestampedValue
from apache_beam.utils.timestamp import Duration, Timestamp

from transforms import metrics
from transforms.beam.elements import Decided
from transforms.flows.protocol import outputs
from transforms.hosting.receive import Key
from transforms.metrics import Counts, Metric, Window
from transforms.sinks import parquet
from transforms.sinks.folders import folder_of
from transforms.sinks.part_files import add_version, version_name
from transforms.wire.output_kinds import kind_of
from transforms.wire.rows import name_of, to_row

COUNTED = ("transition", "communication", "message", "call", "conversion", "rejection")
"""The kinds of rows that metrics count."""

LATENESS = 7 * 86_400
PACE = 60
"""Seconds between two updates of a window, before and after its end."""
FILES: dict[Window, tuple[Window, ...]] = {"hour": ("minute", "hour"), "day": ("day",)}
"""The metrics that a window's file holds: one file per minute would be too many."""
FIRST = 0
ROWS = metrics.Key(0, "", None, None, "rows", "")
"""The entry of counts that is the number of rows; it is no metric."""


def counted_rows(decided: Decided) -> Iterator[tuple[Key, bytes]]:
    """Select the rows that metrics count."""
    key, encoded = decided
    for row in encoded:
        if kind_of(row) in COUNTED:
            yield key, row


def at_event_time(element: tuple[Key, bytes]) -> TimestampedValue:
    """Stamp a row with its event time, keyed by its space."""
    (space, _), encoded = element
    at = max(FIRST, outputs.decode(encoded).at)
    return TimestampedValue((space, encoded), Timestamp(micros=at * 1000))


class CountsCoder(coders.Coder):
    """Stores counts in the versioned form of ``transforms.metrics``, readable after an update."""

    def encode(self, value: Counts) -> bytes:
        return metrics.encode(value)

    def decode(self, encoded: bytes) -> Counts:
        return metrics.decode(encoded)

    def is_deterministic(self) -> bool:
        return True


@beam.typehints.with_input_types(bytes)
@beam.typehints.with_output_types(bytes)
class Count(beam.CombineFn):
    """Counts rows exactly, in any order and partition.

    Runners count where the rows are, and merge the partial counts: these grow with flows and steps,
    not with rows or users.
    """

    def create_accumulator(self) -> Counts:
        return {}

    def add_input(self, counts: Counts, row: bytes) -> Counts:
        counts[ROWS] = counts.get(ROWS, 0) + 1
        return metrics.add(counts, outputs.decode(row))

    def merge_accumulators(self, parts: Iterable[Counts]) -> Counts:
        return metrics.merge(parts)

    def extract_output(self, counts: Counts) -> bytes:
        return metrics.encode(counts)

    def get_accumulator_coder(self) -> coders.Coder:
        return CountsCoder()


class WriteMetrics(beam.DoFn):
    """Write the metrics of one window, replacing those that counted fewer rows."""

    def __init__(self, out: str, window: Window) -> None:
        self._out = out
        self._window = window

    def process(self, element: tuple[str, bytes], window: Any = beam.DoFn.WindowParam) -> None:
        space, encoded = element
        counts = metrics.decode(encoded)
        counted = counts.pop(ROWS, 0)  # none in the counts of an earlier release
        shard = version_name(f"{self._window}-{window.start.micros // 1000}", counted)
        folder = folder_of(self._out, space)
        found: dict[str, list[Metric]] = {}
        for row in metrics.rows(counts):
            if row.window in FILES[self._window]:
                found.setdefault(name_of(row), []).append(row)
        for kind, rows in found.items():
            written = parquet.write(kind, map(to_row, rows), folder, shard=shard)
            for part in written.parts:
                add_version(kind, folder, part)


class CountWindows(beam.PTransform):
    """Count rows in windows of a minute, an hour and a day, and write the metrics as tables.

    ``lateness`` is the allowed lateness in seconds; later rows are not counted, except by a recount
    from the raw rows.
    """

    def __init__(self, out: str, lateness: int = LATENESS, pace: int | None = PACE) -> None:
        super().__init__()
        self._out = out
        self._lateness = lateness
        self._pace = pace

    def expand(self, rows: Any) -> None:
        placed = rows | "At the time of the row" >> beam.Map(at_event_time).with_output_types(
            tuple[str, bytes]
        )
        for window in FILES:
            _ = (
                placed
                | f"Windows by {window}" >> self._into(metrics.WINDOWS[window] // 1000)
                | f"Count by {window}" >> beam.CombinePerKey(Count())
                | f"Write numbers by {window}" >> beam.ParDo(WriteMetrics(self._out, window))
            )

    def _into(self, size: int) -> beam.PTransform:
        return beam.WindowInto(
            FixedWindows(size),
            trigger=paced(self._pace),
            accumulation_mode=trigger.AccumulationMode.ACCUMULATING,
            allowed_lateness=Duration(self._lateness),
        )


def paced(pace: int | None) -> Any:
    """Make a trigger: every ``pace`` seconds while rows arrive, and at the end of a window.

    Without a pace late rows fire at once, and nothing fires early.
    """
    if pace is None:
        return trigger.AfterWatermark(late=trigger.AfterCount(1))
    again = trigger.AfterProcessingTime(pace)
    return trigger.AfterWatermark(early=again, late=again)
