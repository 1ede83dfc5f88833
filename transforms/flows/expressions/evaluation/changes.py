"""When a condition may change by time alone: the earliest edge of anything it reads (R18).

Never too late; sometimes early, since an edge need not change the whole. No polling.
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
from transforms.flows.expressions.syntax.ast import (
    Compare,
    Node,
    Now,
    Quantified,
    Span,
    Test,
    Value,
    children,
)
from transforms.flows.expressions.syntax.operators import MOVING
from transforms.flows.expressions.view import View

Change = Callable[[View], int | None]


def change_of(node: Node) -> Change | None:
    """Compile the next instant of change; None for what time does not touch."""
    match node:
        case Compare(op, Now(), other) | Compare(op, other, Now()) if not isinstance(other, Now):
            return earliest(_passing(op, other), _below(node))
        case Test(op, of) if op in MOVING:
            return earliest(_edges(of, dates.stretches(op, None)), _below(node))
        case Span(op, of, delay):
            return earliest(_edges(of, dates.stretches(op, delay)), _below(node))
        case Quantified(_, of, where):
            inner = change_of(where)
            return None if inner is None else _items_change(of, inner)
        case _:
            return _below(node)


def _below(node: Node) -> Change | None:
    return earliest(
        *(
            change_of(child) if not isinstance(child, Value) else value_change(child)
            for child in children(node)
        )
    )


def _edges(of: Value, stretches: dates.Stretches) -> Change:
    date = date_of(of)

    def change(view: View) -> int | None:
        t = date(view)
        return None if t is None else dates.next_edge(stretches, t, view.now, view.zone)

    return change


def _passing(op: str, other: Value) -> Change:
    if op == "on":
        return _edges(other, dates.stretches("on", None))
    date = date_of(other)

    def change(view: View) -> int | None:
        t = date(view)
        if t is None:
            return None
        # At t itself "after" and "until" have not turned yet: they turn one ms later.
        return next((edge for edge in (t, t + 1) if edge > view.now), None)

    return change


def _items_change(of: Value, inner: Change) -> Change:
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
