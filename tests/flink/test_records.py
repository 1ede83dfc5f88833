"""Records and lines of the outputs of a step."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from transforms.flink.records import MAX_DATA, Records, lines
from transforms.flows.protocol.outputs import AnyOutput, DeadLetter, Emitted, Message, Rejection
from transforms.hosting.counts import Counts
from transforms.sinks.outgoing import topics_of
from transforms.wire import bodies
from transforms.wire.messages import LONGEST_NAME, from_message

TOPICS = topics_of("t-")
EMITTED = Emitted(id="e", user="kim", at=5, name="Seen", properties={}, flow="remind", step="tell")
REFUSED = Rejection(id="r", user="kim", at=5, flow="remind", cause="e", reason="flow_not_running")


class Added:
    """Counts that a test reads."""

    def __init__(self) -> None:
        self.numbers = Counter[str]()
        self.counts = Counts(self._add, self._add)

    def _add(self, name: str, number: int) -> None:
        self.numbers[name] += number


def message(ident: str, **data: Any) -> Message:
    return Message(
        id=ident, user="kim", at=5, flow="remind", version=1, session="s", step="send",
        communication=f"c-{ident}", channel="email", address="kim@example.org", template="note",
        template_version="1", data=data,
    )  # fmt: skip


def records(made: list[AnyOutput], encoding: Any = "json") -> tuple[list[Any], Counter[str]]:
    """Return the records of outputs, one after the other, and the counts."""
    added = Added()
    encoded = list(map(bodies.encode, made))
    found = Records(TOPICS, encoding, added.counts).of("shop", made, encoded)
    added.counts.flush()
    assert found is not None
    assert found[0] == b"shop"
    return list(zip(*found[1:], strict=True)), added.numbers


def read(row: Any) -> AnyOutput:
    """Read a record like a consumer, by its headers."""
    _, _, body, ident, kind, schema, _ = row
    names = {"id": ident, "kind": kind, "schema": schema, "space": b"shop", "encoding": b"json"}
    return from_message(body, {name: value.decode() for name, value in names.items()})


def test_outputs_go_to_the_topics_of_their_kinds() -> None:
    """A record has the user as its key, and headers that say what is in it; it is read as the output."""
    made = [message("m", name="Kim"), REFUSED]
    rows, counted = records(made)

    assert [row[0] for row in rows] == ["t-message", "t-rejection"]
    assert {row[1] for row in rows} == {b"kim"}
    assert [(row[3], row[4], row[6]) for row in rows] == [
        (b"m", b"message", b"remind"), (b"r", b"rejection", b"remind")
    ]  # fmt: skip
    assert list(map(read, rows)) == made
    assert counted == {"published.message": 1, "published.rejection": 1}


def test_outputs_that_are_checked_have_the_same_records() -> None:
    """One output that must be checked lets all of its step be checked; the records of others stay."""
    made: list[AnyOutput] = [message("m", name="Kim"), REFUSED]
    long = message("x" * (LONGEST_NAME + 1))
    rows, counted = records([*made, long])

    assert rows[:2] == records(made)[0]
    (letter,) = map(read, rows[2:])
    assert isinstance(letter, DeadLetter)
    assert (letter.reason, letter.cause, letter.flow) == ("unfit_output", long.id, "remind")
    assert counted["unfit_outputs.topics"] == counted["dead_letters.unfit_output"] == 1


def test_an_output_that_kafka_would_refuse_is_a_dead_letter() -> None:
    """An output that is too large for a record of Kafka becomes a dead letter, and the others go on."""
    rows, _ = records([message("m", text="x" * MAX_DATA), REFUSED])

    assert sorted(row[0] for row in rows) == ["t-dead_letter", "t-rejection"]


def test_records_of_avro() -> None:
    """Records of Avro have the same topics, keys and headers."""
    made: list[AnyOutput] = [message("m"), REFUSED]
    plain, avro = records(made)[0], records(made, "avro")[0]

    assert [(*row[:2], *row[3:5]) for row in avro] == [(*row[:2], *row[3:5]) for row in plain]
    assert [row[2] for row in avro] != [row[2] for row in plain]


def test_outputs_without_a_topic_give_no_record() -> None:
    """A job without a topic for a kind sends none of it."""
    made = Records({"message": "t"}, "json", Added().counts)
    assert made.of("shop", [REFUSED], [bodies.encode(REFUSED)]) is None


def test_what_has_no_topic_is_left_out() -> None:
    """Of the outputs of a step only those with a topic are sent and counted."""
    added, made = Added(), [REFUSED, message("m"), REFUSED]
    found = Records({"message": "t"}, "json", added.counts).of(
        "shop", made, list(map(bodies.encode, made))
    )
    added.counts.flush()

    assert found is not None
    assert (found[1], found[4]) == (["t"], [b"m"])
    assert added.numbers == {"published.message": 1}


def test_what_goes_back_to_the_events_is_beside_the_others() -> None:
    """An emitted event is a record of the envelope; the records of others in its step stay."""
    rows, _ = records([message("m"), EMITTED])

    assert [row[0] for row in rows] == ["t-message", "t-events"]
    assert rows[0] == records([message("m")])[0][0]
    assert msgspec.json.decode(rows[1][2])["event"] == "Seen"


def test_outputs_with_a_table_are_lines() -> None:
    """In a file, each output is a line; one that does not fit its schema is a dead letter instead."""
    added = Added()
    made = lines(added.counts)
    good = made.rows("shop", [REFUSED, message("m")])
    bad = made.rows("shop", [msgspec.structs.replace(message("b"), version=2**63)])
    added.counts.flush()

    assert [line.count(b"\n") for line in [*good, *bad]] == [0, 0, 0]
    assert b"unfit_output" in bad[0]
    assert added.numbers["unfit_outputs.tables"] == 1
