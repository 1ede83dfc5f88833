"""A control log in Google Cloud Storage: the head object is replaced by one writer at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

import msgspec
from google.api_core.exceptions import PreconditionFailed

from towpath.control.store import Conflict, Held, refuse
from transforms.flows.protocol.control_records import ControlRecord
from transforms.sources.control_log.gcs import MOST_SEGMENTS, GcsLog, Head, Segment
from transforms.sources.control_log.log import LogError

TRIES = 20
"""How often a change is tried again, because another writer made one that does not matter."""


class GcsStore:
    """A log in a bucket."""

    def __init__(self, address: str) -> None:
        self._log = GcsLog(address)
        self._segments: dict[Segment, tuple[ControlRecord, ...]] = {}
        """The records of the head's segments; a segment never changes, so each is read once."""

    def read(self) -> Held:
        head, known = self._head()[0], self._segments
        self._segments = {
            one: known[one] if one in known else tuple(self._log.records([one]))
            for one in head.segments
        }
        records = tuple(chain.from_iterable(self._segments.values()))
        return Held(records, head.complete_until, head.token)

    def append(self, held: Held, records: Sequence[ControlRecord]) -> Held:
        refuse(held, records, held.complete_until)
        segment = self._log.write(records)
        everything = (*held.records, *records)
        merged = (
            self._log.write(everything) if len(self._head()[0].segments) >= MOST_SEGMENTS else None
        )

        def with_records(head: Head) -> Head:
            if head.token in (segment.name, merged and merged.name):
                return head  # the call before has arrived
            if head.token != held.token:
                raise Conflict(f"{self._log.address} has other records by now")
            refuse(held, records, head.complete_until)
            segments = (merged,) if merged else (*head.segments, segment)
            return msgspec.structs.replace(head, segments=segments)

        head = self._change(with_records)
        return Held(everything, head.complete_until, head.token)

    def complete(self, held: Held, until: int) -> Held:
        if until <= held.complete_until:
            return held

        def with_instant(head: Head) -> Head:
            if head.complete_until not in (held.complete_until, until):
                instant = head.complete_until
                raise Conflict(f"{self._log.address} is complete until {instant} by now")
            return msgspec.structs.replace(head, complete_until=until)

        head = self._change(with_instant)
        if head.token == held.token:
            return msgspec.structs.replace(held, complete_until=until)
        return self.read()

    def _head(self) -> tuple[Head, int]:
        head, generation = self._log.head()
        if head is None and self._log.is_plain():
            raise LogError(f"{self._log.address} is one object: nothing can be appended to it")
        return head or Head(), generation

    def _change(self, changed: Callable[[Head], Head]) -> Head:
        """Replace the head; if another writer was quicker, look again at what it wrote."""
        for _ in range(TRIES):
            head, generation = self._head()
            new = changed(head)
            if new == head:
                return new
            try:
                self._log.replace(new, generation)
            except PreconditionFailed:
                continue
            return new
        raise Conflict(f"{self._log.address} was changed {TRIES} times by others")
