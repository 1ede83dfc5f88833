"""The controller's index: a fold of outputs that repeats and late arrivals do not change."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from tests.control.outputs_of import (
    DAY,
    HOUR,
    SPACE,
    START,
    WAITS,
    catalog,
    event,
    log_of,
    outputs_of,
)
from towpath.control.index import REMEMBERED, Index, InvalidIndex, Tally, Wake
from transforms.flows.catalog.control_log import catalog_of
from transforms.flows.protocol.control_records import Publish, SetSpace
from transforms.flows.protocol.outputs import AnyOutput, Erased, Transition
from transforms.flows.protocol.signals import Command

SPLIT = """\
flow: test
enter: [{event: Begun}]
goals:
  bought: {event: Bought, within: 5d}
steps:
  which:
    split: {a: 50%, b: 50%}
    winner: {metric: bought, minimum: 10}
    then: {a: one, b: two}
  one: {wait: 1d, then: over}
  two: {wait: 1d, then: over}
  over: {end: done}
"""


@pytest.fixture
def index(tmp_path: Path) -> Index:
    made = Index(tmp_path / "index.db")
    made.begin("shop", START)
    return made


def dump(index: Index) -> list[str]:
    """Return the contents of the index without the numbers of its rows."""
    tables = ("sessions", "users", "steps", "flows", "members", "arms", "results", "erased")
    found = []
    for table in tables:
        names = [row[1] for row in index._db.execute(f"pragma table_info({table})")]
        some = ", ".join(name for name in names if name not in ("n", "ended"))
        found += [f"{table} {row}" for row in index._db.execute(f"select {some} from {table}")]
    return sorted(found)


def some_outputs() -> list[AnyOutput]:
    """Return the outputs of three users: one has ended, two are in the flow, on two versions."""
    second = Publish(
        sequence=0,
        effective_at=START + HOUR,
        flow="waits",
        version=2,
        text=WAITS.replace("2h", "9h"),
    )
    known = catalog({"waits": WAITS, "test": SPLIT}, second)
    signals = [
        event("ann", "Begun", START + 1),
        event("bob", "Begun", START + 10),
        event("bob", "Bought", START + 3 * HOUR),
        event("cem", "Begun", START + 2 * HOUR),
    ]
    return outputs_of(known, signals, START + 5 * HOUR)


def test_live_sessions_are_counted_by_version_and_step(index: Index) -> None:
    """Sessions that have ended are not counted."""
    index.apply(some_outputs(), START)

    assert index.sessions_of("waits") == {(2, "pause"): 1}
    assert sum(index.sessions_of("test").values()) == 3
    assert index.activity_of("waits").reached == START + 2 * HOUR
    assert index.activity_of("waits").seen == START + 2 * HOUR + 10
    assert index.users() == 3


@pytest.mark.parametrize("seed", range(10))
def test_order_and_repetition_change_nothing(tmp_path: Path, seed: int) -> None:
    """Outputs in any order, some of them several times and in pieces, make the same index."""
    rng, found = random.Random(seed), some_outputs()
    mixed = [*found, *rng.sample(found, len(found) // 2)]
    rng.shuffle(mixed)
    with Index(tmp_path / "one.db") as one, Index(tmp_path / "other.db") as other:
        one.apply(found, START)
        while mixed:
            size = rng.randint(1, 5)
            other.apply(mixed[:size], START)
            del mixed[:size]

        assert dump(other) == dump(one)


def test_a_late_copy_does_not_revive_a_session(index: Index) -> None:
    """The first row of an ended session changes nothing, for as long as a topic keeps messages."""
    found = [o for o in some_outputs() if isinstance(o, Transition) and o.user == "ann"]
    mine = [o for o in found if o.flow == "waits"]
    index.apply(mine, START)
    index.forget(START + REMEMBERED - 1)
    index.apply(mine[:1], START)

    assert not index.activity_of("waits").live


def test_an_erased_user_is_gone_and_stays_gone(index: Index, tmp_path: Path) -> None:
    """Erasure removes all rows of the user from the file; late copies do not bring them back."""
    known = catalog({"waits": WAITS, "test": SPLIT})
    signals = [
        event("personal-key", "Begun", START + 1),
        event("personal-key", "Bought", START + 2),
    ]
    erase = Command(id="e", user="personal-key", time=START + 10, what="erase")
    before = outputs_of(known, signals)
    index.apply(before, START)
    assert index.users() == 1
    erased = [o for o in outputs_of(known, [*signals, erase]) if isinstance(o, Erased)]
    index.apply([*erased, *before], START)
    index.close()
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())

    assert len(erased) == 1
    assert b"personal-key" not in left


def test_a_user_who_returns_after_an_erasure_is_known(index: Index) -> None:
    """What happens after the erasure counts as usual."""
    known = catalog({"waits": WAITS})
    erase = Command(id="e", user="ann", time=START + HOUR, what="erase")
    signals = [event("ann", "Begun", START + 1), erase, event("ann", "Begun", START + 2 * HOUR)]
    index.apply(outputs_of(known, signals), START)

    assert index.sessions_of("waits") == {(1, "pause"): 1}
    assert index.users() == 1


def test_a_test_counts_users_of_each_branch_and_their_goals(index: Index) -> None:
    """A user counts once, however often the goal is reached; a result before the row counts too."""
    known = catalog({"test": SPLIT})
    signals = [
        signal
        for n in range(40)
        for signal in (
            event(f"user{n}", "Begun", START + n),
            *([event(f"user{n}", "Bought", START + HOUR)] * (n % 4 == 0)),
            event(f"user{n}", "Begun", START + 2 * DAY),
            *([event(f"user{n}", "Bought", START + 3 * DAY)] * (n % 4 == 0)),
        )
    ]
    index.apply(reversed(outputs_of(known, signals)), START)
    tallies = index.tallies_of("test", 1, "which", "bought")

    assert set(tallies) == {"a", "b"}
    assert sum(tally.users for tally in tallies.values()) == 40
    assert sum(tally.results for tally in tallies.values()) == 10
    assert index.tallies_of("test", 2, "which", "bought") == {}
    assert Tally(1, 0) not in tallies.values()


def test_members_of_computed_audiences_are_known(index: Index) -> None:
    """Who has left an audience is no member; a wake of members reaches the others."""
    audiences = SPACE + 'audiences:\n  many: count(event "Begun" within last 1d) >= 1\n'
    log = [*log_of({"waits": WAITS}), SetSpace(sequence=9, effective_at=START, text=audiences)]
    known = catalog_of(log)
    signals = [event("ann", "Begun", START + 1), event("bob", "Begun", START + DAY)]
    index.apply(outputs_of(known, signals, START + DAY + HOUR), START)
    found = index.to_wake(Wake(START, audience="many"), 0, 10)

    assert [user for _, user in found] == ["bob"]


def test_a_wake_reaches_each_session_once_and_those_whose_rows_are_late(index: Index) -> None:
    """Positions go on from the last user; sessions that began after the record are left alone."""
    known = catalog({"waits": WAITS})
    found = outputs_of(known, [event(f"user{n}", "Begun", START + n) for n in range(5)])
    index.apply(found, START)
    late = outputs_of(known, [event("late", "Begun", START + 2), event("new", "Begun", START + 50)])
    wake = Wake(START + 10, "waits")
    index.add_wakes([wake], START + 10)
    ((first, cursor),) = index.wakes()
    some = index.to_wake(first, cursor, 3)
    index.woke(first, some[-1][0], START + 20)
    index.add_wakes([wake], START + 10)  # decided again: the position stays
    index.apply(late, START)
    ((_, cursor),) = index.wakes()
    rest = index.to_wake(wake, cursor, 10)

    assert [user for _, user in some] == ["user0", "user1", "user2"]
    assert [user for _, user in rest] == ["user3", "user4", "late"]
    index.woke(wake, rest[-1][0], START + 10 + HOUR)
    assert index.wakes() == []


def test_what_is_not_committed_is_not_there(index: Index, tmp_path: Path) -> None:
    """If an output in the middle cannot be applied, the whole batch and its file are left out."""
    found = some_outputs()

    with pytest.raises(AttributeError):
        index.apply([*found, None], START, {"part-1": "hash"})  # type: ignore[list-item]

    index.close()
    with Index(tmp_path / "index.db") as again:
        assert again.users() == 0
        assert again.files() == {}


def test_the_index_of_another_space_is_refused(index: Index) -> None:
    """An index never mixes the users of two spaces."""
    with pytest.raises(InvalidIndex, match="index of the space shop, not of bank"):
        index.begin("bank", START)


def test_a_file_that_is_no_index_is_refused(tmp_path: Path) -> None:
    """Other files, and those of another format, are refused with the reason."""
    (tmp_path / "text").write_text("no database, but long enough to be one" * 30)
    with sqlite3.connect(tmp_path / "other.db") as db:
        db.execute("create table meta (name text primary key, value text)")
        db.execute("insert into meta values ('format', '99')")

    with pytest.raises(InvalidIndex, match="not an index"):
        Index(tmp_path / "text")
    with pytest.raises(InvalidIndex, match="format 99"):
        Index(tmp_path / "other.db")
    with pytest.raises(InvalidIndex, match="there is no index"):
        Index(tmp_path / "none.db", read_only=True)
