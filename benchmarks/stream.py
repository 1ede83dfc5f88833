"""``python -m benchmarks.stream``: the DoFn that runs flows, as a share of one that does nothing.

Both decode the same events, read and write a state of the same size and set a timer for each
event, on Beam's bundle-based runner and in one process; only the flows differ. That runner holds
the whole stream in memory, as no worker does, and Python's collector walks over it again and
again, which takes more time than either DoFn and so flatters the share. It is measured both
ways; where the time goes is told without the collector.
"""

from __future__ import annotations

import argparse
import gc
import logging
from contextlib import suppress

import apache_beam as beam
import msgspec
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import TimestampedValue

from benchmarks.core import HOUR, MOVES, START, catalog
from benchmarks.stream_job import job
from benchmarks.stream_steps import ALARMS, EVENTS, Element, Empty, Flows, Timed, live_state
from benchmarks.yardstick import microseconds
from transforms.flows.engine.step import Done, step
from transforms.flows.protocol import control_records, outputs, signals
from transforms.flows.protocol.signals import Event
from transforms.hosting.catalogs import FixedLogs, read_once

RUNNER = "BundleBasedDirectRunner"
SPACE = "bench"
FIRST = START + 20 * HOUR
BOUND = 40.0
BUNDLE = 5_000
ROUNDS = 2
DONE = "decoded, decided, kept in tables and counted"


def event(number: int, users: int, matching: int) -> Event:
    """Make an event; one in ``matching`` moves all three sessions of its user."""
    total = 60 if (number + number // users) % matching == 0 else 10
    return Event(
        id=f"message-{number:08}",
        user=f"user-{number % users:06}",
        time=FIRST + number,
        received=FIRST + number,
        name="Order",
        properties={"total": total, "currency": "EUR", "country": "DE", "items": 3, "note": ""},
    )


def seconds(dofn: Timed, elements: list[Element]) -> tuple[float, float]:
    """Run a DoFn over elements in bundles; the time of the events, and of the alarms at the end."""
    EVENTS.clear()
    ALARMS.clear()
    options = PipelineOptions([])
    options.view_as(StandardOptions).streaming = True
    stream = TestStream()
    for start in range(0, len(elements), BUNDLE):
        some = elements[start : start + BUNDLE]
        stream.add_elements([TimestampedValue(e, FIRST / 1000) for e in some])
    # The stream has no end, which the runner calls a stall once every alarm has fired.
    with suppress(TypeError), beam.Pipeline(RUNNER, options=options) as pipeline:
        typed = beam.Map(lambda element: element).with_output_types(Element)
        _ = pipeline | stream | typed | beam.ParDo(dofn)
    return sum(EVENTS), sum(ALARMS)


class Spent(msgspec.Struct, frozen=True):
    """Microseconds: an event with flows, an event without, an alarm with flows."""

    flows: float
    empty: float
    alarm: float

    @property
    def percent(self) -> float:
        """Give the events a second with flows, as a share of those without."""
        return 100 * self.empty / self.flows


def spent(users: int, events: int, matching: int, *, collecting: bool) -> Spent:
    """Measure both, in turn and twice; the better time of each counts."""
    elements = [
        ((SPACE, e.user), signals.encode(e))
        for e in (event(n, users, matching) for n in range(events))
    ]
    logs = FixedLogs({SPACE: log()})
    read_once(log())  # a worker does so once, not for each run
    gc.collect()
    gc.freeze()  # the elements are the benchmark's own, a worker has no such heap
    (gc.enable if collecting else gc.disable)()
    runs = [(seconds(Flows(logs), elements), seconds(Empty(logs), elements)) for _ in range(ROUNDS)]
    gc.enable()
    return Spent(
        min(flows[0] for flows, _ in runs) / events * 1e6,
        min(empty[0] for _, empty in runs) / events * 1e6,
        min(flows[1] for flows, _ in runs) / users * 1e6,
    )


def log() -> tuple[bytes, ...]:
    """Write the control log of the flows."""
    return tuple(control_records.encode_line(record) for record in catalog(MOVES).records)


def parts(matching: int) -> dict[str, float]:
    """Measure what the DoFn does beside the runner, in microseconds an event."""
    known, blob = catalog(MOVES), live_state()
    found = [event(n, 1000, matching) for n in range(1000)]
    steps = iter(range(10**9))

    def one() -> Done:
        done = step(known, blob, found[next(steps) % 1000])
        assert isinstance(done, Done)
        return done

    decided = [done.outputs for done in (one() for _ in range(1000))]

    def leave() -> None:
        for output in decided[next(steps) % 1000]:
            outputs.encode(output)

    return {"step": microseconds(one, 2_000), "encoding outputs": microseconds(leave, 2_000)}


def compare(users: int, events: int, matching: int) -> float:
    """Print the shares and where the time of an event goes; give the share, collector on."""
    as_it_is = spent(users, events, matching, collecting=True)
    found = spent(users, events, matching, collecting=False)
    within = parts(matching)
    rest = found.flows - found.empty - sum(within.values())
    said = ", ".join(f"{name} {us:.1f}" for name, us in within.items())
    print(
        f"{users:>7,} users, one in {matching} matches: {as_it_is.percent:5.1f} % of empty,"
        f" {1e6 / as_it_is.flows:>7,.0f} events/s;"
        f" without the collector {found.percent:5.1f} %, {1e6 / found.flows:>7,.0f} events/s,"
        f" {found.flows:.1f} us an event: empty DoFn {found.empty:.1f}, {said}, the rest {rest:.1f};"
        f" an alarm {found.alarm:.1f}",
        flush=True,
    )
    return as_it_is.percent


def main() -> int:
    """Measure and print; 1 if the share is below the bound where one event in five matches."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the users")
    parser.add_argument("--only", choices=("share", "job"), help="one of the two")
    asked = parser.parse_args()
    logging.disable(logging.ERROR)
    part, kept = 10 if asked.quick else 1, True
    if asked.only != "job":
        for users, events in ((10_000, 100_000), (100_000, 100_000)):
            for matching in (5, 1):
                percent = compare(users // part, events // part, matching)
                kept = kept and (matching == 1 or percent >= BOUND)
    if asked.only != "share":
        for matching in (5, 1):
            users, events = 10_000 // part, 50_000 // part
            given = [event(n, users, matching) for n in range(events)]
            gc.disable()
            took = job(SPACE, log(), given, FIRST - 1)
            gc.enable()
            print(f"the whole job, one in {matching} matches: {took:,.0f} us an event, {DONE}")
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
