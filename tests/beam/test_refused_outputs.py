"""Records that a sink refuses become dead letters, on the topic and in the table of dead letters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow.parquet as pq
import pytest

from pipelines.stream import build
from pipelines.stream_options import Sinks
from tests.kit.pubsub_servers import ordered_world
from tests.kit.reminders import HOUR, LOGS, SPACE, TEN, track
from tests.kit.streams import At, message, run
from transforms.beam.elements import Decided
from transforms.beam.write_tables import WriteTables
from transforms.flows.protocol import outputs
from transforms.flows.protocol.outputs import Communication, DeadLetter
from transforms.hosting.settings import Settings
from transforms.sinks.folders import parts_of
from transforms.sources.pubsub.beam_source import Received
from transforms.wire.messages import from_message

VISITOR = "\N{TEAPOT}" * 256
"""A name within the size limit of an event; as a user's key it exceeds that of an ordering key."""


def dead_letters(out: Path) -> list[dict[str, Any]]:
    """Read the table of dead letters."""
    folder = out / SPACE
    files = [folder / "dead_letter" / part.path for part in parts_of("dead_letter", folder)]
    return [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]


def test_a_message_that_no_topic_accepts_is_a_dead_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that no topic accepts is a dead letter on its topic and in its table (R7).

    The user's key is too long to be the ordering key of the dead letter too, so that has none.
    """
    carts = [track("c1", "kim", "Cart", TEN), track("c2", "", "Cart", TEN, anonymousId=VISITOR)]
    carts[1] = carts[1].replace(b'"userId":"",', b"")
    arrived = [message(data, TEN, f"m{n}", space=SPACE) for n, data in enumerate(carts)]
    with ordered_world(monkeypatch) as world:
        topics = dict.fromkeys(("message", "dead_letter"), world.topic)
        sinks = Sinks(topics=topics, tables=str(tmp_path), file_wait=None, pace=None)
        settings = Settings(until=TEN + 2 * HOUR, clock=At())

        run([TEN - 1, arrived, TEN + 2 * HOUR], Received,
            lambda given: build(given, LOGS, sinks, space=SPACE, settings=settings))  # fmt: skip

        pulled = [each.message for each in world.pull_all(2)]
    found = [from_message(one.data, one.attributes) for one in pulled]
    (letter,) = (one for one in found if isinstance(one, DeadLetter))
    (sent,) = (one for one in found if isinstance(one, outputs.Message))
    assert sent.user == "kim"
    assert (letter.user, letter.reason, letter.flow, letter.step) == (
        "", "unfit_output", "remind", "reminder",
    )  # fmt: skip
    assert letter.at == TEN + HOUR
    assert letter.detail.startswith("message for topics: ")
    assert VISITOR not in letter.detail
    (row,) = dead_letters(tmp_path)
    assert (row["id"], row["cause"]) == (letter.id, letter.cause)


COSTLY = Communication(
    id="x", user="kim", at=TEN, flow="remind", version=1, session="s", step="reminder",
    communication="x", status="sent", channel="log", template="note", parts=2**63,
)  # fmt: skip
LEFT: list[DeadLetter] = []


def keep(decided: Decided) -> None:
    LEFT.extend(outputs.decode(one) for one in decided[1])


def test_a_row_that_does_not_fit_its_schema_is_a_dead_letter(tmp_path: Path) -> None:
    """A row that does not fit its schema is a dead letter; the other rows of its file are written."""
    LEFT.clear()
    fine = DeadLetter(id="d", user="kim", at=TEN, reason="failed", cause="c")
    decided: Decided = (SPACE, "kim"), [outputs.encode(COSTLY), outputs.encode(fine)]

    def wire(given: Any) -> Any:
        table = WriteTables(str(tmp_path), rows=1_000, wait=None)
        _ = given | "Tables" >> table | "Left out" >> beam.Map(keep)
        return given

    run([TEN - 1, [(decided, TEN)]], Decided, wire)

    (letter,) = LEFT
    assert (letter.cause, letter.user, letter.reason) == ("x", "kim", "unfit_output")
    assert letter.detail == "communication for tables: parts is not of type long"
    assert [row["id"] for row in dead_letters(tmp_path)] == ["d"]
