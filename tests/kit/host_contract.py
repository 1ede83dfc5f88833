"""What a host must do with what the stepper returns: each case is played on a host, and traced.

A trace has the outputs, the state and the alarm of the user after each thing that happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec

from tests.kit.growing_logs import GrowingLogs
from tests.kit.one_user import KEY, event
from tests.kit.reminders import AT_ONCE, AT_ONCE_LINES, DAY, HOUR, MINUTE, SPACE, TEN
from transforms.flows.catalog.epochs import NEVER
from transforms.flows.protocol.signals import Command, Signal
from transforms.hosting.catalogs import Catalogs
from transforms.hosting.receive import Key
from transforms.hosting.settings import Settings


class Host(Protocol):
    """A host in memory."""

    outputs: list[tuple[Key, bytes]]

    @property
    def states(self) -> dict[Key, bytes | None]: ...

    @property
    def timers(self) -> dict[Key, int]: ...

    def deliver(self, key: Key, signal: Signal) -> None: ...

    def advance(self, watermark: int) -> None: ...

    def damage(self, key: Key, state: bytes) -> None: ...


Make = Callable[[Catalogs, Settings], Host]
ALWAYS = Settings(clock=lambda: NEVER)


def waits(make: Make) -> Iterator[Host]:
    """An alarm is set, replaced by a later one, and fires."""
    host = make(AT_ONCE, ALWAYS)
    host.deliver(KEY, event("Cart", TEN))
    yield host
    host.deliver(KEY, event("Order", TEN + MINUTE))
    yield host
    host.advance(TEN + 31 * DAY)
    yield host


def keeps(make: Make) -> Iterator[Host]:
    """A signal that cannot be handled changes neither state nor alarm; an alarm that cannot, is over."""
    host = make(AT_ONCE, ALWAYS)
    host.deliver(KEY, event("Cart", TEN))
    host.damage(KEY, b"\x7f")
    host.deliver(KEY, event("Order", TEN + MINUTE))
    yield host
    host.advance(TEN + DAY)
    yield host


def forgets(make: Make) -> Iterator[Host]:
    """Nothing is left of an erased user once the tombstone has expired."""
    host = make(AT_ONCE, ALWAYS)
    at = TEN + MINUTE
    host.deliver(KEY, event("Cart", TEN))
    host.deliver(KEY, Command(id="x", user=KEY[1], time=at, received=at, what="erase"))
    yield host
    host.advance(at + 31 * DAY)
    yield host


def ends(make: Make) -> Iterator[Host]:
    """No alarm is set after the end."""
    host = make(AT_ONCE, Settings(until=TEN + MINUTE, clock=lambda: NEVER))
    host.deliver(KEY, event("Cart", TEN))
    yield host


def drains(make: Make) -> Iterator[Host]:
    """An alarm long before its time by the clock is refused; the next signal sets it again."""
    host = make(AT_ONCE, Settings(clock=lambda: TEN))
    host.deliver(KEY, event("Cart", TEN))
    host.advance(NEVER)
    yield host
    host.deliver(KEY, event("Page Viewed", TEN + MINUTE))
    yield host


def holds(make: Make) -> Iterator[Host]:
    """While the control log is behind, signals are held, and handled when it is complete."""
    logs = GrowingLogs(AT_ONCE_LINES, TEN - 1)
    host = make(logs, ALWAYS)
    host.deliver(KEY, event("Cart", TEN))
    yield host
    host.advance(TEN + HOUR)
    yield host
    logs.until[SPACE] = NEVER
    host.advance(TEN + DAY)
    yield host


def goes_on(make: Make) -> Iterator[Host]:
    """A loose host goes on with the log as it is."""
    host = make(GrowingLogs(AT_ONCE_LINES, TEN - 1), Settings(loose=True, clock=lambda: NEVER))
    host.deliver(KEY, event("Cart", TEN))
    yield host


CASES = (waits, keeps, forgets, ends, drains, holds, goes_on)


def traces(make: Make) -> bytes:
    """Play all cases on a kind of host; return what was seen, as JSON."""
    return msgspec.json.encode(
        {
            case.__name__: [
                ([one for _, one in host.outputs], host.states.get(KEY), host.timers.get(KEY))
                for host in case(make)
            ]
            for case in CASES
        }
    )
