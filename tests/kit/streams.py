"""Runs the streaming job on the runner with a test clock: arrivals in, outputs out.

A script is a list of steps: an instant that the watermark reaches, or messages that arrive.
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
from transforms.hosting.allowed import EVERYTHING, Source
from transforms.sources.pubsub.beam_source import Received

TRUSTED = Source("a trusted topic", EVERYTHING)
"""The source of records of every kind, such as recorded histories."""

KEPT: list[tuple[tuple[str, str], bytes]] = []


class Elapse(msgspec.Struct, frozen=True):
    """A number of seconds that pass on the runner's processing-time clock, which paces triggers."""

    seconds: int


Step = int | Elapse | list[tuple[Any, int]]
"""An instant that the watermark reaches, time that passes, or elements with their timestamps."""


class Collected(msgspec.Struct, gc=False):
    """The outputs in order of arrival: key, encoded output."""

    outputs: list[tuple[tuple[str, str], bytes]]

    def by_key(self) -> dict[tuple[str, str], list[bytes]]:
        """Return the outputs of each user."""
        found: dict[tuple[str, str], list[bytes]] = defaultdict(list)
        for key, encoded in self.outputs:
            found[key].append(encoded)
        return found


class At:
    """A clock that always shows one instant and can be pickled for workers."""

    def __init__(self, now: int = NEVER) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def message(
    data: bytes, at: int, ident: str = "m", published: int | None = None, **attributes: str
) -> tuple[Received, int]:
    """Return a message as the source returns it, with its ingestion time."""
    return (data, attributes, at if published is None else published, ident), at


def stream_of(steps: Iterable[Step]) -> TestStream:
    """Create a stream from a script; the watermark never goes back, and ends at infinity."""
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
    """Return the runner's options: only streaming."""
    made = PipelineOptions([])
    made.view_as(StandardOptions).streaming = True
    return made


def run(
    steps: Sequence[Step],
    hint: Any,
    wire: Callable[[Any], Any],
) -> Collected:
    """Run a script through what ``wire`` builds; return the outputs in order of arrival."""
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
    """Run elements through what ``wire`` builds; return the job's counters, timers at the end
    included.

    This uses Beam's portable runner: the bundle-based one keeps counters only of first bundles.
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
    """Return the argument; the function carries a type hint."""
    return element


def _keep(decided: Decided) -> None:
    key, encoded = decided
    KEPT.extend((key, one) for one in encoded)
