"""Clients of Kafka for the relays: their configuration, and the partitions of topics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka import admin as kafka_admin
from confluent_kafka.admin import AdminClient

from towpath.relay.process import warn
from transforms.wire.secrets import address_of

CALL_SECONDS = 60.0
"""How long a call about topics may take when a relay starts."""
TIME_TYPE, KEPT = "message.timestamp.type", "CreateTime"

UNKNOWN = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)  # noqa: SLF001
PRODUCER = {
    "linger.ms": 5,
    "queue.buffering.max.kbytes": 65_536,
    # No record is given up: while the broker is away, all of them wait.
    "message.timeout.ms": 0,
    # As Java's clients choose it, so that a user has one partition whichever client writes.
    "partitioner": "murmur2_random",
}
CONSUMER = {
    "auto.offset.reset": "earliest",
    "queued.max.messages.kbytes": 16_384,
    # How long the partitions of a member that was killed stay with it.
    "session.timeout.ms": 10_000,
}
# A relay could lose records if these were not so.
ORDERED = {"enable.idempotence": True}
COMMITTED = {
    "isolation.level": "read_committed",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
}


Headers = dict[str, str | bytes | None]


class Unusable(ValueError):
    """A topic cannot be used; the text says why, and what to do."""


class Brokers(msgspec.Struct, frozen=True, gc=False):
    """The addresses of brokers, and properties of their clients; a value may be ``env:NAME``."""

    address: str
    properties: Mapping[str, str] = {}

    def producer(self) -> Producer:
        """Make a producer that keeps the order and writes nothing twice by itself."""
        return Producer(self._config(PRODUCER, ORDERED))

    def consumer(self, group: str, on_commit: Callable[..., None]) -> Consumer:
        """Make a consumer of committed records, which commits offsets only when it is told to."""
        fixed = COMMITTED | {"group.id": group, "on_commit": on_commit}
        return Consumer(self._config(CONSUMER, fixed))

    def admin(self) -> AdminClient:
        """Make a client for the settings of topics."""
        return AdminClient(self._config({}, {}))

    def _config(self, usual: Mapping[str, Any], fixed: Mapping[str, Any]) -> dict[str, Any]:
        """Put a configuration together. Raises ValueError for a variable that is not set."""
        given = {name: address_of(value) for name, value in self.properties.items()}
        own = {"bootstrap.servers": self.address, "log_level": 0, "error_cb": _log, **fixed}
        if wrong := sorted(own.keys() & given.keys()):
            raise ValueError(f"the property {wrong[0]} cannot be changed")
        return {**usual, **given, **own}


def partitions_of(client: Any, topic: str, seconds: float = CALL_SECONDS) -> tuple[int, ...]:
    """Return the partitions of a topic. Raises KafkaException, and Unusable if there is no such topic."""
    found = client.list_topics(topic, seconds).topics[topic]
    if found.error is not None and found.error.code() in UNKNOWN:
        raise Unusable(f"Kafka has no topic {topic}: create it first")
    if found.error is not None:
        raise KafkaException(found.error)
    return tuple(sorted(found.partitions))


def check_times(admin: AdminClient, topic: str) -> None:
    """Raise Unusable if the broker replaces the times of a topic's records by its own.

    A client that may not read the settings of topics checks nothing.
    """
    client: Any = kafka_admin  # whose types leave out what it exports
    asked = client.ConfigResource(client.ResourceType.TOPIC, topic)
    try:
        (future,) = admin.describe_configs([asked], request_timeout=CALL_SECONDS).values()
        found = future.result()[TIME_TYPE].value
    except (KafkaException, KeyError):
        return
    if found != KEPT:
        raise Unusable(
            f"the topic {topic} has {TIME_TYPE}={found}, so the broker would replace the times of"
            f" records and heartbeats; set it to {KEPT}"
        )


def attributes_of(message: Any) -> dict[str, str]:
    """Return the headers of a message as attributes."""
    found: Iterable[tuple[str, bytes | None]] = message.headers() or ()
    return {name: (value or b"").decode("utf-8", "replace") for name, value in found}


def is_fatal(error: KafkaError) -> bool:
    """Return True if the producer that reports an error cannot be used any more."""
    return error.fatal() or error.code() == KafkaError._FATAL  # noqa: SLF001


def text_of(error: KafkaError | KafkaException) -> str:
    """Return an error in words."""
    said = error.args[0] if isinstance(error, KafkaException) else error
    return said.str() if isinstance(said, KafkaError) else str(said)


def _log(error: KafkaError) -> None:
    """Log a trouble of a client, which tries again by itself."""
    warn(f"Kafka: {text_of(error)}")
