"""Users of several spaces with random flows, as records on one topic, and the core's outputs.

The histories are those of the simulator, a few days long, without signals whose duplicates the
core cannot recognize (R5): a signal that is too old is refused each time, and an unused event
may be used when it is delivered again after a flow that reads it was published. Events that
are never used are included.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from tests.kit.histories import History, history
from tests.kit.simulate import PER_WORLD
from tests.kit.turns import turns
from tests.kit.worlds import DAY, MINUTE, STARTS, world
from transforms.flows.catalog.epochs import NEVER
from transforms.flows.engine.messages.cost import accounted
from transforms.flows.engine.step import Done, fold, is_unused
from transforms.flows.protocol import control_records, outputs
from transforms.flows.protocol.signals import Command, Event, Signal, Time
from transforms.hosting.catalogs import FixedLogs
from transforms.hosting.sandbox import answer
from transforms.wire.decode import decode_json
from transforms.wire.messages import to_envelope
from transforms.wire.raw import Bad

LENGTH = 12
"""Signals of a user, at most; those after five days are left out."""
SPAN = 5 * DAY
AFTER = 2 * DAY
PIECE = 60
"""Records that are published between two rounds of reading."""
SLACK = 10_000
"""The slack of the source; a space has this slack or none."""

Key = tuple[str, str]


class Published(msgspec.Struct, frozen=True):
    """A record as it is published: its ingestion time, user and content."""

    receipt: int
    key: Key
    signal: Signal
    data: bytes


class UserSet(Protocol):
    """Users, their records, and the control logs of their spaces, which are complete."""

    end: int
    logs: FixedLogs

    def pieces(self) -> Iterator[list[Published]]:
        """Return the records in batches, one per round of reading."""


def fold_all(
    people: UserSet, users: Iterable[Key], arrived: Iterable[tuple[Key, Signal]]
) -> dict[Key, list[bytes]]:
    """Fold each user's signals, without duplicates and unused events, then advance the time.

    They are in the order of a host's turns; in a space without allowed lateness in order of arrival.
    """
    given: dict[Key, dict[str, Signal]] = {key: {} for key in users}
    for key, signal in arrived:
        assert not isinstance(signal, Time)
        given[key].setdefault(signal.id, signal)
    return {key: _fold(people, key, [*found.values()]) for key, found in given.items()}


def _fold(people: UserSet, key: Key, found: list[Signal]) -> list[bytes]:
    known = people.logs.of(key[0])
    found = [signal for signal in found if not is_unused(known.catalog, signal)]
    last = Time(user=key[1], at=people.end - known.slack)
    done = fold(known.catalog, None, [*turns(found, known.slack), last], answer)
    assert isinstance(done, Done)
    return [outputs.encode(output) for output in accounted(known.catalog, done.outputs)]


class RandomUsers:
    """A number of users, eight in each space, whose histories begin within a day."""

    def __init__(self, users: int) -> None:
        self.worlds = list(_worlds(users // PER_WORLD))
        self.histories = {
            (f"w{w}", f"u{seed}"): history(world(w), seed, LENGTH)
            for w in self.worlds
            for seed in range(w * PER_WORLD, (w + 1) * PER_WORLD)
        }
        self.users = [*self.histories]
        signals = [p for key, found in self.histories.items() for p in _published(key, found)]
        self.end = (max(p.receipt for p in signals) + AFTER) // MINUTE * MINUTE
        self.records = sorted(signals, key=lambda p: p.receipt) + [
            _wake(key, self.end) for key in self.histories
        ]
        self.logs = FixedLogs(
            {
                f"w{w}": tuple(map(control_records.encode_line, world(w).records))
                for w in self.worlds
            }
        )

    def pieces(self) -> Iterator[list[Published]]:
        for start in range(0, len(self.records), PIECE):
            yield self.records[start : start + PIECE]


def _worlds(count: int) -> Iterator[int]:
    number = 0
    while count:
        if STARTS[0] <= world(number).start < STARTS[0] + DAY:
            count -= 1
            yield number
        number += 1


def _published(key: Key, found: History) -> Iterator[Published]:
    now = found.world.start
    for given in found.handled:
        signal = given.signal
        assert not isinstance(signal, Time)
        now = max(now, signal.time if signal.received is None else signal.received)
        known = given.taken or _is_unread(found, signal)
        if known and now < found.world.start + SPAN and now - signal.time <= DAY:
            yield record_of(now, key, signal)


def _is_unread(found: History, signal: Signal) -> bool:
    return isinstance(signal, Event) and found.world.catalog().read_since(signal.name) == NEVER


def record_of(receipt: int, key: Key, signal: Signal) -> Published:
    """Return a signal as a decoder returns it."""
    data = to_envelope(signal)
    read = decode_json(data)
    assert not isinstance(read, Bad | Time), read
    return Published(receipt, key, msgspec.structs.replace(read, received=receipt), data)


def _wake(key: Key, end: int) -> Published:
    """Wake a user at the end, like the controller: control records set no timers."""
    return record_of(end, key, Command(what="wake", id=f"end-{key[1]}", user=key[1], time=end))
