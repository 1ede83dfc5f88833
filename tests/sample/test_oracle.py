"""Tests of the oracle: its boundaries by hand, its audiences day by day, its sums over the sample."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from tests.sample import oracle
from tests.sample.oracle import DAY, Purchase, Refusal, Tick

SAMPLE = Path(__file__).parents[2] / "towpath" / "sample_data" / "cdnow_purchases.csv.gz"
TOTALS = Path(__file__).with_name("totals.json")
UNTIL = oracle.millis("1998-07-01")


@pytest.fixture(scope="module")
def users():
    return oracle.load(SAMPLE, UNTIL)


@pytest.fixture(scope="module")
def found(users):
    return oracle.follow(users, UNTIL)


def bought(*days_and_dollars):
    """Return purchases: (day, dollars), with ids in the order given."""
    pairs = enumerate(days_and_dollars)
    return [Purchase(day * DAY, dollars * 100, f"p{n}") for n, (day, dollars) in pairs]


def story(session):
    """Return a session in days: steps, end, reason, goal."""
    steps = [(step, at // DAY) for step, at in session.steps]
    ended = session.ended.time // DAY if session.ended else None
    return steps, ended, session.reason, session.goal.id if session.goal else None


def test_the_size_of_the_sample(users):
    """The sample has 69,659 purchases of 23,570 customers; equal rows count separately."""
    assert len(users) == 23_570
    assert sum(map(len, users.values())) == 69_659
    assert sum(len(bought) - len({p[:2] for p in bought}) for bought in users.values()) == 255


def test_lapsed_at_the_boundary():
    """For a purchase exactly 60 days after the last, the flow is entered first, then left (R1, R2)."""
    (session, *_) = oracle.win_back("u", bought((0, 10), (60, 10)), 61 * DAY)

    assert story(session) == ([("miss_you", 60), ("pause", 60)], 60, "exit_rule", "p1")


def test_lapsed_a_day_earlier():
    """A purchase within the 60 days postpones the lapse."""
    (session,) = oracle.win_back("u", bought((0, 10), (59, 10)), 130 * DAY)

    assert session.entered == 119 * DAY


@pytest.mark.parametrize(
    ("day", "ended", "reason", "goal"),
    [(89, 89, "exit_rule", "p1"), (90, 90, "completed", None), (91, 90, "completed", None)],
)
def test_the_offer_at_the_boundary(day, ended, reason, goal):
    """At 30 days the wait ends before the purchase, which then is too late as a goal (R2, R24)."""
    (session, *_) = oracle.win_back("u", bought((0, 10), (day, 10)), 92 * DAY)

    assert story(session)[1:] == (ended, reason, goal)
    assert ("offer" in dict(session.steps)) == (reason == "completed")


def test_due_at_the_end_of_the_replay():
    """What is due at the end of the replay fires; a day later it is pending."""
    (fires,) = oracle.win_back("u", bought((0, 10)), 90 * DAY)
    (waits,) = oracle.win_back("u", bought((0, 10)), 90 * DAY - 1)

    assert fires.ended == Tick(90 * DAY, 1)
    assert (waits.ended, waits.waits_until) == (None, 90 * DAY)


def test_the_entry_limit():
    """The third lapse within 365 days is refused; one exactly 365 days after the first enters."""
    refused = oracle.win_back("u", bought((0, 1), (100, 1), (364, 1)), 425 * DAY)
    enters = oracle.win_back("u", bought((0, 1), (100, 1), (365, 1)), 425 * DAY)

    assert refused[2] == Refusal("win_back", "u", 424 * DAY, "entry_limit", "")
    assert enters[2].entered == 425 * DAY


@pytest.mark.parametrize(("dollars", "branch"), [(49, "picks"), (50, "voucher")])
def test_the_branch_by_amount(dollars, branch):
    """The first purchase's amount chooses the message."""
    (session,) = oracle.second_purchase("u", bought((0, dollars)), 99 * DAY)
    steps = [("settle", 0), ("amount", 14), (branch, 14), ("month", 14), ("last", 44)]

    assert story(session) == (steps, 44, "completed", None)


def test_two_first_purchases_on_one_day():
    """A second purchase on the same day reaches the goal at once; ids decide which is first."""
    (session,) = oracle.second_purchase("u", bought((0, 49), (0, 70)), 99 * DAY)

    assert story(session) == ([("settle", 0)], 0, "goal", "p1")


@pytest.mark.parametrize(
    ("day", "ended", "reason", "goal"),
    [
        (13, 13, "goal", "p1"),
        (44, 44, "completed", "p1"),
        (59, 44, "completed", "p1"),
        (60, 44, "completed", None),
    ],
)
def test_the_second_purchase_at_the_boundaries(day, ended, reason, goal):
    """Waits end first, and the goal counts for 60 days, even after the end (R2, R24)."""
    (session,) = oracle.second_purchase("u", bought((0, 9), (day, 9)), 99 * DAY)

    assert story(session)[1:] == (ended, reason, goal)


def test_vip_by_two_purchases():
    """The purchase that makes a VIP is not the goal (R11); the next one is."""
    (session,) = oracle.vip_flow("u", bought((0, 150), (3, 50), (9, 1)), 10 * DAY)

    assert session.entered == 3 * DAY
    assert session.goal is not None
    assert session.goal.id == "p2"
    assert session.waits_until == 93 * DAY


def test_vip_ends_after_180_days():
    """The first purchase counts for exactly 180 days; then the user is no longer a VIP (R2, R18)."""
    (session,) = oracle.vip_flow("u", bought((0, 150), (91, 50)), 200 * DAY)

    assert (session.ended, session.reason) == (Tick(180 * DAY, 2), "exit_rule")


def test_no_gift_for_a_former_vip():
    """At one instant the audience changes before the wait ends: a user who left gets no gift."""
    (session,) = oracle.vip_flow("u", bought((0, 150), (90, 50)), 200 * DAY)

    assert (session.ended, session.reason) == (Tick(180 * DAY, 2), "exit_rule")
    assert "gift" not in dict(session.steps)


def test_vip_again():
    """A user who becomes a VIP again within 180 days of the exit is refused, and enters later."""
    refused = oracle.vip_flow("u", bought((0, 200), (269, 200)), 300 * DAY)
    enters = oracle.vip_flow("u", bought((0, 200), (270, 200)), 300 * DAY)

    assert refused[1] == Refusal("vip", "u", 269 * DAY, "reentry_delay", "p1")
    assert enters[1].entered == 270 * DAY


def test_vip_out_and_in_at_one_instant():
    """Old purchases expire before a purchase at that instant, which makes the user a VIP again."""
    edges = oracle.changes(bought((0, 200), (180, 200)), 200 * DAY, oracle.vip, 180 * DAY)

    assert [(tick.time // DAY, cause, now) for tick, cause, now in edges] == [
        (0, "p0", True),
        (180, "", False),
        (180, "p1", True),
    ]


def test_audiences_day_by_day(users):
    """For 200 random users, going through all days finds the same changes."""
    for user in Random(3).sample(sorted(users), 200):
        for member, days in ((oracle.lapsed, 60), (oracle.vip, 180)):
            walked = _walk(users[user], member)

            assert oracle.changes(users[user], UNTIL, member, days * DAY) == walked


def test_every_entry_is_accounted_for(found):
    """A session has ended or waits; a send was decided or withheld for the holdout."""
    for flow, rows in found.items():
        sums = oracle.totals(flow, rows)
        sends = oracle.SENDS[flow]

        assert sums["entered"] == sum(sums["ended"].values()) + sum(sums["waiting"].values())
        assert all(
            sums["messages"][step] + sums["withheld"][step] == sums["reached"][step]
            for step in sends
        )


def test_no_two_rows_are_equal(found):
    """Comparing rows as sets loses nothing: reached steps count as often as in the sums."""
    for flow, rows in found.items():
        sums = oracle.totals(flow, rows)
        kinds = oracle.facts(rows)

        assert len(kinds["reached"]) == sum(sums["reached"].values())
        assert len(kinds["entered"]) == sums["entered"]
        assert len(kinds["converted"]) == sum(
            sums[arm]["conversions"] for arm in ("treated", "silent")
        )


def test_golden_totals(found, rewrite):
    """The sums until July 1998, with the purchases of one day in the order of the file."""
    sums = {flow: oracle.totals(flow, rows) for flow, rows in found.items()}
    if rewrite:
        TOTALS.write_text(json.dumps(sums, indent=2) + "\n")

    assert sums == json.loads(TOTALS.read_text())


def test_explain_shows_every_decided_message(users, found):
    """``explain`` shows every message as decided, for 200 random users."""
    facts = [oracle.facts(rows) for rows in found.values()]
    decided = {row for kinds in facts for row in kinds["decided"]}
    for user in Random(4).sample(sorted(users), 200):
        rows = oracle.explain(user, users[user], UNTIL)
        told = {(row.flow, user, row.time, row.step) for row in rows if row.verdict == "decided"}

        assert told == {row for row in decided if row[1] == user}
        assert {row.flow for row in rows} == {"win_back", "second_purchase", "vip"}


def _walk(purchases, member):
    """Check every day from 1997 to the end: before its purchases, and after each of them."""
    changes, was, handled = [], False, 0
    for time in range(oracle.millis("1997-01-01"), UNTIL + 1, DAY):
        causes = [""] + [p.id for p in purchases if p.time == time]
        for number, cause in enumerate(causes):
            past = purchases[: handled + number]
            if member(past, time) != was:
                was = not was
                changes.append((Tick(time, len(past)), cause, was))
        handled += len(causes) - 1
    return changes
