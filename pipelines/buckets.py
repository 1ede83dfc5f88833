"""Buckets of users: what spreads a replay over workers, over disk and over files.

A bucket is a range of the users' hashes, so the files and the order of rows within them
depend on the users alone, not on how many workers or shards there were (R4).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

import msgspec

from transforms.flows.signals import Signal
from transforms.sources.raw import Bad

BUCKETS = 16
SPACE = 1 << 32


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
    """Signals on their way to one bucket, each with its place in the input, and bad records."""

    signals: list[Signal]
    places: list[int]
    bad: list[Bad]
    tally: Tally


def empty() -> Batch:
    """Make a batch without anything in it."""
    return Batch([], [], [], Tally())


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Batch).decode


@lru_cache(maxsize=65_536)
def hash_of(user: str) -> int:
    """Hash a user to 32 bits."""
    return int.from_bytes(blake2b(user.encode(), digest_size=4).digest(), "big")


def part_of(user: str, parts: int) -> int:
    """Find which of ``parts`` equal ranges of hashes a user belongs to, from 0."""
    return hash_of(user) * parts // SPACE


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
