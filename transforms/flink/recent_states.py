"""The states of users that were written last, so that a user's next signal does not read them again."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

MOST_BYTES: Final = 64 * 1024 * 1024
"""The size of the states of an operator that stay in memory, beside those of Flink."""
OVERHEAD: Final = 300
"""Bytes of memory that each of them takes besides its state."""

Kept = tuple[int | None, bytes | None]
"""The alarm and the state of a user."""


class RecentStates:
    """Copies of what Flink has, up to a size; the one that was written longest ago goes first.

    ``take`` removes what it returns, and ``put`` follows a write to Flink. So after a step that fails there
    is no copy. An operator that is restored begins without any.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._size = 0
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    def take(self, name: str) -> Kept | None:
        """Return the copy of a user, which is then gone; None if there is none."""
        kept = self._kept.pop(name, None)
        if kept is not None:
            self._size -= _size(kept)
        return kept

    def put(self, name: str, kept: Kept) -> None:
        """Keep what was written for a user that has no copy."""
        self._kept[name] = kept
        self._size += _size(kept)
        while self._size > self._most:
            _, oldest = self._kept.popitem(last=False)
            self._size -= _size(oldest)


def _size(kept: Kept) -> int:
    return OVERHEAD + len(kept[1] or b"")
