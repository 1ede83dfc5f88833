"""``python -m benchmarks.stream``: the DoFn that runs flows, as beside one that does nothing.

Both decode the same events, read and write a state of the same size and set a timer for each
event, on Beam's bundle-based runner and in one process; only the flows differ. That runner holds
the whole stream in memory, as no worker does, and Python's collector walks over it again and
again, which takes more time than either DoFn and so flatters the ratio. Where the time goes is
shown without the collector.
"""

from __future__ import annotations

import argparse
import gc
import logging
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from statistics import median

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import TimestampedValue

from benchmarks.core import HOUR, MOVES, START, catalog
from benchmarks.ratios import Figure, Spent, in_turns, ratio, show, timed
from benchmarks.sample import COMPILED
from benchmarks.stream_job import job
from benchmarks.stream_steps import ALARMS, EVENTS, Element, Empty, Flows, Timed, live_state
from transforms.flows.engine.step import Done, step
from transforms.flows.protocol import control_records, outputs, signals
from transforms.flows.protocol.signals import Event
from transforms.hosting.catalogs import FixedLogs, read_once

RUNNER = "BundleBasedDirectRunner"
SPACE = "bench"
FIRST = START + 20 * HOUR
BUNDLE = 5_000
ROUNDS = 3
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
    stream = TestStream()
    for start in range(0, len(elements), BUNDLE):
        some = elements[start : start + BUNDLE]
        stream.add_elements([TimestampedValue(e, FIRST / 1000) for e in some])
    return run(dofn, stream)


def run(dofn: Timed, stream: TestStream) -> tuple[float, float]:
    """Run a DoFn over a stream; return the time of the events and of the alarms."""
    EVENTS.clear()
    ALARMS.clear()
    options = PipelineOptions([])
    options.view_as(StandardOptions).streaming = True
    # The stream has no end, which the runner calls a stall once every alarm has fired.
    with suppress(TypeError), beam.Pipeline(RUNNER, options=options) as pipeline:
        typed = beam.Map(lambda element: element).with_output_types(Element)
        _ = pipeline | stream | typed | beam.ParDo(dofn)
    return sum(EVENTS), sum(ALARMS)


def spent(users: int, events: int, matching: int, *, collecting: bool) -> Spent:
    """Measure both in turns: microseconds an event with and without flows, and an alarm with them."""
    elements = [
        ((SPACE, e.user), signals.encode(e))
        for e in (event(n, users, matching) for n in range(events))
    ]
    logs = FixedLogs({SPACE: log()})
    read_once(log())  # a worker does so once, not for each run
    gc.collect()
    gc.freeze()  # the elements are the benchmark's own, a worker has no such heap
    (gc.enable if collecting else gc.disable)()
    alarms: list[float] = []

    def flows() -> float:
        of_events, of_alarms = seconds(Flows(logs), elements)
        alarms.append(of_alarms / users * 1e6)
        return of_events / events * 1e6

    def empty() -> float:
        return seconds(Empty(logs), elements)[0] / events * 1e6

    found = in_turns({"flows": flows, "empty": empty}, ROUNDS)
    gc.enable()
    return found | {"alarm": alarms}


def figures(users: int, events: int) -> Iterator[Figure]:
    """Compare the step of the job with an empty step."""
    for matching, most in ((5, 2.5), (1, None)):
        value = ratio(spent(users, events, matching, collecting=True), "flows", "empty")
        name = f"step of the streaming job, one event in {matching} moves 3 sessions"
        yield Figure(name=name, floor="empty step", value=value, most=most)


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

    return {"step": timed(one, 2_000)(), "encoding outputs": timed(leave, 2_000)()}


def details(users: int, events: int, matching: int) -> None:
    """Print where the time of an event goes, without the collector."""
    found = spent(users, events, matching, collecting=False)
    flows, empty, alarm = (median(found[name]) for name in ("flows", "empty", "alarm"))
    within = parts(matching)
    said = ", ".join(f"{name} {us:.1f}" for name, us in within.items())
    print(
        f"{users:>7,} users, one in {matching} matches, without the collector:"
        f" {ratio(found, 'flows', 'empty'):.2f} times the empty step; {flows:.1f} us an event:"
        f" empty step {empty:.1f}, {said}, the rest {flows - empty - sum(within.values()):.1f};"
        f" an alarm {alarm:.1f}",
        flush=True,
    )


def main() -> int:
    """Measure and print; 1 if a ratio falls."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a hundredth of the users")
    parser.add_argument("--only", choices=("share", "job"), help="one of the two")
    asked = parser.parse_args()
    logging.disable(logging.ERROR)
    part, found = 100 if asked.quick else 1, []
    if asked.only != "job":
        for users in (10_000, 100_000):
            found += list(figures(users // part, 100_000 // part))
            for matching in (5, 1):
                details(users // part, 100_000 // part, matching)
    if asked.only != "share":
        for matching in (5, 1):
            users, events = 10_000 // part, 50_000 // part
            given = [event(n, users, matching) for n in range(events)]
            gc.disable()
            took = in_turns(
                {
                    name: partial(job, SPACE, log(), given, FIRST - 1, stable=name == "stable")
                    for name in ("plain", "stable")
                },
                1 if asked.quick else ROUNDS,
            )
            gc.enable()
            print(
                f"the whole job, one in {matching} matches: {median(took['plain']):,.0f} us an event,"
                f" {DONE}; {ratio(took, 'stable', 'plain'):.2f} times with stable input"
            )
    free = asked.quick or not COMPILED  # the bounds are those of the compiled core
    return show(figure.unbounded() if free else figure for figure in found)


if __name__ == "__main__":
    raise SystemExit(main())
