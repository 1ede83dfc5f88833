"""Kafka to files: offsets are committed once the files that hold the records are complete."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from confluent_kafka import Message

from towpath.relay.from_kafka import FromKafka
from towpath.relay.process import PAUSE, Counts, Reports, Unconfirmed, warn

AT_ONCE = 2_000
MOST_BYTES = 64 * 1024 * 1024
"""After so many bytes of records, files are complete."""


class FileCounts(Counts):
    """Records read, records in complete files, and ``invalid`` ones, which have no place in a file."""

    read: int = 0
    written: int = 0
    invalid: int = 0

    @property
    def left_out(self) -> int:
        return self.invalid


class Target(Protocol):
    """Files that are written together. Records that come again must be harmless."""

    def add(self, messages: Sequence[Message]) -> int:
        """Hold records for their files; return how many are invalid."""

    def complete(self) -> None:
        """Write what is held. Raises OSError; then all of it can be written again."""


class KafkaToFiles:
    """Reads topics and writes files until ``stopped`` is set or, ``to_end``, everything was read.

    About ``rows`` records are held at most, or ``MOST_BYTES``, and none for longer than ``wait`` seconds.
    """

    def __init__(
        self,
        reader: FromKafka,
        target: Target,
        stopped: threading.Event,
        reports: Reports,
        rows: int,
        wait: float,
        *,
        to_end: bool = False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader, self._target, self._to_end = reader, target, to_end
        self._stopped, self._reports, self._now = stopped, reports, now
        self._rows, self._wait = rows, wait
        self._held, self._bytes, self._since = 0, 0, now()
        self.counts = FileCounts()

    def run(self) -> None:
        """Relay until the process is ended. Raises Unconfirmed."""
        with self._reports.last(self._reader, self.counts):
            while not self._stopped.is_set() and not (self._to_end and self._reader.at_end):
                self._turn()
                self._reports.tick(self.counts)
            self._complete()

    def _turn(self) -> None:
        if messages := self._reader.read(AT_ONCE):
            self._hold(messages)
        waited = self._now() - self._since
        full = self._held >= self._rows or self._bytes >= MOST_BYTES
        if not self._held:
            self._reader.confirm()
        elif full or waited >= self._wait:
            self._complete()

    def _hold(self, messages: Sequence[Message]) -> None:
        if not self._held:
            self._since, self._bytes = self._now(), 0
        invalid = self._target.add(messages)
        self._held += len(messages) - invalid
        self._bytes += sum(len(message.value() or b"") for message in messages)
        self.counts.read += len(messages)
        self.counts.invalid += invalid

    def _complete(self) -> None:
        """Write the files, then have the offsets committed."""
        while True:
            try:
                self._target.complete()
            except (OSError, ValueError) as error:  # a ValueError: a file of before is damaged
                # Without the path, which is another one each time.
                why = getattr(error, "strerror", None) or error
                warn(f"files cannot be written: {why}")
                self._reports.tick(self.counts)
                if self._stopped.wait(PAUSE):
                    raise Unconfirmed(f"files cannot be written: {error}") from None
            else:
                self.counts.written += self._held
                self._held = 0
                self._reader.confirm()
                return
