"""Which bucket a user belongs to: a range of the users' hashes.

So the files and the order of rows within them depend on the users alone, not on how many workers
or shards there were (R4).
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Final

SPACE: Final = 1 << 32


@lru_cache(maxsize=65_536)
def hash_of(user: str) -> int:
    """Hash a user to 32 bits."""
    return int.from_bytes(blake2b(user.encode(), digest_size=4).digest(), "big")


def part_of(user: str, parts: int) -> int:
    """Find which of ``parts`` equal ranges of hashes a user belongs to, from 0."""
    return hash_of(user) * parts // SPACE
