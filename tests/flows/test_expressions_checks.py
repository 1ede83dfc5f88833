"""Expressions are checked against declared names and types; undeclared ones are not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.flows.expression_strategies import conditions
from transforms.flows.expressions.checking import check
from transforms.flows.expressions.scope import Scope
from transforms.flows.expressions.syntax.ast import Expr
from transforms.flows.expressions.syntax.operators import ALL, OPERATORS, operators_for
from transforms.flows.expressions.syntax.parse import parse
from transforms.flows.expressions.syntax.write import to_text

# Strategies for a whole language have long names.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

SCOPE = Scope(
    at_hand=frozenset(("event", "session")),
    event_names=("Order",),
    events={
        "Order": {"total": "number", "city": "text", "at": "date", "items": "list",
                  "gift": "boolean", "address": "map", "address.zip": "text", "note": "string"},
    },
    traits={"birthday": "date", "age": "number", "vip": "boolean", "name": "text"},
    variables={"slot": "date"},
    audiences=frozenset(("vips",)),
    tags=frozenset(("new",)),
    consents=frozenset(("email", "news", "email:news")),
    steps=frozenset(("mail",)),
    flows=frozenset(("welcome",)),
)  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        'event.total > 3 and event.city == "x" and event.address.zip starts with "1"',
        'user.birthday before "2020-01-01" and event.at within last 3d and event.note > 3',
        "any(event.items where item.price > 3) and length of event.items > 2",
        "audience.vips and tag.new and flow.welcome.in and user.vip",
        'communications.mail.status == "read" and communications.mail.digits == "3"',
        'count(event "Order" where event.total > 10 within last 3d) > 2',
        'count(event "Another thing entirely" where event.foo == 3) > 2',
        "sum(event.total of event 'Order') / 2 > 30 and session.slot is today",
        'month of user.birthday == month of now and event.time after "2020-01-01"',
        "last(event 'Order') more than 3d ago and not user.vip",
    ],
)
def test_valid_expressions_have_no_problems(text):
    """Valid expressions have no problems."""
    assert check(parse(text), SCOPE, "condition") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("event.totl > 3", [(0, 10, "unknown-property", "total")]),
        ("user.nmae is set", [(0, 9, "unknown-trait", "name")]),
        ("session.slit is set", [(0, 12, "unknown-variable", "slot")]),
        ("entry.x == 3", [(0, 7, "not-at-hand", None)]),
        ("participant.x == 3", [(0, 13, "not-at-hand", None)]),
        ("communication.x == 3", [(0, 15, "not-at-hand", None)]),
        ("audience.vip", [(0, 12, "unknown-audience", "vips")]),
        ("tag.old", [(0, 7, "unknown-tag", None)]),
        ("consent.emial", [(0, 13, "unknown-topic", "email")]),
        (
            "last(message where message.chanel == 'x') is set",
            [(19, 14, "unknown-field", "channel")],
        ),
        ("count(message where message.topic > 2) > 2", [(36, 1, "wrong-type", None)]),
        ("flow.welcom.in", [(0, 14, "unknown-flow", "welcome")]),
        ("communications.mial.x is set", [(0, 21, "unknown-step", "mail")]),
        ("event.total contains 'x'", [(0, 11, "wrong-type", None)]),
        ("event.city > 3", [(13, 1, "wrong-type", None)]),
        ("event.total between 1 and 'x'", [(26, 3, "wrong-type", None)]),
        ("event.total in 5", [(15, 1, "wrong-type", None)]),
        ("event.city contains 5", [(20, 1, "wrong-type", None)]),
        ("event.city starts with 5", [(23, 1, "wrong-type", None)]),
        ("user.birthday == '2020-01-01'", [(0, 13, "wrong-type", "on")]),
        ("user.birthday >= '2020-01-01'", [(0, 13, "wrong-type", "since")]),
        ("last(event 'Order') < 5", [(0, 19, "wrong-type", "before")]),
        ("user.vip within last 3d", [(0, 8, "wrong-type", None)]),
        ("user.birthday before 'soon'", [(21, 6, "bad-date", None)]),
        ("user.birthday before user.age", [(21, 8, "wrong-type", None)]),
        ("user.age + 'x' > 3", [(11, 3, "wrong-type", None)]),
        ("month of user.age == 3", [(9, 8, "wrong-type", None)]),
        ("length of user.age == 3", [(10, 8, "wrong-type", None)]),
        ("any(user.age where item > 3)", [(4, 8, "wrong-type", None)]),
        ("user.age", [(0, 8, "not-a-condition", "user.age is set")]),
        ("user.vip and user.age", [(13, 8, "not-a-condition", "user.age is set")]),
        ("not user.name", [(4, 9, "not-a-condition", "user.name is set")]),
        ("count(event 'Ordre') > 2", [(0, 20, "unknown-event", '"Order"')]),
        ("count(event 'Order' since entry) > 2", [(0, 32, "not-at-hand", None)]),
        ("count(event 'Order' where event.totl > 2) > 2", [(26, 10, "unknown-property", "total")]),
        ("sum(event.city of event 'Order') > 2", [(4, 10, "wrong-type", None)]),
        (
            "event.totl > 3 and user.agee is set",
            [(0, 10, "unknown-property", "total"), (19, 9, "unknown-trait", "age")],
        ),
    ],
)
def test_all_problems_are_found_with_suggestions(text, expected):
    """Every problem is found at once, at its place, with a suggestion."""
    found = check(parse(text), SCOPE, "condition")

    assert [(p.offset, p.length, p.code, p.suggestion) for p in found] == expected
    assert {p.severity for p in found} == {"error"}


def test_negation_of_a_missing_value_is_a_warning():
    """``not (x == 5)`` is true without x; the checker warns and recommends ``is set`` (R17)."""
    (found,) = check(parse("not (user.age == 5)"), SCOPE, "condition")

    assert (found.code, found.severity) == ("not-missing", "warning")
    assert found.suggestion == "user.age is set and"
    assert "is set" in found.message


@pytest.mark.parametrize(
    ("text", "wants", "codes"),
    [
        ("event.total", "number", []),
        ("event.city", "number", ["wrong-type"]),
        ("event.total > 3", "number", ["wrong-type"]),
        ("event.total > 3", "value", []),
        ("user.birthday", "date", []),
        ("user.vip", "date", ["wrong-type"]),
        ("event.note", "number", []),
    ],
)
def test_a_wrong_result_type_is_refused(text, wants, codes):
    """An expression in a place for a number or a date is refused if it has another type."""
    assert [p.code for p in check(parse(text), SCOPE, wants)] == codes


@given(conditions)
@settings(max_examples=150, deadline=None)
def test_every_problem_lies_within_the_text(root):
    """Any expression can be checked, and the places of problems lie within its text."""
    expr = parse(to_text(root))

    for scope in (Scope(), SCOPE):
        for problem in check(expr, scope, "condition"):
            assert 0 <= problem.offset < problem.offset + problem.length <= len(expr.text)
    assert check(Expr(expr.text, root), Scope()) is not None


def test_without_declarations_there_are_no_problems():
    """Without declarations no problem is reported."""
    text = 'event.a == 1 and user.b and entry.c > 2 and audience.d and count(event "e") > session.f'

    assert check(parse(text), Scope(), "condition") == []


def test_operators_allowed_by_type():
    """The table lists for each type the operators that it allows."""
    assert {o.name for o in operators_for("boolean")} >= {"==", "!=", "is set", "is not set"}
    assert "contains" in {o.name for o in operators_for("list")}
    assert "icontains any" in {o.name for o in operators_for("text")}
    assert "<" not in {o.name for o in operators_for("date")}
    assert all(operator.left and set(operator.left) <= set(ALL) for operator in OPERATORS.values())
