"""The reorder buffer of a user: signals that wait for their turn, stored with the core's state.

While no signal waits, the blob is the core's alone, as in released versions. Otherwise it is an
envelope: a head, the core's state, and the waiting signals in order of arrival. A signal is added
without reading what is there.

The first byte of an envelope is its version, from 128 up; those of the core's states are below.
Every released version stays readable: its golden blobs are in the tests.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

import msgspec

from transforms.flows.protocol import signals
from transforms.flows.protocol.signals import Signal, Time
from transforms.hosting.order import ingestion_time

MOST_SIGNALS: Final = 1_000
MOST_BYTES: Final = 256 * 1024

LOWEST: Final = 128
VERSION: Final = 129

_HEAD: Final = struct.Struct(">BiIIq")
"""Version, length of the core's state (-1: none), number of signals, their length, and the earliest
ingestion time."""
_LENGTH: Final = struct.Struct(">I")


class UnreadableBuffer(ValueError):
    """The blob is damaged, or was written by a newer version than this one."""


def is_buffer(blob: bytes | None) -> bool:
    """Return True for an envelope with waiting signals, False for a state of the core or none."""
    return blob is not None and len(blob) > 0 and blob[0] >= LOWEST


def add(blob: bytes | None, signal: Signal) -> bytes:
    """Add a signal to the buffer of a user. Raises UnreadableBuffer."""
    encoded, received = signals.encode(signal), ingestion_time(signal)
    record = _LENGTH.pack(len(encoded)) + encoded
    if blob is None or not is_buffer(blob):
        return _write(blob, 1, record, received)
    core, count, _, earliest = _head(blob)
    length = len(blob) - _HEAD.size - max(core, 0) + len(record)
    head = _HEAD.pack(VERSION, core, count + 1, length, min(earliest, received))
    return b"".join((head, memoryview(blob)[_HEAD.size :], record))


def pack(state: bytes | None, waiting: Iterable[Signal]) -> bytes | None:
    """Return the blob of a state of the core and waiting signals."""
    found = list(waiting)
    if not found:
        return state
    encoded = [signals.encode(signal) for signal in found]
    records = b"".join(_LENGTH.pack(len(one)) + one for one in encoded)
    return _write(state, len(found), records, min(map(ingestion_time, found)))


def unpack(blob: bytes | None) -> tuple[bytes | None, list[Signal]]:
    """Return the core's state and the waiting signals, in order of arrival.

    Raises UnreadableBuffer.
    """
    if blob is None or not is_buffer(blob):
        return blob, []
    core, count, _, _ = _head(blob)
    end = _HEAD.size + max(core, 0)
    at, found = end, list[Signal]()
    try:
        for _ in range(count):
            (length,) = _LENGTH.unpack_from(blob, at)
            at += _LENGTH.size
            found.append(signals.decode(memoryview(blob)[at : at + length]))
            at += length
    except (struct.error, msgspec.MsgspecError) as error:
        raise UnreadableBuffer(f"a waiting signal cannot be read: {error}") from error
    if at != len(blob) or any(type(signal) is Time for signal in found):
        raise UnreadableBuffer("the waiting signals cannot be read")
    return None if core < 0 else blob[_HEAD.size : end], found


def earliest_of(blob: bytes) -> int:
    """Return the earliest ingestion time of the waiting signals. Raises UnreadableBuffer."""
    return _head(blob)[3]


def is_full(blob: bytes) -> bool:
    """Return True if more signals wait than the limits allow. Raises UnreadableBuffer."""
    _, count, length, _ = _head(blob)
    return count > MOST_SIGNALS or length > MOST_BYTES


def _write(core: bytes | None, count: int, records: bytes, earliest: int) -> bytes:
    length = -1 if core is None else len(core)
    return b"".join(
        (_HEAD.pack(VERSION, length, count, len(records), earliest), core or b"", records)
    )


def _head(blob: bytes) -> tuple[int, int, int, int]:
    if blob[0] != VERSION:
        raise UnreadableBuffer(f"buffer version {blob[0]} is not known")
    if len(blob) < _HEAD.size:
        raise UnreadableBuffer("the buffer is cut off")
    _, core, count, length, earliest = _HEAD.unpack_from(blob)
    if _HEAD.size + max(core, 0) + length != len(blob):
        raise UnreadableBuffer("the buffer is cut off")
    return core, count, length, earliest
