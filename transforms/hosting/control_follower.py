"""Follows a control log: a catalog made afresh when the log has grown, by a thread of its own.

A log that cannot be read, cannot be followed, or breaks its word (a record for an instant until
which it was said to be complete) leaves the last catalog as it is: that does not get any more
complete, so ``step`` answers ``Behind`` rather than guess.
"""

from __future__ import annotations

import threading

from transforms.flows.catalog.control_log import InvalidLog, catalog_of
from transforms.flows.catalog.epochs import Catalog
from transforms.flows.protocol.control_records import ControlRecord
from transforms.sources.control_log.log import NOTHING, ControlLog, LogError

EVERY = 1.0


class ControlFollower:
    """Holds the newest catalog of a log; any thread may read ``catalog``, which is a value.

    ``trouble`` says why the last look failed, None if it did not. Use it as a context, or
    call ``start`` and ``stop``; ``refresh`` looks at once.
    """

    def __init__(self, log: ControlLog, every: float = EVERY) -> None:
        self._log = log
        self._every = every
        self._records: tuple[ControlRecord, ...] = ()
        self._looking = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.catalog: Catalog = catalog_of((), NOTHING)
        self.trouble: str | None = None

    def refresh(self) -> Catalog:
        """Look at the log now; give the catalog, which is the old one where there is trouble."""
        with self._looking:
            try:
                self._look()
                self.trouble = None
            except (LogError, InvalidLog) as error:
                self.trouble = str(error)
            except Exception as error:  # a thread that dies would stop the log unnoticed
                self.trouble = f"{type(error).__name__}: {error}"
            return self.catalog

    def start(self) -> None:
        """Look once, then every so many seconds in the background."""
        self.refresh()
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, name="control-log", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def __enter__(self) -> ControlFollower:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            self.refresh()

    def _look(self) -> None:
        last = max((record.sequence for record in self._records), default=None)
        read = self._log.read_since(last)
        until = max(read.complete_until, self.catalog.complete_until)
        for record in read.records:
            if record.effective_at <= self.catalog.complete_until:
                raise LogError(
                    f"record {record.sequence} is effective at {record.effective_at}, but the log "
                    f"was said to be complete until {self.catalog.complete_until}"
                )
        if read.records:
            records = (*self._records, *read.records)
            self.catalog = catalog_of(records, until)
            self._records = records
        elif until > self.catalog.complete_until:
            self.catalog = self.catalog.complete(until)
