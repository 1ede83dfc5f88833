"""Random histories of random flows on Beam, many in one pipeline: byte-identical to the core."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from itertools import accumulate

import apache_beam as beam
import msgspec
import pytest

from tests.kit.simulate import PER_WORLD, make
from tests.kit.streams import At, run
from tests.kit.turns import turns
from transforms.beam.run_flows import RunFlows
from transforms.flows.engine.messages.cost import accounted
from transforms.flows.engine.step import Done, step
from transforms.flows.protocol import control_records, outputs, signals
from transforms.flows.protocol.signals import Command, Signal, Time
from transforms.hosting.catalogs import FixedLogs
from transforms.hosting.receive import Key
from transforms.hosting.sandbox import answer
from transforms.hosting.settings import Settings

COUNT = int(os.environ.get("BEAM_HISTORIES", "100"))
AT_ONCE = 200


LAG = 60_000
"""How far a record may be behind others that were received later."""


class Streamed:
    """A history as a broker delivers it: each signal has an ingestion time, which never goes back."""

    def __init__(self, seed: int) -> None:
        self.history = make(seed)
        self.space, self.user = f"w{seed // PER_WORLD}", self.history.user
        self.slack = max(e.space.slack for e in self.history.world.catalog().epochs)
        self.signals = list(self._received())

    def _received(self):
        now = self.history.world.start
        for given in self.history.handled:
            signal = given.signal
            now = max(now, signal.time if signal.received is None else signal.received)
            yield now, msgspec.structs.replace(signal, received=now)

    def by_the_core(self, end: int) -> list[bytes]:
        """Fold the signals in the order of their turns, then advance the time to the end."""
        catalog, state, found = self.history.world.catalog(), None, []
        last = Time(user=self.user, at=end - self.slack)
        for signal in [*turns((s for _, s in self.signals), self.slack), last]:
            done = step(catalog, state, signal, answer)
            assert isinstance(done, Done)
            state = done.state
            found += [outputs.encode(output) for output in accounted(catalog, done.outputs)]
        return found

    def wake(self, end: int) -> Signal:
        """Wake all users at the end, like the controller: control records set no timers."""
        return Command(what="wake", id="end", user=self.user, time=end - self.slack)

    def deliveries(self, rng: random.Random) -> Iterator[tuple[int, int, Signal]]:
        """Yield each signal with the time of its delivery and its ingestion time.

        With allowed lateness they are delivered in any order, and some of them twice.
        """
        for given, (at, signal) in zip(self.history.handled, self.signals, strict=True):
            yield at + (rng.randrange(LAG) if self.slack else 0), at, signal
            again = self.slack and given.taken and not self.broken
            if again and rng.random() < 0.2:
                yield at + rng.randrange(LAG), at, signal

    @property
    def broken(self) -> bool:
        """Whether the core forgets the ids of signals in between."""
        return any(given.broke for given in self.history.handled)


def script(played: list[Streamed], end: int, rng: random.Random) -> list:
    """Deliver all signals; the watermark lags behind the earliest that is still to come."""
    arrivals = sorted(
        (
            (when, s.space, n, at, s.user, signal)
            for s in played
            for n, (when, at, signal) in enumerate(s.deliveries(rng))
        ),
        key=lambda arrival: arrival[:3],
    )
    oldest = list(accumulate((arrival[3] for arrival in reversed(arrivals)), min))[::-1]
    steps: list = []
    done = 0
    while done < len(arrivals):
        some = arrivals[done : done + rng.choice((1, 5, 50, 200))]
        steps.append(oldest[done])
        steps.append([(((w, user), signals.encode(s)), at) for _, w, _, at, user, s in some])
        done += len(some)
    last = [(((s.space, s.user), signals.encode(s.wake(end))), end) for s in played]
    return [*steps, end, last]


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, COUNT, AT_ONCE))
def test_random_histories_on_beam(first: int) -> None:
    """Random histories give the core's outputs byte for byte, in one order (R1, R3, R5).

    In spaces with allowed lateness records arrive in any order, some of them twice. All outputs of a user are compared as one list, in the order of the decisions.
    """
    played = [Streamed(seed) for seed in range(first, min(COUNT, first + AT_ONCE))]
    end = max(s.history.until for s in played) + 10_000
    logs = {
        s.space: tuple(control_records.encode_line(r) for r in s.history.world.records)
        for s in played
    }
    flows = RunFlows(FixedLogs(logs), Settings(until=end, clock=At()))

    found = run(
        script(played, end, random.Random(first)),
        tuple[Key, bytes],
        lambda given: given | "Run flows" >> beam.ParDo(flows),
    ).by_key()

    for s in played:
        assert found.get((s.space, s.user), []) == s.by_the_core(end), s.user
