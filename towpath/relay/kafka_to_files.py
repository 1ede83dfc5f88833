"""Kafka to files: topics as an archive, of which a log for a replay can be made.

Records are marked as read once the files that hold them are complete. A file is named by the place of its
first record, so what is read again after a crash replaces what was written before it.
"""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import Message

from pipelines import archive
from towpath.relay.from_kafka import FromKafka
from towpath.relay.kafka import attributes_of
from towpath.relay.process import PAUSE, Counts, Reports, Unconfirmed, warn
from transforms.sinks.part_files import Place, write_whole

AT_ONCE = 2_000


class FileCounts(Counts):
    """Records read, records in complete files, and these files."""

    read: int = 0
    written: int = 0
    files: int = 0


class Folder:
    """A folder with the files of topics; ``rows`` and ``wait`` (seconds) are the limits of a file."""

    def __init__(
        self, out: Place, rows: int, wait: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._out, self._rows, self._wait, self._now = out, rows, wait, now
        self._open: dict[tuple[str, int], list[Message]] = defaultdict(list)
        self._since = now()

    @property
    def is_due(self) -> bool:
        """Return True if the open files must be completed, or there are none."""
        full = any(len(found) >= self._rows for found in self._open.values())
        return not self._open or full or self._now() - self._since >= self._wait

    def add(self, message: Message) -> None:
        """Hold a record until its file is completed."""
        if not self._open:
            self._since = self._now()
        self._open[str(message.topic()), int(message.partition() or 0)].append(message)

    def complete(self, counts: FileCounts) -> None:
        """Write the files and count them. Raises OSError; then those that are left remain open."""
        for (topic, partition), messages in sorted(self._open.items()):
            path = self._out / topic / f"part-{partition}-{messages[0].offset():020d}.avro"
            write_whole(path, archive.encoded(map(_archived, messages)))
            if isinstance(path, Path):
                _sync(path)
            counts.written += len(messages)
            counts.files += 1
            del self._open[topic, partition]


class KafkaToFiles:
    """Reads topics and writes files until ``stopped`` is set or, ``to_end``, everything was read."""

    def __init__(
        self,
        reader: FromKafka,
        folder: Folder,
        stopped: threading.Event,
        reports: Reports,
        to_end: bool = False,
    ) -> None:
        self._reader, self._folder, self._to_end = reader, folder, to_end
        self._stopped, self._reports = stopped, reports
        self.counts = FileCounts()

    def run(self) -> None:
        """Relay until the process is ended. Raises Unconfirmed."""
        try:
            while not self._stopped.is_set() and not (self._to_end and self._reader.at_end):
                self._turn()
                self._reports.tick(self.counts)
            self._complete()
        finally:
            self._reader.close()
            self._reports.write(self.counts)

    def _turn(self) -> None:
        messages = self._reader.read(AT_ONCE)
        self.counts.read += len(messages)
        for message in messages:
            self._folder.add(message)
        if self._folder.is_due:
            self._complete()

    def _complete(self) -> None:
        """Complete the files, then have the offsets committed."""
        while True:
            try:
                self._folder.complete(self.counts)
            except OSError as error:
                warn(f"a file cannot be written: {error}")
                self._reports.tick(self.counts)
                if self._stopped.wait(PAUSE):
                    raise Unconfirmed(f"a file cannot be written: {error}") from None
            else:
                self._reader.confirm()
                return


def _archived(message: Message) -> archive.Archived:
    _, time_ms = message.timestamp()
    name = f"{message.topic()}-{message.partition()}@{message.offset()}"
    return archive.Archived(name, time_ms, attributes_of(message), message.value() or b"")


def _sync(path: Path) -> None:
    """Have a file and its name on the disk, as an offset that is committed says it is."""
    for one in (path, path.parent):
        number = os.open(one, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
