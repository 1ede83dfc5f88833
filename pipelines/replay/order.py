"""The order in which a replay hands one user's signals to the core (R3).

An audit keeps the order of the log. A back-test sorts by event time, sequence and id, so that
shuffling or splitting files changes nothing; equal rows without an id are numbered first.
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
"""Signals with their places, as in a ``Batch``."""


def by_user(batch: Batch) -> list[tuple[str, Placed]]:
    """Group a bucket's signals by user, in the order of the users' hashes."""
    users: dict[str, Placed] = {}
    for place, signal in zip(batch.places, batch.signals, strict=True):
        found = users.get(signal.user)
        if found is None:
            users[signal.user] = [(place, signal)]
        else:
            found.append((place, signal))
    return sorted(users.items(), key=lambda item: (hash_of(item[0]), item[0]))


def in_order(placed: Placed, audit: bool) -> list[Signal]:
    """Sort one user's signals."""
    if audit:
        placed.sort(key=lambda item: item[0])
        return _numbered(placed)
    found = _numbered(placed)
    return _receipts(_sorted(found) if len(found) > 1 else found)


def event_time(signal: Signal) -> int:
    """Return the event time, at most the receipt (R9)."""
    assert not isinstance(signal, Time)
    received = signal.received
    return signal.time if received is None or received > signal.time else received


def _key(signal: Signal) -> tuple[int, int, str]:
    assert not isinstance(signal, Time)
    return event_time(signal), signal.sequence, signal.id


def _numbered(placed: Placed) -> list[Signal]:
    """Give equal rows numbered ids."""
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
    """Sort by time, sequence and id, then by contents, so that the order is deterministic."""
    last = -1
    for signal in found:
        t = event_time(signal)
        if t <= last:
            break
        last = t
    else:
        return found
    keys = [_key(signal) for signal in found]
    if all(before < after for before, after in pairwise(keys)):
        return found
    if len(set(keys)) < len(keys):
        return sorted(found, key=lambda signal: (_key(signal), signals.encode(signal)))
    return [found[place] for place in sorted(range(len(keys)), key=keys.__getitem__)]


def _receipts(found: list[Signal]) -> list[Signal]:
    """Lower each receipt to that of the next signal, if that is earlier.

    Signals that arrived in order keep their receipts, as in the live run. A late signal is handled
    before the ones after it, and does not delay them.
    """
    for signal in found:
        if type(signal) is Time or signal.received is not None:
            break
    else:
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
            received = max(event_time(signal), earliest)
            found[index] = msgspec.structs.replace(signal, received=received)
        earliest = received
    return found
