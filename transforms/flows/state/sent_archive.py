"""Messages that left and that no session waits for: packed bytes, so that they cost little.

A hundred of them for 30 days (section 9); only a status from outside unpacks one.
"""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

from transforms.flows.state.stored import Communication, Past

MONTH: Final = 30 * 86_400_000
KEPT: Final = 100

_unpack: Final = msgspec.msgpack.Decoder(Communication).decode


def archive(past: list[Past], sent: Communication, t: int) -> None:
    """Add a message, and drop what is too old or too much."""
    # As it is: the codec packs it with the state, and the end of a replay encodes none.
    past.append(Past(sent.changed, cast(msgspec.Raw, sent)))
    edge = t - MONTH
    while len(past) > KEPT or past[0].changed <= edge:
        del past[0]


def archived(past: list[Past]) -> list[Communication]:
    """Return all messages; they stay in the archive."""
    return [_unpacked(one) for one in past]


def replace(past: list[Past], sent: Communication) -> None:
    """Write a message anew in its place."""
    for place, one in enumerate(past):
        if _unpacked(one).id == sent.id:
            past[place] = Past(one.changed, cast(msgspec.Raw, sent))


def pop(past: list[Past], name: str) -> Communication | None:
    """Take the message of an id out of the archive; the caller archives it again."""
    sought = name.encode()
    for place, one in enumerate(past):
        packed: Any = one.packed
        if type(packed) is msgspec.Raw and sought not in bytes(packed):
            continue  # without unpacking it
        sent = _unpacked(one)
        if sent.id == name:
            del past[place]
            return sent
    return None


def _unpacked(past: Past) -> Communication:
    packed: Any = past.packed
    return packed if type(packed) is Communication else _unpack(packed)
