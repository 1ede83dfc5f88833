"""The codec of the state: a version byte, then msgpack without the trailing empty fields.

Every released version stays readable: its reader is in READERS, its golden blobs are in the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from transforms.flows.state.stored import StoredState

VERSION: Final = b"\x01"
ENDLESS: Final = 1 << 40


class UnknownVersion(ValueError):
    """The blob was written by a newer version than this one."""


_encode: Final = msgspec.msgpack.Encoder().encode
_decode_1: Final = msgspec.msgpack.Decoder(StoredState).decode

READERS: Final[dict[int, Callable[[memoryview], StoredState]]] = {1: _decode_1}


def pack(row: list[Any]) -> bytes:
    """Encode the fields of a state as a blob."""
    return VERSION + _encode(row)


def unpack(blob: bytes) -> StoredState:
    """Decode a blob of any released version; raise UnknownVersion for a newer one."""
    reader = READERS.get(blob[0]) if blob else None
    if reader is None:
        raise UnknownVersion(f"state version {blob[0] if blob else 'none'} is not known")
    return reader(memoryview(blob)[1:])


def encoded_size(value: object) -> int:
    """Return the encoded size of a value in bytes; ENDLESS if it cannot be encoded."""
    try:
        return len(_encode(value))
    except (OverflowError, RecursionError):
        return ENDLESS
