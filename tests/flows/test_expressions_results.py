"""Results of expressions: every operator over values of every type, missing and mistyped ones too."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.flows.expression_strategies import conditions, outside, situations, values, view
from transforms.flows.clock.delays import parse_delay
from transforms.flows.clock.zones import DAY, find_zone, parse_instant, utc
from transforms.flows.expressions.evaluation.compile import compile_condition, compile_value
from transforms.flows.expressions.reads import reads_of
from transforms.flows.expressions.syntax.ast import Expr
from transforms.flows.expressions.syntax.operators import COMPARISONS, RANGES, SPANS, TESTS
from transforms.flows.expressions.syntax.parse import parse
from transforms.flows.expressions.syntax.write import to_text
from transforms.flows.expressions.view import FlowFacts
from transforms.flows.state.series import add
from transforms.flows.state.stored import Series

# Strategies for a whole language have long names.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

NOW = parse_instant("2026-07-01T12:00", utc())

TRUE, FALSE, WRONG = True, False, None
TABLE = [
    # operator and right, value of event.x, result (WRONG: false, and counted as a mismatch)
    ('== "a"', "a", TRUE), ('== "a"', "A", FALSE), ('== "1"', 1, WRONG), ("== 1", "1", WRONG),
    ("== 1", 1.0, TRUE), ("== 1", True, WRONG), ("== true", True, TRUE), ("== true", 1, WRONG),
    ("== event.y", "y", TRUE), ("== event.missing", "y", FALSE), ("== event.y", 3, WRONG),
    ('== ["a"]', ["a"], TRUE),
    ('!= "a"', "b", TRUE), ('!= "a"', 1, WRONG), ("!= 1", 2, TRUE),
    ('i== "ä"', "Ä", TRUE), ('i== "a"', 1, WRONG), ('i!= "a"', "B", TRUE), ('i!= "a"', "A", FALSE),
    ("< 2", 1, TRUE), ("< 2", 2, FALSE), ("<= 2", 2, TRUE), ("> 2", 2.5, TRUE), (">= 2", 2, TRUE),
    (">= 2", "2", WRONG), ("> 2", True, WRONG), ('< "b"', "a", TRUE), ('< "b"', 1, WRONG),
    ("> true", True, WRONG), ("<= event.y", 1, WRONG),
    ('in ["a", "b"]', "b", TRUE), ('in ["a"]', "A", FALSE), ('in ["a"]', 1, WRONG),
    ("in [1, 2]", 2, TRUE), ("in [1]", True, WRONG), ("in []", "a", FALSE),
    ('in ["a", 1]', 1, TRUE), ('in ["a"]', ["a"], WRONG), ("in event.list", "p", TRUE),
    ("in event.y", "y", WRONG),
    ('not in ["a"]', "b", TRUE), ('not in ["a"]', 1, WRONG), ('iin ["A"]', "a", TRUE),
    ('not iin ["A"]', "a", FALSE),
    ('contains "b"', "abc", TRUE), ('contains "B"', "abc", FALSE), ('icontains "B"', "abc", TRUE),
    ('contains "b"', ["a", "b"], TRUE), ('contains "b"', ["abc"], FALSE), ("contains 1", [1], TRUE),
    ("contains 1", [True], FALSE), ('contains "b"', 5, WRONG), ("contains 1", "1", WRONG),
    ('icontains "B"', ["b"], TRUE), ('not contains "b"', "abc", FALSE),
    ('not contains "z"', ["a"], TRUE), ('not contains "z"', 5, WRONG),
    ('not icontains "A"', "abc", FALSE),
    ('contains any ["z", "a"]', ["a"], TRUE), ('contains any ["z"]', ["a"], FALSE),
    ('contains any ["z", "a"]', "abc", TRUE), ('contains any ["a"]', 1, WRONG),
    ('contains all ["a", "b"]', ["b", "a", "c"], TRUE), ('contains all ["a", "b"]', ["a"], FALSE),
    ('icontains any ["A"]', ["a"], TRUE), ('icontains all ["A", "B"]', "ab", TRUE),
    ('not contains any ["z"]', ["a"], TRUE), ('not contains all ["a", "z"]', ["a"], TRUE),
    ('not icontains any ["A"]', ["a"], FALSE), ('not icontains all ["A"]', ["a"], FALSE),
    ('starts with "ab"', "abc", TRUE), ('starts with "AB"', "abc", FALSE),
    ('istarts with "AB"', "abc", TRUE), ('not starts with "b"', "abc", TRUE),
    ('not istarts with "A"', "abc", FALSE), ('starts with "a"', 1, WRONG),
    ('ends with "bc"', "abc", TRUE), ('iends with "BC"', "abc", TRUE),
    ('not ends with "bc"', "abc", FALSE), ('not iends with "X"', "abc", TRUE),
    (r'matches "^a\w+$"', "abc", TRUE), ('matches "b"', "abc", TRUE), ('matches "B"', "abc", FALSE),
    ('imatches "B"', "abc", TRUE), ('not matches "z"', "abc", TRUE),
    ('not imatches "B"', "abc", FALSE), ('matches "1"', 1, WRONG), ('not matches "1"', 1, WRONG),
    ("between 1 and 3", 1, TRUE), ("between 1 and 3", 3, TRUE), ("between 1 and 3", 3.1, FALSE),
    ('between "a" and "c"', "b", TRUE), ("between 1 and 3", "2", WRONG),
    ("not between 1 and 3", 4, TRUE), ("not between 1 and 3", 2, FALSE),
    ("not between 1 and 3", "4", WRONG), ("between event.missing and 3", 2, FALSE),
    ("is set", "", TRUE), ("is set", 0, TRUE), ("is not set", False, FALSE),
    ("is empty", "", TRUE), ("is empty", [], TRUE), ("is empty", {}, TRUE), ("is empty", 0, FALSE),
    ("is empty", False, FALSE), ("is not empty", "a", TRUE), ("is not empty", [], FALSE),
    ('before "2026-07-02"', "2026-07-01T23:59:59Z", TRUE), ('before "2026-07-02"', "x", WRONG),
    ('before "2026-07-02"', "2026-07-02", FALSE), ('until "2026-07-02"', "2026-07-02", TRUE),
    ('since "2026-07-02"', "2026-07-02", TRUE), ('after "2026-07-02"', "2026-07-02", FALSE),
    ('after "2026-07-02"', NOW + DAY, TRUE), ('after "2026-07-02"', 1_800_000_000, WRONG),
    ('after "2026-07-02"', ["2026-07-03"], WRONG), ("after event.missing", "2026-07-03", FALSE),
    ("before now", "2026-07-01T11:59:59Z", TRUE),
    ('on "2026-07-02T18:00"', "2026-07-02T01:00", TRUE), ('on "2026-07-02"', "2026-07-03", FALSE),
    ("is today", "2026-07-01", TRUE), ("is today", "2026-07-02", FALSE), ("is today", 5, WRONG),
    ("is anniversary", "1990-07-01", TRUE), ("is anniversary", "1990-07-02", FALSE),
    ("within last 3d", "2026-06-29", TRUE), ("within last 3d", "2026-06-28", FALSE),
    ("within last 3d", "2026-07-02", FALSE), ("within last 12h", "2026-07-01", FALSE),
    ("within last 13h", "2026-07-01", TRUE), ("within last 1mo", "2026-06-01T12:00:01", TRUE),
    ("within last 1mo", "2026-06-01T12:00", FALSE),
    ("within next 12h", "2026-07-02", TRUE), ("within next 11h", "2026-07-02", FALSE),
    ("within next 12h", "2026-07-01T12:00", FALSE), ("within last 1s", "2026-07-01T12:00", TRUE),
    ("more than 12h ago", "2026-07-01", TRUE), ("more than 13h ago", "2026-07-01", FALSE),
    ("more than 18y ago", "2008-07-01", TRUE), ("more than 18y ago", "2008-07-02", FALSE),
    ("more than 11h ahead", "2026-07-02", TRUE), ("more than 12h ahead", "2026-07-02", FALSE),
    ("exactly 3d ago", "2026-06-28T23:00", TRUE), ("exactly 3d ago", "2026-06-29", FALSE),
    ("exactly 1w ahead", "2026-07-08", TRUE), ("exactly 1mo ago", "2026-06-01", TRUE),
    ("is anniversary within next 3d", "1990-07-04", TRUE),
    ("is anniversary within next 3d", "1990-07-01", TRUE),
    ("is anniversary within next 3d", "1990-07-05", FALSE),
    ("is anniversary within last 3d", "1990-06-28", TRUE),
    ("is anniversary within last 3d", "1990-06-27", FALSE),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "value", "result"), TABLE)
def test_operators(operator, value, result):
    """Each operator follows the table; a type that does not fit gives false and is counted (R17)."""
    look = view(NOW, event={"x": value, "y": "y", "list": ["p", 1]})

    assert compile_condition(parse(f"event.x {operator}")).test(look) is bool(result)
    assert look.mismatches == (result is None)


@pytest.mark.parametrize(
    ("today", "born", "result"),
    [
        ("2026-02-28", "1988-02-29", True),
        ("2026-03-01", "1988-02-29", False),
        ("2028-02-28", "1988-02-29", False),
        ("2028-02-29", "1988-02-29", True),
        ("2028-02-28", "1990-02-28", True),
    ],
)
def test_leap_day(today, born, result):
    """An anniversary of February 29 falls on the 28th in other years."""
    look = view(parse_instant(today, utc()) + 1, traits={"born": born})

    assert compile_condition(parse("user.born is anniversary")).test(look) is result


def test_anniversaries_across_the_turn_of_the_year():
    """On December 30 a birthday on January 2 is within the next 3 days."""
    look = view(parse_instant("2026-12-30T23:00", utc()), traits={"born": "1990-01-02"})

    assert compile_condition(parse("user.born is anniversary within next 3d")).test(look)
    assert not compile_condition(parse("user.born is anniversary within next 2d")).test(look)


def _every_operator():
    names = {o.right: o for o in COMPARISONS}
    assert "same" in names
    rights = {
        "pattern": '"a"', "list": '["a"]', "pair": "1 and 2", "date": '"2026-01-01"',
        "delay": "", "days": "", "": "",
    }  # fmt: skip
    for operator in (*COMPARISONS, *RANGES, *TESTS, *SPANS):
        yield operator.name, rights.get(operator.right, '"a"')


@pytest.mark.parametrize(("name", "right"), list(_every_operator()))
def test_a_missing_value_makes_operators_false(name, right):
    """A missing value makes every operator false except "is empty" and "is not set" (R17)."""
    look = view(event={})
    expr = parse(f"event.x {name.replace('_', '3d')} {right}")

    assert compile_condition(expr).test(look) is (name in ("is empty", "is not set"))
    assert look.mismatches == 0


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("not (event.missing == 5)", True),
        ("not event.missing", True),
        ("event.yes and not event.no", True),
        ("event.yes or event.missing", True),
        ("event.one", False),
        ("event.yes and event.yes and event.yes and event.yes and event.no", False),
        ("event.no or event.no or event.no or event.yes", True),
        ("true and not false", True),
        ("any(event.items where item.price > 10)", True),
        ("all(event.items where item.price > 10)", False),
        ("all(event.items where item.price >= 5 and event.yes)", True),
        ("any(event.empty where item.price > 0)", False),
        ("all(event.empty where item.price > 0)", False),
        ("any(event.missing where item.price > 0)", False),
        ('any(event.words where item icontains "BC")', True),
        ("audience.vip and not audience.other", True),
        ("audience.vip.since more than 3d ago", True),
        ("audience.other.since more than 3d ago", False),
        ('tag.new and not tag["old one"]', True),
        ('consent.email and not consent.sms and not consent["email:news"]', True),
        ("flow.welcome.in and flow.welcome.times == 2", True),
        ('flow.welcome.step == "hello"', True),
        ("flow.other.in", False),
        ('communication.status == "read"', True),
        ('communications.offer.status == "sent"', True),
        ("communications.nothing.status is not set", True),
        ('session.slot == "a" and session.id == "s1" and session.started before now', True),
        ('session["id"] is not set', True),
        ("entry.cart_id == event.cart_id", True),
        ("participant.size > 1", True),
        ("event.time on now", True),
        ("event.deep.list[1].x == 7", True),
        ("event.deep.list[9].x is not set", True),
        ("event.one.x is not set", True),
        ("weekday of now == 'wed' and hour of now == 12 and day of now == 1", True),
        ("month of user.born == 2 and year of user.born == 1988", True),
    ],
)
def test_names_and_boolean_operators(text, result):
    """Names read the view, and a bare value is true only if it is the boolean true."""
    look = view(
        NOW,
        event={
            "yes": True, "no": False, "one": 1, "empty": [], "words": ["abc"], "cart_id": 9,
            "items": [{"price": 5}, {"price": 20}], "deep": {"list": [1, {"x": 7}]},
        },
        event_name="X",
        event_time=NOW,
        entry={"cart_id": 9},
        variables={"slot": "a"},
        participant={"size": 2},
        traits={"born": "1988-02-29"},
        tags={"new"},
        audiences={"vip": NOW - 4 * DAY},
        flows=lambda flow: FlowFacts(True, "hello", 2) if flow == "welcome" else outside(flow),
        communications={"offer": {"status": "sent"}},
        communication={"status": "read"},
        session_id="s1",
        session_started=NOW - 1,
    )  # fmt: skip

    assert compile_condition(parse(text)).test(look) is result
    assert look.item is None


@pytest.mark.parametrize(
    ("text", "value", "wrong"),
    [
        ("event.a + event.b * 2", 7, 0),
        ("(event.a + event.b) * 2", 8, 0),
        ("event.b / 2", 1.5, 0),
        ("event.b - event.missing", None, 0),
        ("event.b / 0", None, 1),
        ("event.text + 1", None, 1),
        ("event.yes + 1", None, 1),
        ("event.huge * event.huge", None, 1),
        ("length of event.text", 3, 0),
        ("length of event.a", None, 1),
        ("length of event.missing", None, 0),
        ("event.text", "abc", 0),
        ("event.a == 1", True, 0),
        ('["a", 1, true]', ["a", 1, True], 0),
        ("now", NOW, 0),
        ("flow.welcome.step", None, 0),
        ('count(event "X")', 0, 0),
        ('sum(event.a of event "X")', 0, 0),
        ('average(event.a of event "X")', None, 0),
        ('last(event "X")', None, 0),
        ("session.id", None, 0),
        ("session.started", None, 0),
    ],
)
def test_values(text, value, wrong):
    """A value that cannot be calculated is missing; a wrong type in it is counted (R17)."""
    look = view(NOW, event={"a": 1, "b": 3, "text": "abc", "yes": True, "huge": 2**62})

    assert compile_value(parse(text))(look) == value
    assert look.mismatches == wrong


def _history(text, *events):
    aggregate = reads_of(parse(text)).aggregates[0]
    series = Series()
    for t, value in events:
        add(series, t, value if aggregate.value else None, aggregate.horizon)
    return {aggregate.key: series}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('count(event "X")', 3),
        ('count(event "X" within last 10d)', 2),
        ('count(event "X" within last 24h)', 0),
        ('count(event "X" since entry)', 1),
        ('sum(event.v of event "X")', 6.6),
        ('sum(event.v of event "X" within last 10d)', 4.4),
        ('min(event.v of event "X")', 1.1),
        ('min(event.v of event "X" within last 10d)', 1.1),
        ('max(event.v of event "X" within last 10d)', 3.3),
        ('average(event.v of event "X" within last 10d)', 2.2),
        ('average(event.v of event "X" within last 1d)', None),
        ('first(event "X")', NOW - 20 * DAY),
        ('last(event "X")', NOW - DAY),
        ('first(event "X" within last 10d)', NOW - 9 * DAY),
        ('last(event "X" within last 10d)', NOW - DAY),
        ('last(event "X" within last 1d)', None),
        ('last(event "X" since entry)', NOW - DAY),
    ],
)
def test_aggregates_use_half_open_windows(text, value):
    """An aggregate counts an event at e during [e, e + w): one exactly w ago is not counted (R2)."""
    events = [(NOW - 9 * DAY, 3.3), (NOW - DAY, 1.1), (NOW - 20 * DAY, 2.2)]
    look = view(NOW, series=_history(text, *events), session_id="s", session_started=NOW - 9 * DAY)

    assert compile_value(parse(text))(look) == value


def test_reads_lists_everything_that_is_read():
    """reads() returns everything that a host must store, update and wake for."""
    expr = parse(
        "user.age > 3 and entry.a.b is set and event.x == session.slot and tag.t and audience.vip"
        ' and flow.w.in and communications.mail.status == "x" and communication.channel == "y"'
        ' and participant.p is set and count(event "X" where event.q > 1 within last 3d) > 1'
        ' and sum(event.v of event "Y" since entry) > session.started'
    )
    found = reads_of(expr)

    assert found.traits == {"age"}
    assert found.entry_fields == {"a"}
    assert found.event_fields == {"x"}
    assert found.variables == {"slot"}
    assert found.participant_fields == {"p"}
    assert (found.tags, found.audiences, found.flows) == ({"t"}, {"vip"}, {"w"})
    assert (found.communications, found.communication) == ({"mail"}, {"channel"})
    assert found.facts == {"session.started"}
    assert found.timed
    assert [(a.event, a.horizon, a.where and a.where.text, a.value and a.value.text)
            for a in found.aggregates] == [
        ("X", 3 * DAY, "event.q > 1", None), ("Y", 400 * DAY, None, "event.v"),
    ]  # fmt: skip


def test_the_series_key_depends_on_what_is_stored():
    """The key of a series consists of event, where and value, not of the function; it never
    changes.
    """

    def key(text):
        return reads_of(parse(text)).aggregates[0].key

    assert key('count(event "X")') == key('last(event "X" within last 3d)') == "7eea0dbb"
    assert key('sum(event.v of event "X")') == key('max(event.v of event "X" since entry)')
    assert len({key('count(event "X")'), key('count(event "X" where event.a)'),
                key('sum(event.v of event "X")'), key('count(event "Y")')}) == 4  # fmt: skip


@pytest.mark.parametrize(
    ("text", "timed"),
    [
        ("user.born is today", True),
        ('count(event "X" within last 3d) > 1', True),
        ('count(event "X") > 1', False),
        ('count(event "X" since entry) > 1', False),
        ("user.born before now", True),
        ("hour of now == 3", True),
        ('user.born before "2026-01-01"', False),
        ("any(user.dates where item more than 3d ago)", True),
        ("length of user.list > 1", False),
    ],
)
def test_a_condition_is_timed_if_time_can_change_it(text, timed):
    """A condition is timed exactly if time alone can change it (R18)."""
    assert compile_condition(parse(text)).timed is timed
    assert reads_of(parse(text)).timed is timed


@given(conditions | values, situations())
@settings(max_examples=200, deadline=None)
def test_no_data_makes_an_expression_fail(root, situation):
    """No data makes an expression fail: a result is true, false, a value or missing."""
    now, base, _ = situation
    look = view(now, **base, event={"total": 3, "city": "Aé", "a b": [1, "a"], "in": True},
                entry={"total": "x"}, variables={"id": {"a": 1}}, tags={"city"})  # fmt: skip
    expr = Expr(to_text(root), root)

    assert compile_condition(expr).test(look) in (True, False)
    change = compile_condition(expr).next_change(look)
    assert change is None or change > now
    compile_value(expr)(look)


def test_days_are_those_of_the_users_zone():
    """Today ends at midnight in the user's zone, not in UTC (R16)."""
    late = parse_instant("2026-07-01T23:30Z", utc())
    condition = compile_condition(parse('user.when on "2026-07-02"'))

    assert condition.test(view(late, zone=find_zone("Europe/Berlin"), traits={"when": late}))
    assert not condition.test(view(late, traits={"when": late}))


def test_delays_in_months_end_on_the_last_day_of_the_month():
    """One month after January 31 is the last day of February."""
    look = view(parse_instant("2026-02-28T00:00Z", utc()), traits={"when": "2026-01-31"})

    assert compile_condition(parse("user.when more than 1mo ago")).test(look)
    assert parse_delay("1mo").months == 1
