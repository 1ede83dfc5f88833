"""Permanent ids and random assignment, both computed as hashes: no clock, no random numbers (R30).

An id hashes its kind and its parts, each with its length: no text in a part can give the id of other parts or of another kind. The outputs of a session are numbered; their ids
are the session's id and that number.
"""

from __future__ import annotations

from binascii import b2a_base64
from hashlib import blake2b
from typing import Any, Final

SEPARATOR: Final = "\x1f"
SHORT: Final = 6
_SAFE: Final = bytes.maketrans(b"+/", b"_~")

# Copying an unused hash object takes half the time of creating one.
_HASH_96: Final = blake2b(digest_size=12)
_HASH_64: Final = blake2b(digest_size=8)
_HASH_48: Final = blake2b(digest_size=SHORT)


def hashed(kind: str, *parts: str) -> str:
    """Hash an id's kind and parts to 24 hex digits."""
    return _digest(kind, parts).hex()


def session_id(*parts: str) -> str:
    """Hash the parts to 16 characters (96 bits) that are safe in URLs and headers."""
    return b2a_base64(_digest("session", parts), newline=False).translate(_SAFE).decode()


def _digest(kind: str, parts: tuple[str, ...]) -> bytes:
    text = f"{len(kind)}:{kind}"
    for part in parts:
        text += f"{len(part)}:{part}"
    hashing = _HASH_96.copy()
    hashing.update(text.encode())
    return hashing.digest()


def short(text: str) -> bytes:
    """Hash a signal's id to 48 bits for deduplication.

    With the maximum of 2,000 ids, one signal in 10^11 is mistaken for a duplicate.
    """
    hashing = _HASH_48.copy()
    hashing.update(text.encode())
    return hashing.digest()


def draw(*parts: str) -> int:
    """Hash the parts to a number in 0..9999, for random assignment."""
    hashing = _HASH_64.copy()
    hashing.update(SEPARATOR.join(parts).encode())
    return int.from_bytes(hashing.digest(), "big") % 10_000


def key_text(value: Any) -> str | None:
    """Return a value as a key (R20): None stays None, and 5 and 5.0 give the same key."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return None if value is None else str(value)
