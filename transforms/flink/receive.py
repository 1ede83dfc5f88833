"""Records of Kafka to encoded signals by key, and to dead letters.

A record's timestamp is its receipt; a heartbeat is a record with the header ``kind``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyflink.common import Row
from pyflink.datastream import ProcessFunction

from transforms.flink.count_metrics import FlinkCounts
from transforms.flink.elements import LETTER
from transforms.flink.user_state import to_name
from transforms.flows.protocol import outputs, signals
from transforms.hosting import job_metrics, trouble, watch_logs
from transforms.hosting.allowed import Source
from transforms.hosting.catalogs import Catalogs
from transforms.hosting.receive import ANY_SOURCE, Accepted, Rejected, receive
from transforms.hosting.settings import system_clock


class Receive(ProcessFunction):
    """Decode, validate and key records; see ``transforms.hosting.receive``."""

    def __init__(
        self, catalogs: Catalogs, space: str, joins: bool = True, source: Source = ANY_SOURCE
    ) -> None:
        self._catalogs = catalogs
        self._space = space
        self._joins = joins
        self._source = source

    def open(self, runtime_context: Any) -> None:
        self._counts = FlinkCounts(runtime_context)

    def close(self) -> None:
        self._counts.flush()

    def process_element(self, value: Any, ctx: Any) -> Iterable[Row]:
        """Handle one record: body, headers, timestamp, partition and offset."""
        data, headers, receipt, partition, offset = value
        watch_logs.count_health(self._counts, self._catalogs, system_clock())
        self._counts.tick()
        match receive(
            self._catalogs,
            data or b"",
            {
                name: (body or b"").decode("utf-8", "replace")
                for name, body in (headers or {}).items()
            },
            receipt,
            message_id=f"{self._source.name}-{partition}@{offset}",
            space=self._space,
            joins=self._joins,
            source=self._source,
        ):
            case Accepted() as accepted:
                self._counts.add(job_metrics.SIGNALS)
                return (_keyed(to_name(accepted.key), signals.encode(accepted.signal)),)
            case Rejected(space, letter):
                self._counts.add_reason(letter)
                trouble.report(letter.reason, space=space)
                name = LETTER + to_name((space, letter.user))
                return (_keyed(name, outputs.encode(letter)),)
            case "heartbeat":  # it has moved the watermark by arriving
                self._counts.add(job_metrics.HEARTBEATS)
            case "unread":
                self._counts.add(job_metrics.UNREAD)
        return ()


def _keyed(name: str, encoded: bytes) -> Row:
    return Row(name, (name, encoded))
