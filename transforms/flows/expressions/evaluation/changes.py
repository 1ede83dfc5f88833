"""When time alone can change a condition: the earliest change of anything it reads (R18).

The instant is never too late, sometimes too early, since one change need not change the result.
"""

from __future__ import annotations

from collections.abc import Callable

from transforms.flows.expressions.evaluation import dates
from transforms.flows.expressions.evaluation.values import (
    Getter,
    date_of,
    earliest,
    value_change,
    value_of,
)
from transforms.flows.expressions.syntax import ast
from transforms.flows.expressions.syntax.operators import MOVING
from transforms.flows.expressions.view import View

Change = Callable[[View], int | None]


def change_of(node: ast.Node) -> Change | None:
    """Compile the next instant of change; None if time cannot change the node."""
    match node:
        case ast.Compare(op, ast.Now(), other) | ast.Compare(op, other, ast.Now()) if (
            not isinstance(other, ast.Now)
        ):
            return earliest(_comparison_change(op, other), _of_children(node))
        case ast.Test(op, of) if op in MOVING:
            return earliest(_interval_change(of, dates.intervals(op, None)), _of_children(node))
        case ast.Span(op, of, delay):
            return earliest(_interval_change(of, dates.intervals(op, delay)), _of_children(node))
        case ast.Quantified(_, of, where):
            inner = change_of(where)
            return None if inner is None else _items_change(of, inner)
        case _:
            return _of_children(node)


def _of_children(node: ast.Node) -> Change | None:
    return earliest(
        *(
            change_of(child) if not isinstance(child, ast.Value) else value_change(child)
            for child in ast.children(node)
        )
    )


def _interval_change(of: ast.Value, intervals: dates.Intervals) -> Change:
    date = date_of(of)

    def change(view: View) -> int | None:
        t = date(view)
        return None if t is None else intervals.next_edge(t, view.now, view.zone)

    return change


def _comparison_change(op: str, other: ast.Value) -> Change:
    if op == "on":
        return _interval_change(other, dates.intervals("on", None))
    date = date_of(other)

    def change(view: View) -> int | None:
        t = date(view)
        if t is None:
            return None
        # "after" and "until" change one ms after t, the others at t.
        return next((edge for edge in (t, t + 1) if edge > view.now), None)

    return change


def _items_change(of: ast.Value, inner: Change) -> Change:
    items_of: Getter = value_of(of)

    def change(view: View) -> int | None:
        items = items_of(view)
        if not isinstance(items, (list, tuple)):
            return None
        outer, edges = view.item, []
        for view.item in items:
            edges.append(inner(view))
        view.item = outer
        return min((t for t in edges if t is not None), default=None)

    return change
