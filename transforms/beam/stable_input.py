"""Outputs are stored by the runner, together with the state that made them, before a sink gets them.

Without this, a runner may fuse the step with its sinks: then outputs leave before the state is
stored, and if the bundle fails and its retry has other signals, what left is in no state. Beam for
Python cannot ask for stable input, but what a grouping emits is stored on Dataflow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.transforms import trigger
from apache_beam.transforms.window import GlobalWindows, TimestampCombiner
from apache_beam.utils.timestamp import Duration

from transforms.beam.elements import Decided
from transforms.hosting.receive import Key

AT_THE_END = 86_400
"""Seconds. The last elements leave at the end of an input, when the in-process runner finds them late."""


def at_once() -> beam.PTransform:
    """Make windows whose groups are emitted for each element, and never drop one."""
    return beam.WindowInto(
        GlobalWindows(),
        trigger=trigger.Repeatedly(trigger.AfterCount(1)),
        accumulation_mode=trigger.AccumulationMode.DISCARDING,
        timestamp_combiner=TimestampCombiner.OUTPUT_AT_EARLIEST,
        allowed_lateness=Duration(AT_THE_END),
    )


class StableInput(beam.PTransform):
    """Group the outputs of steps by user, and emit each step's again, in the order of their arrival.

    The key is the user, so that a user's steps stay in one line; of a dead letter without a user it
    is the id.
    """

    def expand(self, decided: Any) -> Any:
        emit = beam.FlatMap(each_step).with_output_types(Decided)
        return decided | "At once" >> at_once() | "By user" >> beam.GroupByKey() | "Steps" >> emit


def each_step(grouped: tuple[Key, Iterable[list[bytes]]]) -> Iterator[Decided]:
    """Emit the outputs of each step again."""
    key, steps = grouped
    for step in steps:
        yield key, step
