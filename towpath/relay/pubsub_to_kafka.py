"""Pub/Sub to Kafka: a message is acknowledged once Kafka has confirmed it.

Attributes become headers, the ingestion time becomes the record's time, the user becomes its key. A
message may be written twice: the core drops duplicates by their ids. The watermark of the reader goes to
every partition as heartbeats; it never passes a message that Kafka has not confirmed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from towpath.relay.heartbeats import Heartbeats
from towpath.relay.kafka import Brokers, Headers, is_fatal, text_of
from towpath.relay.process import GRACE, PAUSE, Counts, Reports, Unconfirmed
from transforms.flows.protocol.signals import Time
from transforms.hosting.receive import HEARTBEAT, ID, KIND
from transforms.sources.pubsub.leases import EARLIEST, Delivery
from transforms.sources.pubsub.reader import PubSubReader
from transforms.wire.messages import to_signal
from transforms.wire.raw import Bad

LOG = logging.getLogger(__name__)
AT_ONCE = 2_000
"""Messages that are written and acknowledged together."""
WAIT_MS = 50

# What Kafka refuses because of the record itself: sending it again would not help.
REFUSALS = (
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_MSG_SIZE,
    KafkaError.RECORD_LIST_TOO_LARGE,
    KafkaError.INVALID_TIMESTAMP,
    KafkaError.INVALID_RECORD,
)


class RelayCounts(Counts):
    """What went through; ``refused`` are messages that Kafka does not take."""

    read: int = 0
    written: int = 0
    acknowledged: int = 0
    refused: int = 0
    heartbeats: int = 0
    watermark: int | None = None


class KafkaTopic:
    """Writes messages to a topic, in order, and waits until the broker has confirmed them."""

    def __init__(
        self, brokers: Brokers, topic: str, stopped: threading.Event, grace: float = GRACE
    ) -> None:
        self._brokers, self._topic = brokers, topic
        self._stopped, self._grace = stopped, grace
        self.producer: Producer = brokers.producer()

    def write(self, messages: Sequence[Delivery]) -> list[Delivery]:
        """Write messages; return those that Kafka refuses. Raises Unconfirmed.

        One record that is refused fails those that were sent with it, so they are sent alone.
        """
        refused: list[Delivery] = []
        left, alone = messages, False
        while left:
            sets = [[one] for one in left] if alone else [left]
            failed = [each for some in sets for each in self._send(some)]
            others = [error for _, error in failed if error.code() not in REFUSALS]
            if alone:
                refused += [one for one, error in failed if error.code() in REFUSALS]
                failed = [(one, error) for one, error in failed if error.code() not in REFUSALS]
            if others:
                self._repair(others[0])
            left, alone = [one for one, _ in failed], len(failed) > len(others)
        if refused:
            LOG.warning("Kafka refuses %d records, such as %s", len(refused), refused[0].message_id)
        return refused

    def _send(self, messages: Sequence[Delivery]) -> list[tuple[Delivery, KafkaError]]:
        """Send messages once; return those that failed, in order, each with its error."""
        failed: dict[int, KafkaError] = {}
        for number, message in enumerate(messages):
            self._produce(message, partial(_note, failed, number))
        self._flush()
        return [(messages[number], error) for number, error in sorted(failed.items())]

    def _produce(self, message: Delivery, done: Callable[[Any, Any], None]) -> None:
        headers: Headers = {ID: message.message_id, **message.attributes}
        since = time.monotonic()
        while True:
            try:
                self.producer.produce(
                    self._topic, message.data, key_of(message), timestamp=message.timestamp,
                    headers=headers, on_delivery=done,
                )  # fmt: skip
            except BufferError:  # the queue is full
                self.producer.poll(0.1)
                self._await(since)
            except KafkaException as error:
                done(error.args[0], None)
                return
            else:
                self.producer.poll(0)
                return

    def _flush(self) -> None:
        since = time.monotonic()
        while self.producer.flush(0.2):
            self._await(since)

    def _await(self, since: float) -> None:
        if self._stopped.is_set() and time.monotonic() - since > self._grace:
            raise Unconfirmed(f"{len(self.producer):,} records are not confirmed by Kafka")

    def _repair(self, error: KafkaError) -> None:
        """Prepare to send again what failed; after some errors a producer cannot be used any more."""
        LOG.warning("Kafka: %s", text_of(error))
        if self._stopped.wait(PAUSE):
            raise Unconfirmed(f"Kafka: {text_of(error)}")
        if is_fatal(error):
            self.producer = self._brokers.producer()


class PubSubToKafka:
    """Reads a subscription and writes a topic until ``stopped`` is set.

    After its start it sends no heartbeats for ``hold`` seconds: what an earlier relay had leased, and
    did not acknowledge, comes again only after that.
    """

    def __init__(
        self,
        reader: PubSubReader,
        topic: KafkaTopic,
        beats: Heartbeats,
        reports: Reports,
        hold: float,
    ) -> None:
        self._reader, self._topic, self._beats, self._reports = reader, topic, beats, reports
        self._beat_from = time.monotonic() + hold
        self.counts = RelayCounts()

    def run(self, stopped: threading.Event) -> None:
        """Relay until the process is ended. Raises Unconfirmed."""
        with self._reports.last(self._reader, self.counts):
            while not stopped.is_set():
                self._turn()
                self._reports.tick(self.counts)

    def _turn(self) -> None:
        """Write what has arrived, acknowledge it, then say how far the watermark is."""
        messages = self._read()
        if messages:
            self._reader.get_watermark()  # while they are leased, it follows them
            records = [one for one in messages if one.attributes.get(KIND) != HEARTBEAT]
            refused = self._topic.write(records)
            self._reader.leave([message.ack_id for message in refused])
            self.counts.written += len(records) - len(refused)
            self.counts.refused += len(refused)
        self.counts.acknowledged += self._acknowledge()
        self._beat()

    def _read(self) -> list[Delivery]:
        found: list[Delivery] = []
        while len(found) < AT_ONCE and (
            self._reader.start() or self._reader.advance(0 if found else WAIT_MS)
        ):
            found.append(self._reader.get_current())
        self.counts.read += len(found)
        return found

    def _acknowledge(self) -> int:
        """Acknowledge what was written: the reader waits one round, so that takes an empty one."""
        return sum(len(self._reader.finalize(self._reader.get_checkpoint_mark())) for _ in range(2))

    def _beat(self) -> None:
        at = self._reader.get_watermark()
        if at > EARLIEST and time.monotonic() >= self._beat_from:
            self.counts.heartbeats += self._beats.send(self._topic.producer, at)
            self.counts.watermark = at
        self._topic.producer.poll(0)


def key_of(message: Delivery) -> bytes | None:
    """Return the user of a message, None if it cannot be read: a topic keeps the order of each key."""
    signal = to_signal(message.data, message.attributes)
    return None if isinstance(signal, Bad | Time) else signal.user.encode()


def _note(failed: dict[int, KafkaError], number: int, error: KafkaError | None, _: Any) -> None:
    if error is not None:
        failed[number] = error
