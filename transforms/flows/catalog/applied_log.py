"""The control log as far as it was read, as a value that takes more records.

What is effective until ``complete_until`` is settled: no record can be appended before it. Only what is
later is applied again when records arrive, without compiling its texts again, because new records
may be effective before it. So a catalog that grew record by record equals one that was built whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import Final

import msgspec

from transforms.flows.catalog.apply_record import Later, apply, later_of
from transforms.flows.catalog.epoch_index import first_epoch, next_epoch
from transforms.flows.catalog.epochs import NEVER, Catalog, Effect, Epoch
from transforms.flows.catalog.log_state import InvalidLog, LogState, place
from transforms.flows.protocol.control_records import ControlRecord

Item = tuple[int, int, int, ControlRecord | Later]
"""Effective time, sequence, place among equal ones."""
EVER: Final = -(1 << 53)
"""Before every record."""


class _Applied:
    """Records that were applied in order: the state of the log, epochs, and effects on users."""

    def __init__(self) -> None:
        self.log = LogState()
        self.epochs: list[Epoch] = [first_epoch(self.log)]
        self.effects: list[Effect] = []
        self.priced = False
        self.ties = 0

    def copy(self) -> _Applied:
        other = _Applied.__new__(_Applied)
        other.log, other.epochs, other.effects = self.log.copy(), [*self.epochs], [*self.effects]
        other.priced, other.ties = self.priced, self.ties
        return other

    def item(self, record: ControlRecord | Later) -> Item:
        """Return the place of a record in the queue."""
        self.ties += 1
        return record.effective_at, record.sequence, self.ties, record

    def take(self, queue: list[Item], until: int) -> None:
        """Apply what is effective until an instant, and what schedules bring by then."""
        while queue and queue[0][0] <= until:
            at, _, _, record = heappop(queue)
            if isinstance(record, Later):
                self.effects += place(self.log.flow(record.flow), self.log.space, at)
            else:
                self.effects += apply(self.log, record)
                for later in later_of(self.log, record):
                    heappush(queue, self.item(later))
            if not queue or queue[0][0] > at:
                self._end_epoch(at)

    def _end_epoch(self, at: int) -> None:
        epoch = next_epoch(self.log, at, self.epochs[-1])
        self.epochs.append(epoch)
        if epoch.space is not self.epochs[-2].space:
            channels = epoch.space.channels
            self.priced = self.priced or any(c.price or c.parts != "one" for c in channels)

    def catalog(self, records: tuple[ControlRecord, ...], complete_until: int) -> Catalog:
        """Return the catalog; from now on this does not change."""
        log, epochs, effects = self.log, self.epochs, self.effects
        return Catalog(
            epochs=tuple(epochs),
            since=tuple(epoch.since for epoch in epochs),
            effects=tuple(effects),
            effect_times=tuple(effect.at for effect in effects),
            plans=log.plans,
            numbers=log.numbers,
            ids=tuple(log.numbers),
            events_read_since=log.events_read_since,
            all_events_since=log.every_event_since,
            goals=frozenset(log.goals),
            state_goals=log.state_goals,
            complete_until=complete_until,
            records=records,
            migrations=tuple(effect for effect in effects if effect.what == "migrate"),
            priced=self.priced,
            inbound_since=log.inbound_since,
        )


class AppliedLog(msgspec.Struct, frozen=True):
    """A control log and its catalog. ``extended`` returns the log with more records.

    ``settled`` are the records of which ``applied`` is made, ``waiting`` the later ones; ``queue``
    has what is to be applied again.
    """

    catalog: Catalog
    applied: _Applied
    queue: tuple[Item, ...] = ()
    settled: tuple[ControlRecord, ...] = ()
    waiting: tuple[ControlRecord, ...] = ()

    def extended(self, records: Iterable[ControlRecord], until: int = NEVER) -> AppliedLog:
        """Return the log with more records, complete until an instant.

        Raises InvalidLog for a record that cannot be followed, or that is effective before the
        instant until which the log was complete; then this log is unchanged.
        """
        new, declared = sorted(records, key=_order), self.catalog.complete_until
        if new and new[0].effective_at <= declared:
            raise InvalidLog(
                f"record {new[0].sequence} is effective at {new[0].effective_at}, "
                f"but the log was declared complete until {declared}"
            )
        until = max(until, declared)
        applied = self.applied.copy()
        queue = [*self.queue, *map(applied.item, new)]
        heapify(queue)
        known = sorted([*self.waiting, *new], key=_order)
        now = sum(record.effective_at <= until for record in known)
        applied.take(queue, until)
        rest = tuple(queue)
        whole = applied.copy() if queue else applied
        whole.log.making = {}
        whole.take(queue, NEVER)
        applied.log.made, applied.log.making = whole.log.making, {}
        settled, waiting = (*self.settled, *known[:now]), tuple(known[now:])
        catalog = whole.catalog((*settled, *waiting), until)
        return AppliedLog(catalog, applied, rest, settled, waiting)

    def completed(self, until: int) -> AppliedLog:
        """Return the same log, complete until an instant."""
        return msgspec.structs.replace(self, catalog=self.catalog.complete(until))


def _order(record: ControlRecord) -> tuple[int, int]:
    return record.effective_at, record.sequence


def no_records(complete_until: int = EVER) -> AppliedLog:
    """Return a log without records."""
    applied = _Applied()
    return AppliedLog(applied.catalog((), complete_until), applied)
