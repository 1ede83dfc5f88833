"""Which bucket a user belongs to: a range of the users' hashes.

So the files and the order of rows within them depend on the users alone, not on how many workers
or shards there were (R4).
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Final

SPACE: Final = 1 << 32

_HASH: Final = blake2b(digest_size=4)  # copied, which takes half the time of making one


@lru_cache(maxsize=65_536)
def hash_of(user: str) -> int:
    """Hash a user to 32 bits."""
    hashing = _HASH.copy()
    hashing.update(user.encode())
    return int.from_bytes(hashing.digest(), "big")


def part_of(user: str, parts: int) -> int:
    """Find which of ``parts`` equal ranges of hashes a user belongs to, from 0."""
    return hash_of(user) * parts // SPACE
