"""The whole streaming job, from the messages of a topic to tables and numbers, without a broker."""

from __future__ import annotations

import time
from tempfile import TemporaryDirectory

import apache_beam as beam
from apache_beam.coders import PickleCoder
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Timestamp

from pipelines.stream import build
from pipelines.stream_options import Sinks
from transforms.beam.stable_input import StableInput
from transforms.flows.protocol.signals import Event
from transforms.hosting.catalogs import FixedLogs
from transforms.hosting.settings import Settings
from transforms.sources.pubsub.beam_source import Received
from transforms.wire.messages import to_envelope

BUNDLE = 5_000


def before_all() -> int:
    """Read a clock that stands at the beginning: every alarm is early, and refused."""
    return 0


def messages(events: list[Event], start: int) -> list[TimestampedValue]:
    """Write events as messages, behind the sign-up of each of their users."""
    users = sorted({event.user for event in events})
    signups = [Event(id=f"s-{user}", user=user, time=start, name="Signup") for user in users]
    return [
        TimestampedValue((to_envelope(e), {}, e.time, e.id), Timestamp(micros=e.time * 1000))
        for e in (*signups, *events)
    ]


def job(
    space: str, log: tuple[bytes, ...], events: list[Event], start: int, *, stable: bool = False
) -> float:
    """Run the job; microseconds of processor time an event.

    A sink without work stands for topics and Redis; with ``stable`` the runner stores its input.
    """
    given = messages(events, start)
    stream = TestStream(coder=PickleCoder())
    for n in range(0, len(given), BUNDLE):
        stream.add_elements(given[n : n + BUNDLE])
    stream.advance_watermark_to_infinity()
    options = PipelineOptions([])
    options.view_as(StandardOptions).streaming = True
    settings = Settings(clock=before_all)
    typed = beam.Map(lambda message: message).with_output_types(Received)
    began = time.process_time()
    with (
        TemporaryDirectory() as out,
        beam.Pipeline("BundleBasedDirectRunner", options=options) as p,
    ):
        sinks = Sinks(tables=out, file_wait=None, pace=None)
        logs = FixedLogs({space: log})
        decided = build(p | stream | typed, logs, sinks, space=space, settings=settings)
        stored = decided | "Stable input" >> StableInput() if stable else decided
        _ = stored | "Sink" >> beam.Map(lambda step: None)
    return (time.process_time() - began) / len(events) * 1e6
