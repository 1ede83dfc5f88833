"""The kind of an encoded output, read without decoding it: it is the first entry of a map of msgpack."""

from __future__ import annotations

from typing import Final

TAG: Final = b"\xa2is"
SHORT_TEXT: Final = 0xA0
LONG_TEXT: Final = 32
"""A text of fewer bytes than this begins with its length and ``SHORT_TEXT``; so do all kinds."""
SMALL_MAP: Final = b"\x8f"
"""A map of up to 15 entries begins with at most this byte, a larger one with three bytes."""


def kind_of(encoded: bytes) -> str:
    """Return the kind of an encoded output. Raises ValueError for other bytes."""
    start = 1 if encoded[:1] <= SMALL_MAP else 3
    name = start + len(TAG) + 1
    if encoded[start : name - 1] == TAG and len(encoded) >= name:
        length = encoded[name - 1] - SHORT_TEXT
        if 0 <= length < LONG_TEXT and len(encoded) >= name + length:
            return encoded[name : name + length].decode()
    raise ValueError("no encoded output")
