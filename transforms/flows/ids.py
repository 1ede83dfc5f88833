"""Permanent ids and draws: a hash of what they name, never a clock or chance (R30).

A session's outputs are numbered within the session, so their ids are its id and that number.
"""

from __future__ import annotations

from binascii import b2a_base64
from hashlib import blake2b
from typing import Any, Final

SEPARATOR: Final = "\x1f"
SHORT: Final = 6
_SAFE: Final = bytes.maketrans(b"+/", b"_~")


def digest(size: int, *parts: str) -> bytes:
    """Hash the parts to ``size`` bytes."""
    return blake2b(SEPARATOR.join(parts).encode(), digest_size=size).digest()


def hashed(*parts: str) -> str:
    """Hash the parts to 24 hex digits."""
    return digest(12, *parts).hex()


def session_id(*parts: str) -> str:
    """Hash the parts to 16 characters, which are safe in addresses and headers: 96 bits."""
    return b2a_base64(digest(12, *parts), newline=False).translate(_SAFE).decode()


def short(text: str) -> bytes:
    """Hash a signal's id for the memory of seen ones: 48 bits.

    At the memory's bound of 2,000 ids, one signal in 10^11 is taken for a duplicate.
    """
    return blake2b(text.encode(), digest_size=SHORT).digest()


def draw(*parts: str) -> int:
    """Draw a number in 0..9999 that is always the same for the same parts."""
    return int.from_bytes(digest(8, *parts), "big") % 10_000


def key_text(value: Any) -> str | None:
    """Return the key that a value is (R20), None of no value; a number is one in both its forms."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return None if value is None else str(value)
