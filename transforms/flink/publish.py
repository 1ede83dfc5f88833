"""Outputs to records of Kafka, each for the topic of its kind, with the user as the key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pyflink.common import Row
from pyflink.datastream import OutputTag, ProcessFunction

from schemas.wire import Encoding
from transforms.flink.count_metrics import FlinkCounts
from transforms.flink.elements import Named, unpack_outputs
from transforms.flink.metric_lines import ADDED, added
from transforms.flink.user_state import to_key
from transforms.flows.protocol import outputs
from transforms.flows.protocol.outputs import AnyOutput, DeadLetter
from transforms.hosting import dead_letters, job_metrics, trouble
from transforms.metrics import Metric
from transforms.sinks.checked import Refused, fitting
from transforms.sinks.folders import TO_TABLES
from transforms.sinks.outgoing import Outgoing, attributes, outgoing_of
from transforms.wire.messages import kind_of
from transforms.wire.output_lines import to_line

MAX_DATA = 900_000
"""The limit of a record's value, in bytes: Kafka's own, by default, is 1 MB with key and headers."""


class Publish(ProcessFunction):
    """Turn the outputs of a step into records; one that Kafka would refuse becomes a dead letter."""

    sink = "topics"

    def __init__(
        self, topics: Mapping[str, str], encoding: Encoding = "json", metrics: bool = False
    ) -> None:
        self._topics = dict(topics)
        self._encoding = encoding
        self._metrics = metrics

    def open(self, runtime_context: Any) -> None:
        self._counts = FlinkCounts(runtime_context)

    def close(self) -> None:
        self._counts.flush()

    def process_element(self, value: Named, ctx: Any) -> Iterable[Row | tuple[OutputTag, Row]]:
        """Handle the outputs of one step; with ``metrics``, what they add to these, too."""
        name, packed = value
        space, _ = to_key(name)
        self._counts.tick()
        given = [one for one in unpack_outputs(packed) if kind_of(one) in self._topics]
        for one in given:
            self._counts.add(job_metrics.PUBLISHED, 1, kind_of(one))
        found = [outputs.decode(one) for one in given]
        refused = Refused()
        rows: list[Row | tuple[OutputTag, Row]] = [*self._rows(space, found, refused)]
        if refused.count:
            rows += self._letters(space, found, refused)
        if self._metrics and (sums := added(space, found)) is not None:
            rows.append((ADDED, sums))
        return rows

    def _rows(self, space: str, found: list[AnyOutput], refused: Refused) -> Iterator[Row]:
        for _, output in fitting([(space, one) for one in found], refused):
            made = outgoing_of(space, output, self._topics, self._encoding, MAX_DATA)
            if isinstance(made, str):
                refused.add(getattr(output, "id", ""), made)
            else:
                yield row_of(made)

    def _letters(self, space: str, found: list[AnyOutput], refused: Refused) -> Iterator[Row]:
        """Count what was refused, and make dead letters of it; a refused dead letter is only counted."""
        self._counts.add(job_metrics.UNFIT_OUTPUTS, refused.count, self.sink)
        trouble.report("unfit_output", space=space, detail=self.sink)
        why = {row.id: row.detail for row in refused.bad}
        letters = [
            dead_letters.of_output(space, output, self.sink, why[output.id])
            for output in found
            if output.id in why and not isinstance(output, DeadLetter)
        ]
        for letter in letters:
            self._counts.add_reason(letter)
        if "dead_letter" in self._topics:
            yield from self._rows(space, [*letters], Refused())


class WriteLines(Publish):
    """Turn the outputs of a step that have a table into lines, for a file instead of topics."""

    sink = "tables"

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(TO_TABLES, ""))

    def _rows(self, space: str, found: list[AnyOutput], refused: Refused) -> Iterator[Row]:
        """Return all lines as one row: the file has a line's end after it."""
        fit = fitting([(space, one) for one in found], refused)
        if lines := [to_line(space, output) for _, output in fit if not isinstance(output, Metric)]:
            yield Row(b"\n".join(lines))


def row_of(made: Outgoing) -> Row:
    """Return an output as a row of the table of outputs."""
    headers = {name: value.encode() for name, value in attributes(made).items()}
    return Row(made.topic, made.user.encode(), made.data, headers)
