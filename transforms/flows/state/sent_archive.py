"""The archive of sent messages that no session waits for, kept encoded to save time.

It holds at most 100, for 30 days. Only a status from outside decodes one.
"""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

from transforms.flows.state.stored import Communication, Past

MONTH: Final = 30 * 86_400_000
KEPT: Final = 100

_unpack: Final = msgspec.msgpack.Decoder(Communication).decode


def archive(past: list[Past], sent: Communication, t: int) -> None:
    """Add a message, and drop messages over the limits of age and number."""
    # Not encoded here: the codec encodes it with the state, and a replay drops the last state.
    past.append(Past(sent.changed, cast(msgspec.Raw, sent)))
    edge = t - MONTH
    while past and (len(past) > KEPT or past[0].changed <= edge):
        del past[0]


def archived(past: list[Past]) -> list[Communication]:
    """Return all messages in the archive."""
    return [_unpacked(one) for one in past]


def replace(past: list[Past], sent: Communication) -> None:
    """Replace a message in its place."""
    for place, one in enumerate(past):
        if _unpacked(one).id == sent.id:
            past[place] = Past(one.changed, cast(msgspec.Raw, sent))


def pop(past: list[Past], name: str) -> Communication | None:
    """Remove and return the message with an id; the caller archives it again."""
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
