"""Composes YAML into located nodes, within limits; types are not resolved, nodes not shared.

Every scalar stays a text, so ``09:00`` is no number and ``no`` is no boolean.
Aliases, anchors, tags, duplicate keys and keys that are no texts are problems.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import yaml

from transforms.flows.diagnostics import Report, Source

MAX_CHARACTERS = 256 * 1024
MAX_DEPTH = 30
MAX_NODES = 20_000

ALIAS = "*"
"""The style of the scalar in place of an alias, which is reported already."""

_NOT_TEXT = re.compile(
    r"[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?|true|false|null|~|", re.IGNORECASE
)

_HINTS = (
    ("'\\t'", "tab", "a tab cannot indent YAML", "use spaces"),
    (
        "mapping values are not allowed",
        "yaml-syntax",
        "a second colon on one line",
        "put a text that holds a colon and a space into quotes",
    ),
    (
        "expected ',' or '}'",
        "yaml-syntax",
        "this does not fit between { and }",
        "put an expression that holds [ ], { } or a comma into quotes",
    ),
    (
        "expected ',' or ']'",
        "yaml-syntax",
        "this does not fit between [ and ]",
        "put an expression that holds [ ], { } or a comma into quotes",
    ),
    (
        "expected <block end>",
        "yaml-syntax",
        "this does not fit the lines above it",
        "indent it as they are; an expression that begins with a quote goes into quotes whole",
    ),
    (
        "could not find expected ':'",
        "yaml-syntax",
        "a key without a colon",
        "write a colon and a space after each key",
    ),
)


_FAST = getattr(yaml, "CSafeLoader", None)
"""libyaml's parser, about ten times as fast, where PyYAML has it."""

_READ_DIFFERENTLY = re.compile("[\t\r?\x85\u2028\u2029\ufeff]")
"""Characters of which libyaml accepts more than YAML's specification and PyYAML."""

_HALF = re.compile("[\ud800-\udfff]")

CUT = "a comma within { } ends a value: put the whole expression in quotes"


class Node(msgspec.Struct, frozen=True, gc=False):
    """Base of all nodes: where the node begins and ends in the source."""

    start: int
    end: int

    @property
    def span(self) -> tuple[int, int]:
        return self.start, self.end


class Scalar(Node, frozen=True, gc=False):
    """A text; ``style`` is empty for a plain one, else its first sign."""

    text: str
    style: str


class Mapping(Node, frozen=True, gc=False):
    """Keys with their values, in the order written, each key once."""

    items: tuple[tuple[Scalar, Node], ...]

    def get(self, key: str) -> Node | None:
        """Find the value of a key."""
        return next((value for name, value in self.items if name.text == key), None)

    def key(self, key: str) -> Scalar | None:
        """Find a key itself."""
        return next((name for name, _ in self.items if name.text == key), None)


class Sequence(Node, frozen=True, gc=False):
    """Nodes in the order written."""

    items: tuple[Node, ...]


def describe(node: Node) -> str:
    """Return what a node is, in words."""
    if isinstance(node, Scalar):
        return f'"{node.text}"' if node.text else "nothing"
    return "a map" if isinstance(node, Mapping) else "a list"


def entries(node: Node | None) -> tuple[tuple[Scalar, Node], ...]:
    """Return the keys of a map with their values; nothing of another node."""
    return node.items if isinstance(node, Mapping) else ()


def items_of(node: Node | None) -> tuple[Node, ...]:
    """Return the items of a list; nothing of another node."""
    return node.items if isinstance(node, Sequence) else ()


def text_of(node: Node | None) -> str:
    """Return the text of a scalar; an empty one of another node, or if it is blank."""
    return node.text if isinstance(node, Scalar) and node.text.strip() else ""


class _Stop(Exception):  # an end, not an error: its problem is reported
    """Reading cannot continue."""


def compose(report: Report, most: int = MAX_CHARACTERS) -> Node | None:
    """Read the source of ``report``, of at most so many characters; None if it cannot be read."""
    text = report.source.text
    if len(text) > most:
        report.add((0, 1), "too-large", f"the file is larger than {most // 1024} KiB")
        return None
    if _FAST and not _READ_DIFFERENTLY.search(text):
        root = _compose_fast(report.source)
        if root is not None:
            return root
    try:
        return _Composer(report, yaml.SafeLoader).document()
    except _Stop:
        return None
    except yaml.MarkedYAMLError as error:
        _syntax(report, error)
    except yaml.reader.ReaderError as error:
        place = (error.position, error.position + 1)
        report.add(place, "yaml-syntax", "a control character, which YAML does not allow")
    return None


def _compose_fast(source: Source) -> Node | None:
    """Read a source by libyaml; return None at any problem, which PyYAML's parser then words."""
    trial = Report(source)
    try:
        root = _Composer(trial, _FAST).document()
    except (_Stop, yaml.YAMLError):
        return None
    return None if trial.codes else root


def _syntax(report: Report, error: yaml.MarkedYAMLError) -> None:
    mark = error.problem_mark or error.context_mark
    at = min(mark.index, len(report.source.text)) if mark else 0
    reason = error.problem or "this is not YAML"
    for part, code, message, help_ in _HINTS:
        if part in reason:
            report.add((at, at + 1), code, message, help_)
            return
    context = f" ({error.context})" if error.context else ""
    report.add((at, at + 1), "yaml-syntax", f"this is not YAML: {reason}{context}")


class _Composer:
    """Builds nodes from the parser's events, counting as it goes."""

    def __init__(self, report: Report, loader: Any) -> None:
        self.report = report
        self.fast = loader is _FAST
        self.events: Iterator[yaml.Event] = yaml.parse(report.source.text, Loader=loader)
        self.count = 0

    def document(self) -> Node | None:
        next(self.events)
        if isinstance(next(self.events), yaml.StreamEndEvent):
            self.report.add((0, 1), "empty-file", "the file is empty")
            return None
        root = self.node(next(self.events), 1)
        next(self.events)
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            self.report.add(_span(after), "two-documents", "a second document in one file")
        return root

    def node(self, event: yaml.Event, depth: int) -> Node:
        self.count += 1
        if self.count > MAX_NODES:
            self.stop(event, "too-many-nodes", f"the file has more than {MAX_NODES:,} values")
        if depth > MAX_DEPTH:
            self.stop(event, "too-deep", f"values are nested deeper than {MAX_DEPTH}")
        self.refuse_sharing(event)
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(event, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(event, depth)
        start, end = _span(event)
        if isinstance(event, yaml.ScalarEvent):
            if self.fast and not event.value and not event.style:
                raise _Stop  # the two parsers place an empty value differently
            if _HALF.search(event.value):
                message = "half of a character, as \\ud800; write the whole character"
                self.stop(event, "yaml-syntax", message)
            return Scalar(start, end, event.value, event.style or "")
        return Scalar(start, end, "", ALIAS)

    def sequence(self, event: yaml.Event, depth: int) -> Sequence:
        items = []
        while not isinstance(item := next(self.events), yaml.SequenceEndEvent):
            items.append(self.node(item, depth + 1))
        return Sequence(_span(event)[0], _span(item)[1], tuple(items))

    def mapping(self, event: yaml.Event, depth: int) -> Mapping:
        items: dict[str, tuple[Scalar, Node]] = {}
        while not isinstance(item := next(self.events), yaml.MappingEndEvent):
            key = self.node(item, depth + 1)
            value = self.node(next(self.events), depth + 1)
            if not isinstance(key, Scalar) or (not key.style and _NOT_TEXT.fullmatch(key.text)):
                hint = CUT if value.start == value.end else "put it in quotes"
                self.report.add(key.span, "key-not-text", "a key must be a text", hint)
            elif key.text in items:
                first = self.report.source.place(items[key.text][0].start)[0]
                message = f'key "{key.text}" is repeated; the first is on line {first}'
                self.report.add(key.span, "duplicate-key", message)
            else:
                items[key.text] = (key, value)
        return Mapping(_span(event)[0], _span(item)[1], tuple(items.values()))

    def refuse_sharing(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent):
            message = f'alias "*{event.anchor}": each value is written where it is used'
            self.report.add(_span(event), "alias", message)
        elif anchor := getattr(event, "anchor", None):
            message = f'anchor "&{anchor}": each value is written where it is used'
            self.report.add(_span(event), "anchor", message)
        if getattr(event, "tag", None):
            self.report.add(_span(event), "yaml-tag", "a YAML tag, which flows do not use")

    def stop(self, event: yaml.Event, code: str, message: str) -> None:
        self.report.add(_span(event), code, message)
        raise _Stop


def _span(event: yaml.Event) -> tuple[int, int]:
    start, end = event.start_mark, event.end_mark
    return (start.index if start else 0), (end.index if end else 0)
