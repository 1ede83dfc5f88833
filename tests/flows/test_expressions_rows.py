"""Rows: a condition taken apart for a form, and put together again."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings

from tests.flows.expression_strategies import conditions
from transforms.flows.expressions import ExpressionError, Group, Row, from_rows, parse, rows
from transforms.flows.expressions.writing import write

# Strategies for a whole language have long names.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

EXAMPLES = [
    ("event.total >= 20", Row("event.total", ">=", "literal", 20)),
    ('user.plan in ["a", 1]', Row("user.plan", "in", "literal", ["a", 1])),
    ("event.id == entry.id", Row("event.id", "==", "name", "entry.id")),
    ("event.a between 1 and 2", Row("event.a", "between", "pair", [1, 2])),
    ("user.phone is set", Row("user.phone", "is set")),
    ("user.seen within last 30d", Row("user.seen", "within last _", "duration", "30d")),
    ("user.seen more than 3d ago", Row("user.seen", "more than _ ago", "duration", "3d")),
    ("audience.vip", Row("audience.vip", "is true")),
    ("not audience.vip", Row("audience.vip", "is not true")),
    (
        'count(event "X" within last 90d) >= 2',
        Row('count(event "X" within last 90d)', ">=", "literal", 2),
    ),
    (
        "any(event.items where item.price > 3)",
        Row("any(event.items where item.price > 3)", "is true"),
    ),
]


@pytest.mark.parametrize(("text", "row"), EXAMPLES)
def test_one_row(text, row):
    """A single condition is one row, and that row is the condition."""
    group = rows(parse(text))

    assert group == Group("and", (row,))
    assert from_rows(group) == parse(text)


def test_groups():
    """And and or become groups, one inside the other as the brackets say."""
    expr = parse("user.a is set and (user.b is set or user.c is set and tag.x)")
    group = rows(expr)

    assert group == Group("and", (
        Row("user.a", "is set"),
        Group("or", (
            Row("user.b", "is set"),
            Group("and", (Row("user.c", "is set"), Row("tag.x", "is true"))),
        )),
    ))  # fmt: skip
    assert from_rows(group) == expr


@pytest.mark.parametrize(
    "text",
    ["not (user.a == 3)", "user.a == 3 and not (user.b or user.c)", "user.a between 1 and user.b"],
)
def test_what_has_no_rows(text):
    """What a form cannot show stays text, and is said to have no rows."""
    assert rows(parse(text)) is None


@given(conditions)
@settings(max_examples=250, deadline=None)
def test_rows_and_back(root):
    """Whatever can be shown as rows comes back as the same condition."""
    expr = parse(write(root))
    group = rows(expr)

    if group is not None:
        assert from_rows(group) == expr
        wire = msgspec.json.encode(group)
        assert from_rows(_read(msgspec.json.decode(wire))) == expr


def _read(data):
    if "rows" in data:
        return Group(data["join"], tuple(map(_read, data["rows"])))
    return Row(**data)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (Row("user.a", "is sett"), "unknown-operator"),
        (Row("user.a == 1 or true", "is set"), "not-a-value"),
        (Row("user.a == 1 or true", "is true"), "not-a-value"),
        (Row("user.", "is set"), "syntax"),
        (Row("user.a", "==", "name", "user.b or true"), "not-a-value"),
        (Row("user.a", "within last _", "duration", "1 hour"), "bad-duration"),
        (Row("user.a", "exactly _ ago", "duration", "1h"), "bad-duration"),
        (Row("user.a", "between", "pair", [1]), "syntax"),
        (Row("user.a", "==", "literal", {"a": 1}), "bad-number"),
        (Row("user.a", "==", "literal", 10**15), "bad-number"),
        (Row("user.a", "matches", "literal", "("), "bad-pattern"),
    ],
)
def test_wrong_rows(row, code):
    """Rows from a form are judged like text; nothing in a value becomes part of the condition."""
    with pytest.raises(ExpressionError) as caught:
        from_rows(Group("and", (row,)))

    assert caught.value.problems[0].code == code


def test_a_value_stays_a_value():
    """Text that looks like an expression is compared as text."""
    expr = from_rows(Group("and", (Row("user.a", "==", "literal", '" or true or "'),)))

    assert expr.text == r'user.a == "\" or true or \""'


def test_an_empty_group():
    """A group without rows is an error, not a condition that always holds."""
    with pytest.raises(ExpressionError, match="says nothing"):
        from_rows(Group("and", ()))
