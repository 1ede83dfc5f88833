"""One compaction of a folder at a time: a lock on this machine, a lease in a store.

A store has no locks: two compactions that begin within a second may both get the lease.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep, time_ns
from uuid import uuid4

import msgspec

from transforms.sinks.part_files import Place, write_whole
from transforms.sinks.remote import Remote

LOCK = ".compact.lock"
LEASE = "_compacting.json"
VALID = 3_600_000
"""How long a lease is valid that is not renewed, in ms."""
SETTLE = 1.0
"""Seconds after which a lease that another compaction wrote at the same time can be read."""

Renew = Callable[[], None]


class Busy(Exception):
    """Another compaction of the folder is running."""


class Lease(msgspec.Struct, frozen=True):
    """Who compacts, and since when or until the latest renewal (ms)."""

    id: str
    at: int


@contextmanager
def alone(folder: Place) -> Iterator[Renew]:
    """Hold the lock or the lease of a folder; yield what renews it. Raises Busy."""
    if isinstance(folder, Remote):
        yield from _leased(folder)
    else:
        yield from _locked(folder)


def _locked(folder: Path) -> Iterator[Renew]:
    with (folder / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"{folder}: another compaction is running") from None
        yield lambda: None


def _leased(folder: Remote) -> Iterator[Renew]:
    place, name = folder / LEASE, uuid4().hex
    held = _read(place)
    if held is not None and held.at > now() - VALID:
        raise Busy(
            f"{folder}: another compaction is running, or was killed less than an hour ago "
            f"(delete {place} if it was)"
        )

    def renew() -> None:
        write_whole(place, msgspec.json.encode(Lease(name, now())))

    renew()
    sleep(SETTLE)
    found = _read(place)
    if found is None or found.id != name:
        raise Busy(f"{folder}: another compaction began at the same time")
    try:
        yield renew
    finally:
        place.unlink(missing_ok=True)


def _read(place: Remote) -> Lease | None:
    return msgspec.json.decode(place.read_bytes(), type=Lease) if place.exists() else None


def now() -> int:
    """Read the machine's clock, ms since 1970."""
    return time_ns() // 1_000_000
