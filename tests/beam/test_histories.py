"""Random histories of random flows on Beam, many in one pipeline: byte-identical to the core."""

from __future__ import annotations

import os
import random

import apache_beam as beam
import msgspec
import pytest

from tests.kit.simulate import PER_WORLD, make
from tests.kit.streams import At, run
from transforms.beam.run_flows import RunFlows
from transforms.flows.engine.messages.cost import accounted
from transforms.flows.engine.step import Done, step
from transforms.flows.protocol import control_records, outputs, signals
from transforms.flows.protocol.signals import Command, Signal, Time
from transforms.hosting.catalogs import FixedLogs
from transforms.hosting.receive import Key
from transforms.hosting.run import Settings
from transforms.hosting.sandbox import answer

COUNT = int(os.environ.get("BEAM_HISTORIES", "100"))
AT_ONCE = 200


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
        """Fold the signals, then advance the time to the end, as the clean run does."""
        catalog, state, found = self.history.world.catalog(), None, []
        last = Time(user=self.user, at=end - self.slack)
        for signal in [*(s for _, s in self.signals), last]:
            done = step(catalog, state, signal, answer)
            assert isinstance(done, Done)
            state = done.state
            found += [outputs.encode(output) for output in accounted(catalog, done.outputs)]
        return found

    def wake(self, end: int) -> Signal:
        """Wake all users at the end, like the controller: control records set no timers."""
        return Command(what="wake", id="end", user=self.user, time=end - self.slack)


def script(played: list[Streamed], end: int, rng: random.Random) -> list:
    """Deliver all signals in order; the watermark lags behind them by random amounts."""
    arrivals = sorted(
        ((at, s.space, n, s.user, signal) for s in played for n, (at, signal) in enumerate(s.signals)),
        key=lambda arrival: arrival[:4],
    )  # fmt: skip
    steps: list = []
    while arrivals:
        size = rng.choice((1, 5, 50, 200))
        some, arrivals = arrivals[:size], arrivals[size:]
        steps.append(some[0][0])
        steps.append([(((space, user), signals.encode(s)), at) for at, space, _, user, s in some])
    last = [(((s.space, s.user), signals.encode(s.wake(end))), end) for s in played]
    return [*steps, end, last]


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, COUNT, AT_ONCE))
def test_random_histories_on_beam(first: int) -> None:
    """Random histories, in order of arrival, give the core's outputs byte for byte (R1, R3).

    All outputs of a user are compared as one list, in the order of the decisions.
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
