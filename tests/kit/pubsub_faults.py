"""Faults between a broker and its clients, switched on by probabilities and chosen by a seed.

A choice depends on the seed, the fault and what it affects (message, attempt), never on the
order of threads. Each attempt is decided anew, so a fault below 1 ends eventually.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec


class Faults(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The probability of each fault, 0 to 1, and the limits of those that have one."""

    seed: int = 0
    duplicate: float = 0.0
    """A message is delivered twice: later on without an ordering key, in a row with one."""
    reorder: int = 0
    """Messages without an ordering key are overtaken by up to this many later ones."""
    lose_ack: float = 0.0
    """An acknowledgement is answered and forgotten."""
    expire_lease: float = 0.0
    """A lease ends as soon as it is given, whatever the holder requests."""
    nack_ordered: float = 0.0
    """An acknowledged message and the later ones of its ordering key are delivered again."""
    delay_ms: int = 0
    """A message is delivered up to this long after its publication."""
    unavailable: float = 0.0
    """A call is refused as UNAVAILABLE and has no effect."""
    lose_answer: float = 0.0
    """A call has its effect, and its answer is lost: the caller sees UNAVAILABLE."""


def draw(seed: int, *what: object) -> float:
    """Return a number in [0, 1) that is always the same for the same arguments."""
    text = "\x1f".join(map(str, (seed, *what)))
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest()) / 2.0**56


def happens(chance: float, seed: int, *what: object) -> bool:
    """Return True if a fault of this probability affects ``what``."""
    return chance > 0 and draw(seed, *what) < chance
