"""Topics as an archive, of which ``pipelines.archive`` makes a log for a replay.

A file is named by its first and last offset and its contents, so no file replaces another one: two relays
may hold the same records after a rebalance.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from confluent_kafka import Message

from pipelines import archive
from towpath.relay.from_kafka import name_of
from towpath.relay.kafka import attributes_of
from transforms.sinks.part_files import Place, write_whole
from transforms.wire.values import in_range


class ArchiveFiles:
    """A folder with a folder for each topic, and files of one partition each."""

    def __init__(self, out: Place) -> None:
        self._out = out
        self._open: dict[tuple[str, int], list[Message]] = defaultdict(list)

    def add(self, messages: Sequence[Message]) -> int:
        """Hold records; any record has a place in an archive."""
        for message in messages:
            self._open[str(message.topic()), int(message.partition() or 0)].append(message)
        return 0

    def complete(self) -> None:
        """Write the files. Raises OSError."""
        for (topic, partition), messages in sorted(self._open.items()):
            data = archive.encoded(map(_archived, messages))
            first, last = messages[0].offset(), messages[-1].offset()
            own = blake2b(data, digest_size=6).hexdigest()
            path = self._out / topic / f"part-{partition}-{first:020d}-{last:020d}-{own}.avro"
            write_whole(path, data)
            if isinstance(path, Path):
                _sync(path)
            del self._open[topic, partition]


def _archived(message: Message) -> archive.Archived:
    _, published = message.timestamp()
    data = message.value() or b""
    return archive.Archived(name_of(message), in_range(published), attributes_of(message), data)


def _sync(path: Path) -> None:
    """Have a file and its name on the disk: an offset that is committed says so."""
    for one in (path, path.parent, path.parent.parent):
        number = os.open(one, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
