"""Kafka to Redis: flow states and erasures of the job, each guarded by its sequence.

Offsets are committed once Redis has confirmed the states. A state may be written twice, and late: a
newer one stays. While Redis or Kafka is away the relay waits.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from confluent_kafka import Message
from redis.exceptions import RedisError, ResponseError

from towpath.flow_state_records import Found, of_message
from towpath.relay.from_kafka import FromKafka, name_of
from towpath.relay.kafka import attributes_of
from towpath.relay.process import PAUSE, SPACE, Counts, Reports, Unconfirmed, warn
from transforms.sinks.checked import Wrote
from transforms.sinks.redis import BATCH, FlowStates
from transforms.wire.raw import Bad

LOG = logging.getLogger(__name__)
REFUSAL = "WRONGTYPE"
"""What Redis answers if a user's key holds something else: sending it again would not help."""


class StateCounts(Counts):
    """What went through.

    ``stale`` are states that were in Redis already, or older; ``invalid`` records that are no states;
    ``refused`` states that Redis does not take.
    """

    read: int = 0
    written: int = 0
    stale: int = 0
    invalid: int = 0
    refused: int = 0

    @property
    def left_out(self) -> int:
        return self.invalid + self.refused


class KafkaToRedis:
    """Reads topics of flow states and erasures and writes Redis until ``stopped`` is set."""

    def __init__(
        self, reader: FromKafka, states: FlowStates, stopped: threading.Event, reports: Reports
    ) -> None:
        self._reader, self._states = reader, states
        self._stopped, self._reports = stopped, reports
        self.counts = StateCounts()

    def run(self) -> None:
        """Relay until the process is ended. Raises Unconfirmed."""
        with self._reports.last(self._reader, self.counts):
            while not self._stopped.is_set():
                self._turn()
                self._reports.tick(self.counts)

    def _turn(self) -> None:
        """Write what has arrived, then have its offsets committed."""
        messages = self._reader.read(BATCH)
        if messages:
            self.counts.read += len(messages)
            self._write(self._decoded(messages))
        self._reader.confirm()

    def _decoded(self, messages: Sequence[Message]) -> list[Found]:
        good = []
        for message in messages:
            found = of_message(message.value() or b"", attributes_of(message), SPACE)
            if isinstance(found, Bad):
                self.counts.invalid += 1
                LOG.warning("no flow state at %s: %s", name_of(message), found.detail)
            else:
                good.append(found)
        return good

    def _write(self, found: Sequence[Found]) -> None:
        """Write states until Redis has confirmed them. Raises Unconfirmed."""
        while True:
            try:
                wrote = self._states.write(found)
            except RedisError as error:
                if not _is_refusal(error):
                    self._await(error)
                    continue
                if len(found) > 1:  # one of them fails all that are sent with it
                    for one in found:
                        self._write([one])
                else:
                    self.counts.refused += 1
                    LOG.warning("Redis refuses %s: %s", found[0][1].id, error)
            else:
                self._count(wrote)
            return

    def _count(self, wrote: Wrote) -> None:
        self.counts.written += wrote.written
        self.counts.stale += wrote.stale
        self.counts.invalid += wrote.bad_rows
        for bad in wrote.bad:
            LOG.warning("%s is not written: %s", bad.id, bad.detail)

    def _await(self, error: RedisError) -> None:
        warn(f"Redis: {error}")
        self._reports.tick(self.counts)
        if self._stopped.wait(PAUSE):
            raise Unconfirmed(f"Redis: {error}")


def _is_refusal(error: RedisError) -> bool:
    return isinstance(error, ResponseError) and str(error).startswith(REFUSAL)
