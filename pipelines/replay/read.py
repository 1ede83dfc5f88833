"""Read files into batches: read, decode, drop unused events, distribute by user.

Several readers share a large file: each reads a range of its lines, or, where lines cannot be told
from rows without reading them all, every n-th record. The place of a record does not depend on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pipelines.replay.batches import BUCKETS, IN_1970, Tally, empty, encode
from pipelines.replay.hashes import part_of
from pipelines.replay.identities import resolved
from pipelines.replay.job import Job, Slice
from pipelines.replay.progress import PROGRESS
from transforms.flows.catalog.epochs import Catalog
from transforms.flows.engine.step import is_unused
from transforms.flows.protocol.signals import Event, Signal, Time
from transforms.sources.files import ranges, read
from transforms.wire.decode import decode, has_no_id
from transforms.wire.raw import Bad, Raw

HELD: Final = 32_000
LARGE: Final = 4 * 1024 * 1024
TICK: Final = 5_000
FILE_BITS: Final = 40


def read_slice(
    job: Job, catalog: Catalog, part: Slice, parts: int = BUCKETS
) -> Iterator[tuple[int, bytes]]:
    """Yield batches, each with the number of its part of the users."""
    mapping, until, moves = job.mapping, job.until, None if job.audit else job.moves
    nth, of, first = part.nth, part.of, part.file << FILE_BITS
    spread, counted = _Spread(parts), 0
    tally = spread.tally
    for row, raw in enumerate(read(Path(job.events[part.file]), mapping, within=part.within)):
        if row % of != nth:
            continue
        counted += 1
        if counted % TICK == 0:
            PROGRESS.add("read", TICK)
        found = raw if isinstance(raw, Bad) else decode(raw, mapping)
        full = None
        if isinstance(found, Bad):
            full = spread.bad(found)
        elif not _counted(tally, catalog, found, until):
            pass
        elif (signal := found if moves is None else resolved(moves, found)) is None:
            tally.unread += 1
        else:
            assert isinstance(raw, Raw)
            full = spread.add(signal, (first | raw.line) << 1 | has_no_id(raw, mapping))
        if full is not None:
            yield full
    tally.read += counted
    PROGRESS.add("read", counted % TICK)
    yield from spread.rest()


def _counted(tally: Tally, catalog: Catalog, found: Signal, until: int) -> bool:
    """Count a record; return True if it is used and before the end."""
    assert not isinstance(found, Time)
    tally.early += found.time < IN_1970
    if is_unused(catalog, found):
        if isinstance(found, Event):
            tally.add_unused(found.name)
        else:
            tally.unread += 1
        return False
    tally.used += isinstance(found, Event)
    known = _known_at(found)
    if known >= until:
        tally.add_after(known)
        return False
    return True


def _known_at(signal: Signal) -> int:
    """Return when a signal was known, so that an audit and a back-test end with the same signals."""
    assert not isinstance(signal, Time)
    received = signal.received
    return signal.time if received is None else received


class _Spread:
    """The open batches."""

    def __init__(self, parts: int) -> None:
        self.parts = parts
        self.full = max(1, HELD // parts)
        self.batches = [empty() for _ in range(parts)]
        self.tally = Tally()

    def add(self, signal: Signal, place: int) -> tuple[int, bytes] | None:
        """Add a signal to its batch; return the batch if it is full."""
        number = part_of(signal.user, self.parts)
        batch = self.batches[number]
        signals = batch.signals
        signals.append(signal)
        batch.places.append(place)
        return self._take(number) if len(signals) >= self.full else None

    def bad(self, bad: Bad) -> tuple[int, bytes] | None:
        """Add a rejected record to the first batch; return the batch if it is full."""
        self.tally.bad += 1
        self.batches[0].bad.append(bad)
        return self._take(0) if len(self.batches[0].bad) >= self.full else None

    def rest(self) -> Iterator[tuple[int, bytes]]:
        self.batches[0].tally.add(self.tally)
        for number in range(self.parts):
            if number == 0 or self.batches[number].signals:
                yield self._take(number)

    def _take(self, number: int) -> tuple[int, bytes]:
        blob = encode(self.batches[number])
        self.batches[number] = empty()
        return number, blob


def slices(job: Job, readers: int) -> list[Slice]:
    """Split the input by file, and large files further if there are several readers."""
    found = []
    for number, name in enumerate(job.events):
        path = Path(name)
        size = path.stat().st_size if path.is_file() else 0
        of = min(readers, 1 + size // LARGE)
        if of > 1 and (parts := ranges(path, of)):
            found += [Slice(number, within=part) for part in parts]
        else:
            found += [Slice(number, nth, of) for nth in range(of)]
    return found
