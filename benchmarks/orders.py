"""``python -m benchmarks.orders``: what it costs to handle a user's signals in order of event time.

The step of the job handles the same events in order of arrival and in order of event time, in turns
with a step that decides nothing, on a runner whose watermark follows the events. Events and timers
count. Spread out, each event of a user has a turn of its own; in bursts, five have one turn.
"""

from __future__ import annotations

import argparse
import gc
import logging

import msgspec
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Timestamp

from benchmarks.core import FLOWS, MOVES, records
from benchmarks.stream import SPACE, event, run
from benchmarks.stream_steps import Empty, Flows, Timed
from transforms.flows.protocol import control_records, signals
from transforms.flows.protocol.signals import Event
from transforms.hosting.catalogs import FixedLogs, read_once

SLACK = 10
USERS, COUNT, BURST = 2_000, 10_000, 5
STEP = 1_000
"""Milliseconds of event time between two advances of the watermark."""


def log(settings: str) -> tuple[bytes, ...]:
    """Write the control log of the flows with more settings of the space."""
    made = records([FLOWS], MOVES, f"\n{settings}")
    return tuple(control_records.encode_line(record) for record in made)


def events(users: int, count: int, burst: int) -> list[Event]:
    """Make events, ``burst`` of a user directly behind each other."""
    found = []
    for n in range(count):
        made = event(n, users, 5)
        found.append(msgspec.structs.replace(made, user=f"user-{n // burst % users:06}"))
    return found


def microseconds_of(dofn: Timed, given: list[Event]) -> float:
    """Run a step over events with a watermark; return its processor time for an event."""
    stream = TestStream()
    for start in range(0, len(given), STEP):
        some = given[start : start + STEP]
        stream.advance_watermark_to(Timestamp(micros=some[0].time * 1000))
        elements = [((SPACE, e.user), signals.encode(e)) for e in some]
        times = [Timestamp(micros=e.time * 1000) for e in some]
        stream.add_elements([TimestampedValue(*both) for both in zip(elements, times, strict=True)])
    stream.advance_watermark_to(Timestamp(micros=(given[-1].time + 3 * SLACK * 1000) * 1000))
    return sum(run(dofn, stream)) / len(given) * 1e6


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.orders", description=__doc__)
    parser.add_argument("--part", type=int, default=1, help="one in so many of the users")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    logging.disable(logging.ERROR)
    logs = {}
    for name, order in (("arrival", "order: arrival\n"), ("event time", "")):
        written = log(f"slack: {SLACK}s\n{order}")
        logs[name] = FixedLogs({SPACE: written})
        read_once(written)  # a worker does so once, not for each run
    for burst in (1, BURST):
        given = events(USERS // asked.part, COUNT // asked.part, burst)
        gc.collect()
        gc.freeze()
        gc.disable()
        best = dict.fromkeys(("empty", *logs), 1e9)
        for _ in range(asked.rounds):
            best["empty"] = min(best["empty"], microseconds_of(Empty(logs["arrival"]), given))
            for name, one in logs.items():
                best[name] = min(best[name], microseconds_of(Flows(one), given))
        gc.enable()
        spread = "one event" if burst == 1 else f"{burst} events"
        figures = ", ".join(f"{name} {us:.1f} us" for name, us in best.items())
        shares = ", ".join(f"{name} {100 * best['empty'] / best[name]:.0f} %" for name in logs)
        print(f"{spread} of a user together: {figures}; share of empty: {shares}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
