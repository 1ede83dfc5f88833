"""Several keys of one user: signals between the keys, delivered in any order."""

from __future__ import annotations

import random
from collections import deque

from transforms.flows.catalog.epochs import Catalog
from transforms.flows.engine.identity.handover import as_signal
from transforms.flows.engine.step import Done, step
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import Signal, Time
from transforms.hosting.sandbox import answer

MOST = 5_000


class Keys:
    """The states of some keys, and the signals in transit, in order from one key to another."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.states: dict[str, bytes | None] = {}
        self.wakes: dict[str, int | None] = {}
        self.outputs: list[out.AnyOutput] = []
        self.ways: dict[tuple[str, str], deque[Signal]] = {}
        self.delivered = 0
        self.given: list[Signal] = []

    def give(self, signal: Signal) -> tuple[out.AnyOutput, ...]:
        """Give a signal to its key; signals that it sends to other keys are then in transit."""
        self.given.append(signal)
        done = step(self.catalog, self.states.get(signal.user), signal, answer)
        assert isinstance(done, Done)
        self.states[signal.user], self.wakes[signal.user] = done.state, done.wake_at
        self.outputs += done.outputs
        for output in done.outputs:
            told = as_signal(output)
            if told is not None:
                way = (signal.user, told.user)
                self.ways.setdefault(way, deque()).append(told)
        return done.outputs

    @property
    def busy(self) -> list[tuple[str, str]]:
        """The pairs of keys with signals in transit."""
        return sorted(way for way, queue in self.ways.items() if queue)

    def deliver(self, rng: random.Random, most: int = MOST) -> None:
        """Deliver some signals in transit, of random pairs of keys."""
        while most and (ways := self.busy):
            most -= 1
            self.delivered += 1
            assert self.delivered < MOST, "what keys tell each other comes to no end"
            self.give(self.ways[rng.choice(ways)].popleft())

    def finish(self, rng: random.Random, until: int) -> None:
        """Deliver everything, then advance the time for all keys."""
        self.deliver(rng)
        for key in sorted(self.states):
            self.give(Time(user=key, at=until))
        self.deliver(rng)
