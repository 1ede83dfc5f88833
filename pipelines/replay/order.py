"""The signals of one user in the order in which a replay gives them to the core (R3).

An audit keeps the order of the log. A back-test sorts by own time, sequence and id, so that
shuffled or divided files change nothing; equal rows without an id are numbered first.
"""

from __future__ import annotations

from itertools import pairwise

import msgspec

from pipelines.replay.batches import Batch
from pipelines.replay.hashes import hash_of
from transforms.flows.protocol import signals
from transforms.flows.protocol.signals import Signal, Time
from transforms.wire.mapped import numbered

Placed = list[tuple[int, Signal]]
"""Signals with their places; a place's lowest bit says what it does in a ``Batch``."""


def by_user(batch: Batch) -> list[tuple[str, Placed]]:
    """Group a bucket's signals by user, users in the order of their hashes."""
    users: dict[str, Placed] = {}
    for place, signal in zip(batch.places, batch.signals, strict=True):
        found = users.get(signal.user)
        if found is None:
            users[signal.user] = [(place, signal)]
        else:
            found.append((place, signal))
    return sorted(users.items(), key=lambda item: (hash_of(item[0]), item[0]))


def in_order(placed: Placed, audit: bool) -> list[Signal]:
    """Put one user's signals in order."""
    if audit:
        placed.sort(key=lambda item: item[0])
        return _numbered(placed)
    found = _numbered(placed)
    return _receipts(_sorted(found) if len(found) > 1 else found)


def own_time(signal: Signal) -> int:
    """Return the own time, which is never later than the receipt (R9)."""
    assert not isinstance(signal, Time)
    received = signal.received
    return signal.time if received is None or received > signal.time else received


def _key(signal: Signal) -> tuple[int, int, str]:
    assert not isinstance(signal, Time)
    return own_time(signal), signal.sequence, signal.id


def _numbered(placed: Placed) -> list[Signal]:
    """Give rows without an id theirs: of equal rows each has a number of its own."""
    found: list[Signal] = []
    seen: dict[str, int] = {}
    for place, signal in placed:
        assert not isinstance(signal, Time)
        found.append(signal)
        if place & 1:
            row = signal.id
            k = seen[row] = seen.get(row, 0) + 1
            if k > 1:
                found[-1] = msgspec.structs.replace(signal, id=numbered(row, k))
    return found


def _sorted(found: list[Signal]) -> list[Signal]:
    """Sort; what is of one time, sequence and id by its contents, so that chance has no say."""
    keys = [_key(signal) for signal in found]
    if all(before < after for before, after in pairwise(keys)):
        return found
    if len(set(keys)) < len(keys):
        return sorted(found, key=lambda signal: (_key(signal), signals.encode(signal)))
    return [found[place] for place in sorted(range(len(keys)), key=keys.__getitem__)]


def _receipts(found: list[Signal]) -> list[Signal]:
    """Take a receipt back to that of the next signal, where that is earlier.

    What arrived in order stays as it is, and equals the live run; what arrived late is
    handled before what follows it, and does not hold that up.
    """
    if all(type(signal) is not Time and signal.received is None for signal in found):
        return found
    earliest: int | None = None
    for index in range(len(found) - 1, -1, -1):
        signal = found[index]
        assert not isinstance(signal, Time)
        received = signal.received
        if received is None:
            earliest = signal.time if earliest is None else min(earliest, signal.time)
            continue
        if earliest is not None and received > earliest:
            received = max(own_time(signal), earliest)
            found[index] = msgspec.structs.replace(signal, received=received)
        earliest = received
    return found
