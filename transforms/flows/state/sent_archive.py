"""Messages that left and that no session looks at: bytes once stored, so that they cost little.

A hundred of them for 30 days (section 9); only a status from outside takes one down.
"""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

from transforms.flows.state.stored import Communication, Past
from transforms.flows.state.working import State

MONTH: Final = 30 * 86_400_000
KEPT: Final = 100

_unpack: Final = msgspec.msgpack.Decoder(Communication).decode


def archive(state: State, sent: Communication, t: int) -> None:
    """Put a message on the shelf, and drop what is too old or too much."""
    past = state.sent_archive
    # As it is: whoever encodes the state packs it, and the end of a replay encodes none.
    past.append(Past(sent.changed, cast(msgspec.Raw, sent)))
    edge = t - MONTH
    while len(past) > KEPT or past[0].changed <= edge:
        del past[0]


def archived(state: State) -> list[Communication]:
    """Read all messages on the shelf; they stay there."""
    return [_unpacked(past) for past in state.sent_archive]


def replace(state: State, sent: Communication) -> None:
    """Write a message anew in its place on the shelf."""
    for place, past in enumerate(state.sent_archive):
        if _unpacked(past).id == sent.id:
            state.sent_archive[place] = Past(past.changed, cast(msgspec.Raw, sent))


def pop(state: State, name: str) -> Communication | None:
    """Take the message of an id from the shelf; whoever does puts it back."""
    sought = name.encode()
    for place, past in enumerate(state.sent_archive):
        packed: Any = past.packed
        if type(packed) is msgspec.Raw and sought not in bytes(packed):
            continue  # without opening it
        found = _unpacked(past)
        if found.id == name:
            del state.sent_archive[place]
            return found
    return None


def _unpacked(past: Past) -> Communication:
    packed: Any = past.packed
    return packed if type(packed) is Communication else _unpack(packed)
