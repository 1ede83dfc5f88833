"""When each trait was told last: four bytes of seconds a trait, in the order of the traits (R8).

Traits that were all told at once have one age. Only the joining of two keys reads them; states of before have none, which is the oldest age.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

WIDTH: Final = 4
UNKNOWN: Final = bytes(WIDTH)


def stamp(t: int) -> bytes:
    """Write an instant as an age."""
    return max(0, min(t // 1000, 2**32 - 1)).to_bytes(WIDTH, "big")


def ages_of(ages: bytes, names: Iterable[str]) -> dict[str, bytes]:
    """Return the age of each trait; later ones are greater."""
    if len(ages) == WIDTH:
        return dict.fromkeys(names, ages)
    found = {}
    for place, name in enumerate(names):
        at = place * WIDTH
        found[name] = ages[at : at + WIDTH] or UNKNOWN
    return found


def told(
    ages: bytes, before: list[str], now: Collection[str], said: Collection[str], t: int
) -> bytes:
    """Return the ages after some traits were told at an instant."""
    fresh = stamp(t)
    if len(ages) == len(before) * WIDTH and before == [*now]:  # the usual case, and quick
        each = bytearray(ages)
        for place, name in enumerate(before):
            if name in said:
                each[place * WIDTH : (place + 1) * WIDTH] = fresh
        return bytes(each)
    known = ages_of(ages, before)
    return packed([fresh if name in said else known.get(name, UNKNOWN) for name in now])


def packed(each: list[bytes]) -> bytes:
    """Write the ages of the traits, in their order."""
    return each[0] if each and each.count(each[0]) == len(each) else b"".join(each)
