"""Batches of signals on their way to a bucket of users; ``hashes`` assigns users to buckets.

Buckets partition a replay by worker, on disk and in files.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pipelines.replay.hashes import hash_of
from transforms.flows.protocol.signals import Signal
from transforms.wire.raw import Bad

BUCKETS = 16
MOST_NAMES: Final = 5_000
IN_1970: Final = 31_536_000_000
"""The first instant of 1971."""


class Tally(msgspec.Struct, array_like=True, gc=False):
    """The number of records read, rejected, unused by every flow, and after the end.

    ``used`` counts the events that a flow uses, ``early`` the times in 1970; ``first`` is the
    earliest time after the end. ``names`` counts the unused events by name: if there are too many
    names, those with the lowest hashes, so that the counts do not depend on how the input is split.
    """

    read: int = 0
    bad: int = 0
    unread: int = 0
    after: int = 0
    used: int = 0
    early: int = 0
    first: int | None = None
    names: dict[str, int] = {}

    def add_unused(self, name: str) -> None:
        """Count an event that no flow uses."""
        self.unread += 1
        self._count(name, 1)

    def add_after(self, at: int) -> None:
        """Count a record after the end."""
        self.after += 1
        self.first = at if self.first is None else min(self.first, at)

    def _count(self, name: str, count: int) -> None:
        names = self.names
        names[name] = names.get(name, 0) + count
        if len(names) > 2 * MOST_NAMES:
            self.names = _lowest(names)

    def add(self, other: Tally) -> None:
        """Add another tally."""
        self.read += other.read
        self.bad += other.bad
        self.unread += other.unread
        self.after += other.after
        self.used += other.used
        self.early += other.early
        if other.first is not None:
            self.first = other.first if self.first is None else min(self.first, other.first)
        for name, count in other.names.items():
            self._count(name, count)

    def most_frequent(self, most: int) -> dict[str, int]:
        """Return the most frequent names of unused events with their counts, largest first."""
        found = sorted(_lowest(self.names).items(), key=lambda item: (-item[1], item[0]))
        return dict(found[:most])


def _lowest(names: dict[str, int]) -> dict[str, int]:
    if len(names) <= MOST_NAMES:
        return names
    kept = sorted(names, key=lambda name: (hash_of(name), name))[:MOST_NAMES]
    return {name: names[name] for name in kept}


class Batch(msgspec.Struct, array_like=True, gc=False):
    """Signals for one bucket, each with its place in the input, and rejected records.

    The lowest bit of a place marks an id that is a row's hash, still to be ``numbered``.
    """

    signals: list[Signal]
    places: list[int]
    bad: list[Bad]
    tally: Tally


def empty() -> Batch:
    """Make an empty batch."""
    return Batch([], [], [], Tally())


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Batch).decode


def joined(blobs: Iterable[bytes]) -> Batch:
    """Join batches, in any order."""
    merged = empty()
    for blob in blobs:
        batch = decode(blob)
        merged.signals += batch.signals
        merged.places += batch.places
        merged.bad += batch.bad
        merged.tally.add(batch.tally)
    return merged
