"""Batches of signals on their way to a bucket of users; ``hashes`` assigns users to buckets.

Buckets partition a replay by worker, on disk and in files.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from transforms.flows.protocol.signals import Signal
from transforms.wire.raw import Bad

BUCKETS = 16


class Tally(msgspec.Struct, array_like=True, gc=False):
    """The number of records read, rejected, unused by every flow, and after the end."""

    read: int = 0
    bad: int = 0
    unread: int = 0
    after: int = 0

    def add(self, other: Tally) -> None:
        """Add another tally."""
        self.read += other.read
        self.bad += other.bad
        self.unread += other.unread
        self.after += other.after


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
