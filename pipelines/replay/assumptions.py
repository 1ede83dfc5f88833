"""Assumed deliveries, opens and clicks at given rates, which a replay cannot know.

One random assignment (by hash) per communication decides its last status, so a click implies an
open, an open a delivery, and a repeated replay gives the same. The statuses return as signals.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush

from pipelines.replay.job import Rates
from transforms.flows.catalog.epochs import Catalog
from transforms.flows.engine.step import Behind, Done, step
from transforms.flows.protocol.outputs import AnyOutput, Message
from transforms.flows.protocol.signals import CommunicationUpdate, Signal, Time
from transforms.flows.state.ids import draw, hashed
from transforms.hosting.order import event_time
from transforms.hosting.sandbox import answer

DELAYS = {"delivered": 5_000, "opened": 2 * 3_600_000, "clicked": 2 * 3_600_000 + 60_000}
"""The delay of each status after the decision, in ms."""


def assumed(message: Message, rates: Rates) -> list[CommunicationUpdate]:
    """Return the assumed statuses of a message."""
    drawn = draw("assumed", message.communication)
    return [
        CommunicationUpdate(
            id=hashed("assumed", message.communication, status),
            user=message.user,
            time=message.at + DELAYS[status],
            communication=message.communication,
            status=status,
        )
        for status, rate in rates.get(message.channel, {}).items()
        if drawn < rate
    ]


def fold_assuming(
    catalog: Catalog, rates: Rates, user: str, found: Iterable[Signal], until: int
) -> tuple[AnyOutput, ...]:
    """Replay one user's signals and the assumed statuses of the messages.

    The given signals keep their order; timers and statuses that are due before the next signal come
    first.
    """
    return _Loop(catalog, rates, user, until).run(list(found))


class _Loop:
    """One user's replay: the given signals in order, the assumed ones by time."""

    def __init__(self, catalog: Catalog, rates: Rates, user: str, until: int) -> None:
        self.catalog, self.rates, self.user, self.until = catalog, rates, user, until
        self.state: bytes | None = None
        self.wake: int | None = None
        self.now = -1
        self.outputs: list[AnyOutput] = []
        self.coming: list[tuple[int, str, CommunicationUpdate]] = []

    def run(self, given: list[Signal]) -> tuple[AnyOutput, ...]:
        for signal in given:
            self.catch_up(self.handled_at(signal))
            self.take(signal)
        self.catch_up(self.until)
        self.take(Time(user=self.user, at=self.until))
        return tuple(self.outputs)

    def handled_at(self, signal: Signal) -> int:
        """Return the instant at which the core handles a signal."""
        assert not isinstance(signal, Time)
        own = event_time(signal)
        slack = self.catalog.at(own).space.slack
        return max(own, self.now, own if signal.received is None else signal.received - slack)

    def catch_up(self, until: int) -> None:
        """Fire all timers and assumed statuses that are due before an instant."""
        while True:
            due = self.next_due(until)
            status = self.coming[0][0] if self.coming else until
            if status < until and (due is None or status < due):
                self.take(heappop(self.coming)[2])
            elif due is not None and due < until:
                self.take(Time(user=self.user, at=due))
            else:
                return

    def next_due(self, until: int) -> int | None:
        """Return when the user's next timer or control record is due."""
        if self.state is None:
            return None
        effect = self.catalog.next_effect(self.now, until)
        times = [at for at in (self.wake, effect.at if effect else None) if at is not None]
        return min(times, default=None)

    def take(self, signal: Signal) -> None:
        """Let the core handle one signal, and schedule the assumed statuses of its messages."""
        if not isinstance(signal, Time):
            self.now = self.handled_at(signal)
        self.now = max(self.now, signal.at if isinstance(signal, Time) else 0)
        done = step(self.catalog, self.state, signal, answer)
        assert not isinstance(done, Behind), "the log of a replay is complete"
        self.keep(done)

    def keep(self, done: Done) -> None:
        self.state, self.wake = done.state, done.wake_at
        self.outputs += done.outputs
        for output in done.outputs:
            if isinstance(output, Message):
                for update in assumed(output, self.rates):
                    heappush(self.coming, (update.time, update.id, update))
