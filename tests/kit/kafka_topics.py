"""Reads topics of a test's broker from beginning to end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from tests.kit.kafka_broker import KafkaBroker
from tests.kit.timeouts import PATIENCE
from transforms.hosting.receive import HEARTBEAT, KIND


class Record(msgspec.Struct, frozen=True):
    """A record of a topic, with its place and its time in ms."""

    partition: int
    offset: int
    time: int
    key: bytes | None
    body: bytes
    headers: dict[str, str]

    @property
    def is_heartbeat(self) -> bool:
        return self.headers.get(KIND) == HEARTBEAT


def read_topic(broker: KafkaBroker, topic: str) -> Iterator[Record]:
    """Read what is committed now, partition by partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.address,
            "log_level": 0,
            "group.id": "reader",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
        }
    )
    partitions = consumer.list_topics(topic, PATIENCE).topics[topic].partitions
    for partition in sorted(partitions):
        place = TopicPartition(topic, partition, OFFSET_BEGINNING)
        low, end = offsets_of(consumer, place)
        consumer.assign([place])
        while low < end:
            message = consumer.poll(PATIENCE)
            error = message.error()
            if error is not None:
                if error.code() != KafkaError._PARTITION_EOF:
                    raise AssertionError(error)
                break  # what comes last is no record, but the end of a transaction
            low = message.offset() + 1
            yield Record(
                partition=partition,
                offset=message.offset(),
                time=message.timestamp()[1],
                key=message.key(),
                body=message.value() or b"",
                headers={name: value.decode() for name, value in message.headers() or ()},
            )
    consumer.close()


def behind(broker: KafkaBroker, group: str, topics: Iterable[str]) -> int:
    """Return how many offsets a group has not committed yet."""
    consumer = Consumer({"bootstrap.servers": broker.address, "log_level": 0, "group.id": group})
    places = [
        TopicPartition(topic, partition)
        for topic in topics
        for partition in consumer.list_topics(topic, PATIENCE).topics[topic].partitions
    ]
    ends, done = ends_of(consumer, places), committed_of(consumer, places)
    consumer.close()
    return sum(ends) - sum(max(offset, 0) for offset in done)


def ends_of(consumer: Consumer, places: list[TopicPartition]) -> list[int]:
    """Return the ends of partitions."""
    return [offsets_of(consumer, place)[1] for place in places]


def offsets_of(consumer: Consumer, place: TopicPartition) -> tuple[int, int]:
    """Return the first offset of a partition and its end; a broker that has just started, or has just
    created the partition, may not lead it yet.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return consumer.get_watermark_offsets(place, PATIENCE)
        except KafkaException:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def committed_of(consumer: Consumer, places: list[TopicPartition]) -> list[int]:
    """Return the offsets that the group of a consumer has committed; negative ones for none."""
    try:
        return [place.offset for place in consumer.committed(places, PATIENCE)]
    except KafkaException:  # the broker has no coordinator of the group yet
        return [-1] * len(places)
