"""Watches the control logs of all spaces: how new they are, how far behind, and what is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import msgspec

from transforms.hosting import job_metrics
from transforms.hosting.catalogs import Catalogs
from transforms.hosting.counts import Counts
from transforms.hosting.sandbox import MissingSandbox

PACE = 1.0


class LogHealth(msgspec.Struct, frozen=True):
    """The control log of a space as a worker knows it.

    ``lag`` is how many ms its completeness is behind the clock; None if it was never declared.
    """

    space: str
    sequence: int | None
    lag: int | None
    trouble: bool

    @property
    def late(self) -> bool:
        """Return True if users of the space wait for the log, or soon will."""
        return self.lag is None or self.lag > job_metrics.LATE_LOG


class LogWatch:
    """Checks the logs of all spaces, at most once a second in a process."""

    def __init__(self) -> None:
        self._next = 0.0

    def due(self, now: Callable[[], float] = time.monotonic) -> bool:
        """Return True if the logs are to be checked now."""
        if now() < self._next:
            return False
        self._next = now() + PACE
        return True


WATCH = LogWatch()
"""That of this process."""


def health(catalogs: Catalogs, now: int) -> Iterator[LogHealth]:
    """Check the log of each space; ``now`` is the clock, in ms."""
    for space in sorted(catalogs.spaces):
        try:
            known = catalogs.of(space)
        except MissingSandbox:
            yield LogHealth(space, None, None, trouble=True)
            continue
        complete = known.catalog.complete_until
        lag = max(0, now - complete) if complete >= 0 else None
        yield LogHealth(space, known.sequence, lag, known.trouble is not None)


def count_health(counts: Counts, catalogs: Catalogs, now: int) -> None:
    """Count how the logs are, unless that was done less than a second ago in this process."""
    if not WATCH.due():
        return
    for log in health(catalogs, now):
        counts.add(job_metrics.CONTROL_TROUBLE, log.trouble, log.space)
        counts.add(job_metrics.CONTROL_LATE, log.late, log.space)
        if log.lag is not None:
            counts.update(job_metrics.CONTROL_LAG, log.lag, log.space)
        if log.sequence is not None:
            counts.update(job_metrics.CONTROL_SEQUENCE, log.sequence, log.space)
