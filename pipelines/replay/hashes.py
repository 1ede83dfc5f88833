"""Assign users to buckets, which are ranges of the users' hashes.

So the files and the order of their rows depend on the users only, not on the number of workers or
shards (R4).
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Final

SPACE: Final = 1 << 32

_HASH: Final = blake2b(digest_size=4)  # copying takes half the time of creating


@lru_cache(maxsize=65_536)
def hash_of(user: str) -> int:
    """Hash a user to 32 bits."""
    hashing = _HASH.copy()
    hashing.update(user.encode())
    return int.from_bytes(hashing.digest(), "big")


def part_of(user: str, parts: int) -> int:
    """Return the number (from 0) of a user's range among ``parts`` equal ranges."""
    return hash_of(user) * parts // SPACE
