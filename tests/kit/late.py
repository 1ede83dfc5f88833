"""Measures late input: ingestion times behind the watermark, which a Python DoFn cannot see.

python -m tests.kit.late --histories 100

One signal in ten of random histories arrives after the watermark has passed its ingestion time.
The histories are of spaces with 10 s of allowed lateness. The outputs are compared with those of
the core for input that is never behind the watermark.
"""

from __future__ import annotations

import argparse
import logging
import random
from itertools import count, islice
from typing import Any

import apache_beam as beam
import msgspec

from tests.kit.simulate import PER_WORLD, make
from tests.kit.streams import At, Step, run
from tests.kit.turns import turns
from transforms.beam.run_flows import RunFlows
from transforms.flows.engine.messages.cost import accounted
from transforms.flows.engine.step import Done, fold
from transforms.flows.protocol import control_records, outputs, signals
from transforms.flows.protocol.signals import Command, Signal, Time
from transforms.hosting.catalogs import FixedLogs
from transforms.hosting.receive import Key
from transforms.hosting.sandbox import answer
from transforms.hosting.settings import Settings

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
DELAYS = {"nothing": 0, "5 seconds": 5_000, "a minute": MINUTE, "an hour": HOUR, "a day": DAY}
SHARE = 0.1


class Arrival(msgspec.Struct, frozen=True):
    """A signal, its ingestion time, and the watermark when it arrived."""

    watermark: int
    space: str
    place: int
    signal: Signal


def arrivals(seed: int, delay: int) -> list[Arrival]:
    """Give the signals of a history ingestion times, and let some arrive late."""
    found, rng = make(seed), random.Random(f"late {seed}")
    now, made = found.world.start, []
    for n, given in enumerate(found.handled):
        signal = given.signal
        assert not isinstance(signal, Time)
        now = max(now, signal.time if signal.received is None else signal.received)
        behind = delay if rng.random() < SHARE else 0
        signal = msgspec.structs.replace(signal, received=now)
        made.append(Arrival(now + behind, f"w{seed // PER_WORLD}", n, signal))
    return made


def slack_of(seed: int) -> int:
    """Return the allowed lateness of a history's space."""
    return max(epoch.space.slack for epoch in make(seed).world.catalog().epochs)


def by_the_core(seed: int, given: list[Signal], end: int) -> list[bytes]:
    """Fold the signals in the order of their turns."""
    catalog = make(seed).world.catalog()
    slack = slack_of(seed)
    done = fold(
        catalog, None, [*turns(given, slack), Time(user=f"u{seed}", at=end - slack)], answer
    )
    assert isinstance(done, Done)
    return sorted(outputs.encode(output) for output in accounted(catalog, done.outputs))


def on_beam(played: dict[int, list[Arrival]], end: int) -> dict[str, list[bytes]]:
    """Run all histories in one pipeline, with the correct watermark."""
    steps: list[Step] = []
    every = sorted(
        (a for found in played.values() for a in found),
        key=lambda a: (a.watermark, a.space, a.signal.user, a.place),
    )
    for arrival in every:
        element = ((arrival.space, arrival.signal.user), signals.encode(arrival.signal))
        assert not isinstance(arrival.signal, Time)
        assert arrival.signal.received is not None
        steps += [arrival.watermark, [(element, arrival.signal.received)]]
    for seed, found in played.items():
        wake = Command(what="wake", id="end", user=f"u{seed}", time=end - slack_of(seed))
        steps += [end, [(((found[0].space, wake.user), signals.encode(wake)), end)]]
    logs = {
        found[0].space: tuple(control_records.encode_line(r) for r in make(seed).world.records)
        for seed, found in played.items()
    }
    flows = RunFlows(FixedLogs(logs), Settings(until=end, clock=At()))

    def wire(given: Any) -> Any:
        return given | "Run flows" >> beam.ParDo(flows)

    found = run(steps, tuple[Key, bytes], wire).by_key()
    return {key[1]: sorted(some) for key, some in found.items()}


def measure(histories: int, delay: int) -> int:
    """Count the users whose outputs differ from the core's."""
    seeds = islice((seed for seed in count() if slack_of(seed)), histories)
    played = {seed: arrivals(seed, delay) for seed in seeds}
    end = max(make(seed).until for seed in played) + 2 * DAY
    ran = on_beam(played, end)
    return sum(
        by_the_core(seed, [arrival.signal for arrival in found], end) != ran.get(f"u{seed}", [])
        for seed, found in played.items()
    )


def main() -> int:
    """Measure for each delay and print a line."""
    parser = argparse.ArgumentParser(prog="python -m tests.kit.late")
    parser.add_argument("--histories", type=int, default=100)
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    for name, delay in DELAYS.items():
        print(f"late by {name}: {measure(asked.histories, delay)} users differ")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
