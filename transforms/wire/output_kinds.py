"""The kind of an encoded output, read without decoding it: it is the first entry of a map of msgpack."""

from __future__ import annotations

from typing import Final

TAG: Final = b"\xa2is"
SHORT_TEXT: Final = 0xA0
"""A text of fewer than 32 bytes begins with this and its length; so do all kinds."""
SMALL_MAP: Final = b"\x8f"
"""A map of up to 15 entries begins with at most this byte, a larger one with three bytes."""


def kind_of(encoded: bytes) -> str:
    """Return the kind of an encoded output. Raises ValueError for other bytes."""
    start = 1 if encoded[:1] <= SMALL_MAP else 3
    name = start + 4
    if encoded[start : name - 1] != TAG:
        raise ValueError("no encoded output")
    return encoded[name : name + encoded[name - 1] - SHORT_TEXT].decode()
