"""What the controller decides: a control log and facts in, records and wakes out."""

from __future__ import annotations

import random
from collections.abc import Mapping

import msgspec
import pytest

from tests.control.outputs_of import DAY, HOUR, SPACE, START, WAITS, log_of
from towpath.control.decide import (
    LEAD,
    LONGEST,
    SETTLED,
    Facts,
    decide,
    live_flows,
    open_tests,
)
from towpath.control.decide_wakes import signal_of, wakes_of
from towpath.control.decide_winner import best_branch
from towpath.control.index import Activity, Tally, Wake
from transforms.flows.catalog.control_log import catalog_of
from transforms.flows.catalog.epochs import Catalog
from transforms.flows.definitions.steps.branches import Branch, Split, Winning
from transforms.flows.protocol.control_records import (
    ControlRecord,
    Drain,
    Finish,
    Kill,
    Pause,
    Publish,
    Resume,
    SetSpace,
    Start,
    Stop,
    Winner,
)

FOREVER = WAITS.replace("steps", "schedule: {indefinitely: true}\nsteps")
ONCE = "flow: once\nenter: [{audience: vip, when: launch}]\nsteps: {pause: {wait: 2h}}\n"
DATED = (
    "flow: dated\nenter: [{at: 2026-01-10 at 09:00, audience: vip}]\nsteps: {pause: {wait: 2h}}\n"
)
BIRTHDAY = "flow: birthday\nenter: [{date: user.born at 09:00, yearly: true}]\nsteps: {pause: {wait: 2h}}\n"
TEST = """\
flow: test
enter: [{event: Begun}]
goals:
  bought: {event: Bought, within: 5d}
steps:
  which:
    split: {a: 40%, b: 40%, none: 20% holdout}
    winner: {metric: bought, minimum: 100}
    then: {a: one, b: one}
  one: {wait: 1d}
"""
VIP = SPACE + "audiences:\n  vip: static\n"


def catalog(flow: str, *more: ControlRecord) -> Catalog:
    """Publish and start one flow at ``START`` in a space with an audience, then add records."""
    name = flow.split("\n", 1)[0].removeprefix("flow: ")
    log = log_of({name: flow}, *more)
    log[0] = SetSpace(sequence=0, effective_at=START, text=VIP)
    return catalog_of(log)


def facts(now: int, since: int = START, **activity: Activity) -> Facts:
    """Return facts that were read just now."""
    return Facts(since=since, read_at=now, activity=activity)


def drain(at: int, flow: str = "waits") -> Drain:
    return Drain(sequence=0, effective_at=at, flow=flow)


def test_a_flow_is_stopped_90_days_after_its_launch() -> None:
    """R28: sessions or not, it stops for the reason launch_over; not a moment before."""
    known, live = catalog(WAITS), Activity(live=True, reached=START, seen=START)
    at = START + LONGEST

    assert decide(known, facts(at - 1, waits=live), at - 1) == ()
    assert decide(known, facts(at, waits=live), at) == (
        Stop(sequence=0, effective_at=at + LEAD, flow="waits", reason="launch_over"),
    )


def test_a_second_launch_counts_from_its_own_start() -> None:
    """R28: a flow that was drained and started again is launched again; a resume is no launch."""
    again = START + 50 * DAY
    second = (drain(again - DAY), Start(sequence=0, effective_at=again, flow="waits"))
    paused = (
        Pause(sequence=0, effective_at=again - DAY, flow="waits"),
        Resume(sequence=0, effective_at=again, flow="waits"),
    )
    now = START + LONGEST

    assert decide(catalog(WAITS, *second), facts(now), now) == ()
    assert [type(r) for r in decide(catalog(WAITS, *paused), facts(now), now)] == [Stop]


def test_a_start_that_is_about_to_take_effect_is_a_launch() -> None:
    """R28: between a command and its effect, the launch before it stops nothing."""
    again = START + 2 * LONGEST
    known = catalog(WAITS, drain(START + DAY), Start(sequence=0, effective_at=again, flow="waits"))

    for now in range(again - LEAD, again + LEAD, 1_000):
        assert decide(known, facts(now), now) == ()


def test_a_flow_that_runs_indefinitely_is_stopped_after_90_days_without_a_step() -> None:
    """R28: the last step reached, the launch or the begin of the index counts, the latest of them."""
    known, now = catalog(FOREVER), START + 400 * DAY
    reached = Activity(live=True, reached=now - LONGEST + 1, seen=now)
    idle = Activity(live=True, reached=now - LONGEST, seen=now)
    expected = Stop(sequence=0, effective_at=now + LEAD, flow="waits", reason="idle")

    assert decide(known, facts(now, waits=reached), now) == ()
    assert decide(known, facts(now, waits=idle), now) == (expected,)
    assert decide(known, facts(now), now) == (expected,)
    assert decide(known, facts(now, since=now - LONGEST + 1), now) == ()


def test_nothing_is_concluded_from_outputs_that_were_not_read() -> None:
    """R26, R28: while the outputs cannot be read, no flow is idle or finished."""
    now = START + 400 * DAY
    late = msgspec.structs.replace(facts(now), read_at=now - HOUR)

    assert decide(catalog(FOREVER), late, now) == ()
    assert decide(catalog(FOREVER, drain(START + DAY)), late, now) == ()


def test_a_draining_flow_is_finished_once_its_last_session_has_ended() -> None:
    """R26: an hour after the drain and after the last row, as rows may arrive late."""
    drained = START + DAY
    known = catalog(WAITS, drain(drained))
    live = Activity(live=True, reached=drained, seen=drained)
    ended = Activity(live=False, reached=drained, seen=drained + HOUR)
    now = drained + HOUR + SETTLED
    expected = Finish(sequence=0, effective_at=now + LEAD, flow="waits")

    assert decide(known, facts(now, waits=live), now) == ()
    assert decide(known, facts(now - 1, waits=ended), now - 1) == ()
    assert decide(known, facts(now, waits=ended), now) == (expected,)
    assert decide(known, facts(drained + SETTLED), drained + SETTLED) != ()
    assert decide(known, facts(now, since=START + 1, waits=ended), now) == ()


def test_a_running_or_paused_flow_is_not_finished() -> None:
    """R26: a flow that takes entries, or whose sessions are held by a pause, goes on."""
    now = START + 10 * DAY
    ended = Activity(live=False, reached=START, seen=START)
    paused = Pause(sequence=0, effective_at=START + DAY, flow="waits")

    assert decide(catalog(WAITS), facts(now, waits=ended), now) == ()
    assert decide(catalog(WAITS, drain(START + DAY), paused), facts(now, waits=ended), now) == ()


def test_a_one_time_flow_is_finished_once_all_have_left() -> None:
    """R26: not before a session was seen, and a date not before it is past everywhere."""
    ended = Activity(live=False, reached=START + DAY, seen=START + DAY)
    now = START + 3 * DAY
    date = START + 9 * DAY

    assert decide(catalog(ONCE), facts(now), now) == ()
    assert decide(catalog(ONCE), facts(now, once=ended), now) == (
        Finish(sequence=0, effective_at=now + LEAD, flow="once"),
    )
    assert decide(catalog(DATED), facts(date, dated=ended), date) == ()
    assert decide(catalog(DATED), facts(date + 2 * DAY, dated=ended), date + 2 * DAY) != ()


def test_what_is_decided_once_is_not_decided_again() -> None:
    """A record that takes effect only later already counts in the next decision."""
    now = START + LONGEST
    known = catalog(WAITS)
    (stop,) = decide(known, facts(now), now)
    decided = catalog(WAITS, stop)

    assert decide(decided, facts(now + 1), now + 1) == ()
    assert live_flows(decided, now + 1) == ()
    assert live_flows(known, now) == ("waits",)


def tallied(now: int, tallies: Mapping[str, Tally]) -> Facts:
    return Facts(since=START, read_at=now, tallies={("test", "which"): tallies})


def test_a_clear_winner_is_declared_once() -> None:
    """I28: the best branch wins once every branch has its minimum and the test is sure."""
    now, known = START + DAY, catalog(TEST)
    clear = {"a": Tally(400, 20), "b": Tally(400, 80), "none": Tally(9, 9)}
    winner = Winner(sequence=0, effective_at=now + LEAD, flow="test", step="which", branch="b")

    assert decide(known, tallied(now, clear), now) == (winner,)
    assert decide(known, tallied(now, clear | {"a": Tally(99, 1)}), now) == ()
    assert decide(known, tallied(now, clear | {"a": Tally(400, 70)}), now) == ()
    assert decide(known, tallied(now, {}), now) == ()
    assert decide(catalog(TEST, winner), tallied(now, clear), now) == ()


def test_a_new_version_tests_anew() -> None:
    """I28: only the users of the newest version count, since its messages may differ."""
    text = TEST.replace("1d", "2d")
    second = Publish(sequence=0, effective_at=START + 1, flow="test", version=2, text=text)
    (test,) = open_tests(catalog(TEST, second), START + DAY)

    assert (test.flow, test.version, test.step, test.winner.metric) == (
        "test",
        2,
        "which",
        "bought",
    )


SPLIT = Split(
    (Branch("a", 300), Branch("b", 300), Branch("c", 300), Branch("rest", 100, rest=True)),
    winner=Winning("bought", 100, 95),
)


@pytest.mark.parametrize("rate", [0.02, 0.2])
def test_looking_all_the_time_finds_few_winners_where_there_is_none(rate: float) -> None:
    """I28: of 300 tests without a difference, each looked at 100 times, at most 5 % have a winner."""
    rng, found = random.Random(5), 0
    for _ in range(300):
        counts = {name: [0, 0] for name in "abc"}
        for _ in range(100):
            for count in counts.values():
                count[0] += 40
                count[1] += sum(rng.random() < rate for _ in range(40))
            tallies = {name: Tally(*count) for name, count in counts.items()}
            if best_branch(SPLIT, tallies) is not None:
                found += 1
                break

    assert found <= 15


def test_the_best_of_three_must_beat_both_others() -> None:
    """I28: two branches that are equally good have no winner; a rest cannot win."""
    assert (
        best_branch(SPLIT, {"a": Tally(900, 90), "b": Tally(900, 200), "c": Tally(900, 190)})
        is None
    )
    assert (
        best_branch(SPLIT, {"a": Tally(900, 90), "b": Tally(900, 200), "c": Tally(900, 99)}) == "b"
    )
    assert best_branch(SPLIT, {"a": Tally(900), "b": Tally(900, 200), "c": Tally(900)}) == "b"
    assert best_branch(SPLIT, {name: Tally(900) for name in "abc"}) is None
    assert best_branch(msgspec.structs.replace(SPLIT, winner=None), {}) is None


AT = START + DAY


@pytest.mark.parametrize(
    ("flow", "record", "wakes"),
    [
        (WAITS, Stop(sequence=0, effective_at=AT, flow="waits"), [Wake(AT, "waits")]),
        (WAITS, Pause(sequence=0, effective_at=AT, flow="waits"), []),
        (WAITS, drain(AT), []),
        (WAITS, Kill(sequence=0, effective_at=AT, flow="waits"), []),
        (WAITS, Publish(sequence=0, effective_at=AT, flow="waits", version=2, text=WAITS), []),
        (
            WAITS,
            Publish(sequence=0, effective_at=AT, flow="waits", version=2, text=WAITS, migrate=True),
            [Wake(AT, "waits")],
        ),
        (WAITS, SetSpace(sequence=0, effective_at=AT, text=VIP), []),
        (
            WAITS,
            SetSpace(sequence=0, effective_at=AT, text=VIP + '  paid: user.plan == "pro"\n'),
            [Wake(AT)],
        ),
        (
            BIRTHDAY,
            Publish(sequence=0, effective_at=AT, flow="birthday", version=2, text=BIRTHDAY),
            [Wake(AT)],
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_record_wakes_those_whom_it_concerns(
    flow: str, record: ControlRecord, wakes: list[Wake]
) -> None:
    """R29: sessions of the flow for a stop or a migration, all known users for dates and audiences."""
    known = catalog(flow, record)

    assert list(wakes_of(known, START, AT)) == wakes
    assert wakes_of(known, START, AT - 1) == ()
    assert wakes_of(known, AT, AT + 1) == ()


def test_a_launch_wakes_the_members_first_then_all_known_users() -> None:
    """R22: only a user's state knows every membership; a wake enters its members, once."""
    assert wakes_of(catalog(ONCE), 0, START) == (Wake(START, audience="vip"), Wake(START))
    assert wakes_of(catalog(WAITS), 0, START) == ()


def test_a_resume_wakes_the_sessions() -> None:
    """R29: what was decided during the pause is done at the resume."""
    pause = Pause(sequence=0, effective_at=AT, flow="waits")
    resume = Resume(sequence=0, effective_at=AT + HOUR, flow="waits")

    assert wakes_of(catalog(WAITS, pause, resume), START, AT + HOUR) == (Wake(AT + HOUR, "waits"),)


def test_the_end_of_a_schedule_wakes_too() -> None:
    """R26: a flow that its schedule stops needs no record for it."""
    text = WAITS.replace("steps", "schedule: {end: 2026-01-02T00:00, at_end: stop}\nsteps")

    assert wakes_of(catalog(text), START, AT) == (Wake(AT, "waits"),)


def test_a_wake_has_one_id() -> None:
    """R30: the id is made of space, instant and user, so a repetition is recognized."""
    one = signal_of("shop", Wake(AT, "waits"), "ann")

    assert one == signal_of("shop", Wake(AT), "ann")
    assert one.time == AT
    assert (
        len({one.id, signal_of("shop", Wake(AT + 1), "ann").id, signal_of("x", Wake(AT), "ann").id})
        == 3
    )
