"""Runs the streaming job on the runner that keeps event time: arrivals in, outputs out.

A script is a list of steps: an instant the watermark reaches, or messages that arrive.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import apache_beam as beam
import msgspec
from apache_beam import coders
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Timestamp

from tests.kit import bundle_runner
from transforms.beam.elements import Decided
from transforms.flows.catalog.epochs import NEVER
from transforms.sources.pubsub.beam_source import Received

KEPT: list[tuple[tuple[str, str], bytes]] = []


class Elapse(msgspec.Struct, frozen=True):
    """So many seconds pass on the runner's own clock, by which triggers are paced."""

    seconds: int


Step = int | Elapse | list[tuple[Any, int]]
"""An instant that the watermark reaches, time that passes, or elements each with its timestamp."""


class Collected(msgspec.Struct, gc=False):
    """What came out, in order of arrival: key, encoded output."""

    outputs: list[tuple[tuple[str, str], bytes]]

    def by_key(self) -> dict[tuple[str, str], list[bytes]]:
        """Give the outputs of each user."""
        found: dict[tuple[str, str], list[bytes]] = defaultdict(list)
        for key, encoded in self.outputs:
            found[key].append(encoded)
        return found


class At:
    """A clock that stands at an instant and travels to workers."""

    def __init__(self, now: int = NEVER) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def message(
    data: bytes, at: int, ident: str = "m", published: int | None = None, **attributes: str
) -> tuple[Received, int]:
    """Make a message as the source hands it on, with its receipt."""
    return (data, attributes, at if published is None else published, ident), at


def stream_of(steps: Iterable[Step]) -> TestStream:
    """Make a stream of a script; the watermark never goes back, and ends at infinity."""
    stream = TestStream(coder=coders.PickleCoder())
    now = -1
    for step in steps:
        if isinstance(step, int):
            if step > now:
                stream.advance_watermark_to(_instant(step))
                now = step
        elif isinstance(step, Elapse):
            stream.advance_processing_time(step.seconds)
        elif step:
            stream.add_elements([TimestampedValue(value, _instant(at)) for value, at in step])
    return stream.advance_watermark_to_infinity()


def _instant(ms: int) -> Timestamp:
    return Timestamp(micros=ms * 1000)


def options() -> PipelineOptions:
    """Name the runner's options: nothing but streaming."""
    made = PipelineOptions([])
    made.view_as(StandardOptions).streaming = True
    return made


def run(
    steps: Sequence[Step],
    hint: Any,
    wire: Callable[[Any], Any],
) -> Collected:
    """Run a script through what ``wire`` builds; give what was decided as it came."""
    KEPT.clear()
    bundle_runner.quicken()
    with beam.Pipeline(bundle_runner.NAME, options=options()) as pipeline:
        typed = beam.Map(same).with_output_types(hint)
        decided = wire(pipeline | "Script" >> stream_of(steps) | "Typed" >> typed)
        _ = decided | "Collect" >> beam.Map(_keep)
    return Collected(list(KEPT))


def counted(
    given: Sequence[tuple[Any, int]], hint: Any, wire: Callable[[Any], Any]
) -> dict[str, int]:
    """Run elements through what ``wire`` builds; give the job's counters, also of alarms at the end.

    This is Beam's portable runner: the bundle-based one forgets counters but of a first bundle.
    """
    elements = [TimestampedValue(value, _instant(at)) for value, at in given]
    with beam.Pipeline("FnApiRunner") as pipeline:
        made = beam.Create(elements, reshuffle=False)
        stamped = beam.Map(same).with_output_types(hint)
        _ = wire(pipeline | "Elements" >> made | "Stamped" >> stamped)
    return counters(pipeline.result)


def counters(result: Any) -> dict[str, int]:
    """Read the counters of a job by namespace and name."""
    found: dict[str, int] = defaultdict(int)
    for one in result.metrics().query()["counters"]:
        found[f"{one.key.metric.namespace}.{one.key.metric.name}"] += one.result
    return dict(found)


def same(element: Any) -> Any:
    """Give back what came; it carries a type hint."""
    return element


def _keep(decided: Decided) -> None:
    key, encoded = decided
    KEPT.extend((key, one) for one in encoded)
