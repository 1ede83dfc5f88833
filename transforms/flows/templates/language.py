"""Liquid with limits: no clock, no files, no random values, no unbounded loops or results.

A template over a limit fails with a ``TemplateError``: loops count over the whole template,
filters refuse results that would be too large, and the output is at most 256 KB.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any, TextIO
from zoneinfo import ZoneInfo

import msgspec
from liquid import Environment, Markup, RenderContext
from liquid.ast import Node
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.echo_tag import EchoTag
from liquid.builtin.tags.for_tag import ForNode, ForTag
from liquid.exceptions import FilterArgumentError, LoopIterationLimitError
from liquid.expression import Expression
from liquid.filter import with_context
from liquid.stream import TokenStream
from liquid.stringify import to_liquid_string
from liquid.template import BoundTemplate

MAX_OUTPUT = 256 * 1024
MAX_LOOPS = 10_000
MAX_ITEMS = 5_000
MAX_BITS = 512

_REFUSED_TAGS = ("include", "render", "tablerow")
_DIRECTIVE = re.compile(r"%(-?)([aAbBdeHIjmMpSyYZz%FT])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Context(RenderContext):
    """Counts loop iterations over the whole template, not only in nested loops."""

    rounds = 0

    def raise_for_loop_limit(self, length: int = 1) -> None:
        self.rounds += length
        if self.rounds > MAX_LOOPS:
            raise LoopIterationLimitError(f"more than {MAX_LOOPS:,} loop rounds", token=None)


class _Template(BoundTemplate):
    context_class = _Context


class _LimitedRange(Expression):
    """The values of a loop; a huge range is refused before it becomes a list."""

    __slots__ = ("inner",)

    def __init__(self, inner: Expression) -> None:
        super().__init__(inner.token)
        self.inner = inner

    def __str__(self) -> str:
        return str(self.inner)

    def evaluate(self, context: RenderContext) -> object:
        value = self.inner.evaluate(context)
        if isinstance(value, range):
            _refuse_large("for", value)
        return value

    def children(self) -> list[Expression]:
        return [self.inner]


class _For(ForTag):
    def parse(self, stream: TokenStream) -> Node:
        node = super().parse(stream)
        assert isinstance(node, ForNode)  # the result of the standard tag
        node.expression.iterable = _LimitedRange(node.expression.iterable)
        return node


class Liquid(Environment):
    """The template language of messages; ``autoescape`` for HTML."""

    context_depth_limit = 30
    local_namespace_limit = MAX_OUTPUT
    output_stream_limit = MAX_OUTPUT
    template_class = _Template

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        for name in _REFUSED_TAGS:
            del self.tags[name]
        self.add_tag(_For)
        self.add_filter("replace", _replace)
        self.add_filter("join", _join)
        self.add_filter("date", _date)
        self.add_filter("json", _json)
        self.filters = {name: _limited(name, call) for name, call in self.filters.items()}


class JsonText(str):
    """Text that is JSON already and is not escaped again."""

    __slots__ = ()


class _JsonNode(OutputNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        value = self.expression.evaluate(context)
        text = to_liquid_string(value, autoescape=False)
        if not isinstance(value, JsonText):
            text = msgspec.json.encode(text).decode()[1:-1]
        return buffer.write(text)


class _JsonOutput(Output):
    node_class = _JsonNode


class _JsonEcho(EchoTag):
    node_class = _JsonNode  # type: ignore[assignment]


class JsonLiquid(Liquid):
    """Liquid whose output is escaped for use inside a JSON string."""

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        self.add_tag(_JsonOutput)
        self.add_tag(_JsonEcho)


def _limited(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def limited(*args: Any, **kwargs: Any) -> Any:
        for value in args:
            _refuse_large(name, value)
        result = call(*args, **kwargs)
        _refuse_large(name, result)
        return result

    return limited


def _refuse_large(name: str, value: object) -> None:
    if (
        (isinstance(value, str) and len(value) > MAX_OUTPUT)
        or (isinstance(value, list | tuple | range | dict) and len(value) > MAX_ITEMS)
        or (isinstance(value, int) and value.bit_length() > MAX_BITS)
    ):
        raise FilterArgumentError(f"{name}: the value is too large", token=None)


def _replace(value: object, old: object, new: object = "") -> str:
    text, part, other = (_text(v) for v in (value, old, new))
    if text.count(part) * len(other) > MAX_OUTPUT:
        raise FilterArgumentError("replace: the result is too large", token=None)
    return text.replace(part, other)


def _join(value: object, separator: object = " ") -> str:
    if not isinstance(value, list | tuple | range):
        return _text(value)
    glue = _text(separator)
    if len(value) * len(glue) > MAX_OUTPUT or len(value) > MAX_ITEMS:
        raise FilterArgumentError("join: the result is too large", token=None)
    return glue.join([_text(item) for item in value])


def _text(value: object) -> str:
    return value if isinstance(value, str) else to_liquid_string(value, autoescape=False)


def _json(value: object) -> str:
    return JsonText(msgspec.json.encode(value, order="sorted").decode())


@with_context
def _date(value: object, form: object = "", *, context: RenderContext) -> str:
    """Write an instant in the user's zone: ms since 1970, an ISO text, ``now`` or ``today``."""
    if value in ("now", "today"):
        value = context.globals["now"]
    zone = context.globals.get("_zone")
    t = _local_time(value, zone if isinstance(zone, ZoneInfo) else ZoneInfo("UTC"))
    if t is None or not form:
        return _text(value)
    text = _DIRECTIVE.sub(lambda match: _part(t, *match.groups()), str(form))
    return Markup(text) if isinstance(form, Markup) else text


def _part(t: datetime, no_padding: str, letter: str) -> str:
    text = str(t.day).rjust(2) if letter == "e" else t.strftime(f"%{letter}")
    return (text.lstrip("0 ") or "0") if no_padding else text


def _local_time(value: object, zone: ZoneInfo) -> datetime | None:
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value / 1000, UTC).astimezone(zone)
        t = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        return None
    return t.astimezone(zone) if t.tzinfo else t.replace(tzinfo=zone)


ENVIRONMENTS: dict[str, Environment] = {
    "text": Liquid(),
    "html": Liquid(autoescape=True),
    "json": JsonLiquid(),
}
