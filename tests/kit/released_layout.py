"""States in the layout of the first release, whose golden states are in ``golden_states/released``.

It has no number of the last transition, so transitions are numbered anew. A state that it cannot hold for
another reason stays as it is.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import msgspec

from transforms.flows.state.stored import StoredSession
from transforms.hosting import buffer

STATE, SESSION, COMMUNICATION, PENDING = 23, 26, 16, 6
"""The number of fields that each of them had."""
SESSIONS, COMMUNICATIONS, ENDED, WAITING, ARCHIVE = 8, 14, 15, 17, 18
"""The places of the state's fields that have such parts."""


def is_chosen(space: str, user: str) -> bool:
    """Return True for the half of all users whose states a job writes in this layout."""
    return zlib.crc32(f"{space}/{user}".encode()) % 2 == 1


def released(blob: bytes | None) -> bytes | None:
    """Return a user's state in the released layout, also one with signals that wait for their turn."""
    if not buffer.is_buffer(blob):
        return None if blob is None else _released(blob)
    state, waiting = buffer.unpack(blob)
    return buffer.pack(released(state), waiting, buffer.head_of(blob).due)


def _released(blob: bytes) -> bytes:
    row: list[Any] = msgspec.msgpack.decode(blob[1:])
    newer = row[STATE + 1 :]
    for part, length in _parts(row):
        newer += part[length:]
        del part[length:]
    if any(value not in (None, 0, "", [], {}) for value in newer):
        return blob
    empty = msgspec.msgpack.decode(msgspec.msgpack.encode(StoredSession("", 0, 0, "", 0, 0, 0)))
    for session in [*_at(row, SESSIONS), *_at(row, ENDED)]:
        session.extend(empty[len(session) : SESSION])
    return blob[:1] + msgspec.msgpack.encode(row[:STATE])


def _parts(row: list[Any]) -> Iterator[tuple[list[Any], int]]:
    """Yield the parts of a state whose layout has grown, each with its length in the release."""
    for session in [*_at(row, SESSIONS), *_at(row, ENDED)]:
        yield session, SESSION
    for one in [*_at(row, COMMUNICATIONS), *(packed for _, packed in _at(row, ARCHIVE))]:
        yield one, COMMUNICATION
    for one in _at(row, WAITING):
        yield one, PENDING


def _at(row: list[Any], place: int) -> list[Any]:
    return row[place] if place < len(row) else []
