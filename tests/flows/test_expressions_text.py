"""Expressions as text: one canonical form, and every problem with its place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.flows.expression_strategies import conditions, values
from transforms.flows.expressions.syntax import ast
from transforms.flows.expressions.syntax.ast import ExpressionError
from transforms.flows.expressions.syntax.operators import OPERATORS
from transforms.flows.expressions.syntax.parse import parse
from transforms.flows.expressions.syntax.write import to_text

# Strategies for a whole language have long names.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

CANONICAL = [
    ("event.value>=20", "event.value >= 20"),
    ("event.name == 'Jo\"e'", r'event.name == "Jo\"e"'),
    ("((event.a)) and (event.b and event.c)", "event.a and event.b and event.c"),
    ("(event.a or event.b) and event.c", "(event.a or event.b) and event.c"),
    ("not (event.a and event.b)", "not (event.a and event.b)"),
    ("not event.a and event.b", "not event.a and event.b"),
    ("event.a + 1 * 2 > (3 - (2 - 1)) / 4", "event.a + 1 * 2 > (3 - (2 - 1)) / 4"),
    ("(event.a + 1) * 2 > 3", "(event.a + 1) * 2 > 3"),
    ('event["Order Id"] == 5', 'event["Order Id"] == 5'),
    ('event["city"] == "x"', 'event.city == "x"'),
    ("event.items[0].sku is set", "event.items[0].sku is set"),
    ('event["time"] is set', 'event["time"] is set'),
    ('event.time after "2026-01-01"', 'event.time after "2026-01-01"'),
    ('user.a not   icontains "x"', 'user.a not icontains "x"'),
    ("event.i == 5", "event.i == 5"),
    ("event.i==5", "event.i == 5"),
    ('event.x i== "a"', 'event.x i== "a"'),
    ('user.plan in ["a","b" , 3]', 'user.plan in ["a", "b", 3]'),
    ("event.x == 5.0", "event.x == 5"),
    ("event.x == -0.50", "event.x == -0.5"),
    ("length of event.items between 1 and 3", "length of event.items between 1 and 3"),
    ("weekday of now in ['sat']", 'weekday of now in ["sat"]'),
    ("audience.vip.since more than 3d ago", "audience.vip.since more than 3d ago"),
    ('flow["a-b"].times == 0', 'flow["a-b"].times == 0'),
    ("communications.offer.status == 'read'", 'communications.offer.status == "read"'),
    (
        "any( event.items where item.price>10 and item.sku starts with 'A' )",
        'any(event.items where item.price > 10 and item.sku starts with "A")',
    ),
    (
        "count(event 'Order Completed' where event.total > 10 within last 90d) >= 2",
        'count(event "Order Completed" where event.total > 10 within last 90d) >= 2',
    ),
    (
        "sum(event.total*2 of event 'X' where event.paid since entry)>1",
        'sum(event.total * 2 of event "X" where event.paid since entry) > 1',
    ),
    ("last(event 'X') more than 60d ago", 'last(event "X") more than 60d ago'),
    (
        "user.birthday is anniversary within next 7d",
        "user.birthday is anniversary within next 7d",
    ),
    ("user.x within last 3 hours", "user.x within last 3h"),
    ('count(event "A" within last 1 week) > 2', 'count(event "A" within last 1w) > 2'),
    ("user.x more than 1 month ago", "user.x more than 1mo ago"),
    (r'user.code matches "^\d+\.$"', r'user.code matches "^\d+\.$"'),
    (r'user.code == "a\\nb"', r'user.code == "a\\nb"'),
]


@pytest.mark.parametrize(("written", "canonical"), CANONICAL)
def test_canonical_text(written, canonical):
    """Every way to write an expression has one canonical text, which is a fixed point."""
    expr = parse(written)

    assert expr.text == canonical
    assert parse(canonical) == expr
    assert parse(canonical).root == expr.root


@given(conditions | values)
@settings(max_examples=250, deadline=None)
def test_the_canonical_text_parses_to_the_same_nodes(root):
    """Every expression that can be built is written as text that parses to the same nodes."""
    text = to_text(root)

    assert parse(text).root == root
    assert parse(text).text == text


PROBLEMS = [
    ("event.x = 5", [(8, 1, "unknown-sign", "==")]),
    ("event.x && event.y", [(8, 2, "unknown-sign", "and")]),
    ("event.x is sett", [(8, 2, "unknown-operator", "is set")]),
    ('event.x is "DE"', [(8, 2, "unknown-operator", "==")]),
    ("event.x is not 3", [(8, 2, "unknown-operator", "!=")]),
    ("event.x AND event.y", [(8, 3, "unknown-operator", "and")]),
    ("event.x startswith 'a'", [(8, 10, "unknown-operator", "starts with")]),
    ("event.x == DE", [(11, 2, "unknown-name", '"DE"')]),
    ("evnt.x == 5", [(0, 4, "unknown-name", "event")]),
    ("event.x == null", [(11, 4, "unknown-name", "is not set")]),
    ("cuont(event 'X') > 1", [(0, 5, "unknown-function", "count")]),
    ("event.x == 'abc", [(11, 4, "unclosed-text", None)]),
    ("event.x == “abc”", [(11, 5, "unknown-sign", '"abc"')]),
    ("event.x == 3x", [(11, 2, "bad-number", None)]),
    (
        "user.x within last 3hrs",
        [(7, 6, "unknown-operator", "within last 30d"), (19, 4, "bad-number", "3h")],
    ),
    ("event.x == 1234567890123456", [(11, 16, "bad-number", None)]),
    ("event.x > 30d", [(10, 3, "misplaced-duration", None)]),
    ("(event.x", [(8, 0, "syntax", None)]),
    ("event.x)", [(7, 1, "syntax", None)]),
    ("event", [(0, 5, "syntax", None)]),
    ("event '.'", [(0, 5, "syntax", None)]),
    ("event.x 'and'", [(8, 5, "unknown-operator", None)]),
    ("tag.a.b", [(0, 3, "unknown-name", None)]),
    ("", [(0, 0, "empty", None)]),
    ("   ", [(3, 0, "empty", None)]),
    ("event.x matches '('", [(16, 3, "bad-pattern", None)]),
    ("event.x matches event.y", [(8, 7, "bad-pattern", None)]),
    ("event.x in [DE]", [(12, 2, "bad-list", '"DE"')]),
    ("((event.x == 1) + 2) == 3", [(2, 12, "not-a-value", None)]),
    ("now > 3", [(0, 3, "now", None)]),
    ("item.x == 3", [(0, 4, "item-scope", None)]),
    ("count('X') > 2", [(6, 3, "syntax", None)]),
    ("sum(event 'X') > 2", [(4, 5, "syntax", None)]),
    ("count(event 'X' where user.a) > 2", [(22, 4, "aggregate-scope", None)]),
    ("count(message where event.a) > 2", [(20, 5, "aggregate-scope", None)]),
    ("sum(event.a of message) > 2", [(15, 7, "syntax", None)]),
    ("consent.email.news", [(0, 7, "unknown-name", None)]),
    ("count(event 'X' within last 1mo) > 2", [(28, 3, "bad-duration", "30d")]),
    ("count(event 'X' within last '3d') > 2", [(28, 4, "bad-duration", None)]),
    ("count(event 'X' within last 401d) > 2", [(28, 4, "bad-duration", "400d")]),
    ("user.a exactly 5h ago", [(15, 2, "bad-duration", None)]),
    ("user.a is anniversary within next 1mo", [(34, 3, "bad-duration", None)]),
    (
        "evnt.x = 5 and (event.y is sett or now > 3) and event.z == 'a",
        [
            (0, 4, "unknown-name", "event"),
            (7, 1, "unknown-sign", "=="),
            (24, 2, "unknown-operator", "is set"),
            (35, 3, "now", None),
            (59, 2, "unclosed-text", None),
        ],
    ),
]


@pytest.mark.parametrize(("text", "expected"), PROBLEMS)
def test_problems_have_places_and_suggestions(text, expected):
    """Every problem is reported at once, with its place, a code and a suggestion."""
    with pytest.raises(ExpressionError) as caught:
        parse(text)

    found = [(p.offset, p.length, p.code, p.suggestion) for p in caught.value.problems]
    assert found == expected
    assert all(p.message for p in caught.value.problems)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100 + "event.x" + ")" * 100,
        "not " * 100 + "event.x",
        "event.x > " + "1+" * 100 + "1",
        "length of " * 100 + "event.x",
    ],
)
def test_depth_is_bounded(text):
    """An expression is at most 64 levels deep, however the depth arises."""
    with pytest.raises(ExpressionError) as caught:
        parse(text)

    assert [p.code for p in caught.value.problems] == ["too-deep"]


def test_length_is_bounded():
    """An expression has at most 4096 characters, and a pattern at most 256."""
    with pytest.raises(ExpressionError) as caught:
        parse("event.x == 1 and " * 300 + "event.x == 1")
    assert [p.code for p in caught.value.problems] == ["too-long"]

    with pytest.raises(ExpressionError) as caught:
        parse(f'event.x matches "{"a" * 257}"')
    assert [p.code for p in caught.value.problems] == ["bad-pattern"]


@given(st.text(max_size=40) | st.lists(
    st.sampled_from(["event.x", "==", "1", "and", "(", ")", "not", "is", "set", "in", "[", '"a"',
                     "count", "event", "'.'", "'entry'", "since", "'and'", "now", "item", "tag.a", "where", "within", "last", "3d", "any", ",", ".", "-"]),
    max_size=12,
).map(" ".join))  # fmt: skip
@settings(max_examples=400, deadline=None)
def test_any_text_is_parsed_or_refused(text):
    """For any text the parser returns an expression or problems within the text; it never fails."""
    expr, problems = _parsed(text)

    assert all(0 <= p.offset <= p.offset + p.length <= len(text) for p in problems)
    assert problems if expr is None else parse(expr.text) == expr


def _parsed(text):
    try:
        return parse(text), []
    except ExpressionError as error:
        return None, error.problems


def test_nodes_keep_their_place_in_the_original_text():
    """Each node keeps its place in the text as it was written, in the order of walk."""
    text = "  event.x   ==1 and   not tag.vip"
    expr = parse(text)

    pieces = [text[offset : offset + length] for offset, length in expr.spans]
    assert len(pieces) == len(list(ast.walk(expr.root)))
    assert pieces == [
        "event.x   ==1 and   not tag.vip", "event.x   ==1", "event.x", "1", "not tag.vip", "tag.vip",
    ]  # fmt: skip


@pytest.mark.parametrize("name", list(OPERATORS))
def test_every_operator_of_the_table_parses(name):
    """Every operator in the table can be written and parses to itself."""
    operator = OPERATORS[name]
    right = {
        "pattern": '"a"', "list": '["a"]', "pair": "1 and 2", "date": '"2026-01-01"',
        "delay": "", "days": "", "": "",
    }.get(operator.right, '"a"')  # fmt: skip
    expr = parse(f"user.x {name.replace('_', '3d')} {right}")

    assert expr.root.op == name
