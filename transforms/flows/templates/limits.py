"""Limits of templates: on their text before it is parsed, and on the work of rendering.

Work is counted, not measured, so that the same template and data always give the same result.
A node or an expression counts 10, a list item 1, 100 characters that are read 1, and
10 characters that a filter reads or writes 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TextIO

from liquid import RenderContext
from liquid.ast import BlockNode, Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions.primitive import RangeLiteral, StringLiteral
from liquid.builtin.tags.for_tag import ForNode
from liquid.exceptions import (
    FilterArgumentError,
    LiquidSyntaxError,
    LoopIterationLimitError,
    ResourceLimitError,
)
from liquid.expression import Expression
from liquid.token import TOKEN_TAG, Token
from liquid.undefined import UNDEFINED

MAX_OUTPUT = 256 * 1024
MAX_LOOPS = 10_000
MAX_ITEMS = 5_000
MAX_WORK = 2_000_000
MAX_TAGS = 5_000
MAX_TAG_CHARACTERS = 4_096
MAX_OPERATORS = 50

_BITS = 512
_NODE = 10
_CHARACTERS = 100
_HEAVY = {"strip_html": 10}
_BLANKS = re.compile(r"\s{101}")
_RAW = re.compile(r"{%-?\s*(raw|doc)\s*-?%}")
_LIQUID = re.compile(r"{%-?\s*liquid\b")
_OPENING = re.compile(r"{[{%]")
_OPERATOR = re.compile(r"[\[(]|\b(?:not|and|or)\b")


def check_source(source: str) -> None:
    """Raise LiquidSyntaxError if parsing the text would take too long; takes linear time.

    The regular expressions of Liquid take quadratic time or more for tags that are not closed
    and for long runs of white space; nesting is bounded by the stack of Python.
    """
    at = tags = 0
    while opening := _OPENING.search(source, at):
        start = opening.start()
        tags += 1
        if tags > MAX_TAGS:
            raise _refused(source, start, f"the template has more than {MAX_TAGS:,} tags")
        raw = _RAW.match(source, start)
        if raw is not None:
            end = re.compile(r"{%-?\s*end" + raw[1] + r"\s*-?%}").search(source, raw.end())
            if end is None:
                raise _refused(source, start, f"expected tag end{raw[1]}, found the end")
            at = end.end()
        else:
            at = _end_of_tag(source, start)


def _end_of_tag(source: str, start: int) -> int:
    closing = "}}" if source.startswith("{{", start) else "%}"
    end = source.find(closing, start + 2)
    if end < 0:
        raise _refused(source, start, f"expected '{closing}', found end of file")
    if _BLANKS.search(source, start, end):
        raise _refused(source, start, "a tag has more than 100 white spaces in a row")
    text = source[start:end]
    for part in text.split("\n") if _LIQUID.match(text) else (text,):
        if len(part) > MAX_TAG_CHARACTERS:
            message = f"a tag has more than {MAX_TAG_CHARACTERS:,} characters"
            raise _refused(source, start, message)
        if len(_OPERATOR.findall(part)) > MAX_OPERATORS:
            message = f'a tag has more than {MAX_OPERATORS} of "and", "or", "not", "[" and "("'
            raise _refused(source, start, message)
    return end + 2


def _refused(source: str, at: int, message: str) -> LiquidSyntaxError:
    token = Token(TOKEN_TAG, source[at : at + 2], start_index=at, source=source)
    return LiquidSyntaxError(message, token=token)


class WorkContext(RenderContext):
    """Counts the work of one rendering, and its loop iterations over all loops together."""

    rounds = 0
    work = 0

    def charge(self, units: int) -> None:
        self.work += units
        if self.work > MAX_WORK:
            raise ResourceLimitError("the template takes too much work", token=None)

    def raise_for_loop_limit(self, length: int = 1) -> None:
        self.rounds += length
        if self.rounds > MAX_LOOPS:
            raise LoopIterationLimitError(f"more than {MAX_LOOPS:,} loop rounds", token=None)

    def get(
        self, path: list[object], *, token: Token | None, default: object = UNDEFINED
    ) -> object:
        value = super().get(path, token=token, default=default)
        items, characters = size_of(value)
        self.charge(items + characters // _CHARACTERS)
        return value

    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        call = super().filter(name, token)

        def limited(*args: Any, **kwargs: Any) -> object:
            for value in (*args, *kwargs.values()):
                self._filtered(name, value)
            result = call(*args, **kwargs)
            self._filtered(name, result)
            return result

        return limited

    def _filtered(self, name: str, value: object) -> None:
        items, characters = size_of(value)
        if (
            characters > MAX_OUTPUT
            or (isinstance(value, list | tuple | range | dict) and len(value) > MAX_ITEMS)
            or (isinstance(value, int) and value.bit_length() > _BITS)
        ):
            raise FilterArgumentError(f"{name}: the value is too large", token=None)
        pairs = items * items // 20 if name == "uniq" else 0
        self.charge(1 + items + pairs + characters * _HEAVY.get(name, 1) // 10)


def size_of(value: object) -> tuple[int, int]:
    """Count the items of lists and maps, with those inside them, and the characters of texts."""
    if isinstance(value, str):
        return 0, len(value)
    if isinstance(value, range):
        return len(value), 0
    items = characters = 0
    pending: list[object] = [value] if isinstance(value, list | tuple | dict) else []
    while pending and items <= MAX_WORK:
        part = pending.pop()
        if isinstance(part, str):
            characters += len(part)
        elif isinstance(part, list | tuple):
            items += len(part)
            pending.extend(part)
        elif isinstance(part, dict):
            items += len(part)
            pending.extend(part.keys())
            pending.extend(part.values())
    return items, characters


class BoundedRange(RangeLiteral):
    """A range of at most 5,000 numbers, whatever operator, tag or filter reads it."""

    __slots__ = ()

    def evaluate(self, context: RenderContext) -> range:
        numbers = super().evaluate(context)
        length = max(0, numbers.stop - numbers.start)
        if length > MAX_ITEMS:
            raise ResourceLimitError(
                f"a range has more than {MAX_ITEMS:,} numbers", token=self.token
            )
        _work(context).charge(length)
        return numbers


class _Round(BlockNode):
    """The body of a loop: each iteration is charged with the number of its nodes."""

    __slots__ = ("weight",)

    def __init__(self, block: BlockNode, weight: int) -> None:
        super().__init__(block.token, block.nodes)
        self.weight = weight

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        _work(context).charge(self.weight)
        return super().render_to_output(context, buffer)


def _work(context: RenderContext) -> WorkContext:
    assert isinstance(context, WorkContext)
    return context


def bound_nodes(nodes: Iterable[Node], static: RenderContext) -> int:
    """Bound the ranges and loops of parsed nodes; return the work of rendering them once.

    The body of a loop is charged for each iteration instead.
    """
    total = 0
    for node in nodes:
        total += _NODE + sum(_bound(expression) for expression in node.expressions())
        if isinstance(node, ContentNode):
            total += len(node.text) // _CHARACTERS
        if isinstance(node, ForNode):
            node.block = _Round(node.block, bound_nodes(node.block.nodes, static))
            total += bound_nodes([node.default] if node.default else [], static)
        else:
            total += bound_nodes(node.children(static), static)
    return total


def _bound(expression: Expression) -> int:
    if type(expression) is RangeLiteral:
        expression.__class__ = BoundedRange  # the parser has no way to choose the class
    characters = len(expression.value) if isinstance(expression, StringLiteral) else 0
    inner = sum(_bound(child) for child in expression.children())
    return _NODE + characters // _CHARACTERS + inner
