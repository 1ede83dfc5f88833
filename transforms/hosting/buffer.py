"""The reorder buffer of a user: signals that wait for their turn, stored with the core's state.

While no signal waits, the blob is the core's alone, as in released versions. Otherwise it is an
envelope: a head, the core's state, and the waiting signals in order of arrival. A signal is added
without reading what is there. The head also has the next due time of the core's state.

The first byte of an envelope is its version, from 128 up; those of the core's states are below.
Every released version stays readable: its golden blobs are in the tests.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from transforms.flows.protocol import signals
from transforms.flows.protocol.signals import Signal, Time
from transforms.hosting.order import ingestion_time

MOST_SIGNALS: Final = 1_000
MOST_BYTES: Final = 256 * 1024

LOWEST: Final = 128
VERSION: Final = 129

_HEAD: Final = struct.Struct(">BiIIqq")
"""Version, length of the core's state (-1: none), number of signals, their length, the earliest
ingestion time, and the due time of the core's state (-1: none)."""
_LENGTH: Final = struct.Struct(">I")


class Head(NamedTuple):
    """What is known of a buffer without reading its signals."""

    state: int
    number: int
    length: int
    earliest: int
    due: int | None


class UnreadableBuffer(ValueError):
    """The blob is damaged, or was written by a newer version than this one."""


def is_buffer(blob: bytes | None) -> bool:
    """Return True for an envelope with waiting signals, False for a state of the core or none."""
    return blob is not None and len(blob) > 0 and blob[0] >= LOWEST


def add(blob: bytes | None, signal: Signal, due: int | None) -> bytes:
    """Add a signal to the buffer of a user; ``due`` is the next due time of a state without a buffer.

    Raises UnreadableBuffer.
    """
    encoded, received = signals.encode(signal), ingestion_time(signal)
    record = _LENGTH.pack(len(encoded)) + encoded
    if blob is None or not is_buffer(blob):
        return _write(blob, 1, record, received, due)
    old = head_of(blob)
    new = Head(
        old.state, old.number + 1, old.length + len(record), min(old.earliest, received), old.due
    )
    return b"".join((_packed(new), memoryview(blob)[_HEAD.size :], record))


def pack(state: bytes | None, waiting: Iterable[Signal], due: int | None) -> bytes | None:
    """Return the blob of a state of the core, with its next due time, and of waiting signals."""
    found = list(waiting)
    if not found:
        return state
    encoded = [signals.encode(signal) for signal in found]
    records = b"".join(_LENGTH.pack(len(one)) + one for one in encoded)
    return _write(state, len(found), records, min(map(ingestion_time, found)), due)


def unpack(blob: bytes | None) -> tuple[bytes | None, list[Signal]]:
    """Return the core's state and the waiting signals, in order of arrival.

    Raises UnreadableBuffer.
    """
    if blob is None or not is_buffer(blob):
        return blob, []
    head = head_of(blob)
    end = _HEAD.size + max(head.state, 0)
    at, found = end, list[Signal]()
    try:
        for _ in range(head.number):
            (length,) = _LENGTH.unpack_from(blob, at)
            at += _LENGTH.size
            found.append(signals.decode(memoryview(blob)[at : at + length]))
            at += length
    except (struct.error, msgspec.MsgspecError) as error:
        raise UnreadableBuffer(f"a waiting signal cannot be read: {error}") from error
    if at != len(blob) or any(type(signal) is Time for signal in found):
        raise UnreadableBuffer("the waiting signals cannot be read")
    return None if head.state < 0 else blob[_HEAD.size : end], found


def is_full(head: Head) -> bool:
    """Return True if more signals wait than the limits allow."""
    return head.number > MOST_SIGNALS or head.length > MOST_BYTES


def head_of(blob: bytes) -> Head:
    """Read the head of an envelope. Raises UnreadableBuffer."""
    if blob[0] != VERSION:
        raise UnreadableBuffer(f"buffer version {blob[0]} is not known")
    if len(blob) < _HEAD.size:
        raise UnreadableBuffer("the buffer is cut off")
    _, state, count, length, earliest, due = _HEAD.unpack_from(blob)
    if _HEAD.size + max(state, 0) + length != len(blob):
        raise UnreadableBuffer("the buffer is cut off")
    return Head(state, count, length, earliest, None if due < 0 else due)


def _write(core: bytes | None, count: int, records: bytes, earliest: int, due: int | None) -> bytes:
    head = Head(-1 if core is None else len(core), count, len(records), earliest, due)
    return b"".join((_packed(head), core or b"", records))


def _packed(head: Head) -> bytes:
    due = -1 if head.due is None else head.due
    return _HEAD.pack(VERSION, head.state, head.number, head.length, head.earliest, due)
