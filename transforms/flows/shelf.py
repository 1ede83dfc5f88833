"""Messages that left and that no session looks at: kept as bytes, so that they cost little.

A hundred of them for 30 days (section 9); only a status from outside takes one down.
"""

from __future__ import annotations

import msgspec

from transforms.flows.state import Communication, Past, State

MONTH = 30 * 86_400_000
KEPT = 100

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Communication).decode


def shelve(state: State, sent: Communication, t: int) -> None:
    """Put a message on the shelf, and drop what is too old or too much."""
    past = state.past
    past.append(Past(sent.changed, msgspec.Raw(_pack(sent))))
    edge = t - MONTH
    while len(past) > KEPT or past[0].changed <= edge:
        del past[0]


def look_through(state: State) -> list[Communication]:
    """Read all messages on the shelf; they stay there."""
    return [_unpack(past.packed) for past in state.past]


def put_back(state: State, sent: Communication) -> None:
    """Write a message anew in its place on the shelf."""
    for place, past in enumerate(state.past):
        if _unpack(past.packed).id == sent.id:
            state.past[place] = Past(past.changed, msgspec.Raw(_pack(sent)))


def take_down(state: State, name: str) -> Communication | None:
    """Take the message of an id from the shelf; whoever does puts it back."""
    sought = name.encode()
    for place, past in enumerate(state.past):
        if sought in bytes(past.packed):
            found = _unpack(past.packed)
            if found.id == name:
                del state.past[place]
                return found
    return None
