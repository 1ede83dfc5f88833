"""Buckets of users: what spreads a replay over workers, over disk and over files.

What travels to a bucket are batches; which bucket a user belongs to says ``hashes``.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from transforms.flows.protocol.signals import Signal
from transforms.wire.raw import Bad

BUCKETS = 16


class Tally(msgspec.Struct, array_like=True, gc=False):
    """How many records were read, were bad, are read by no flow, or are past the end."""

    read: int = 0
    bad: int = 0
    unread: int = 0
    after: int = 0

    def add(self, other: Tally) -> None:
        """Count another tally in."""
        self.read += other.read
        self.bad += other.bad
        self.unread += other.unread
        self.after += other.after


class Batch(msgspec.Struct, array_like=True, gc=False):
    """Signals on their way to one bucket, each with its place in the input, and bad records.

    The lowest bit of a place says that the id is a row's hash, to be numbered among its equals.
    """

    signals: list[Signal]
    places: list[int]
    bad: list[Bad]
    tally: Tally


def empty() -> Batch:
    """Make a batch without anything in it."""
    return Batch([], [], [], Tally())


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Batch).decode


def joined(blobs: Iterable[bytes]) -> Batch:
    """Put batches together; their order does not matter."""
    whole = empty()
    for blob in blobs:
        batch = decode(blob)
        whole.signals += batch.signals
        whole.places += batch.places
        whole.bad += batch.bad
        whole.tally.add(batch.tally)
    return whole
