"""What follows the users' function: records of Kafka, or lines of files, and what metrics count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pyflink.common import Row
from pyflink.datastream import ProcessFunction

from schemas.wire import Encoding
from transforms.flink.count_metrics import FlinkCounts
from transforms.flink.elements import Decided
from transforms.flink.metric_lines import ADDED, added
from transforms.flink.records import Records, lines
from transforms.flink.user_state import to_key


class Publish(ProcessFunction):
    """Turn the outputs of a step into records; with ``metrics``, also into what they add to these."""

    def __init__(
        self, topics: Mapping[str, str], encoding: Encoding = "json", metrics: bool = False
    ) -> None:
        self._topics = dict(topics)
        self._encoding = encoding
        self._metrics = metrics

    def open(self, runtime_context: Any) -> None:
        self._counts = FlinkCounts(runtime_context)
        self._records = Records(self._topics, self._encoding, self._counts)

    def close(self) -> None:
        self._counts.flush()

    def process_element(self, value: Decided, ctx: Any) -> Iterable[Any]:
        """Handle the outputs of one step."""
        self._counts.tick()
        name, made, encoded = value
        space, _ = to_key(name)
        messages = self._records.of(space, made, encoded)
        found: list[Any] = [] if messages is None else [messages]
        if self._metrics and (sums := added(space, made)) is not None:
            found.append((ADDED, sums))
        return found


class WriteLines(ProcessFunction):
    """Turn the outputs of a step into one row of lines; the file has a line's end after it."""

    def open(self, runtime_context: Any) -> None:
        self._counts = FlinkCounts(runtime_context)
        self._lines = lines(self._counts)

    def close(self) -> None:
        self._counts.flush()

    def process_element(self, value: Decided, ctx: Any) -> Iterable[Row]:
        """Handle the outputs of one step."""
        self._counts.tick()
        name, made, _ = value
        rows = self._lines.rows(to_key(name)[0], made)
        return (Row(b"\n".join(rows)),) if rows else ()
