"""The controller's rounds: values on disk in, records and signals out; the clock is an argument."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.control.outputs_of import DAY, HOUR, MINUTE, START, WAITS, event, log_of, outputs_of
from tests.control.rig import Kept, Rig, write_tables
from towpath.control.decide import LEAD, LONGEST, SETTLED
from towpath.control.index import Index
from towpath.control.store import Conflict
from transforms.flows.catalog.control_log import catalog_of
from transforms.flows.catalog.epochs import NEVER
from transforms.flows.protocol.control_records import Drain, Finish, Pause, Resume, Start, Stop

FOREVER = WAITS.replace("steps", "schedule: {indefinitely: true}\nsteps")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    made = Rig(tmp_path)
    made.append(*log_of({"waits": WAITS}))
    return made


def enter(rig: Rig, *users: str, at: int, until: int | None = None, shard: str = "a") -> None:
    """Let users enter the flow, and write what the job would."""
    known = catalog_of(rig.store.read().records, NEVER)
    write_tables(
        rig.tables, outputs_of(known, [event(u, "Begun", at) for u in users], until), shard
    )


def test_a_draining_flow_becomes_finished(rig: Rig) -> None:
    """R26: the record says by whom, when and why; it is written once."""
    rig.append(Drain(sequence=0, effective_at=START + HOUR, flow="waits"))
    enter(rig, "ann", at=START + MINUTE)
    rig.tick(START + 2 * HOUR)
    assert rig.records() == []

    enter(rig, "ann", at=START + MINUTE, until=START + 3 * HOUR, shard="b")
    done = START + 2 * HOUR + MINUTE + SETTLED
    rig.tick(done - 1)
    assert rig.records() == []
    rig.tick(done)
    rig.tick(done + 1)
    rig.tick(done + LEAD + 1)

    (record,) = rig.records()
    assert isinstance(record, Finish)
    assert (record.effective_at, record.made_at) == (done + LEAD, done)
    assert record.note == "its last session has ended"
    view = catalog_of(rig.store.read().records).at(done + LEAD).by_id["waits"]
    assert view.status == "finished"


def test_an_idle_flow_is_stopped(tmp_path: Path) -> None:
    """R28: 90 days after the last step that a user reached."""
    rig = Rig(tmp_path)
    rig.append(*log_of({"waits": FOREVER}))
    reached = START + 200 * DAY
    enter(rig, "ann", at=reached)
    rig.tick(reached + LONGEST - 1)
    assert rig.records() == []
    rig.tick(reached + LONGEST)

    (record,) = rig.records()
    assert isinstance(record, Stop)
    assert record.reason == "idle"


def test_a_resume_wakes_the_sessions_of_the_flow(rig: Rig) -> None:
    """R29: each user once, with the instant of the resume, after it took effect; never again."""
    enter(rig, "ann", "bob", at=START + MINUTE)
    rig.tick(START + 2 * MINUTE)
    pause, resume = START + 10 * MINUTE, START + 20 * MINUTE
    rig.append(
        Pause(sequence=0, effective_at=pause, flow="waits"),
        Resume(sequence=0, effective_at=resume, flow="waits"),
    )
    rig.tick(resume - 1)
    assert rig.woken() == []
    for n in range(2, 10):
        rig.tick(resume + n * 1000)

    assert sorted(rig.woken()) == ["ann", "bob"]
    assert {signal.time for signal in rig.signals.signals} == {resume}
    assert {signal.what for signal in rig.signals.signals} == {"wake"}


def test_wakes_are_spread_and_a_restart_goes_on(tmp_path: Path, rig: Rig) -> None:
    """R29: 100 users a second, as set; a new controller begins where the last one stopped."""
    users = [f"user{n:04}" for n in range(450)]
    enter(rig, *users, at=START + MINUTE)
    rig.tick(START + 2 * MINUTE)
    at = START + 20 * MINUTE
    rig.append(Stop(sequence=0, effective_at=at, flow="waits"))
    rig.tick(at - 1000)
    rig.tick(at)
    rig.tick(at + 1000)
    first = rig.woken()
    again = Rig(tmp_path, rig.signals)
    for n in range(2, 9):
        again.tick(at + n * 1000)

    assert 0 < len(first) <= 200
    assert sorted(rig.woken()) == users


def test_wakes_that_were_not_published_are_published_later(rig: Rig) -> None:
    """R29: the position moves only once the signals are durable."""
    enter(rig, "ann", at=START + MINUTE)
    rig.tick(START + 2 * MINUTE)
    rig.append(Stop(sequence=0, effective_at=START + HOUR, flow="waits"))
    rig.signals.fails = True
    rig.tick(START + HOUR + 2000)
    assert [line["event"] for line in rig.lines] == ["not_published"]
    rig.signals.fails = False
    rig.tick(START + HOUR + 4000)

    assert rig.woken() == ["ann"]


def test_a_session_whose_row_comes_late_is_woken_too(rig: Rig) -> None:
    """R29: for an hour after the record."""
    enter(rig, "ann", at=START + MINUTE)
    rig.tick(START + 2 * MINUTE)
    rig.append(Stop(sequence=0, effective_at=START + HOUR, flow="waits"))
    rig.tick(START + HOUR + 2000)
    enter(rig, "late", at=START + 3 * MINUTE, shard="b")
    rig.tick(START + HOUR + 10 * MINUTE)

    assert rig.woken() == ["ann", "late"]


def test_a_writer_that_is_quicker_is_no_loss(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a conflict the next round reads and decides anew."""
    now, append = START + LONGEST, rig.store.append

    def beaten(*_: object) -> None:
        monkeypatch.setattr(rig.store, "append", append)
        raise Conflict("the log has other records by now")

    monkeypatch.setattr(rig.store, "append", beaten)
    rig.tick(now)
    assert rig.records() == []
    rig.tick(now + 1)

    assert len(rig.records()) == 1


def test_an_invalid_log_is_reported_and_left_alone(rig: Rig) -> None:
    """No decision is made on a log that cannot be followed."""
    rig.append(Start(sequence=0, effective_at=START + 1, flow="nobody"))
    rig.tick(START + LONGEST)

    assert [line["event"] for line in rig.lines] == ["log_invalid"]
    assert rig.records() == []


def test_tables_that_cannot_be_read_are_reported(rig: Rig) -> None:
    """What needs all outputs is not decided until they can be read again."""
    rig.append(Drain(sequence=0, effective_at=START + HOUR, flow="waits"))
    enter(rig, "ann", at=START + MINUTE, until=START + 3 * HOUR)
    (part,) = rig.tables.glob("transition/day=*/part-*")
    kept = part.read_bytes()
    part.write_bytes(b"damaged")
    now = START + 5 * HOUR
    rig.tick(now)
    assert [line["event"] for line in rig.lines] == ["outputs_unavailable"]
    assert rig.records() == []
    part.write_bytes(kept)
    rig.tick(now + 1)

    assert len(rig.records()) == 1


def test_files_are_read_once(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second reading of the same files takes no outputs."""
    enter(rig, "ann", at=START + MINUTE)
    rig.tick(START + 2 * MINUTE)
    taken: list[int] = []
    apply = Index.apply

    def counted(*args: object) -> int:
        taken.append(apply(*args))  # type: ignore[arg-type]
        return taken[-1]

    monkeypatch.setattr(Index, "apply", counted)
    rig.tick(START + 3 * MINUTE)
    assert taken == []
    enter(rig, "bob", at=START + MINUTE, shard="b")
    rig.tick(START + 4 * MINUTE)

    assert len(taken) == 1
    assert rig.index.users() == 2


def test_lines_have_no_personal_data(rig: Rig) -> None:
    """Lines name flows, records and counts, never users."""
    enter(rig, "personal-key", at=START + MINUTE)
    rig.tick(START + 2 * MINUTE)
    rig.append(Stop(sequence=0, effective_at=START + HOUR, flow="waits"))
    for n in range(3):
        rig.tick(START + HOUR + n * 2000)
    rig.lines.append(rig.controller.status())

    assert rig.woken() == ["personal-key"]
    assert b"personal-key" not in msgspec.json.encode(rig.lines)


def test_an_empty_log_is_waited_for(tmp_path: Path) -> None:
    """Until the log names the space, nothing is read."""
    rig = Rig(tmp_path, Kept())
    rig.tick(START)

    assert rig.lines == []
    assert rig.index.get("space") is None
