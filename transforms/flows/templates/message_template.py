"""Reads and renders message templates: lines of ``key: Liquid text``, then the body.

``type: html|text|json`` sets how the body is escaped; the other fields are plain text.
A loaded template knows which names it reads, so that a flow is checked with its templates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from liquid.exceptions import LiquidError
from liquid.template import BoundTemplate

from transforms.flows.clock.zones import find_zone
from transforms.flows.definitions.space import Template
from transforms.flows.diagnostics import Loaded, Report, Source, suggest
from transforms.flows.templates.language import ENVIRONMENTS

ROOTS = tuple("user entry session participant data flow communication message now".split())
"""The names that a template may read."""

MAX_CHARACTERS = 256 * 1024
_UNCLOSED = re.compile(r"expected tag end(\w+), found the end")
_LINE_BREAK = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_LINE = re.compile(r"([a-z][a-z0-9_]*)[ \t]*:[ \t]*(.*)")


class TemplateError(ValueError):
    """A template cannot be rendered with this data: a limit, a wrong type, a line break."""


class _Field(msgspec.Struct, frozen=True, gc=False):
    """The name and the source of a field, and the offset of the source in the file."""

    name: str
    source: str
    start: int


def load_template(name: str, text: str, path: str | None = None) -> Loaded[Template]:
    """Read a template; ``path`` is the file named in problems, by default ``name.liquid``."""
    report = Report(Source(path or f"{name}.liquid", text))
    if len(text) > MAX_CHARACTERS:
        report.add((0, 1), "too-large", f"the template is larger than {MAX_CHARACTERS // 1024} KiB")
        return report.done(None)
    fields = _fields(report, text)
    kind = _kind(report, fields)
    reads: set[tuple[str, ...]] = set()
    for field in fields:
        if field.name != "type":
            reads.update(_reads(report, field, kind if field.name == "body" else "text"))
    version = blake2b(text.encode(), digest_size=8).hexdigest()
    pairs = tuple((field.name, field.source) for field in fields)
    return report.done(Template(name, version, pairs, tuple(sorted(reads))))


def _fields(report: Report, text: str) -> list[_Field]:
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        return [_Field("body", text, 0)]
    fields: dict[str, _Field] = {}
    at = len(lines[0]) + 1
    for line in lines[1:]:
        if line.rstrip() == "---":
            start = min(at + len(line) + 1, len(text))
            return [*fields.values(), _Field("body", text[start:], start)]
        if line.strip():
            _line(report, line, at, fields)
        at += len(line) + 1
    report.add((0, 3), "front-matter", 'the front matter does not end; close it with "---"')
    return []


def _line(report: Report, line: str, at: int, fields: dict[str, _Field]) -> None:
    span = (at, at + len(line))
    match = _LINE.fullmatch(line.rstrip())
    if match is None:
        report.add(span, "front-matter", "a line of the front matter is not `key: text`")
    elif match[1] in fields or match[1] == "body":
        message = (
            f'field "{match[1]}" is written twice; the text after the front matter is the body'
        )
        report.add(span, "duplicate-key", message)
    else:
        fields[match[1]] = _Field(match[1], match[2], at + match.start(2))


def _kind(report: Report, fields: list[_Field]) -> str:
    field = next((f for f in fields if f.name == "type"), None)
    if field is None or field.source in ENVIRONMENTS:
        return field.source if field else "text"
    span = (field.start, field.start + len(field.source))
    report.add(span, "unknown-type", f'"{field.source}" is not a type', suggest("", ENVIRONMENTS))
    return "text"


def _reads(report: Report, field: _Field, kind: str) -> Iterator[tuple[str, ...]]:
    try:
        analysis = _compile(field.source, kind).analyze()
    except LiquidError as error:
        _syntax(report, field, error)
        return
    for name, spans in analysis.filters.items():
        if name not in ENVIRONMENTS[kind].filters:
            for span in spans:
                at = field.start + span.index
                message = f'there is no filter "{name}"'
                hint = suggest(name, ENVIRONMENTS[kind].filters)
                report.add((at, at + len(name)), "unknown-filter", message, hint)
    for variables in analysis.globals.values():
        for variable in variables:
            path = _path(variable.segments)
            at = field.start + variable.span.index
            _check_root(report, path, (at, at + len(str(variable))))
            yield path


def _syntax(report: Report, field: _Field, error: LiquidError) -> None:
    text = str(error.message).replace("end of expression", "the end")
    at = max(0, error.token.start_index) if error.token else 0
    width = len(error.token.value) if error.token else 1
    if open_ := _UNCLOSED.match(text):
        tags = list(re.finditer(r"{%-?\s*(" + open_[1] + r")\b", field.source))
        at, width = (tags[-1].start(1), len(open_[1])) if tags else (at, width)
        text = f"tag {open_[1]} is not closed; write {{% end{open_[1]} %}} where it ends"
    message, _, hint = text.partition("; ")
    start = field.start + at
    report.add((start, start + max(1, width)), "template-syntax", message, hint)


def _path(segments: list[Any]) -> tuple[str, ...]:
    return tuple(takewhile(lambda segment: isinstance(segment, str), segments))


def _check_root(report: Report, path: tuple[str, ...], span: tuple[int, int]) -> None:
    root = path[0] if path else ""
    if root in ROOTS:
        return
    message = f'a template cannot read "{root}", only {", ".join(ROOTS)}'
    if root == "event":
        hint = f'did you mean "{".".join(("entry", *path[1:]))}", the data of the entry?'
    else:
        near = suggest(root, ROOTS)
        hint = near if near.startswith("did") else f'did you mean "data.{root}"?'
    report.add(span, "unknown-name", message, hint)


@lru_cache(maxsize=4096)
def _compile(source: str, kind: str) -> BoundTemplate:
    return ENVIRONMENTS[kind].from_string(source)


def render(template: Template, data: Mapping[str, Any], at: int) -> dict[str, str]:
    """Render every field of a template with plain data; ``at`` is the current time (ms UTC).

    ``now`` is that time, in the zone of ``user.timezone``, else ``flow.zone``, else UTC
    (R16). Raises TemplateError, also for a line break in a field of the front matter, which
    could add a header to a message. The result also has ``type`` if the template sets it.
    """
    fields = dict(template.fields)
    kind = fields.get("type", "text")
    where = _zone(data)
    now = datetime.fromtimestamp(at / 1000, UTC).astimezone(where).isoformat()
    names = {**data, "now": now, "today": now, "_zone": where}
    texts = {}
    for name, source in fields.items():
        if name == "type":
            texts[name] = source
            continue
        texts[name] = _render(source, kind if name == "body" else "text", names)
        if name != "body" and _LINE_BREAK.search(texts[name]):
            raise TemplateError(f'the field "{name}" has a line break')
    return texts


def _render(source: str, kind: str, names: Mapping[str, Any]) -> str:
    try:
        return _compile(source, kind).render(names)
    except LiquidError as error:
        raise TemplateError(str(error.message)) from error
    except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise TemplateError(f"{type(error).__name__}: {error}") from error


def _zone(data: Mapping[str, Any]) -> ZoneInfo:
    return find_zone(_named(data, "user", "timezone"), _named(data, "flow", "zone"))


def _named(data: Mapping[str, Any], root: str, key: str) -> str | None:
    values = data.get(root)
    value = values.get(key) if isinstance(values, Mapping) else None
    return value if isinstance(value, str) else None
