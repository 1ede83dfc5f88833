"""The state as one blob: a version byte, then msgpack, without the empty fields at its end.

A released version stays readable for ever: its reader is in READERS, its golden blobs in the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from transforms.flows.state.stored import StoredState
from transforms.flows.state.working import State, closed, opened

VERSION: Final = b"\x01"
ENDLESS: Final = 1 << 40
SMALL: Final = 800
"""A state of more bytes is written as it is: a few less would take longer than they are worth."""

FIELDS: Final = len(StoredState.__struct_fields__)


class UnknownVersion(ValueError):
    """The blob was written by a newer version than this one."""


_encode: Final = msgspec.msgpack.Encoder().encode
_decode_1: Final = msgspec.msgpack.Decoder(StoredState).decode

READERS: Final[dict[int, Callable[[memoryview], StoredState]]] = {1: _decode_1}


def encode(state: State) -> bytes:
    """Write a state as a blob."""
    whole = _encode(closed(state))
    if len(whole) > SMALL:
        return VERSION + whole
    spare = _spare(state)
    kept = FIELDS - spare
    head = bytes((0x90 | kept,)) if kept < 16 else bytes((0xDC, 0, kept))
    return VERSION + head + whole[3 : len(whole) - spare]


def _spare(state: State) -> int:
    """Count the empty fields at the end: each of them is one byte of msgpack."""
    if (
        state.identity is not None
        or state.participants
        or state.presence is not None
        or state.suppressed
    ):
        return 0
    if state.sent_archive or state.pending or state.audience_checks or state.ended:
        return 4
    if state.communications or state.cap_sends or state.series or state.audiences:
        return 8
    return 12 if state.consent or state.tags else 14


def decode(blob: bytes) -> State:
    """Read a blob of any released version."""
    reader = READERS.get(blob[0]) if blob else None
    if reader is None:
        raise UnknownVersion(f"state version {blob[0] if blob else 'none'} is not known")
    return opened(reader(memoryview(blob)[1:]))


def encoded_size(value: object) -> int:
    """Return how many bytes a value takes in a blob: more than any bound if none can hold it."""
    try:
        return len(_encode(value))
    except (OverflowError, RecursionError):
        return ENDLESS
