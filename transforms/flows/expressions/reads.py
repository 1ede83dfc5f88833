"""What an expression reads, so that exactly this is stored and checked again (R18)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Literal

import msgspec

from transforms.flows.clock.delays import Delay
from transforms.flows.clock.zones import DAY
from transforms.flows.expressions.syntax import ast
from transforms.flows.expressions.syntax.operators import MOVING
from transforms.flows.expressions.syntax.write import to_text

SINCE_ENTRY = 400 * DAY
"""How long the events for ``since entry`` are kept: as long as the longest wait."""


class Aggregate(msgspec.Struct, frozen=True, gc=False):
    """The series of an aggregate, stored under ``key`` in ``view.series``.

    Every event of this name for which ``where`` is true is added, with its ``value`` if there is
    one; without a name, every message that leaves. Single events are kept for ``horizon`` ms; 0 if
    only totals over all time are read.
    ``since`` is the period, "entry" or None.
    """

    event: str | None
    where: ast.Expr | None
    value: ast.Expr | None
    since: Delay | Literal["entry"] | None
    key: str
    horizon: int


class Reads(msgspec.Struct, frozen=True, gc=False):
    """The names that an expression reads; for a path its first part.

    ``communications`` are send steps, ``communication`` the fields of the current one, ``message``
    those of a message from the user, ``facts`` are ``event.time``, ``session.id``, ``visit.count`` and the
    like, and ``now``.
    ``consents`` are channels and topics. ``timed``: its result can change as time passes.
    """

    aggregates: tuple[Aggregate, ...] = ()
    traits: frozenset[str] = frozenset()
    entry_fields: frozenset[str] = frozenset()
    event_fields: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()
    participant_fields: frozenset[str] = frozenset()
    audiences: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    communications: frozenset[str] = frozenset()
    communication: frozenset[str] = frozenset()
    flows: frozenset[str] = frozenset()
    facts: frozenset[str] = frozenset()
    timed: bool = False
    message: frozenset[str] = frozenset()
    consents: frozenset[str] = frozenset()

    @property
    def messages(self) -> bool:
        """Whether it counts messages that leave."""
        return any(aggregate.event is None for aggregate in self.aggregates)


def series_key(node: ast.Calculated) -> str:
    """Return the permanent key of a series: a hash of event, where and value.

    Aggregates that differ only in function or period share a series.
    """
    parts = [node.event, *(to_text(part) if part else None for part in (node.where, node.value))]
    return blake2b(json.dumps(parts).encode(), digest_size=4).hexdigest()


def aggregate(node: ast.Calculated) -> Aggregate:
    """Return the series that an aggregate needs."""
    horizon = 0
    if isinstance(node.since, Delay):
        horizon = node.since.ms
    elif node.since is not None:
        horizon = SINCE_ENTRY
    where, value = (
        None if part is None else ast.Expr(to_text(part), part) for part in (node.where, node.value)
    )
    return Aggregate(node.event, where, value, node.since, series_key(node), horizon)


def counted_events(aggregates: Iterable[Aggregate]) -> Iterator[str]:
    """Yield the names of the events that aggregates count."""
    return (a.event for a in aggregates if a.event is not None)


_FIELDS = {
    "event": "event_fields",
    "entry": "entry_fields",
    "user": "traits",
    "participant": "participant_fields",
    "session": "variables",
    "communication": "communication",
    "communications": "communications",
    "message": "message",
}


def reads_of(expr: ast.Expr) -> Reads:
    """List what an expression reads."""
    names_by_field: defaultdict[str, set[str]] = defaultdict(set)
    aggregates: dict[Aggregate, None] = {}
    for node in _outside_aggregates(expr.root):
        if isinstance(node, ast.Calculated):
            aggregates[aggregate(node)] = None
        for field, name in _names(node):
            names_by_field[field].add(name)
    return Reads(
        aggregates=tuple(aggregates),
        **{name: frozenset(names) for name, names in names_by_field.items()},
        timed=isinstance(expr.root, ast.Now) or any(map(changes_with_time, ast.walk(expr.root))),
    )


def _outside_aggregates(node: ast.Node) -> Iterator[ast.Node]:
    """Yield a node and those below it; what is within an aggregate reads only the counted event."""
    yield node
    for child in () if isinstance(node, ast.Calculated) else ast.children(node):
        yield from _outside_aggregates(child)


def _names(node: ast.Node) -> Iterator[tuple[str, str]]:
    """Yield the names that a node reads, each with its field of ``Reads``."""
    match node:
        case ast.Path(root, path) if root in _FIELDS and path:
            yield _FIELDS[root], str(path[0])
        case ast.Member(audience):
            yield "audiences", audience
        case ast.Tagged(tag):
            yield "tags", tag
        case ast.Consent(name):
            yield "consents", name
        case ast.FlowFact(flow):
            yield "flows", flow
        case ast.Fact(name):
            yield "facts", name
        case ast.Now():
            yield "facts", "now"
        case ast.Calculated(since="entry"):
            yield "facts", "session.started"


def changes_with_time(node: ast.Node) -> bool:
    """Return True if time alone can change the value of a node, its children aside."""
    match node:
        case ast.Test(op) | ast.Span(op):
            return op in MOVING
        case ast.Calculated(since=since):
            return isinstance(since, Delay)
        case ast.Compare(_, left, right):
            return isinstance(left, ast.Now) or isinstance(right, ast.Now)
        case ast.Part(_, of):
            return isinstance(of, ast.Now)
        case _:
            return False
