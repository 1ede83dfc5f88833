"""When a condition may change by time alone (R18), checked by trying instants."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.flows.expression_strategies import HOUR, moving, series_for, situations, view
from transforms.flows.clock.zones import DAY, find_zone, iso, parse_instant, utc
from transforms.flows.expressions.evaluation.compile import compile_condition
from transforms.flows.expressions.syntax.ast import Expr
from transforms.flows.expressions.syntax.parse import parse
from transforms.flows.expressions.syntax.write import to_text

FAR = 60 * DAY


def _instants(now, end):
    """Return hours, their neighbours, and smaller steps near both ends."""
    step = max((end - now) // 80, 1)
    found = set(range(now + 1, end, step))
    hour = now - now % HOUR
    for edge in (now, end, *range(hour, min(end, now + 3 * DAY), HOUR)):
        found.update((edge - 1, edge, edge + 1))
    return sorted(t for t in found if now < t < end)


@given(moving, situations(), st.data())
@settings(max_examples=250, deadline=None)
def test_a_result_is_constant_until_the_next_change(root, situation, data):
    """Between now and next_change the result does not change, in every zone (R18)."""
    now, base, events = situation
    expr = Expr(to_text(root), root)
    condition = compile_condition(expr)
    look = view(now, **base, series=series_for(expr, events))
    before, change = condition.test(look), condition.next_change(look)

    assert change is None or change > now
    end = min(change or now + FAR, now + FAR)
    for t in [*_instants(now, end), *data.draw(st.lists(st.integers(now, end - 1), max_size=9))]:
        look.now = t
        assert condition.test(look) is before, iso(t)
    if change is not None:
        look.now = change - 1
        assert condition.next_change(look) == change


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('last(event "X") more than 3d ago', "2026-07-03T12:00:00Z"),
        ('last(event "X") within last 1h', None),
        ('count(event "X" within last 3d) >= 1', "2026-07-03T12:00:00Z"),
        ('last(event "X" within last 3d) is set', "2026-07-03T12:00:00Z"),
        ("user.when is today", "2026-07-09T22:00:00Z"),
        ("user.when exactly 3d ahead", "2026-07-06T22:00:00Z"),
        ("user.when within next 1d", "2026-07-08T22:00:00Z"),
        ("user.when more than 1w ahead", "2026-07-02T22:00:00Z"),
        ("user.when before now", "2026-07-09T22:00:00Z"),
        ("user.born is anniversary", "2026-07-19T22:00:00Z"),
        ("user.born is anniversary within next 1w", "2026-07-12T22:00:00Z"),
        ("user.past is anniversary", "2027-06-29T22:00:00Z"),
        ("hour of now == 18", "2026-07-01T13:00:00Z"),
        ("weekday of now == 'sat'", "2026-07-01T22:00:00Z"),
        ("month of user.born == month of now", "2026-07-31T22:00:00Z"),
        ("year of now == 2026", "2026-12-31T23:00:00Z"),
        ("user.past more than 3d ago", "2026-07-02T22:00:00Z"),
        ("user.past within next 3d", None),
        ("user.missing is today", None),
        ("user.wrong is today", None),
        ("user.past is today or user.when is today", "2026-07-09T22:00:00Z"),
        ("any(user.dates where item is today)", "2026-07-02T22:00:00Z"),
    ],
)
def test_next_change_is_the_first_instant_that_matters(text, expected):
    """The next change is computed from what is read; it is not a poll (R18)."""
    now = parse_instant("2026-07-01T12:00Z", utc())
    expr = parse(text)
    traits = {
        "when": "2026-07-10", "born": "1990-07-20", "past": "2026-06-30", "wrong": 3,
        "dates": ["2026-07-03", "2026-07-05"],
    }  # fmt: skip
    events = [(parse_instant("2026-06-30T12:00Z", utc()), 5)]
    look = view(
        now, zone=find_zone("Europe/Berlin"), traits=traits, series=series_for(expr, events)
    )
    found = compile_condition(expr).next_change(look)

    assert (found and iso(found)) == expected
    assert look.mismatches == 0


@pytest.mark.parametrize("op", ["before", "until", "since", "after"])
@pytest.mark.parametrize("text", ["user.when {} now", "now {} user.when"])
def test_a_comparison_with_now_changes_at_the_instant(text, op):
    """A comparison with now changes at the instant, to the millisecond."""
    at = parse_instant("2026-07-01T12:00Z", utc())
    condition = compile_condition(parse(text.format(op)))
    look = view(at - 5, traits={"when": at})
    changes = []
    while (change := condition.next_change(look)) is not None:
        look.now = change - 1
        before = condition.test(look)
        look.now = change
        changes.append(condition.test(look) is not before)

    assert changes.count(True) == 1


def test_the_hour_changes_with_the_clock():
    """The hour changes when the clock is set back, not only at full hours."""
    look = view(parse_instant("2006-10-29T02:30:30Z", utc()), zone=find_zone("America/St_Johns"))
    condition = compile_condition(parse("hour of now == 0"))

    assert condition.test(look)
    assert iso(condition.next_change(look)) == "2006-10-29T02:31:00Z"
    look.now = condition.next_change(look)
    assert not condition.test(look)
