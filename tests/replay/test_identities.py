"""A back-test joins all keys of a user, an audit follows the handovers in its log (R8, R32)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.replay.fold import fold_user
from pipelines.replay.identities import key_at
from pipelines.replay.job import Job
from tests.replay import kit
from tests.replay.kit import DAY, START, Record, track
from towpath.replay.request import _own_records
from transforms.flows.catalog.control_log import catalog_of
from transforms.flows.engine.identity.handover import as_signal
from transforms.flows.engine.step import Done, fold, step
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import Command, Event, Signal, Time
from transforms.wire.decode import decode_json
from transforms.wire.messages import to_envelope
from transforms.wire.raw import Bad

HOUR = 3_600_000


def anonymous(number: int, visitor: str, event: str, at: int, **more: Any) -> Record:
    """Return a record of a visitor."""
    return track(number, "", event, at, userId=None, anonymousId=visitor, **more)


def identify(number: int, at: int, **ids: str) -> Record:
    """Return an identify, or an alias with a ``previousId``."""
    kind = "alias" if "previousId" in ids else "identify"
    return {"type": kind, "messageId": f"m{number}", "timestamp": at} | ids


def entered(folder: Path, records: list[Record], *more: str) -> list[str]:
    """Replay records; return the users who entered the flow."""
    events = kit.write_lines(folder / "events.jsonl", records)
    done = kit.replay(folder / "out", events, more=["--shards", "1", *more])
    assert done.code == 0, done.err
    rows = kit.rows(folder / "out", "transition")
    return [row["user"] for row in rows if row["what"] == "entered"]


def test_events_before_the_identify_count_for_the_user(tmp_path: Path) -> None:
    """Events from before the identify are the user's, and no user enters as two (R8)."""
    records = [
        anonymous(1, "a7", "Signup", START, properties={"plan": "free"}),
        identify(2, START + HOUR, userId="kim", anonymousId="a7"),
        track(3, "kim", "Purchase", START + DAY, properties={"amount": 20.5}),
    ]

    assert entered(tmp_path, records) == ["kim"]
    (goal,) = kit.rows(tmp_path / "out", "conversion")
    assert goal["user"] == "kim"


def test_the_order_of_the_input_does_not_matter(tmp_path: Path) -> None:
    """An identify at the end of the input still joins the keys (R3, R8)."""
    records = [
        identify(2, START + HOUR, userId="kim", anonymousId="a7"),
        anonymous(1, "a7", "Signup", START, properties={"plan": "free"}),
    ]

    assert entered(tmp_path, records[::-1]) == entered(tmp_path, records) == ["kim"]


MOVES = {
    "anon:a": [(10, "kim"), (20, "lee")],
    "kim": [(30, "mia")],
    "x": [(5, "y")],
    "y": [(6, "x")],
}


@pytest.mark.parametrize(
    ("key", "t", "to"),
    [
        ("anon:a", 1, "mia"),
        ("anon:a", 19, "mia"),
        ("anon:a", 20, "lee"),
        ("kim", 5, "mia"),
        ("lee", 5, "lee"),
        ("x", 9, "y"),
    ],
)
def test_events_belong_to_the_identified_user(key: str, t: int, to: str) -> None:
    """Events before the first identify belong to its user, later events to the user of the newest
    identify; a cycle ends where it began (R8).
    """
    assert key_at(MOVES, key, t) == to


def test_a_replay_respects_an_erasure(tmp_path: Path) -> None:
    """Records of an erased user from before the erasure are omitted; later ones start a new user
    (R32).
    """
    erase = {"type": "command", "messageId": "x", "userId": "kim", "what": "erase"}
    records = [
        track(1, "kim", "Signup", START, properties={"plan": "free"}),
        erase | {"timestamp": START + DAY},
        track(2, "lee", "Signup", START, properties={"plan": "free"}),
        track(3, "kim", "Signup", START + 2 * DAY, properties={"plan": "free"}),
    ]

    assert sorted(entered(tmp_path, records)) == ["kim", "lee"]
    times = [row["at"] for row in kit.rows(tmp_path / "out", "transition") if row["user"] == "kim"]
    assert min(times).timestamp() * 1000 == START + 2 * DAY
    (erased,) = kit.rows(tmp_path / "out", "erased")
    assert erased["user"] == "kim"


def _order(number: str, t: int) -> Command:
    return Command(id=number, user="kim", time=START + t, received=START + t, what="erase")


def _signup(number: str, t: int) -> Event:
    properties = {"plan": "free"}
    return Event(id=number, user="kim", name="Signup", time=START + t, properties=properties)


@pytest.mark.parametrize(
    "last",
    [
        pytest.param(_order("x", HOUR), id="seen before"),
        pytest.param(_order("y", HOUR - 1), id="older than the tombstone"),
    ],
)
def test_a_refused_erasure_omits_nothing(last: Command) -> None:
    """An audit omits records up to the last erasure that took effect, not up to a later duplicate
    or refused one (R3, R5, R32).
    """
    catalog = catalog_of(_own_records([kit.WELCOME], None))
    log = [_signup("a", 0), _order("x", HOUR), _signup("b", 2 * HOUR), last]
    job = Job(records=(), events=(), until=START + DAY, out="", audit=True)
    done = fold(catalog, None, (*log, Time(user="kim", at=job.until)))
    assert isinstance(done, Done)
    (erased,) = [n for n, o in enumerate(done.outputs) if isinstance(o, out.Erased)]

    assert fold_user(job, catalog, "kim", log) == done.outputs[erased:]
    assert any(isinstance(o, out.Transition) for o in done.outputs[erased:])


def test_an_audit_follows_handovers(tmp_path: Path) -> None:
    """A log with signals between keys gives the rows of the live run (R3, R8)."""
    records = [
        anonymous(1, "a7", "Signup", START, properties={"plan": "free"}),
        identify(2, START + HOUR, userId="kim", anonymousId="a7"),
        anonymous(3, "a7", "Purchase", START + DAY, properties={"amount": 20.5}),
    ]
    catalog = catalog_of(_own_records([kit.WELCOME], None))
    states: dict[str, bytes | None] = {}
    log: list[Signal] = []
    live: list[out.AnyOutput] = []
    for record in records:
        signal = decode_json(json.dumps(record).encode())
        assert not isinstance(signal, Bad)
        left: list[Signal] = [signal]
        while left:
            log.append(left.pop(0))
            decided = step(catalog, states.get(log[-1].user), log[-1])
            assert isinstance(decided, Done)
            states[log[-1].user] = decided.state
            live += decided.outputs
            left += filter(None, map(as_signal, decided.outputs))
    folder = tmp_path / "audit"
    folder.mkdir()
    events = folder / "events.jsonl"
    events.write_bytes(b"".join(to_envelope(signal) + b"\n" for signal in log))
    done = kit.replay(folder / "out", events, more=["--shards", "1", "--audit", "--json"])
    assert done.code == 0, done.err

    (flow,) = json.loads(done.out)["flows"]
    assert flow["exits"], "the session ended, under the other key"
    assert flow["waiting"] == 0
    rows = {
        row["id"] for kind in ("transition", "conversion") for row in kit.rows(folder / "out", kind)
    }
    before = {o.id for o in live if isinstance(o, out.Transition | out.Conversion)}
    assert before <= rows
    assert any(isinstance(o, out.Conversion) and o.user == "kim" for o in live)
