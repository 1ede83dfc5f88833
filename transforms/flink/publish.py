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
from transforms.sinks.outgoing import LOOPED, outgoing_of
from transforms.wire.bodies import JsonOutputs
from transforms.wire.messages import LONGEST_NAME, kind_of
from transforms.wire.output_lines import to_line
from transforms.wire.rows import name_of

MAX_DATA = 900_000
"""The limit of a record's value, in bytes: Kafka's own, by default, is 1 MB with key and headers."""
SHORT = LONGEST_NAME
"""Names that have together so many bytes are not too long."""


class Publish(ProcessFunction):
    """Turn the outputs of a step into records; one that Kafka would refuse becomes a dead letter."""

    sink = "topics"

    def __init__(
        self, topics: Mapping[str, str], encoding: Encoding = "json", metrics: bool = False
    ) -> None:
        self._topics = dict(topics)
        self._encoding = encoding
        self._metrics = metrics
        self._heads: dict[tuple[str, str, str], Any] = {}

    def open(self, runtime_context: Any) -> None:
        self._counts = FlinkCounts(runtime_context)
        self._json = JsonOutputs(kind for kind in self._topics if kind not in LOOPED)

    def close(self) -> None:
        self._counts.flush()

    def process_element(self, value: Decided, ctx: Any) -> Iterable[Any]:
        """Handle the outputs of one step; with ``metrics``, what they add to these, too."""
        name, made = value
        space, _ = to_key(name)
        self._counts.tick()
        rows = self._quick_rows(space, made)
        if rows is None:
            rows = self._checked_rows(space, made)
        found: list[Any] = [self._element(space, rows)] if rows else []
        if self._metrics and (sums := added(space, map(outputs.decode, made))) is not None:
            found.append((ADDED, sums))
        return found

    def _element(self, space: str, rows: list[Any]) -> Any:
        """Return the rows of a step as one element."""
        return space.encode(), *map(list, zip(*rows, strict=True))

    def _quick_rows(self, space: str, made: Sequence[bytes]) -> list[Any] | None:
        """Return outputs as rows; None if they have to be checked one by one."""
        bodies = self._json.bodies(made) if self._encoding == "json" else None
        if bodies is None:
            return None
        rows: list[Any] = []
        for kind, output, body in bodies:
            flow: str = getattr(output, "flow", None) or ""
            head = self._heads.get((kind, space, flow))
            if head is None:
                names = kind, wire.schema_id(kind), flow
                head = self._heads[kind, space, flow] = (
                    *map(str.encode, names),
                    len((space + flow).encode()),
                )
            user, ident = output.user.encode(), output.id.encode()
            if len(user) + len(ident) + head[3] > SHORT or len(body) > MAX_DATA:
                return None
            rows.append((self._topics[kind], user, body, ident, *head[:3]))
        self._count(kind for kind, _, _ in bodies)
        return rows

    def _checked_rows(self, space: str, made: Sequence[bytes]) -> list[Any]:
        """Return outputs as rows, with dead letters for those that no reader could read."""
        found = [outputs.decode(one) for one in made if kind_of(one) in self._topics]
        self._count(map(name_of, found))
        refused = Refused()
        rows = [*self._rows(space, found, refused)]
        if refused.count:
            rows += self._letters(space, found, refused)
        return rows

    def _count(self, kinds: Iterable[str]) -> None:
        for kind, number in Counter(kinds).items():
            self._counts.add(job_metrics.PUBLISHED, number, kind)

    def _rows(self, space: str, found: Sequence[AnyOutput], refused: Refused) -> Iterator[Any]:
        for _, output in fitting([(space, one) for one in found], refused):
            made = outgoing_of(space, output, self._topics, self._encoding, MAX_DATA)
            if isinstance(made, str):
                refused.add(getattr(output, "id", ""), made)
            else:
                names = (made.user, made.id, made.kind, made.schema, made.flow)
                user, *head = map(str.encode, names)
                yield made.topic, user, made.data, *head

    def _letters(self, space: str, found: Sequence[AnyOutput], refused: Refused) -> Iterator[Any]:
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
            yield from self._rows(space, letters, Refused())


class WriteLines(Publish):
    """Turn the outputs of a step that have a table into lines, for a file instead of topics."""

    sink = "tables"

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(TO_TABLES, ""))

    def _element(self, space: str, rows: list[Any]) -> Row:
        """Return all lines as one row: the file has a line's end after it."""
        return Row(b"\n".join(rows))

    def _quick_rows(self, space: str, made: Sequence[bytes]) -> None:
        """Lines are always checked."""

    def _rows(self, space: str, found: Sequence[AnyOutput], refused: Refused) -> Iterator[bytes]:
        for _, output in fitting([(space, one) for one in found], refused):
            if not isinstance(output, Metric):
                yield to_line(space, output)
