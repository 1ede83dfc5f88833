"""Outputs of the job as Parquet tables, each row once.

A file has all rows of a table and a window, each once, and is written again when more of them come: so
what is read again after a crash changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from confluent_kafka import Message

from schemas.wire import WireError
from towpath.relay.from_kafka import name_of
from towpath.relay.kafka import attributes_of
from towpath.relay.process import SPACE
from transforms.flows.protocol.outputs import AnyOutput
from transforms.sinks.folders import TO_TABLES, Folder
from transforms.wire import rows
from transforms.wire.messages import from_message
from transforms.wire.values import in_range

LOG = logging.getLogger(__name__)


class TableFiles:
    """The tables in a folder."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def add(self, messages: Sequence[Message]) -> int:
        """Hold rows; return how many records are no rows of a table."""
        wrote = self._folder.write(self._rows(messages))
        for bad in wrote.bad:
            LOG.warning("%s is not written: %s", bad.id, bad.detail)
        return len(messages) - wrote.written

    def complete(self) -> None:
        """Write the files. Raises OSError."""
        self._folder.flush()

    def _rows(self, messages: Sequence[Message]) -> Iterator[tuple[str, AnyOutput]]:
        for message in messages:
            attributes = attributes_of(message)
            try:
                output = from_message(message.value() or b"", attributes)
            except WireError as error:
                LOG.warning("no row at %s: %s", name_of(message), error)
                continue
            if (kind := rows.name_of(output)) not in TO_TABLES:
                LOG.warning("no row at %s: %s has no table", name_of(message), kind)
            elif output.at != in_range(output.at):
                LOG.warning("no row at %s: its time is outside of 1970 to 2200", name_of(message))
            else:
                yield attributes.get("space", SPACE), output
