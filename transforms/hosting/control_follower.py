"""Follows a control log: a thread adds new records to the catalog.

After an error the last catalog stays: the log cannot be read, is invalid, or has a late record (one
that is effective before ``complete_until``). Its ``complete_until`` then stops growing, so ``step``
answers ``Behind``.
"""

from __future__ import annotations

import threading

from transforms.flows.catalog.applied_log import no_records
from transforms.flows.catalog.control_log import InvalidLog
from transforms.flows.catalog.epochs import Catalog
from transforms.hosting import trouble
from transforms.sources.control_log.log import NOTHING, ControlLog, LogError

EVERY = 1.0


class ControlFollower:
    """Holds the newest catalog of a log; any thread may read ``catalog``, which is a value.

    ``trouble`` is the error of the last read, None if it succeeded; ``sequence`` that of the newest
    record, None before the first. Use it as a context manager, or call ``start`` and ``stop``;
    ``refresh`` reads at once.
    """

    def __init__(self, log: ControlLog, every: float = EVERY, space: str = "") -> None:
        self._log = log
        self._space = space
        self._every = every
        self._applied = no_records(NOTHING)
        self._reading = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.sequence: int | None = None
        self.trouble: str | None = None

    @property
    def catalog(self) -> Catalog:
        """Return the newest catalog."""
        return self._applied.catalog

    def refresh(self) -> Catalog:
        """Read the log now and return the catalog; after an error, the old one."""
        with self._reading:
            try:
                self._read()
                self.trouble = None
            except (LogError, InvalidLog) as error:
                self.trouble = str(error)
            except Exception as error:  # otherwise the thread would die unnoticed
                self.trouble = f"{type(error).__name__}: {error}"
            if self.trouble is not None:
                trouble.report("control_log", space=self._space, detail=self.trouble)
            return self.catalog

    def start(self) -> None:
        """Read once, then periodically in the background."""
        self.refresh()
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, name="control-log", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread."""
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

    def _read(self) -> None:
        read, log = self._log.read_since(self.sequence), self._applied
        until = max(read.complete_until, log.catalog.complete_until)
        if read.records:
            self._applied = log.extended(read.records, until)
            self.sequence = max(record.sequence for record in read.records)
        elif until > log.catalog.complete_until:
            self._applied = log.completed(until)
