"""The order in which a replay hands one user's signals to the core (R3).

An audit keeps the order of the log. A back-test sorts as ``transforms.hosting.order`` says, so that
shuffling or splitting files changes nothing; equal rows without an id are numbered first.
"""

from __future__ import annotations

import msgspec

from pipelines.replay.batches import Batch
from pipelines.replay.hashes import hash_of
from transforms.flows.protocol.signals import Signal, Time
from transforms.hosting.order import in_event_order, with_earliest_receipts
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
    return with_earliest_receipts(in_event_order(found))


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
