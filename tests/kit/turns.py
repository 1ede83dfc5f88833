"""The order of a streaming host, written as simply as possible, and a host in memory that uses it.

The order is that of ``transforms.hosting.order.in_turn`` over a user's whole history. To
compare the job with the core, give the core its signals in this order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from transforms.flows.catalog.epochs import NEVER
from transforms.flows.protocol import outputs
from transforms.flows.protocol.signals import Signal
from transforms.hosting.catalogs import Catalogs
from transforms.hosting.order import event_time, ingestion_time, order_key
from transforms.hosting.receive import Key
from transforms.hosting.run import Stepper
from transforms.hosting.settings import Settings
from transforms.hosting.taken import Failed, Taken


def turns(arrived: Iterable[Signal], slack: int) -> Iterator[Signal]:
    """Yield one user's signals in the order in which a host handles them.

    Without allowed lateness that is the order of arrival.
    """
    left = list(arrived)
    while left and slack:
        first = min(left, key=ingestion_time)
        received = ingestion_time(first)
        here = [
            signal
            for signal in left
            if ingestion_time(signal) <= received + slack and order_key(signal) <= order_key(first)
        ]
        left = [signal for signal in left if not any(signal is other for other in here)]
        for signal in sorted(here, key=order_key):
            earliest = max(event_time(signal), received)
            yield msgspec.structs.replace(signal, received=earliest)  # type: ignore[call-arg]
    yield from left


class MemoryHost:
    """States and timers in memory; its watermark advances when it is told to."""

    def __init__(
        self, logs: Catalogs, until: int = NEVER, settings: Settings | None = None
    ) -> None:
        self.stepper = Stepper(logs, settings or Settings(until=until, clock=lambda: NEVER))
        self.states: dict[Key, bytes | None] = {}
        self.timers: dict[Key, int] = {}
        self.outputs: list[tuple[Key, bytes]] = []
        self.wakes = self.failed = self.early = 0

    def deliver(self, key: Key, signal: Signal) -> None:
        """Handle a signal, or let it wait."""
        self._keep(key, self.stepper.take(key, self.states.get(key), signal))

    def advance(self, watermark: int) -> None:
        """Fire the timers that are due when the watermark reaches an instant."""
        while self.timers:
            key, at = min(self.timers.items(), key=lambda timer: timer[1])
            if at > watermark:
                return
            del self.timers[key]
            self.wakes += 1
            done = self.stepper.wake(key, self.states.get(key), at)
            if done is not None:
                self._keep(key, done)

    def damage(self, key: Key, state: bytes) -> None:
        """Replace the state of a user."""
        self.states[key] = state

    def of(self, key: Key) -> list[bytes]:
        """Return the outputs of a user."""
        return [encoded for mine, encoded in self.outputs if mine == key]

    def _keep(self, key: Key, done: Taken | Failed) -> None:
        if isinstance(done, Failed):
            self.failed += 1
            self.outputs.append((key, outputs.encode(done.letter)))
            return
        self.states[key] = done.state
        self.timers.pop(key, None)
        if done.alarm is not None:
            self.timers[key] = done.alarm
        self.outputs += [(key, encoded) for encoded in done.encoded]
        self.failed += done.failed
        self.early += done.early
