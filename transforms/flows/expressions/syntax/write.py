"""Writes an expression as its canonical text, which parses to the same nodes."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import assert_never

from transforms.flows.clock.delays import Delay
from transforms.flows.expressions.syntax.ast import (
    And,
    Arithmetic,
    Between,
    Calculated,
    Compare,
    Fact,
    Flag,
    FlowFact,
    Items,
    Member,
    Node,
    Not,
    Now,
    Number,
    Or,
    Part,
    Path,
    Quantified,
    Segment,
    Span,
    Tagged,
    Test,
    Text,
)

NAME = re.compile(r"(?:[^\W\d]|\$)[\w$]*")
RESERVED = {"event": (("time",),), "session": (("id",), ("started",))}
"""Names that mean something else after a point, and are therefore written in brackets."""

_TIGHT = {"*": 7, "/": 7, "+": 6, "-": 6}
_OR, _AND, _NOT, _DECISION, _VALUE = 1, 2, 3, 4, 9


def to_text(node: Node) -> str:
    """Write an expression as its canonical text."""
    match node:
        case And(terms):
            return " and ".join(_within(term, _AND + 1) for term in terms)
        case Or(terms):
            return " or ".join(_within(term, _OR + 1) for term in terms)
        case Not(of):
            return f"not {_within(of, _NOT)}"
        case Compare(op, left, right):
            return f"{_operand(left)} {op} {_operand(right)}"
        case Between(op, of, low, high):
            return f"{_operand(of)} {op} {_operand(low)} and {_operand(high)}"
        case Test(op, of):
            return f"{_operand(of)} {op}"
        case Span(op, of, delay):
            return f"{_operand(of)} {op.replace('_', delay.text)}"
        case Quantified(which, of, where):
            return f"{which}({to_text(of)} where {to_text(where)})"
        case Arithmetic(op, left, right):
            tight = _TIGHT[op]
            return f"{_within(left, tight)} {op} {_within(right, tight + 1)}"
        case Part(part, of):
            return f"{part} of {_within(of, _VALUE)}"
        case Calculated():
            return _calculated(node)
        case _:
            return _plain(node)


def _plain(
    node: Text | Number | Flag | Items | Now | Path | Fact | FlowFact | Member | Tagged,
) -> str:
    match node:
        case Text(value):
            return quote(value)
        case Number(value):
            return number_text(value)
        case Flag(value):
            return "true" if value else "false"
        case Items(items):
            return f"[{', '.join(to_text(item) for item in items)}]"
        case Now():
            return "now"
        case Path(root, path):
            return root + path_text(path, bracket=path in RESERVED.get(root, ()))
        case Fact(name):
            return name
        case FlowFact(flow, fact):
            return f"flow{path_text((flow,))}.{fact}"
        case Member(audience, since):
            return f"audience{path_text((audience,))}{'.since' if since else ''}"
        case Tagged(tag):
            return f"tag{path_text((tag,))}"
        case _:
            assert_never(node)


def quote(text: str) -> str:
    r"""Write a text in double quotes; a backslash is escaped only where it would be read as an escape."""
    out = re.sub(r"\\(?=[\\\"'nt]|$|[\n\t])", r"\\\\", text)
    out = out.replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{out}"'


def number_text(value: float) -> str:
    """Write a number without an exponent."""
    whole = int(value)
    return str(whole) if whole == value else f"{Decimal(repr(value)):f}"


def path_text(path: tuple[Segment, ...], *, bracket: bool = False) -> str:
    """Write the parts of a name after its root: ``.city``, ``["Order Id"]``, ``[0]``."""
    return "".join(
        _segment(segment, bracket=bracket and not index) for index, segment in enumerate(path)
    )


def _segment(segment: Segment, *, bracket: bool) -> str:
    if isinstance(segment, int):
        return f"[{segment}]"
    if bracket or NAME.fullmatch(segment) is None:
        return f"[{quote(segment)}]"
    return f".{segment}"


def _calculated(node: Calculated) -> str:
    text = f"{to_text(node.value)} of " if node.value is not None else ""
    text += f"event {quote(node.event)}"
    if node.where is not None:
        text += f" where {to_text(node.where)}"
    if isinstance(node.since, Delay):
        text += f" within last {node.since.text}"
    elif node.since is not None:
        text += " since entry"
    return f"{node.function}({text})"


def _strength(node: Node) -> int:
    match node:
        case Or():
            return _OR
        case And():
            return _AND
        case Not():
            return _NOT
        case Compare() | Between() | Test() | Span():
            return _DECISION
        case Arithmetic(op):
            return _TIGHT[op]
        case Number(value):
            return _VALUE if value >= 0 else 8
        case _:
            return _VALUE


def _within(node: Node, least: int) -> str:
    text = to_text(node)
    return text if _strength(node) >= least else f"({text})"


def _operand(node: Node) -> str:
    return _within(node, _DECISION + 1)
