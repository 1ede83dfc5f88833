"""Outputs of a step to records of Kafka, each for the topic of its kind, with the user as the key.

It needs no PyFlink, so that it is compiled with the core: each output passes here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from schemas import wire
from schemas.wire import Encoding
from transforms.flink.elements import Messages
from transforms.flows.protocol.outputs import AnyOutput
from transforms.hosting import dead_letters, job_metrics, trouble
from transforms.hosting.counts import Counts
from transforms.sinks.checked import Refused, fitting
from transforms.sinks.folders import TO_TABLES
from transforms.sinks.outgoing import LOOPED, outgoing_of
from transforms.wire.bodies import JsonBodies
from transforms.wire.messages import LONGEST_NAME
from transforms.wire.output_lines import to_line
from transforms.wire.rows import KIND_OF, fields, name_of

MAX_DATA: Final = 900_000
"""The limit of a record's value, in bytes: Kafka's own, by default, is 1 MB with key and headers."""
SHORT: Final = LONGEST_NAME
"""Names that have together so many bytes are not too long."""
TOPICS: Final = "topics"
TABLES: Final = "tables"


class Checked:
    """Outputs that are checked one by one; one that no reader could read becomes a dead letter.

    ``row`` converts an output of a space, or returns why that is impossible, as text.
    """

    def __init__(
        self, topics: Mapping[str, str], sink: str, counts: Counts, row: Callable[[str, Any], Any]
    ) -> None:
        self._topics = dict(topics)
        self._sink = sink
        self._counts = counts
        self._row = row

    def rows(self, space: str, made: Sequence[AnyOutput]) -> list[Any]:
        """Return outputs as rows, with those of dead letters."""
        found = [output for output in made if name_of(output) in self._topics]
        for output in found:
            self._counts.add(job_metrics.PUBLISHED, 1, name_of(output))
        refused = Refused()
        rows = [*self._rows(space, found, refused)]
        if refused.count:
            rows += self._letters(space, found, refused)
        return rows

    def _rows(self, space: str, found: Iterable[AnyOutput], refused: Refused) -> Iterator[Any]:
        for _, output in fitting([(space, one) for one in found], refused):
            row = self._row(space, output)
            if isinstance(row, str):
                refused.add(getattr(output, "id", ""), row)
            else:
                yield row

    def _letters(self, space: str, found: Sequence[AnyOutput], refused: Refused) -> list[Any]:
        """Count what was refused, and make dead letters of it; a refused dead letter is only counted."""
        self._counts.add(job_metrics.UNFIT_OUTPUTS, refused.count, self._sink)
        trouble.report("unfit_output", space=space, detail=self._sink)
        pairs = [(space, output) for output in found]
        letters = [one for _, one in dead_letters.of_refused(self._sink, pairs, refused.bad)]
        for letter in letters:
            self._counts.add_reason(letter)
        return [*self._rows(space, letters, Refused())] if "dead_letter" in self._topics else []


class Records:
    """Outputs as records of Kafka; one that Kafka would refuse becomes a dead letter, too."""

    def __init__(self, topics: Mapping[str, str], encoding: Encoding, counts: Counts) -> None:
        self._topics = dict(topics)
        self._encoding = encoding
        self._counts = counts
        self._checked = Checked(topics, TOPICS, counts, self._row)
        kinds = [kind for kind in topics if kind not in LOOPED]
        self._bodies = JsonBodies(kinds)
        self._kinds = {kind: _of_kind(kind) for kind in kinds}

    def of(
        self, space: str, made: Sequence[AnyOutput], encoded: Sequence[bytes]
    ) -> Messages | None:
        """Return the records of a step's outputs; None if none has a topic.

        ``encoded`` has each output in JSON.
        """
        found = self._quick(space, made, encoded) if self._encoding == "json" else None
        if found is not None:
            topics = found[1]
            return found if topics else None
        rows = self._checked.rows(space, made)
        columns: Any = [list(column) for column in zip(*rows, strict=True)]
        return (space.encode(), *columns) if columns else None

    def _quick(self, space: str, made: Sequence[Any], encoded: Sequence[bytes]) -> Messages | None:
        """Return outputs that need no check one by one; None if they do."""
        topics, users, values = list[str](), list[bytes](), list[bytes]()
        ids, kinds, schemas, flows = list[bytes](), list[bytes](), list[bytes](), list[bytes]()
        own, counted = space.encode(), dict[str, int]()
        for output, whole in zip(made, encoded, strict=True):
            kind = KIND_OF[type(output)]
            if kind not in self._topics:
                continue
            body = self._bodies.of(output, whole)
            if body is None:
                return None
            named, schema, has_flow = self._kinds[kind]
            flow: bytes = (output.flow or "").encode() if has_flow else b""
            user: bytes = output.user.encode()
            ident: bytes = output.id.encode()
            names = len(user) + len(ident) + len(own) + len(flow)
            if names > SHORT or len(body) > MAX_DATA:
                return None
            counted[kind] = counted.get(kind, 0) + 1
            topics.append(self._topics[kind])
            users.append(user)
            values.append(body)
            ids.append(ident)
            kinds.append(named)
            schemas.append(schema)
            flows.append(flow)
        for kind, number in counted.items():
            self._counts.add(job_metrics.PUBLISHED, number, kind)
        return own, topics, users, values, ids, kinds, schemas, flows

    def _row(self, space: str, output: Any) -> Any:
        made = outgoing_of(space, output, self._topics, self._encoding, MAX_DATA)
        if isinstance(made, str):
            return made
        names = (made.user, made.id, made.kind, made.schema, made.flow)
        user, *head = map(str.encode, names)
        return made.topic, user, made.data, *head


def lines(counts: Counts) -> Checked:
    """Return what converts outputs that have a table to lines, for a file."""
    return Checked(dict.fromkeys(TO_TABLES, ""), TABLES, counts, to_line)


def _of_kind(kind: str) -> tuple[bytes, bytes, bool]:
    """Return the name and the schema's id of a kind, and whether it belongs to a flow."""
    has_flow = any(field.name == "flow" for field in fields(kind))
    return kind.encode(), wire.schema_id(kind).encode(), has_flow
