"""The scenario files on Beam: one pipeline with event-time timers, byte-identical to the core."""

from __future__ import annotations

from collections import defaultdict

import apache_beam as beam
import pytest
from apache_beam.coders import BytesCoder, StrUtf8Coder, TupleCoder
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.testing import test_stream
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Timestamp

from tests.kit import bundle_runner
from tests.kit.stories import SCENARIOS, played
from transforms.beam.elements import Decided
from transforms.beam.run_flows import RunFlows
from transforms.flows.catalog.epochs import NEVER
from transforms.flows.engine.messages.cost import accounted
from transforms.flows.engine.step import Done, step
from transforms.flows.protocol import outputs, signals
from transforms.hosting.catalogs import FixedLogs, read_once
from transforms.hosting.receive import Key
from transforms.hosting.sandbox import answer
from transforms.hosting.settings import Settings

CODER = TupleCoder((TupleCoder((StrUtf8Coder(), StrUtf8Coder())), BytesCoder()))
RESULTS: dict[Key, list[bytes]] = defaultdict(list)


class Played:
    """One key of a story on the core: its control log, its signals with their arrival, its outputs."""

    def __init__(self, space: str, user: str, log: tuple[bytes, ...], given: list) -> None:
        self.space, self.user, self.log = space, user, log
        self.signals = given
        self.catalog = read_once(log).catalog

    def outputs(self, end: int) -> list[bytes]:
        """Run on the core until the end of the story."""
        state, found = None, []
        last = signals.Time(user=self.user, at=end - self.catalog.epochs[-1].space.slack)
        for signal in [*self.signals, last]:
            done = step(self.catalog, state, signal, answer)
            assert isinstance(done, Done)
            state = done.state
            found += [outputs.encode(o) for o in accounted(self.catalog, done.outputs)]
        return found

    def arrivals(self, end: int) -> list[tuple[int, signals.Signal | None]]:
        """Return the arrivals, each with the watermark of ingestion times at that point.

        Steps of the story that only advance the time are not elements: timers must fire by
        themselves. Only where a control record takes effect in between, the controller wakes the
        user, as it does.
        """
        watermark, looked, found = 0, 0, []
        slack = self.catalog.epochs[-1].space.slack
        last = signals.Time(user=self.user, at=end - slack)
        for n, signal in enumerate([*self.signals, last]):
            if not isinstance(signal, signals.Time):
                watermark = max(
                    watermark, signal.time if signal.received is None else signal.received
                )
                found.append((watermark, signal))
                continue
            watermark = max(watermark, signal.at + slack)
            wake = None
            if self.catalog.next_effect(looked, signal.at) is not None:
                wake = signals.Command(what="wake", id=f"w{n}", user=self.user, time=signal.at)
            looked = signal.at
            found.append((watermark, wake))
        return found


def stories() -> list[Played]:
    """Play every story of every file, each in a space of its own."""
    found = []
    for story in played(SCENARIOS):
        given = [signal for turn in story.turns for signal in turn.signals]
        for user in dict.fromkeys(signal.user for signal in given):
            mine = [signal for signal in given if signal.user == user]
            found.append(Played(story.place, user, story.log, mine))
    return found


def at_the_end() -> int:
    """Return a clock at which every timer is due."""
    return NEVER


def collect(decided: Decided) -> None:
    """Keep the outputs of a step by story."""
    key, encoded = decided
    RESULTS[key] += encoded


def run(played: list[Played], end: int) -> dict[Key, list[bytes]]:
    """Run the stories through one pipeline, in order of arrival."""
    RESULTS.clear()
    stream = test_stream.TestStream(coder=CODER)
    arrivals = [
        (watermark, p.space, n, p.user, signal)
        for p in played
        for n, (watermark, signal) in enumerate(p.arrivals(end))
    ]
    now = -1
    for watermark, space, _, user, signal in sorted(arrivals, key=lambda a: a[:3]):
        if watermark > now:
            stream.advance_watermark_to(Timestamp(micros=watermark * 1000))
            now = watermark
        if signal is not None:
            element = ((space, user), signals.encode(signal))
            stream.add_elements([TimestampedValue(element, Timestamp(micros=watermark * 1000))])
    stream.advance_watermark_to_infinity()
    options = PipelineOptions([])
    options.view_as(StandardOptions).streaming = True
    logs = FixedLogs({p.space: p.log for p in played})
    settings = Settings(until=end, clock=at_the_end)
    bundle_runner.quicken()
    with beam.Pipeline(bundle_runner.NAME, options=options) as pipeline:
        keyed = beam.Map(lambda element: element).with_output_types(tuple[Key, bytes])
        arrived = pipeline | stream | "keyed" >> keyed
        _ = arrived | beam.ParDo(RunFlows(logs, settings)) | "collect" >> beam.Map(collect)
    return dict(RESULTS)


@pytest.mark.slow
def test_scenarios_on_beam() -> None:
    """All scenario files in one pipeline give the core's outputs, in its order, byte for byte (R3)."""
    played = stories()
    end = max(watermark for p in played for watermark, _ in p.arrivals(0))

    found = run(played, end)

    assert len(played) >= 60
    for p in played:
        assert found.get((p.space, p.user), []) == p.outputs(end), p.space
