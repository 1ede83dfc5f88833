"""When each trait was set last: four bytes of seconds per trait, in the order of the traits (R8).

If all traits were set at once, a single time is stored. Only a merge of two keys reads them. A
state that was written before they existed has none, which counts as the oldest time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

WIDTH: Final = 4
UNKNOWN: Final = bytes(WIDTH)


def stamp(t: int) -> bytes:
    """Encode an instant as seconds."""
    return max(0, min(t // 1000, 2**32 - 1)).to_bytes(WIDTH, "big")


def ages_of(ages: bytes, names: Iterable[str]) -> dict[str, bytes]:
    """Return the encoded time of each trait; a later time is greater."""
    if len(ages) == WIDTH:
        return dict.fromkeys(names, ages)
    found = {}
    for place, name in enumerate(names):
        at = place * WIDTH
        found[name] = ages[at : at + WIDTH] or UNKNOWN
    return found


def updated_times(
    ages: bytes, before: list[str], now: Collection[str], updated: Collection[str], t: int
) -> bytes:
    """Return the encoded times after the traits ``updated`` were set at an instant."""
    stamped = stamp(t)
    if len(ages) == len(before) * WIDTH and before == [*now]:  # the fast path of the usual case
        each = bytearray(ages)
        for place, name in enumerate(before):
            if name in updated:
                each[place * WIDTH : (place + 1) * WIDTH] = stamped
        return bytes(each)
    known = ages_of(ages, before)
    return packed([stamped if name in updated else known.get(name, UNKNOWN) for name in now])


def packed(each: list[bytes]) -> bytes:
    """Join the encoded times of the traits, in their order."""
    return each[0] if each and each.count(each[0]) == len(each) else b"".join(each)
