"""Compiles values and names to closures; their result None means missing (R17)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from math import isfinite
from typing import Any, Final, assert_never

from transforms.flows.clock.delays import Delay, after
from transforms.flows.clock.zones import instant_of
from transforms.flows.expressions.evaluation import dates
from transforms.flows.expressions.reads import series_key
from transforms.flows.expressions.syntax import ast
from transforms.flows.expressions.view import View
from transforms.flows.state.limits import LARGEST
from transforms.flows.state.series import average, counted, maximum, minimum, newest, oldest, total
from transforms.flows.state.stored import Series

Getter = Callable[[View], Any]


def _path(node: ast.Path) -> Getter:
    source = _source(node)
    path = node.path[1:] if node.root == "communications" else node.path
    if not path:
        return source
    first, rest = path[0], path[1:]
    if not rest and isinstance(first, str) and node.root not in ("item", "communications"):
        return _field(node.root, first, source)

    def get(view: View) -> Any:
        return _follow(source(view), path)

    return get


def _source(node: ast.Path) -> Getter:
    match node.root:
        case "event":
            return lambda view: view.event
        case "entry":
            return lambda view: view.entry
        case "user":
            return lambda view: view.traits
        case "participant":
            return lambda view: view.participant
        case "session":
            return lambda view: view.variables
        case "communication":
            return lambda view: view.communication
        case "message":
            return lambda view: view.message
        case "communications":
            step = str(node.path[0])
            return lambda view: view.communications.get(step)
        case "item":
            return lambda view: view.item
        case _:
            assert_never(node.root)


def _field(root: str, name: str, source: Getter) -> Getter:
    match root:
        case "event":

            def event_field(view: View) -> Any:
                event = view.event
                return None if event is None else event.get(name)

            return event_field
        case "user":
            return lambda view: view.traits.get(name)
        case "entry":
            return lambda view: view.entry.get(name)
        case _:

            def field(view: View) -> Any:
                data = source(view)
                return None if data is None else data.get(name)

            return field


def _follow(value: Any, path: tuple[ast.Segment, ...]) -> Any:
    for segment in path:
        if isinstance(segment, str):
            if not isinstance(value, dict):
                return None
            value = value.get(segment)
        elif isinstance(value, (list, tuple)) and segment < len(value):
            value = value[segment]
        else:
            return None
    return value


def _fact(node: ast.Fact) -> Getter:
    """Compile a fact; the time of the event is missing where there is no event."""
    match node.name:
        case "event.time":
            return lambda view: None if view.event is None else view.event_time
        case "session.id":
            return lambda view: view.session_id or None
        case "session.started":
            return lambda view: view.session_started if view.session_id else None
        case "visit.count":
            return lambda view: view.presence.count if view.presence else 0
        case "visit.started":
            return lambda view: view.presence.started if view.presence else None
        case "visit.last":
            return lambda view: view.presence.last if view.presence else None
        case "visit.events":
            return lambda view: view.presence.events if view.presence else 0
        case _:
            assert_never(node.name)


def _flow(node: ast.FlowFact) -> Getter:
    flow = node.flow
    match node.fact:
        case "in":
            return lambda view: view.flows(flow).inside
        case "step":
            return lambda view: view.flows(flow).step
        case "times":
            return lambda view: view.flows(flow).times
        case _:
            assert_never(node.fact)


def _member(node: ast.Member) -> Getter:
    audience = node.audience
    if node.since:
        return lambda view: view.audiences.get(audience)
    return lambda view: audience in view.audiences


def _consent(node: ast.Consent) -> Getter:
    name = node.name
    return lambda view: view.consents(name)


def _tag(node: ast.Tagged) -> Getter:
    tag = node.tag
    return lambda view: tag in view.tags


_SIGNS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_READERS: Final[dict[str, Callable[[Series, int | None], float | None]]] = {
    "count": counted,
    "sum": total,
    "min": minimum,
    "max": maximum,
    "average": average,
    "first": lambda series, since: series.first if since is None else oldest(series, since),
    "last": lambda series, since: series.last if since is None else newest(series, since),
}


def literal(node: ast.Value) -> Any:
    """Return the value of a literal; None for any other node."""
    match node:
        case ast.Text(value) | ast.Number(value) | ast.Flag(value):
            return value
        case ast.Items(items):
            return [item.value for item in items]
        case _:
            return None


def value_of(node: ast.Value) -> Getter:
    """Compile a value."""
    match node:
        case ast.Text() | ast.Number() | ast.Flag() | ast.Items():
            constant = literal(node)
            return lambda view: constant
        case ast.Now():
            return lambda view: view.now
        case ast.Path():
            return _path(node)
        case ast.Fact():
            return _fact(node)
        case ast.FlowFact():
            return _flow(node)
        case ast.Member():
            return _member(node)
        case ast.Tagged():
            return _tag(node)
        case ast.Consent():
            return _consent(node)
        case ast.Part():
            return _part(node)
        case ast.Arithmetic():
            return _arithmetic(node)
        case ast.Calculated():
            return _calculated(node)
        case _:
            assert_never(node)


def date_of(node: ast.Value) -> Callable[[View], int | None]:
    """Compile a value that is read as a date; None if it is missing or not a date (counted)."""
    get = value_of(node)
    if _is_instant(node):
        return get

    def date(view: View) -> int | None:
        value = get(view)
        if value is None:
            return None
        t = instant_of(value, view.zone)
        if t is None:
            view.mismatches += 1
        return t

    return date


def _is_instant(node: ast.Value) -> bool:
    match node:
        case ast.Now() | ast.Fact(
            "event.time" | "session.started" | "visit.started" | "visit.last"
        ):
            return True
        case ast.Member(since=since):
            return since
        case ast.Calculated(function):
            return function in ("first", "last")
        case _:
            return False


def _part(node: ast.Part) -> Getter:
    if node.part == "length":
        get = value_of(node.of)

        def length(view: View) -> int | None:
            value = get(view)
            if isinstance(value, (str, list, tuple)):
                return len(value)
            view.mismatches += value is not None
            return None

        return length
    part, date = node.part, date_of(node.of)

    def date_part(view: View) -> int | str | None:
        t = date(view)
        return None if t is None else dates.part_of(part, t, view.zone)

    return date_part


def _arithmetic(node: ast.Arithmetic) -> Getter:
    left, right = value_of(node.left), value_of(node.right)
    apply = _SIGNS[node.op]

    def calculate(view: View) -> float | None:
        a, b = left(view), right(view)
        if a is None or b is None:
            return None
        if a.__class__ in (int, float) and b.__class__ in (int, float):
            try:
                result: float = apply(a, b)
                if isfinite(result) and abs(result) <= LARGEST:
                    return result
            except (ZeroDivisionError, OverflowError):
                pass
        view.mismatches += 1
        return None

    return calculate


def _calculated(node: ast.Calculated) -> Getter:
    key, read, since = series_key(node), _READERS[node.function], node.since
    missing = 0 if node.function in ("count", "sum") else None
    width = since.ms if isinstance(since, Delay) else 0

    def calculated(view: View) -> float | None:
        series = view.series.get(key)
        if series is None:
            return missing
        if width:
            return read(series, view.now - width)
        return read(series, None if since is None else view.session_started)

    return calculated


def value_change(node: ast.Value) -> Callable[[View], int | None] | None:
    """Compile the next instant at which time alone can change a value; None if never (R18)."""
    match node:
        case ast.Calculated(since=since) if isinstance(since, Delay):
            return _expiry(node, since)
        case ast.Part(part, ast.Now()):
            return lambda view: dates.next_part(part, view.now, view.zone)
        case ast.Part(of=of):
            return value_change(of)
        case ast.Arithmetic(_, left, right):
            return earliest(value_change(left), value_change(right))
        case _:
            return None


def _expiry(node: ast.Calculated, since: Delay) -> Callable[[View], int | None]:
    key = series_key(node)
    edge_of = newest if node.function == "last" else oldest

    def expiry(view: View) -> int | None:
        series = view.series.get(key)
        if series is None:
            return None
        start = view.now - since.ms
        t = edge_of(series, start)
        return None if t is None else after(since, t, view.zone)

    return expiry


def earliest(*changes: Callable[[View], int | None] | None) -> Callable[[View], int | None] | None:
    """Combine next instants of change: the earliest counts."""
    known = tuple(change for change in changes if change is not None)
    if len(known) < 2:
        return known[0] if known else None

    def change(view: View) -> int | None:
        return min((t for each in known if (t := each(view)) is not None), default=None)

    return change
