"""Conditions as rows of field, operator and value, joined by and / or: what a canvas edits.

Rows and text are two faces of one thing: ``from_rows(rows(x)) == x`` wherever rows exist.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from transforms.flows.expressions.ast import (
    And,
    Between,
    Compare,
    Decision,
    Expr,
    Flag,
    Items,
    Node,
    Not,
    Number,
    Or,
    Quantified,
    Span,
    Test,
    Text,
    Value,
)
from transforms.flows.expressions.operators import OPERATORS
from transforms.flows.expressions.parsing import parse
from transforms.flows.expressions.problems import ExpressionError, ExprProblem
from transforms.flows.expressions.suggestions import close
from transforms.flows.expressions.values import literal
from transforms.flows.expressions.writing import write
from transforms.flows.times import TimeSyntaxError, parse_delay

HOLDS, FAILS = "is true", "is not true"
"""Operators of rows for a bare value: ``audience.vip`` and ``not audience.vip``."""

Kind = Literal["none", "literal", "name", "pair", "duration"]


class Row(msgspec.Struct, frozen=True, gc=False):
    """One line of a form. ``field`` is the text of a value.

    ``value`` by ``kind``: nothing; a text, number, boolean or list; the text of another
    name; two literals; a duration.
    """

    field: str
    operator: str
    kind: Kind = "none"
    value: Any = None


class Group(msgspec.Struct, frozen=True, gc=False):
    """Rows and groups that must all hold (and), or one of which must (or)."""

    join: Literal["and", "or"]
    rows: tuple[Row | Group, ...]


def rows(expr: Expr) -> Group | None:
    """Take a condition apart into rows; None if it cannot be shown as rows.

    That is so for ``not`` before anything but a bare value, and for calculated limits
    of ``between``.
    """
    found = _shown(expr.root)
    return Group("and", (found,)) if isinstance(found, Row) else found


def _shown(node: Node) -> Row | Group | None:
    match node:
        case And(terms):
            return _group("and", terms)
        case Or(terms):
            return _group("or", terms)
        case Compare(op, left, right):
            return _compared(op, left, right)
        case Between(op, of, low, high):
            if not (_is_literal(low) and _is_literal(high)):
                return None
            return Row(write(of), op, "pair", [literal(low), literal(high)])
        case Test(op, of):
            return Row(write(of), op)
        case Span(op, of, delay):
            return Row(write(of), op, "duration", delay.text)
        case Not(of):
            shown = isinstance(of, Value | Quantified)
            return Row(write(of), FAILS) if shown else None
        case _:
            return Row(write(node), HOLDS)


def _group(join: Literal["and", "or"], terms: tuple[Node, ...]) -> Group | None:
    found = [_shown(term) for term in terms]
    kept = tuple(row for row in found if row is not None)
    return Group(join, kept) if len(kept) == len(found) else None


def _compared(op: str, left: Value, right: Value) -> Row:
    if _is_literal(right):
        return Row(write(left), op, "literal", literal(right))
    return Row(write(left), op, "name", write(right))


def _is_literal(node: Value) -> bool:
    return isinstance(node, Text | Number | Flag | Items)


def from_rows(group: Group) -> Expr:
    """Put rows together again; raises ``ExpressionError`` with what is wrong with them."""
    return parse(write(_joined(group)))


def _joined(group: Group) -> Node:
    if not group.rows:
        raise _error("a group without rows says nothing", "empty")
    nodes = [_joined(row) if isinstance(row, Group) else _node(row) for row in group.rows]
    if len(nodes) == 1:
        return nodes[0]
    return And(tuple(nodes)) if group.join == "and" else Or(tuple(nodes))


def _node(row: Row) -> Node:
    field = parse(row.field).root
    if row.operator in (HOLDS, FAILS) and isinstance(field, Value | Quantified):
        return field if row.operator == HOLDS else Not(field)
    if isinstance(field, Decision):
        raise _error(f'"{row.field}" is a condition, not a field', "not-a-value")
    operator = OPERATORS.get(row.operator)
    if operator is None:
        meant = close(row.operator, OPERATORS)
        raise _error(f'"{row.operator}" is no operator', "unknown-operator", meant)
    match operator.right:
        case "":
            return Test(operator.name, field)
        case "delay" | "days":
            return _span(operator.name, field, row.value)
        case "pair":
            return _between(operator.name, field, row.value)
        case _:
            return Compare(operator.name, field, _right(row))


def _right(row: Row) -> Value:
    if row.kind != "name":
        return _literal(row.value)
    root = parse(str(row.value)).root
    if isinstance(root, Decision):
        raise _error(f'"{row.value}" is a condition, not a value', "not-a-value")
    return root


def _span(op: str, field: Value, value: Any) -> Span:
    try:
        return Span(op, field, parse_delay(str(value)))
    except TimeSyntaxError as error:
        raise _error(str(error), "bad-duration", error.suggestion) from None


def _between(op: str, field: Value, value: Any) -> Between:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise _error(f'"{op}" takes two values', "syntax")
    low, high = (_literal(end) for end in value)
    return Between("between" if op == "between" else "not between", field, low, high)


def _literal(value: Any) -> Text | Number | Flag | Items:
    if isinstance(value, (list, tuple)):
        items = [_literal(item) for item in value]
        return Items(tuple(item for item in items if not isinstance(item, Items)))
    if isinstance(value, bool):
        return Flag(value)
    if isinstance(value, str):
        return Text(value)
    if isinstance(value, (int, float)) and abs(value) < 10**15:
        return Number(value)
    raise _error(f"{value!r} cannot stand in an expression", "bad-number")


def _error(message: str, code: str, meant: str | None = None) -> ExpressionError:
    return ExpressionError([ExprProblem(0, 0, message, code, meant)])
