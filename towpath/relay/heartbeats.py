"""Heartbeats: records without a body whose time says that nothing older is still to come.

The job on Flink takes its watermark from these alone, in each partition, so every partition of a topic
gets them, one that was added later too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from towpath.relay.kafka import Headers, Unusable, is_fatal, partitions_of, text_of
from towpath.relay.process import Counts, Reports, Unconfirmed, warn
from transforms.hosting.receive import HEARTBEAT, KIND

LOOK = 10.0
"""How often new partitions are looked for, in seconds."""
LOOK_SECONDS = 5.0
HEADERS: Headers = {KIND: HEARTBEAT}


class Heartbeats:
    """Sends heartbeats to all partitions of topics, at most one in ``every`` seconds."""

    def __init__(
        self,
        topics: Sequence[str],
        every: float = 1.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._every, self._now = every, now
        self._partitions: dict[str, tuple[int, ...]] = dict.fromkeys(topics, ())
        self._next = self._look = now()

    def send(self, producer: Producer, at: int) -> int:
        """Send heartbeats if they are due; return how many. ``at`` is a time in ms.

        Raises Unconfirmed if the producer cannot send any more. Nothing is sent while earlier records wait
        for the broker: they would only fill the queue.
        """
        if self._now() < self._next or len(producer):
            return 0
        self._next = self._now() + self._every
        self._find(producer)
        count = 0
        for topic, partitions in self._partitions.items():
            for partition in partitions:
                try:
                    producer.produce(
                        topic, b"", partition=partition, timestamp=at, headers=HEADERS,
                        on_delivery=_note,
                    )  # fmt: skip
                except BufferError:  # a later one says more
                    continue
                except KafkaException as error:
                    if is_fatal(error.args[0]):
                        raise Unconfirmed(f"Kafka: {text_of(error)}") from None
                    _note(error.args[0], None)
                    continue
                count += 1
        producer.poll(0)
        return count

    def _find(self, producer: Producer) -> None:
        if self._now() < self._look:
            return
        for topic in self._partitions:
            try:
                self._partitions[topic] = partitions_of(producer, topic, LOOK_SECONDS)
            except (KafkaException, Unusable):  # the known ones may still be there
                continue
        self._look = self._now() + LOOK


def _note(error: KafkaError | None, _: Any) -> None:
    """Say that Kafka does not take heartbeats."""
    if error is not None:
        warn(f"Kafka refuses heartbeats: {text_of(error)}")


class BeatCounts(Counts):
    """What a process sent that only sends heartbeats."""

    heartbeats: int = 0
    watermark: int | None = None


def send_by_clock(
    producer: Producer,
    beats: Heartbeats,
    slack_ms: int,
    clock: Callable[[], int],
    stopped: threading.Event,
    reports: Reports,
) -> BeatCounts:
    """Send the time of the clock minus the slack until the process is ended. Raises Unconfirmed."""
    counts = BeatCounts()
    while not stopped.wait(0.05):
        at = clock() - slack_ms
        if sent := beats.send(producer, at):
            counts.heartbeats += sent
            counts.watermark = at
        producer.poll(0)
        reports.tick(counts)
    producer.flush(1.0)
    reports.write(counts)
    return counts
