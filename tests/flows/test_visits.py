"""Visits: which definitions make every event count, and from when on (J11, R5)."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.flows.catalog.control_log import InvalidLog, catalog_of, records_of
from transforms.flows.catalog.epochs import NEVER, Catalog
from transforms.flows.engine.step import Done, fold, is_unused
from transforms.flows.engine.working import decode
from transforms.flows.protocol.control_records import Publish, SetGoals, Start, Winner
from transforms.flows.protocol.outputs import Transition
from transforms.flows.protocol.signals import Event, Time
from transforms.flows.state.stored import Presence

START = 1_770_000_000_000
MINUTE = 60_000
PLAIN = "flow: f\nenter: [{event: Started}]\nsteps: {s: {wait: 1h}, over: {end: done}}\n"
WAITS = PLAIN.replace("wait: 1h", "wait: 1h in visit")
READS = PLAIN.replace("event: Started}", "event: Started, where: visit.count >= 2}")
SPACE = "space: test\n"
AUDIENCE = f"{SPACE}audiences: {{regular: visit.count >= 2}}\n"
GOAL = "won: {event: Started, where: visit.events >= 2, within: 1d}"


def read(flow: str, space: str = SPACE) -> Catalog:
    return catalog_of(records_of({"f": flow}, space, {}, START))


def seen(n: int, at: int) -> Event:
    return Event(id=f"e{n}", user="kim", time=at, name="Anything")


@pytest.mark.parametrize("catalog", [read(WAITS), read(READS), read(PLAIN, AUDIENCE)])
def test_every_event_is_used_if_visits_are_read(catalog: Catalog) -> None:
    """R5: if a wait, a condition or an audience reads visits, every event is used."""
    assert not is_unused(catalog, seen(1, START))
    assert catalog.read_since("Anything") == START


def test_events_are_unused_if_nothing_reads_visits() -> None:
    """R5: if nothing reads visits, an event that no definition names is unused."""
    catalog = read(PLAIN)
    done = fold(catalog, None, (seen(1, START),))

    assert is_unused(catalog, seen(1, START))
    assert catalog.read_since("Anything") == NEVER
    assert done == Done(None, (), None)


def test_goals_of_a_control_record_may_read_visits() -> None:
    """R24: goals that a control record sets may read visits, from its effective time on."""
    records = records_of({"f": PLAIN}, SPACE, {}, START)
    later = START + MINUTE
    catalog = catalog_of([*records, SetGoals(sequence=9, effective_at=later, flow="f", text=GOAL)])

    assert catalog.read_since("Anything") == later
    assert catalog.read_since("Started") == START


def test_visits_count_from_the_definition_on() -> None:
    """R5: events count for visits from the instant at which a definition reads them."""
    records = records_of({"f": PLAIN}, SPACE, {}, START)
    later = START + MINUTE
    records += [
        Publish(sequence=8, effective_at=later, flow="f", version=2, text=WAITS),
        Start(sequence=9, effective_at=later, flow="f"),
    ]
    done = fold(catalog_of(records), None, (seen(1, later - 1), seen(2, later), seen(3, later + 1)))

    assert isinstance(done, Done)
    assert done.state is not None
    presence = decode(done.state).presence
    assert presence is not None
    assert (presence.count, presence.started, presence.events) == (1, later, 2)


def test_the_rest_of_a_test_cannot_win() -> None:
    """I28: the rest of a test is not a candidate, so no control record may declare it the winner."""
    flow = (
        "flow: f\nenter: [{event: Started}]\ngoals: {won: {event: Won, within: 1d}}\nsteps:\n"
        "  test: {split: {a: 40%, b: 60% rest}, winner: {metric: won}, then: {a: over, b: later}}\n"
        "  later: {wait: 1d, then: test}\n  over: {end: done}\n"
    )
    records = records_of({"f": flow}, SPACE, {}, START)
    wins = [
        Winner(sequence=9, effective_at=START, flow="f", step="test", branch=name) for name in "ab"
    ]

    assert catalog_of([*records, wins[0]]).epochs[-1].winners
    with pytest.raises(InvalidLog, match="can win"):
        catalog_of([*records, wins[1]])


gaps = st.lists(st.sampled_from([1, 10, 29, 30, 31, 45]).map(lambda m: m * MINUTE), max_size=8)
lengths = st.sampled_from([20, 30, 31, 60, 90, 120])


def wait_end(times: list[int], length: int) -> tuple[int, bool]:
    """Return when a wait that began with the first event ends, and whether the user stayed."""
    ends, last = times[0] + length, times[0]
    for time in times[1:]:
        if time >= min(ends, last + 30 * MINUTE):
            break
        last = time
    return min(ends, last + 30 * MINUTE), ends <= last + 30 * MINUTE


@given(gaps, lengths)
def test_a_wait_in_a_visit(between: list[int], length: int) -> None:
    """J11, R2: a wait ends when its time is over, or by ``gone`` 30 minutes after the last event."""
    flow = (
        "flow: f\nenter: [{event: Started}]\nsteps:\n"
        f"  s: {{wait: {length}m in visit, gone: away}}\n"
        "  here: {end: here}\n  away: {end: away}\n"
    )
    times = list(accumulate(between, initial=START))
    signals = [Event(id="e", user="kim", time=START, name="Started")]
    signals += [seen(n, time) for n, time in enumerate(times[1:])]
    done = fold(read(flow), None, [*signals, Time("kim", times[-1] + 10 * length * MINUTE)])
    at, stayed = wait_end(times, length * MINUTE)

    assert isinstance(done, Done)
    ended = [o for o in done.outputs if isinstance(o, Transition) and o.what == "ended"]
    assert [(o.at, o.reason) for o in ended] == [(at, "here" if stayed else "away")]


@given(gaps)
def test_visits_are_counted(between: list[int]) -> None:
    """J11: a visit is a run of events, each less than 30 minutes after the one before."""
    times = list(accumulate(between, initial=START))
    done = fold(read(READS), None, [seen(n, time) for n, time in enumerate(times)])
    breaks = [n for n, gap in enumerate(between, 1) if gap >= 30 * MINUTE]
    first = breaks[-1] if breaks else 0

    assert isinstance(done, Done)
    assert done.state is not None
    assert decode(done.state).presence == Presence(
        len(breaks) + 1, times[first], times[-1], len(times) - first
    )
