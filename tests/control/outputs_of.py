"""Makes outputs as the core does: from flows, a control log and signals of users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from transforms.flows.catalog.control_log import catalog_of, records_of
from transforms.flows.catalog.epochs import Catalog
from transforms.flows.engine.step import Done, fold
from transforms.flows.protocol.control_records import ControlRecord
from transforms.flows.protocol.outputs import AnyOutput
from transforms.flows.protocol.signals import Event, Signal, Time

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
START = 1_767_225_600_000
"""The first of January 2026."""

SPACE = "space: shop\nchannels:\n  log: {address: user}\n"
WAITS = "flow: waits\nenter: [{event: Begun}]\nsteps: {pause: {wait: 2h}}\n"


def log_of(flows: Mapping[str, str], *more: ControlRecord, at: int = START) -> list[ControlRecord]:
    """Publish and start flows at an instant, then add records with the next sequences."""
    records = records_of(flows, SPACE, {}, at)
    for record in more:
        records.append(msgspec.structs.replace(record, sequence=len(records)))
    return records


def catalog(flows: Mapping[str, str], *more: ControlRecord, at: int = START) -> Catalog:
    """Return the catalog of such a log."""
    return catalog_of(log_of(flows, *more, at=at))


def event(user: str, name: str, at: int, **properties: object) -> Event:
    """Make an event with an id of its own."""
    return Event(id=f"{user}-{name}-{at}", user=user, time=at, name=name, properties=properties)


def outputs_of(
    known: Catalog, signals: Iterable[Signal], until: int | None = None
) -> list[AnyOutput]:
    """Return all outputs of the signals of any users, each in time order; then time passes."""
    by_user: dict[str, list[Signal]] = {}
    for signal in signals:
        by_user.setdefault(signal.user, []).append(signal)
    return [output for user, some in by_user.items() for output in _fold(known, user, some, until)]


def _fold(
    known: Catalog, user: str, signals: Sequence[Signal], until: int | None
) -> Iterable[AnyOutput]:
    last = [] if until is None else [Time(user, until)]
    done = fold(known, None, [*signals, *last], None)
    assert isinstance(done, Done)
    return done.outputs
