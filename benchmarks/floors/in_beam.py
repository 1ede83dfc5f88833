"""A job of Beam that decides nothing: one cell of bytes and one timer a user, read and written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.coders import BytesCoder
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.utils.timestamp import Timestamp

from transforms.flows.protocol.signals import Event

RUNNER = "FnApiRunner"
"""Beam's in-process runner, as a replay on Beam uses it."""


class Empty(beam.DoFn):  # type: ignore[misc]  # Beam has no types
    """Keeps the time of the last event."""

    WAKE = TimerSpec("wake", TimeDomain.WATERMARK)
    CELL = beam.DoFn.StateParam(ReadModifyWriteStateSpec("user", BytesCoder()))
    TIMER = beam.DoFn.TimerParam(WAKE)

    def process(self, element: tuple[str, int], cell: Any = CELL, timer: Any = TIMER) -> None:
        cell.read()
        cell.write(element[1].to_bytes(8))
        timer.set(Timestamp(micros=element[1] * 1000))

    @on_timer(WAKE)  # type: ignore[untyped-decorator]
    def on_wake(self) -> None:
        """Ask for nothing."""


def run(events: list[Event]) -> Iterator[Any]:
    """Run the job; there are no rows."""
    elements = [(event.user, event.time) for event in events]
    with beam.Pipeline(RUNNER) as pipeline:
        _ = pipeline | beam.Create(elements) | beam.ParDo(Empty())
    return iter(())
