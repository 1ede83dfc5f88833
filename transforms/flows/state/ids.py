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

# A copy of one that has read nothing takes half the time of a new one.
_HASH_96: Final = blake2b(digest_size=12)
_HASH_48: Final = blake2b(digest_size=SHORT)


def hashed(*parts: str) -> str:
    """Hash the parts to 24 hex digits."""
    return _digest(parts).hex()


def session_id(*parts: str) -> str:
    """Hash the parts to 16 characters, which are safe in addresses and headers: 96 bits."""
    return b2a_base64(_digest(parts), newline=False).translate(_SAFE).decode()


def _digest(parts: tuple[str, ...]) -> bytes:
    hashing = _HASH_96.copy()
    hashing.update(SEPARATOR.join(parts).encode())
    return hashing.digest()


def short(text: str) -> bytes:
    """Hash a signal's id for the memory of seen ones: 48 bits.

    At the memory's bound of 2,000 ids, one signal in 10^11 is taken for a duplicate.
    """
    hashing = _HASH_48.copy()
    hashing.update(text.encode())
    return hashing.digest()


def draw(*parts: str) -> int:
    """Draw a number in 0..9999 that is always the same for the same parts."""
    hashing = blake2b(SEPARATOR.join(parts).encode(), digest_size=8)
    return int.from_bytes(hashing.digest(), "big") % 10_000


def key_text(value: Any) -> str | None:
    """Return the key that a value is (R20), None of no value; a number is one in both its forms."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return None if value is None else str(value)
