"""Topics of Kafka, read by the members of a group: offsets are committed when what was read is confirmed.

Only records of committed transactions are read. After a crash or a rebalance, some come twice.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from towpath.relay.kafka import Brokers, attributes_of, text_of
from towpath.relay.process import GRACE, Unconfirmed, warn
from transforms.hosting.receive import HEARTBEAT, KIND

WAIT = 0.2
"""How long a read waits for the first record, in seconds."""

# The partition has another member by now, or has ended: nothing to repair.
GONE = (KafkaError._STATE, KafkaError._UNKNOWN_PARTITION)  # noqa: SLF001
END = KafkaError._PARTITION_EOF  # noqa: SLF001


class FromKafka:
    """A member of a group that reads topics. Offsets are committed in the background."""

    def __init__(self, brokers: Brokers, topics: Sequence[str], group: str) -> None:
        self._consumer = brokers.consumer(group, self._committed)
        self._consumer.subscribe(list(topics))
        self._next: dict[tuple[str, int], int] = {}
        self._ended: set[tuple[str, int]] = set()
        self._due = self._asked = False

    @property
    def at_end(self) -> bool:
        """Return True if the member has partitions, and has read all of them to their ends."""
        places = self._consumer.assignment()
        return bool(places) and {(one.topic, one.partition) for one in places} <= self._ended

    def read(self, most: int) -> list[Message]:
        """Return up to ``most`` records, none if there is none for a moment; heartbeats are left out.

        Raises Unconfirmed if the client cannot go on.
        """
        first = self._consumer.poll(WAIT)
        found = [] if first is None else [first, *self._consumer.consume(most - 1, 0.0)]
        self._commit()
        return [message for message in found if self._is_record(message)]

    def confirm(self) -> None:
        """Have the offsets of all that was read committed: it will not be read again."""
        if not self._next:
            return
        places = [TopicPartition(*place, offset) for place, offset in self._next.items()]
        self._next.clear()
        try:
            self._consumer.store_offsets(offsets=places)
        except KafkaException as error:
            if error.args[0].code() not in GONE:
                raise
        self._due = True
        self._commit()

    def close(self) -> None:
        """Leave the group, once the offsets of what is confirmed are committed or ``GRACE`` is over."""
        until = time.monotonic() + GRACE
        while (self._due or self._asked) and time.monotonic() < until:
            self._consumer.poll(WAIT)
            self._commit()
        self._consumer.close()

    def _is_record(self, message: Message) -> bool:
        error = message.error()
        place = str(message.topic()), int(message.partition() or 0)
        offset = int(message.offset() or 0)
        if error is None:
            self._next[place] = offset + 1
            self._ended.discard(place)
            return attributes_of(message).get(KIND) != HEARTBEAT
        if error.fatal():
            raise Unconfirmed(f"Kafka: {text_of(error)}")
        if error.code() == END:  # behind the last record, there may be the end of its transaction
            self._next[place] = offset
            self._ended.add(place)
        else:
            warn(f"Kafka: {text_of(error)}")
        return False

    def _commit(self) -> None:
        """Ask the broker to commit, one request at a time."""
        if not self._due or self._asked:
            return
        self._due, self._asked = False, True
        try:
            self._consumer.commit(asynchronous=True)
        except KafkaException as error:
            self._committed(error.args[0], [])

    def _committed(self, error: KafkaError | None, _: Any) -> None:
        """Take the broker's answer; what it did not commit is tried again."""
        self._asked = False
        if error is not None and error.code() != KafkaError._NO_OFFSET:  # noqa: SLF001
            self._due = True
            warn(f"Kafka: offsets are not committed: {text_of(error)}")


def name_of(message: Message) -> str:
    """Return the name of a record by its place, as in dead letters of the job."""
    return f"{message.topic()}-{message.partition()}@{message.offset()}"
