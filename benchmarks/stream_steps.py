"""What ``benchmarks.stream`` compares; a module of its own, since Beam pickles what is in a script."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import apache_beam as beam
from apache_beam.coders import BytesCoder
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.utils.timestamp import Timestamp

from benchmarks.core import HOUR, live
from transforms.beam.elements import Decided
from transforms.beam.run_flows import RunFlows
from transforms.flows.protocol import signals
from transforms.flows.protocol.signals import Event
from transforms.hosting.receive import Key

EVENTS: list[float] = []
ALARMS: list[float] = []
"""Seconds of the bundles that held events, and of those that held alarms."""
Element = tuple[Key, bytes]


@cache
def live_state() -> bytes:
    """Make the state that every user begins with: three live sessions."""
    return live()


class Timed(beam.DoFn):  # type: ignore[misc]  # Beam has no types
    """Takes the time of a bundle, and starts each user with a state."""

    def start_bundle(self) -> None:
        self.spent = ALARMS
        self.began = time.thread_time()

    def finish_bundle(self) -> None:
        self.spent.append(time.thread_time() - self.began)

    def begin(self, cell: Any) -> None:
        """Begin with an event."""
        self.spent = EVENTS
        if cell.read() is None:
            cell.write(live_state())


class Flows(Timed, RunFlows):
    """The step of the job."""

    def finish_bundle(self) -> None:
        RunFlows.finish_bundle(self)
        Timed.finish_bundle(self)

    def process(
        self, element: Element, cell: Any = RunFlows.STATE, wake: Any = RunFlows.ALARM
    ) -> Any:
        self.begin(cell)
        return RunFlows.process(self, element, cell, wake)


@beam.typehints.with_output_types(Decided)
class Empty(Timed):
    """The same without flows."""

    WAKE = TimerSpec("wake", TimeDomain.WATERMARK)
    STATE = beam.DoFn.StateParam(ReadModifyWriteStateSpec("user", BytesCoder()))
    ALARM = beam.DoFn.TimerParam(WAKE)

    def process(self, element: Element, cell: Any = STATE, wake: Any = ALARM) -> None:
        self.begin(cell)
        signal = signals.decode(element[1])
        blob = cell.read()
        cell.write(bytes(memoryview(blob)))
        assert isinstance(signal, Event)
        wake.set(Timestamp(micros=(signal.time + HOUR) * 1000))

    @on_timer(WAKE)  # type: ignore[untyped-decorator]
    def on_wake(self) -> None:
        """Ask for nothing."""
