"""An expression to closures: ``compile_condition`` and ``compile_value``, once per definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transforms.flows.expressions.evaluation import conditions
from transforms.flows.expressions.evaluation.changes import change_of
from transforms.flows.expressions.evaluation.condition import Condition
from transforms.flows.expressions.evaluation.conditions import Check
from transforms.flows.expressions.evaluation.values import value_of
from transforms.flows.expressions.syntax.ast import (
    And,
    Between,
    Compare,
    Decision,
    Expr,
    Node,
    Not,
    Or,
    Quantified,
    Span,
    Test,
    Value,
)
from transforms.flows.expressions.view import View


def compile_condition(expr: Expr) -> Condition:
    """Compile an expression as a condition; a bare value holds if it is ``true``."""
    test = _test(expr.root)
    change = change_of(expr.root) if isinstance(expr.root, Decision) else None
    if change is None:
        return Condition(test, False, _never)

    def next_change(view: View) -> int | None:
        counted = view.mismatches
        t = change(view)
        view.mismatches = counted  # asking when is no comparison
        return t

    return Condition(test, True, next_change)


def compile_value(expr: Expr) -> Callable[[View], Any]:
    """Compile an expression as a value; None is missing, a condition gives true or false."""
    root = expr.root
    return value_of(root) if isinstance(root, Value) else _test(root)


def _never(view: View) -> int | None:
    return None


def _test(node: Node) -> Check:
    match node:
        case Compare():
            return conditions.compare(node)
        case Between():
            return conditions.between(node)
        case Test():
            return conditions.unary(node)
        case Span():
            return conditions.span(node)
        case Quantified():
            return _quantified(node)
        case Not(of):
            inner = _test(of)
            return lambda view: not inner(view)
        case And(terms):
            return _all([_test(term) for term in terms])
        case Or(terms):
            return _any([_test(term) for term in terms])
        case _:
            return _true(node)


def _true(node: Value) -> Check:
    get = value_of(node)

    def test(view: View) -> bool:
        value = get(view)
        if value is True:
            return True
        if value is not None and value is not False:
            view.mismatches += 1
        return False

    return test


def _all(tests: list[Check]) -> Check:
    match tests:
        case [a, b]:
            return lambda view: a(view) and b(view)
        case [a, b, c]:
            return lambda view: a(view) and b(view) and c(view)
        case [a, b, c, d]:
            return lambda view: a(view) and b(view) and c(view) and d(view)
        case _:
            return lambda view: all(test(view) for test in tests)


def _any(tests: list[Check]) -> Check:
    match tests:
        case [a, b]:
            return lambda view: a(view) or b(view)
        case [a, b, c]:
            return lambda view: a(view) or b(view) or c(view)
        case _:
            return lambda view: any(test(view) for test in tests)


def _quantified(node: Quantified) -> Check:
    items_of, where = value_of(node.of), _test(node.where)
    every = node.which == "all"

    def test(view: View) -> bool:
        items = items_of(view)
        if not isinstance(items, (list, tuple)):
            view.mismatches += items is not None
            return False
        outer = view.item
        try:
            for view.item in items:
                if where(view) is not every:
                    return not every
            return every and bool(items)
        finally:
            view.item = outer

    return test
