"""Pub/Sub as a source of a Beam pipeline: Dataflow's own source there, ours on other runners.

Both emit ``(data, attributes, publish time in ms, message id)``, stamped with the receipt.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakValueDictionary

import apache_beam as beam
import msgspec
from apache_beam import coders
from apache_beam.io.unbounded_source import (
    CheckpointMark,
    ReadFromUnboundedSource,
    UnboundedReader,
    UnboundedSource,
)
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.utils.timestamp import Timestamp

from transforms.sources.pubsub.leases import Mark, Settings
from transforms.sources.pubsub.reader import PubSubReader

Received = tuple[bytes, dict[str, str], int, str]

WAIT_MS = 50
# The open readers of this process by id: a runner that resumes from a mark finds the reader that
# made it, with its leases and fetched messages.
_READERS: WeakValueDictionary[str, PubSubUnboundedReader] = WeakValueDictionary()


def read_pubsub(settings: Settings, options: PipelineOptions) -> beam.PTransform:
    """Read a subscription: with the runner's own source on Dataflow, else with ours."""
    if is_dataflow(options):
        return _ReadNative(settings)
    return ReadFromUnboundedSource(PubSubSource(settings), poll_interval=1.0)


def is_dataflow(options: PipelineOptions) -> bool:
    """Return True if the runner is Dataflow's."""
    return "dataflow" in (options.view_as(StandardOptions).runner or "").lower()


class _ReadNative(beam.PTransform):
    """Dataflow's source: it drops redeliveries by message id and keeps its own watermark.

    It must not drop by the attribute ``id``: two spaces may use the same id, and a record that is
    published again after it failed has its old one. The core recognizes duplicates (R5).
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings

    def expand(self, begin: Any) -> Any:
        read = beam.io.ReadFromPubSub(
            subscription=self._settings.subscription,
            with_attributes=True,
            timestamp_attribute=self._settings.timestamp_attribute,
        )
        return begin | "Pub/Sub messages" >> read | "Plain values" >> beam.Map(_plain)


def _plain(message: Any) -> Received:
    published = message.publish_time
    ms = int(published.timestamp() * 1000) if published is not None else 0
    return message.data, dict(message.attributes), ms, message.message_id


class PubSubMark(CheckpointMark):
    """A bundle's mark; finalizing it notifies the reader that made it, if it is in this process."""

    def __init__(self, mark: Mark) -> None:
        self.mark = mark

    def finalize_checkpoint(self) -> None:
        reader = _READERS.get(self.mark.reader)
        if reader is not None:  # else the broker redelivers the records
            reader.reader.finalize(self.mark)


class PubSubMarkCoder(coders.Coder):
    """Encodes a mark as msgpack."""

    def encode(self, value: PubSubMark) -> bytes:
        return msgspec.msgpack.encode(value.mark)

    def decode(self, encoded: bytes) -> PubSubMark:
        return PubSubMark(msgspec.msgpack.decode(encoded, type=Mark))

    def is_deterministic(self) -> bool:
        return True


class PubSubSource(UnboundedSource):
    """A subscription; ``share`` numbers one of several equal readers of it."""

    def __init__(self, settings: Settings, share: int | None = None) -> None:
        self.settings = settings
        self.share = share

    def split(self, desired_num_splits: int, options: Any = None) -> list[PubSubSource]:
        if self.share is not None:
            return [self]
        return [PubSubSource(self.settings, share) for share in range(self.settings.readers)]

    def create_reader(
        self, options: Any, checkpoint_mark: PubSubMark | None
    ) -> PubSubUnboundedReader:
        mark = None if checkpoint_mark is None else checkpoint_mark.mark
        if mark is not None:
            known = _READERS.get(mark.reader)
            if known is not None and known.reader.resume_from(mark):
                return PubSubUnboundedReader(known.reader)
        return PubSubUnboundedReader(PubSubReader(self.settings, resume=mark))

    def get_checkpoint_mark_coder(self) -> PubSubMarkCoder:
        return PubSubMarkCoder()


class PubSubUnboundedReader(UnboundedReader):
    """Adapts ``PubSubReader`` to Beam; after another adapter took it over, ``close`` does nothing."""

    def __init__(self, reader: PubSubReader) -> None:
        self.reader = reader
        _READERS[reader.id] = self

    def start(self) -> bool:
        return self.reader.start() or self.advance()

    def advance(self) -> bool:
        # Without this short wait each gap in a busy stream would cost Beam's poll interval.
        return self.reader.advance(WAIT_MS)

    def get_current(self) -> Received:
        record = self.reader.get_current()
        return record.data, record.attributes, record.published, record.message_id

    def get_current_timestamp(self) -> Timestamp:
        return Timestamp(micros=self.reader.get_current_timestamp() * 1000)

    def get_watermark(self) -> Timestamp:
        return Timestamp(micros=self.reader.get_watermark() * 1000)

    def get_checkpoint_mark(self) -> PubSubMark:
        return PubSubMark(self.reader.get_checkpoint_mark())

    def close(self) -> None:
        if _READERS.get(self.reader.id) is self:
            del _READERS[self.reader.id]
            self.reader.close()
