"""The nodes of an expression, and the problems of one. Equal texts have equal nodes.

A value gives data, a condition is true or false; a value used as a condition must be ``true``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

import msgspec

from transforms.flows.clock.delays import Delay

Root = Literal[
    "event", "entry", "user", "participant", "session", "communication", "communications",
    "message", "item",
]  # fmt: skip
FactName = Literal[
    "event.time", "session.id", "session.started",
    "visit.count", "visit.started", "visit.last", "visit.events",
]  # fmt: skip
FACTS: dict[str, FactName] = {name: name for name in get_args(FactName)}
FlowFactName = Literal["in", "step", "times"]
Function = Literal["count", "sum", "min", "max", "average", "first", "last"]
Segment = str | int


class Term(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Base of all nodes."""


class Text(Term, frozen=True, gc=False):
    """``"Berlin"``; where a date is wanted, an ISO date or date-time."""

    value: str


class Number(Term, frozen=True, gc=False):
    """``12`` or ``0.5``."""

    value: int | float


class Flag(Term, frozen=True, gc=False):
    """``true`` or ``false``."""

    value: bool


class Items(Term, frozen=True, gc=False):
    """``["a", "b"]``."""

    items: tuple[Text | Number | Flag, ...]


class Now(Term, frozen=True, gc=False):
    """``now``: the time at which the signal is handled."""


class Path(Term, frozen=True, gc=False):
    """``user.address.city``, ``event["Order Id"]``, ``event.products[0]``, ``item.price``."""

    root: Root
    path: tuple[Segment, ...]


class Fact(Term, frozen=True, gc=False):
    """What the engine knows itself: ``event.time``, ``session.id``, ``visit.count`` and so on."""

    name: FactName


class FlowFact(Term, frozen=True, gc=False):
    """``flow.welcome.in``, ``.step`` or ``.times``: the place of the user in a flow."""

    flow: str
    fact: FlowFactName


class Member(Term, frozen=True, gc=False):
    """``audience.vip``, or ``audience.vip.since``: the time at which the user joined."""

    audience: str
    since: bool = False


class Tagged(Term, frozen=True, gc=False):
    """``tag.vip``."""

    tag: str


class Consent(Term, frozen=True, gc=False):
    """``consent.email``, ``consent["email:news"]``: whether the user may be sent such messages."""

    name: str


class Part(Term, frozen=True, gc=False):
    """``length of`` a list or text; ``month of`` a date, in the user's zone."""

    part: str
    of: Value


class Arithmetic(Term, frozen=True, gc=False):
    """``event.total * 0.1``."""

    op: Literal["+", "-", "*", "/"]
    left: Value
    right: Value


class Calculated(Term, frozen=True, gc=False):
    """``count(event "Order Completed" where event.total > 10 within last 90d)``.

    ``since`` is the length of the period, "entry", or None for all time. ``event`` is None for
    the messages that left to the user: ``last(message where message.channel == "sms")``.
    """

    function: Function
    event: str | None
    value: Value | None = None
    where: Node | None = None
    since: Delay | Literal["entry"] | None = None


class Compare(Term, frozen=True, gc=False):
    """``event.total >= 20`` and every other operator between two values."""

    op: str
    left: Value
    right: Value


class Between(Term, frozen=True, gc=False):
    """``event.total between 10 and 20``, both ends included."""

    op: Literal["between", "not between"]
    of: Value
    low: Value
    high: Value


class Test(Term, frozen=True, gc=False):
    """``user.phone is set`` and every other operator without a right side."""

    op: str
    of: Value


class Span(Term, frozen=True, gc=False):
    """``user.last_seen within last 30d`` and every other operator with a duration."""

    op: str
    of: Value
    delay: Delay


class Quantified(Term, frozen=True, gc=False):
    """``any(event.products where item.price > 10)``; ``all`` of an empty list is false."""

    which: Literal["any", "all"]
    of: Value
    where: Node


class Not(Term, frozen=True, gc=False):
    """``not x``: the opposite of the result (R17)."""

    of: Node


class And(Term, frozen=True, gc=False):
    """``x and y and z``."""

    terms: tuple[Node, ...]


class Or(Term, frozen=True, gc=False):
    """``x or y or z``."""

    terms: tuple[Node, ...]


Constant = Text | Number | Flag | Items
Name = Now | Path | Fact | FlowFact | Member | Tagged | Consent
Value = Constant | Name | Part | Arithmetic | Calculated
Decision = Compare | Between | Test | Span | Quantified | Not | And | Or
Node = Value | Decision


class Expr(msgspec.Struct, frozen=True, gc=False, eq=False):
    """An expression: its canonical text and its root.

    ``spans`` has the (offset, length) of every node in the original text, in the order of
    ``walk``; comparison ignores them.
    """

    text: str
    root: Node
    spans: tuple[tuple[int, int], ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expr) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly below a node."""
    match node:
        case Items(items):
            return items
        case Part(of=of) | Test(of=of) | Span(of=of) | Not(of):
            return (of,)
        case Arithmetic(_, left, right) | Compare(_, left, right):
            return (left, right)
        case Calculated(value=value, where=where):
            return tuple(child for child in (value, where) if child is not None)
        case Between(_, of, low, high):
            return (of, low, high)
        case Quantified(_, of, where):
            return (of, where)
        case And(terms) | Or(terms):
            return terms
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all nodes below it, parents first, left to right."""
    yield node
    for child in children(node):
        yield from walk(child)


class ExprProblem(msgspec.Struct, frozen=True, gc=False, order=True):
    """A problem at an ``offset`` of the text; warnings do not stop a flow."""

    offset: int
    length: int
    message: str
    code: str
    suggestion: str | None = None
    severity: Literal["error", "warning"] = "error"


class ExpressionError(ValueError):
    """An expression that cannot be parsed, with all its problems."""

    def __init__(self, problems: list[ExprProblem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems
