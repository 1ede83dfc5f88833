"""The control log as its writers see it: one change at a time, none on top of an unseen one.

A writer reads the log, decides, and appends on top of what it read. Another writer that was
quicker makes this a ``Conflict``: read again and decide anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from transforms.flows.catalog.epochs import NEVER
from transforms.flows.protocol.control_records import ControlRecord
from transforms.sources.control_log.log import NOTHING, by_scheme
from transforms.wire.extras import needs
from transforms.wire.secrets import address_of

LEAD = 10_000
"""How far ahead of its making a record takes effect, in ms: workers have read it by then."""

AHEAD = 5_000
"""How far ahead of the clock the log is declared complete, in ms: less than ``LEAD``.

So the signals of now are not ahead of the log, and a writer's clock may be slow by the difference.
"""


NOT_SERVED = (
    "the log does not say until when it is complete, so readers take it as complete forever: "
    "nothing can be added. If no job reads it yet, write 0 to the file with its name and .complete"
)


class Held(msgspec.Struct, frozen=True):
    """A log as it was read: its records in order of their sequences.

    ``complete_until`` is an instant in ms UTC: -1 for a log that is not complete at any, and NEVER
    for one that says nothing and so is complete forever. ``token`` names the state of the records.
    """

    records: tuple[ControlRecord, ...] = ()
    complete_until: int = NOTHING
    token: str = ""

    @property
    def next_sequence(self) -> int:
        """Return the sequence of the next record."""
        return self.records[-1].sequence + 1 if self.records else 0


class Conflict(Exception):
    """Another writer changed the log since it was read; nothing was written."""


class Late(ValueError):
    """A record is effective before the instant until which the log is complete."""


class ControlStore(Protocol):
    """A control log that can be written.

    All methods raise LogError if the log cannot be read or written. After a LogError of ``append``
    or ``complete``, read again: the change may have been made.
    """

    def read(self) -> Held:
        """Read the log; one that does not exist is empty and complete at no instant."""

    def append(self, held: Held, records: Sequence[ControlRecord]) -> Held:
        """Append records to the log as it was read, and return it with them; all or none.

        Raises Conflict if it has other records by now, Late if one is effective at or before the
        instant until which it is complete by now, and ValueError for a sequence that does not grow.
        """

    def complete(self, held: Held, until: int) -> Held:
        """Declare the log complete until an instant; an earlier one than before changes nothing.

        Raises Conflict if another writer has declared so since it was read. Records appended since
        are no conflict.
        """


def refuse(held: Held, records: Sequence[ControlRecord], complete_until: int) -> None:
    """Raise Late or ValueError for records that may not follow a log."""
    last = held.next_sequence - 1
    for record in records:
        if record.sequence <= last:
            raise ValueError(f"sequence {record.sequence} does not follow {last}")
        last = record.sequence
        if complete_until >= NEVER:
            raise Late(NOT_SERVED)
        if record.effective_at <= complete_until:
            raise Late(
                f"record {record.sequence} is effective at {record.effective_at}, but the log "
                f"is complete until {complete_until}"
            )


def _file(address: str) -> ControlStore:
    from towpath.control.file_store import FileStore

    return FileStore(address.removeprefix("file://"))


def _gcs(address: str) -> ControlStore:
    with needs("pubsub"):  # the smallest extra with the client
        from towpath.control.gcs_store import GcsStore

    return GcsStore(address)


def _redis(address: str) -> ControlStore:
    with needs("redis"):
        from towpath.control.redis_store import RedisStore

    return RedisStore(address)


STORES: dict[str, Callable[[str], ControlStore]] = {
    "": _file,
    "file": _file,
    "gs": _gcs,
    "redis": _redis,
    "rediss": _redis,
    "unix": _redis,
}
"""How to open the log at an address for writing, by its scheme."""


def store_of(address: str) -> ControlStore:
    """Open the log at an address, or ``env:NAME``. Raises ValueError for an unknown scheme."""
    return by_scheme(address_of(address), STORES, "write a control log to")
