"""One user of the reminders flow, through the core and through a host in memory."""

from __future__ import annotations

from tests.kit.reminders import LINES, LOGS, SLACK, SPACE
from tests.kit.turns import MemoryHost
from transforms.flows.engine.step import Done, fold
from transforms.flows.protocol import outputs
from transforms.flows.protocol.signals import Event, Signal, Time
from transforms.hosting.catalogs import FixedLogs, read_once
from transforms.hosting.order import ingestion_time

KEY = (SPACE, "kim")


def event(name: str, at: int, received: int | None = None, ident: str = "") -> Event:
    """Return an event of kim; it is received when it happens, unless another time is given."""
    received = at if received is None else received
    return Event(id=ident or f"{name}-{at}", user="kim", name=name, time=at, received=received)


def by_the_core(given: list[Signal], end: int, log: tuple[bytes, ...] = LINES) -> list[bytes]:
    """Fold signals in this order, then advance the time."""
    done = fold(read_once(log).catalog, None, [*given, Time(user="kim", at=end - SLACK)])
    assert isinstance(done, Done)
    return [outputs.encode(output) for output in done.outputs]


def host_of(arrived: list[Signal], end: int, logs: FixedLogs = LOGS) -> MemoryHost:
    """Deliver signals in this order; the watermark is the earliest ingestion time still to come."""
    host = MemoryHost(logs, until=end)
    for place, signal in enumerate(arrived):
        host.advance(min(map(ingestion_time, arrived[place:])))
        host.deliver(KEY, signal)
    host.advance(end + 2 * SLACK)
    return host


def messages(host: MemoryHost) -> list[outputs.Message]:
    found = [outputs.decode(encoded) for _, encoded in host.outputs]
    return [output for output in found if isinstance(output, outputs.Message)]
