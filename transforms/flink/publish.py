"""Outputs to records of Kafka, each for the topic of its kind, with the user as the key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pyflink.common import Row
from pyflink.datastream import ProcessFunction

from schemas import wire
from schemas.wire import Encoding
from transforms.flink.count_metrics import FlinkCounts
from transforms.flink.elements import Decided
from transforms.flink.metric_lines import ADDED, added
from transforms.flink.user_state import to_key
from transforms.flows.protocol import outputs
from transforms.flows.protocol.outputs import AnyOutput, DeadLetter
from transforms.hosting import dead_letters, job_metrics, trouble
from transforms.metrics import Metric
from transforms.sinks.checked import Refused, fitting
from transforms.sinks.folders import TO_TABLES
from transforms.sinks.outgoing import LOOPED, Outgoing, attributes, outgoing_of
from transforms.wire.bodies import json_body, read_output
from transforms.wire.messages import LONGEST_NAME, kind_of
from transforms.wire.output_lines import to_line

MAX_DATA = 900_000
"""The limit of a record's value, in bytes: Kafka's own, by default, is 1 MB with key and headers."""
SHORT = LONGEST_NAME // 4
"""Names of so many characters are never too long, in bytes."""

Given = tuple[str, bytes]
"""An encoded output, behind its kind."""


class Publish(ProcessFunction):
    """Turn the outputs of a step into records; one that Kafka would refuse becomes a dead letter."""

    sink = "topics"

    def __init__(
        self, topics: Mapping[str, str], encoding: Encoding = "json", metrics: bool = False
    ) -> None:
        self._topics = dict(topics)
        self._encoding = encoding
        self._metrics = metrics
        self._heads: dict[tuple[str, str], tuple[bytes, bytes, bytes]] = {}

    def open(self, runtime_context: Any) -> None:
        self._counts = FlinkCounts(runtime_context)

    def close(self) -> None:
        self._counts.flush()

    def process_element(self, value: Decided, ctx: Any) -> Iterable[Any]:
        """Handle the outputs of one step; with ``metrics``, what they add to these, too."""
        name, made = value
        space, _ = to_key(name)
        self._counts.tick()
        given = [(kind, one) for one in made if (kind := kind_of(one)) in self._topics]
        for kind, number in Counter(kind for kind, _ in given).items():
            self._counts.add(job_metrics.PUBLISHED, number, kind)
        refused = Refused()
        rows = [*self._rows(space, given, refused)]
        if refused.count:
            rows += self._letters(space, given, refused)
        found: list[Any] = [self._element(space, rows)] if rows else []
        if self._metrics and (sums := added(space, decoded(given))) is not None:
            found.append((ADDED, sums))
        return found

    def _element(self, space: str, rows: list[Any]) -> Any:
        """Return the rows of a step as one element."""
        return space.encode(), rows

    def _rows(self, space: str, given: Sequence[Given], refused: Refused) -> Iterator[Any]:
        for kind, encoded in given:
            row = self._quick_row(space, kind, encoded) if self._encoding == "json" else None
            if row is not None:
                yield row
                continue
            for _, output in fitting([(space, outputs.decode(encoded))], refused):
                made = outgoing_of(space, output, self._topics, self._encoding, MAX_DATA)
                if isinstance(made, str):
                    refused.add(getattr(output, "id", ""), made)
                else:
                    names = (made.user, made.id, made.kind, made.schema, made.flow)
                    user, *head = map(str.encode, names)
                    yield made.topic.encode(), user, made.data, *head

    def _quick_row(self, space: str, kind: str, encoded: bytes) -> Any:
        """Return an output as a row; None if it has to be checked, or is a record of the envelope."""
        if kind in LOOPED or (read := read_output(kind, encoded)) is None:
            return None
        body, flow = json_body(read), getattr(read, "flow", None) or ""
        user, ident = read.user.encode(), read.id.encode()
        if (
            body is None
            or len(body) > MAX_DATA
            or max(len(user), len(ident), len(space), len(flow)) > SHORT
        ):
            return None
        head = self._heads.get((kind, flow))
        if head is None:
            schema = wire.attributes(kind, "json")["schema"].encode()
            head = self._heads[kind, flow] = kind.encode(), schema, flow.encode()
        return self._topics[kind].encode(), user, body, ident, *head

    def _letters(self, space: str, given: Sequence[Given], refused: Refused) -> Iterator[Any]:
        """Count what was refused, and make dead letters of it; a refused dead letter is only counted."""
        self._counts.add(job_metrics.UNFIT_OUTPUTS, refused.count, self.sink)
        trouble.report("unfit_output", space=space, detail=self.sink)
        why = {row.id: row.detail for row in refused.bad}
        letters = [
            dead_letters.of_output(space, output, self.sink, why[output.id])
            for output in decoded(given)
            if output.id in why and not isinstance(output, DeadLetter)
        ]
        for letter in letters:
            self._counts.add_reason(letter)
        if "dead_letter" in self._topics:
            made = [("dead_letter", outputs.encode(letter)) for letter in letters]
            yield from self._rows(space, made, Refused())


class WriteLines(Publish):
    """Turn the outputs of a step that have a table into lines, for a file instead of topics."""

    sink = "tables"

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(TO_TABLES, ""))

    def _element(self, space: str, rows: list[Any]) -> Row:
        """Return all lines as one row: the file has a line's end after it."""
        return Row(b"\n".join(rows))

    def _rows(self, space: str, given: Sequence[Given], refused: Refused) -> Iterator[bytes]:
        for _, output in fitting([(space, one) for one in decoded(given)], refused):
            if not isinstance(output, Metric):
                yield to_line(space, output)


def row_of(made: Outgoing) -> Row:
    """Return an output as a row of the table of outputs."""
    headers = {name: value.encode() for name, value in attributes(made).items()}
    return Row(made.topic, made.user.encode(), made.data, headers)


def decoded(given: Sequence[Given]) -> list[AnyOutput]:
    """Return encoded outputs as what they are."""
    return [outputs.decode(encoded) for _, encoded in given]
