"""Liquid with limits: no clock, no files, no random values, no unbounded work or results.

A template over a limit of ``limits.py`` is refused when it is read, or fails with a
``TemplateError`` when it is rendered.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, TextIO
from zoneinfo import ZoneInfo

import msgspec
from liquid import Environment, Markup, RenderContext
from liquid.ast import Node
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.echo_tag import EchoTag
from liquid.exceptions import FilterArgumentError
from liquid.filter import with_context
from liquid.stringify import to_liquid_string
from liquid.template import BoundTemplate

from transforms.flows.templates.limits import (
    MAX_ITEMS,
    MAX_OUTPUT,
    WorkContext,
    bound_nodes,
    check_source,
)

_REFUSED_TAGS = ("include", "render", "tablerow")
_DIRECTIVE = re.compile(r"%(-?)([aAbBdeHIjmMpSyYZz%FT])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Template(BoundTemplate):
    context_class = WorkContext

    def __init__(self, env: Environment, nodes: list[Node], *args: Any, **kwargs: Any) -> None:
        super().__init__(env, nodes, *args, **kwargs)
        bound_nodes(nodes, RenderContext(self))


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
        self.add_filter("replace", _replace)
        self.add_filter("join", _join)
        self.add_filter("date", _date)
        self.add_filter("json", _json)

    def _parse(self, source: str) -> list[Node]:
        check_source(source)
        return super()._parse(source)


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
