"""Ids of handled signals, for deduplication: the last 7 days, at most 2,000 (R5).

They are one byte string, ten bytes per id: a hash of six bytes, and four bytes of event time in
seconds, rounded up.
"""

from __future__ import annotations

from typing import Final

from transforms.flows.state.ids import SHORT

WEEK: Final = 7 * 86_400_000
ROOM: Final = 2_000
ENTRY: Final = SHORT + 4


def seen(memory: bytes, short: bytes) -> bool:
    """Return True if the id is remembered."""
    at = memory.find(short)
    while at >= 0:
        if at % ENTRY == 0:
            return True
        at = memory.find(short, at + 1)
    return False


def _seconds(memory: bytes, index: int) -> int:
    at = index * ENTRY + SHORT
    return memory[at] << 24 | memory[at + 1] << 16 | memory[at + 2] << 8 | memory[at + 3]


def remember(memory: bytes, short: bytes, own: int, clock: int, dropped: int) -> tuple[bytes, int]:
    """Add an id and drop old ones; return the memory and the newest event time dropped for room.

    Ids that are more than 7 days older than the clock are dropped, in the order of arrival.
    """
    limit = (clock - WEEK) // 1000
    first = 0
    count = len(memory) // ENTRY
    while first < count and _seconds(memory, first) <= limit:
        first += 1
    while count - first >= ROOM:
        dropped = max(dropped, _seconds(memory, first) * 1000)
        first += 1
    seconds = max(0, -(-own // 1000))
    return memory[first * ENTRY :] + short + seconds.to_bytes(4, "big"), dropped


def joined(mine: bytes, other: bytes, dropped: int) -> tuple[bytes, int]:
    """Merge two memories by event time; return it and the newest event time dropped for room."""
    both = mine + other
    entries = {both[at : at + SHORT]: both[at : at + ENTRY] for at in range(0, len(both), ENTRY)}
    order = sorted(entries.values(), key=_time)
    for entry in order[:-ROOM]:
        dropped = max(dropped, int.from_bytes(entry[SHORT:], "big") * 1000)
    return b"".join(order[-ROOM:]), dropped


def _time(entry: bytes) -> bytes:
    return entry[SHORT:]


def forgotten(clock: int, dropped: int) -> int:
    """Return the instant up to which a signal may be a duplicate whose id was dropped."""
    return max(clock - WEEK, dropped)
