"""Writes an expression as its canonical text, which parses to the same nodes."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import assert_never

from transforms.flows.clock.delays import Delay
from transforms.flows.expressions.syntax import ast

NAME = re.compile(r"(?:[^\W\d]|\$)[\w$]*")

_TIGHT = {"*": 7, "/": 7, "+": 6, "-": 6}
_OR, _AND, _NOT, _DECISION, _VALUE = 1, 2, 3, 4, 9


def to_text(node: ast.Node) -> str:
    """Write an expression as its canonical text."""
    match node:
        case ast.And(terms):
            return " and ".join(_within(term, _AND + 1) for term in terms)
        case ast.Or(terms):
            return " or ".join(_within(term, _OR + 1) for term in terms)
        case ast.Not(of):
            return f"not {_within(of, _NOT)}"
        case ast.Compare(op, left, right):
            return f"{_operand(left)} {op} {_operand(right)}"
        case ast.Between(op, of, low, high):
            return f"{_operand(of)} {op} {_operand(low)} and {_operand(high)}"
        case ast.Test(op, of):
            return f"{_operand(of)} {op}"
        case ast.Span(op, of, delay):
            return f"{_operand(of)} {op.replace('_', delay.text)}"
        case ast.Quantified(which, of, where):
            return f"{which}({to_text(of)} where {to_text(where)})"
        case ast.Arithmetic(op, left, right):
            tight = _TIGHT[op]
            return f"{_within(left, tight)} {op} {_within(right, tight + 1)}"
        case ast.Part(part, of):
            return f"{part} of {_within(of, _VALUE)}"
        case ast.Calculated():
            return _calculated(node)
        case _:
            return _plain(node)


def _plain(node: ast.Constant | ast.Name) -> str:
    match node:
        case ast.Text(value):
            return quote(value)
        case ast.Number(value):
            return number_text(value)
        case ast.Flag(value):
            return "true" if value else "false"
        case ast.Items(items):
            return f"[{', '.join(to_text(item) for item in items)}]"
        case ast.Now():
            return "now"
        case ast.Path(root, path):
            fact = len(path) == 1 and f"{root}.{path[0]}" in ast.FACTS
            return root + path_text(path, bracket=fact)
        case ast.Fact(name):
            return name
        case ast.FlowFact(flow, fact):
            return f"flow{path_text((flow,))}.{fact}"
        case ast.Member(audience, since):
            return f"audience{path_text((audience,))}{'.since' if since else ''}"
        case ast.Tagged(tag):
            return f"tag{path_text((tag,))}"
        case ast.Consent(name):
            return f"consent{path_text((name,))}"
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


def path_text(path: tuple[ast.Segment, ...], *, bracket: bool = False) -> str:
    """Write the parts of a name after its root: ``.city``, ``["Order Id"]``, ``[0]``."""
    return "".join(
        _segment(segment, bracket=bracket and not index) for index, segment in enumerate(path)
    )


def _segment(segment: ast.Segment, *, bracket: bool) -> str:
    if isinstance(segment, int):
        return f"[{segment}]"
    if bracket or NAME.fullmatch(segment) is None:
        return f"[{quote(segment)}]"
    return f".{segment}"


def _calculated(node: ast.Calculated) -> str:
    text = f"{to_text(node.value)} of " if node.value is not None else ""
    text += "message" if node.event is None else f"event {quote(node.event)}"
    if node.where is not None:
        text += f" where {to_text(node.where)}"
    if isinstance(node.since, Delay):
        text += f" within last {node.since.text}"
    elif node.since is not None:
        text += " since entry"
    return f"{node.function}({text})"


def _strength(node: ast.Node) -> int:
    match node:
        case ast.Or():
            return _OR
        case ast.And():
            return _AND
        case ast.Not():
            return _NOT
        case ast.Compare() | ast.Between() | ast.Test() | ast.Span():
            return _DECISION
        case ast.Arithmetic(op):
            return _TIGHT[op]
        case ast.Number(value):
            return _VALUE if value >= 0 else 8
        case _:
            return _VALUE


def _within(node: ast.Node, least: int) -> str:
    text = to_text(node)
    return text if _strength(node) >= least else f"({text})"


def _operand(node: ast.Node) -> str:
    return _within(node, _DECISION + 1)
