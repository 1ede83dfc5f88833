"""Compiles expressions to closures, once per definition.

A missing value makes every operator false; so does a value of the wrong type, which is counted
(R17).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from transforms.flows.expressions.evaluation import dates
from transforms.flows.expressions.evaluation.changes import change_of
from transforms.flows.expressions.evaluation.relations import DATES, KINDS, RELATIONS
from transforms.flows.expressions.evaluation.values import Getter, date_of, literal, value_of
from transforms.flows.expressions.syntax import ast
from transforms.flows.expressions.syntax.operators import OPERATORS
from transforms.flows.expressions.syntax.patterns import compile_pattern
from transforms.flows.expressions.view import Condition, View


def compile_condition(expr: ast.Expr) -> Condition:
    """Compile an expression as a condition; a single value must be ``true``."""
    test = _test(expr.root)
    change = change_of(expr.root) if isinstance(expr.root, ast.Decision) else None
    return Condition(test, change)


def compile_value(expr: ast.Expr) -> Callable[[View], Any]:
    """Compile an expression as a value: None if it is missing, True or False for a condition."""
    root = expr.root
    return value_of(root) if isinstance(root, ast.Value) else _test(root)


def _test(node: ast.Node) -> Check:
    match node:
        case ast.Compare():
            return _compare(node)
        case ast.Between():
            return _between(node)
        case ast.Test():
            return _unary(node)
        case ast.Span(op, of, delay):
            return _in_intervals(of, dates.intervals(op, delay))
        case ast.Quantified():
            return _quantified(node)
        case ast.Not(of):
            inner = _test(of)
            return lambda view: not inner(view)
        case ast.And(terms):
            return _all([_test(term) for term in terms])
        case ast.Or(terms):
            return _any([_test(term) for term in terms])
        case _:
            return _true(node)


def _true(node: ast.Value) -> Check:
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


def _quantified(node: ast.Quantified) -> Check:
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


Check = Callable[[View], bool]

_EMPTY: Final[tuple[Any, ...]] = (None, "", [], {}, ())


def _compare(node: ast.Compare) -> Check:
    """Compile an operator with a value on both sides."""
    right = OPERATORS[node.op].right
    if right == "date":
        return _on(node) if node.op == "on" else _dated(node)
    get = value_of(node.left)
    constant = literal(node.right)
    if right == "pattern":
        return _pattern(node.op, get, constant)
    quick = _QUICK.get((node.op, KINDS.get(constant.__class__, "")))
    if quick is not None:
        return quick(get, constant)
    return _related(node.op, get, value_of(node.right))


def _related(op: str, left: Getter, right: Getter) -> Check:
    relation = RELATIONS[op]

    def test(view: View) -> bool:
        a, b = left(view), right(view)
        if a is None or b is None:
            return False
        result = relation(a, b)
        if result is None:
            view.mismatches += 1
            return False
        return result

    return test


def _equals_text(get: Getter, text: Any) -> Check:
    def test(view: View) -> bool:
        value = get(view)
        if value == text:
            return True
        if value is not None and value.__class__ is not str:
            view.mismatches += 1
        return False

    return test


def _equals_number(get: Getter, number: Any) -> Check:
    def test(view: View) -> bool:
        value = get(view)
        if value.__class__ is int or value.__class__ is float:
            return bool(value == number)
        if value is not None:
            view.mismatches += 1
        return False

    return test


def _at_least(get: Getter, number: Any) -> Check:
    def test(view: View) -> bool:
        value = get(view)
        if value.__class__ is int or value.__class__ is float:
            return bool(value >= number)
        if value is not None:
            view.mismatches += 1
        return False

    return test


def _more_than(get: Getter, number: Any) -> Check:
    def test(view: View) -> bool:
        value = get(view)
        if value.__class__ is int or value.__class__ is float:
            return bool(value > number)
        if value is not None:
            view.mismatches += 1
        return False

    return test


def _one_of(get: Getter, items: Any) -> Check:
    texts = frozenset(items)

    def test(view: View) -> bool:
        value = get(view)
        if value.__class__ is str:
            return value in texts
        if value is not None:
            view.mismatches += 1
        return False

    return test


def _one_of_several(get: Getter, items: Any) -> Check:
    if items and all(item.__class__ is str for item in items):
        return _one_of(get, items)
    return _related("in", get, lambda view: items)


_QUICK: Final[dict[tuple[str, str], Callable[[Getter, Any], Check]]] = {
    ("==", "text"): _equals_text,
    ("==", "number"): _equals_number,
    (">=", "number"): _at_least,
    (">", "number"): _more_than,
    ("in", "list"): _one_of_several,
}
"""The most frequent comparisons, each without a second call."""


def _pattern(op: str, get: Getter, pattern: str) -> Check:
    negated = op.startswith("not ")
    search = compile_pattern(pattern, ignore_case="imatches" in op).search

    def test(view: View) -> bool:
        value = get(view)
        if value.__class__ is str:
            return (search(value) is None) is negated
        view.mismatches += value is not None
        return False

    return test


def _dated(node: ast.Compare) -> Check:
    left, right, relation = date_of(node.left), date_of(node.right), DATES[node.op]

    def test(view: View) -> bool:
        a, b = left(view), right(view)
        return a is not None and b is not None and relation(a, b)

    return test


def _on(node: ast.Compare) -> Check:
    left, right = date_of(node.left), date_of(node.right)
    today = dates.intervals("on", None)

    def test(view: View) -> bool:
        a, b = left(view), right(view)
        return a is not None and b is not None and today.holds(a, b, view.zone)

    return test


def _between(node: ast.Between) -> Check:
    """Compile ``between``: both ends are included."""
    of, low, high = value_of(node.of), value_of(node.low), value_of(node.high)
    least, most = RELATIONS[">="], RELATIONS["<="]
    inside = node.op == "between"

    def test(view: View) -> bool:
        value, a, b = of(view), low(view), high(view)
        if value is None or a is None or b is None:
            return False
        above, below = least(value, a), most(value, b)
        if above is None or below is None:
            view.mismatches += 1
            return False
        return (above and below) is inside

    return test


def _unary(node: ast.Test) -> Check:
    """Compile an operator with nothing on the right."""
    get = value_of(node.of)
    match node.op:
        case "is set":
            return lambda view: get(view) is not None
        case "is not set":
            return lambda view: get(view) is None
        case "is empty":
            return lambda view: get(view) in _EMPTY
        case "is not empty":
            return lambda view: get(view) not in _EMPTY
        case _:
            return _in_intervals(node.of, dates.intervals(node.op, None))


def _in_intervals(of: ast.Value, intervals: dates.Intervals) -> Check:
    date = date_of(of)

    def test(view: View) -> bool:
        t = date(view)
        return t is not None and intervals.holds(t, view.now, view.zone)

    return test
