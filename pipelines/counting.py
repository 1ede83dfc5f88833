"""Windowed numbers about steps and flows: a branch of its own, by the time of the rows (R25).

Each window's numbers are absolute. They come when the watermark has passed its end, and again,
whole, for rows that come later: the file of the window is replaced. Nothing here waits for an
alarm of a user: alarms are in the future, the windows are not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apache_beam as beam
from apache_beam.transforms import trigger
from apache_beam.transforms.window import FixedWindows, TimestampedValue
from apache_beam.utils.timestamp import Duration, Timestamp

from transforms import metrics
from transforms.flows import outputs
from transforms.metrics import Counts, Metric, Window
from transforms.records import name_of, to_row
from transforms.run_flows import Key
from transforms.sinks import parquet
from transforms.sinks.windows import add_parts, folder_of

COUNTED = ("transition", "communication", "message", "call", "conversion", "rejection")
"""The kinds of rows that numbers are counted from."""

LATENESS = 7 * 86_400
EARLY = 60
FIRST = 0


def at_own_time(element: tuple[Key, bytes]) -> TimestampedValue:
    """Put a row at its own time, under its space."""
    (space, _), encoded = element
    at = max(FIRST, outputs.decode(encoded).at)
    return TimestampedValue((space, encoded), Timestamp(micros=at * 1000))


class Count(beam.CombineFn):
    """Counts rows; exact, whatever the order and however the rows are divided."""

    def create_accumulator(self) -> Counts:
        return Counts({}, {})

    def add_input(self, counts: Counts, row: bytes) -> Counts:
        return metrics.add(counts, outputs.decode(row))

    def merge_accumulators(self, parts: Iterable[Counts]) -> Counts:
        merged = Counts({}, {})
        for part in parts:
            merged = metrics.merge(merged, part)
        return merged

    def extract_output(self, counts: Counts) -> Counts:
        return counts


class WriteMetrics(beam.DoFn):
    """Write the numbers of one window, in place of what an earlier pane wrote."""

    def __init__(self, out: str, window: Window) -> None:
        self._out = out
        self._window = window

    def process(self, element: tuple[str, Counts], window: Any = beam.DoFn.WindowParam) -> None:
        space, counts = element
        shard = f"{self._window}-{window.start.micros // 1000}"
        folder = folder_of(self._out, space)
        found: dict[str, list[Metric]] = {}
        for row in metrics.rows(counts):
            if row.window == self._window:
                found.setdefault(name_of(row), []).append(row)
        for kind, rows in found.items():
            written = parquet.write(kind, map(to_row, rows), folder, shard=shard)
            add_parts(kind, folder, written.parts)


class CountWindows(beam.PTransform):
    """Count rows in windows of a minute, an hour and a day, and write the numbers as tables.

    ``lateness`` in seconds: what comes later after the end of its window is not counted any more
    (a recount from the raw rows does). Hours and days also show what they have so far.
    """

    def __init__(self, out: str, lateness: int = LATENESS) -> None:
        super().__init__()
        self._out = out
        self._lateness = lateness

    def expand(self, rows: Any) -> None:
        placed = rows | "At the time of the row" >> beam.Map(at_own_time).with_output_types(
            tuple[str, bytes]
        )
        for window, size in metrics.WINDOWS.items():
            _ = (
                placed
                | f"Windows of a {window}" >> self._into(window, size // 1000)
                | f"Count by {window}" >> beam.CombinePerKey(Count())
                | f"Write numbers by {window}" >> beam.ParDo(WriteMetrics(self._out, window))
            )

    def _into(self, window: Window, size: int) -> beam.PTransform:
        early = None if window == "minute" else trigger.AfterProcessingTime(EARLY)
        return beam.WindowInto(
            FixedWindows(size),
            trigger=trigger.AfterWatermark(early=early, late=trigger.AfterCount(1)),
            accumulation_mode=trigger.AccumulationMode.ACCUMULATING,
            allowed_lateness=Duration(self._lateness),
        )
