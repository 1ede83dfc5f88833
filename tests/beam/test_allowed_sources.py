"""The streaming job with several sources: each may bring its own kinds of records."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
import msgspec

from pipelines.stream import RunStream
from tests.kit.reminders import HOUR, LOGS, MINUTE, SPACE, TEN
from tests.kit.streams import At, counted, message, run
from transforms.flows.protocol import outputs
from transforms.flows.protocol.outputs import Conversion, DeadLetter, Erased
from transforms.hosting.allowed import Source
from transforms.hosting.settings import Settings
from transforms.sources.pubsub.beam_source import Received
from transforms.wire.messages import to_event

SOURCES = (
    Source("events"),
    Source("handovers", frozenset(("handover",))),
    Source("commands", frozenset(("erase", "command"))),
)
END = TEN + 3 * HOUR


def index_of(element: Received, _count: int) -> int:
    """Return the number of the source that a message says it came from."""
    return int(element[1]["number"])


def job(given: Any) -> Any:
    """Divide messages among the sources, and run the job's step over them."""
    messages = given | "Sources" >> beam.Partition(index_of, len(SOURCES))
    settings = Settings(until=END, clock=At())
    return tuple(messages) | "Job" >> RunStream(LOGS, SPACE, settings, sources=SOURCES)


def record(number: int, ident: str, at: int, **fields: Any) -> tuple[Received, int]:
    """Return a message of a source."""
    body = {"messageId": ident, "timestamp": at} | fields
    return message(msgspec.json.encode(body), at, ident, number=str(number))


def played(*messages: tuple[Received, int]) -> list[outputs.AnyOutput]:
    """Run messages in this order, then advance the time to the end."""
    steps: list[Any] = [TEN - 1]
    for one in messages:
        steps += [[one], one[1]]
    return [outputs.decode(each) for _, each in run([*steps, END], Received, job).outputs]


VISIT = (
    record(0, "c", TEN, type="track", anonymousId="7", event="Cart"),
    record(0, "i", TEN + MINUTE, type="identify", anonymousId="7", userId="kim"),
    record(0, "o", TEN + 2 * MINUTE, type="track", anonymousId="7", event="Order"),
)


def own_records(number: int) -> list[tuple[Received, int]]:
    """Return what the job sends to itself when a visitor is identified, from a source."""
    found = []
    for output in played(*VISIT):
        if isinstance(output, outputs.HandoverOut | outputs.ForwardedOut):
            made = to_event(SPACE, output)
            attributes = made.attributes | {"number": str(number)}
            at = TEN + 3 * MINUTE
            found.append(((made.data, attributes, at, output.id), at))
    assert len(found) == 3
    return found


def test_users_are_merged_by_the_topic_of_handovers() -> None:
    """What the job sends to itself is taken from the source that may bring it: the visitor's order
    counts for the user's session (R8, R9).
    """
    found = played(*own_records(1))

    assert [o.user for o in found if isinstance(o, Conversion)] == ["kim"]
    assert not [o for o in found if isinstance(o, DeadLetter)]


def test_forged_handovers_are_dead_letters() -> None:
    """The same records from the events topic are dead letters, and change nothing (R9)."""
    found = played(*own_records(0))

    assert [type(o) for o in found] == [DeadLetter] * 3
    assert {o.reason for o in found if isinstance(o, DeadLetter)} == {"not_allowed"}


def test_an_erasure_needs_a_source_that_may_bring_it() -> None:
    """A user is erased by a record of the commands' topic, not by one of the events topic (R9)."""
    cart = record(0, "c", TEN, type="track", userId="kim", event="Cart")
    erase = {"type": "command", "userId": "kim", "what": "erase"}
    forged, real = record(0, "f", TEN + MINUTE, **erase), record(2, "r", TEN + MINUTE, **erase)

    refused = played(cart, forged)
    assert not [o for o in refused if isinstance(o, Erased)]
    assert [o.reason for o in refused if isinstance(o, DeadLetter)] == ["not_allowed"]
    assert [o.user for o in played(cart, real) if isinstance(o, Erased)] == ["kim"]


def test_refused_records_are_counted() -> None:
    """The counter of dead letters counts refused records, apart from unreadable ones (R7)."""
    erase = {"type": "command", "userId": "kim", "what": "erase"}
    given = [record(0, f"f{n}", TEN + n, **erase) for n in range(3)]
    found = counted([*given, message(b"{", TEN, number="0")], Received, job)

    assert found["towpath.dead_letters.not_allowed"] == 3
    assert found["towpath.dead_letters.not_json"] == 1
