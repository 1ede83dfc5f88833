"""``python -m benchmarks.stream``: the DoFn that runs flows, as a share of one that does nothing.

Both decode the same events, read and write a state of the same size and set a timer for each
event, on Beam's bundle-based runner and in one process; only the flows differ.
"""

from __future__ import annotations

import argparse
import gc
import logging
from collections.abc import Callable
from contextlib import suppress

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import TimestampedValue

from benchmarks.core import HOUR, MOVES, START, catalog
from benchmarks.stream_steps import SECONDS, Element, Empty, Timed, live_state
from benchmarks.yardstick import microseconds
from transforms.catalogs import FixedLogs, read_once
from transforms.flows import control, outputs, signals
from transforms.flows.signals import Event
from transforms.flows.step import Done, step
from transforms.run_flows import KINDS

RUNNER = "BundleBasedDirectRunner"
SPACE = "bench"
FIRST = START + 20 * HOUR
BOUND = 40.0
BUNDLE = 5_000


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


def seconds(dofn: beam.DoFn, elements: list[Element]) -> float:
    """Run a DoFn over elements in bundles; the time from the start to the end of each, in sum."""
    SECONDS.clear()
    options = PipelineOptions([])
    options.view_as(StandardOptions).streaming = True
    stream = TestStream()
    for start in range(0, len(elements), BUNDLE):
        some = elements[start : start + BUNDLE]
        stream.add_elements([TimestampedValue(e, FIRST / 1000) for e in some])
    # The stream has no end, so that no timer fires; the runner calls that a stall.
    with suppress(TypeError), beam.Pipeline(RUNNER, options=options) as pipeline:
        typed = beam.Map(lambda element: element).with_output_types(Element)
        _ = pipeline | stream | typed | beam.ParDo(dofn).with_outputs(*KINDS)
    return sum(SECONDS)


def share(users: int, events: int, matching: int) -> tuple[float, float]:
    """Measure both, in turn and twice; the better time of each, in microseconds an event."""
    elements = [
        ((SPACE, e.user), signals.encode(e))
        for e in (event(n, users, matching) for n in range(events))
    ]
    lines = tuple(control.encode_line(record) for record in catalog(MOVES).records)
    logs = FixedLogs({SPACE: lines})
    read_once(lines)  # a worker does so once, not for each run
    gc.collect()
    gc.freeze()  # the elements are the benchmark's own, a worker has no such heap
    runs: tuple[Callable[[], beam.DoFn], ...] = (lambda: Timed(logs), lambda: Empty(logs))
    best = [min(seconds(make(), elements) for _ in range(2)) for make in runs]
    return best[0] / events * 1e6, best[1] / events * 1e6


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


def main() -> int:
    """Measure and print; 1 if the share is below the bound where one event in five matches."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the users")
    asked = parser.parse_args()
    logging.disable(logging.ERROR)
    kept = True
    for users, events in ((10_000, 100_000), (100_000, 100_000)):
        part = 10 if asked.quick else 1
        for matching in (5, 1):
            with_flows, empty = share(users // part, events // part, matching)
            percent = 100 * empty / with_flows
            kept = kept and (matching == 1 or percent >= BOUND)
            spent = parts(matching)
            rest = with_flows - empty - sum(spent.values())
            said = ", ".join(f"{name} {us:.1f}" for name, us in spent.items())
            print(
                f"{users // part:>7,} users, one in {matching} matches: {percent:5.1f} % of empty;"
                f" {1e6 / with_flows:>7,.0f} events/s, {with_flows:.1f} us an event:"
                f" empty DoFn {empty:.1f}, {said}, tagging and the rest {rest:.1f}",
                flush=True,
            )
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
