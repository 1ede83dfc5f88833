"""A mapping file (YAML): which columns of a table, or fields of JSON lines, make up an event.

user: customer_id
event: {value: Purchase}
time: date
properties: {amount: {column: amount_usd, type: number}, total: order.total}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, cast, get_args

import msgspec

from transforms.flows.clock import zones
from transforms.flows.diagnostics import Loaded, Report, Source, quoted, suggest
from transforms.flows.reading import nodes
from transforms.flows.reading.nodes import Node, Scalar

Type = Literal["text", "number", "boolean", "time"]
Unit = Literal["s", "ms"]
TYPES: tuple[str, ...] = get_args(Type)
UNITS: tuple[str, ...] = get_args(Unit)
KEYS = ("user", "event", "time", "zone", "received", "id", "sequence", "properties")
REQUIRED = ("user", "event", "time")


class TimeColumn(msgspec.Struct, frozen=True, gc=False):
    """A column of times: ISO 8601 texts, or numbers in ``unit`` since 1970."""

    column: str
    unit: Unit | None = None


class Property(msgspec.Struct, frozen=True, gc=False):
    """A column that becomes a property."""

    column: str
    type: Type = "text"


class Mapping(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The columns of an event's parts; exactly one of ``event`` and ``event_value`` is set.

    Without an ``id`` column the id is a hash of the row: see ``row_hash``.
    """

    user: str
    time: TimeColumn
    event: str | None = None
    event_value: str | None = None
    zone: str = "UTC"
    received: TimeColumn | None = None
    id: str | None = None
    sequence: str | None = None
    properties: dict[str, Property] = {}


def column_names(mapping: Mapping) -> tuple[str, ...]:
    """List the columns that a mapping reads, without duplicates."""
    times = [time.column for time in (mapping.time, mapping.received) if time]
    plain = [mapping.user, mapping.event, mapping.id, mapping.sequence]
    columns = [p.column for p in mapping.properties.values()]
    return tuple(dict.fromkeys(name for name in [*plain, *times, *columns] if name is not None))


def load_mapping(text: str, path: str) -> Loaded[Mapping]:
    """Read a mapping, and report all of its problems."""
    report = Report(Source(path, text))
    root = nodes.compose(report)
    if root is None:
        return report.done(None)
    if not isinstance(root, nodes.Mapping):
        said = "a mapping file has keys and values"
        report.add(root.span, "not-a-mapping", said, f"it begins with {quoted(REQUIRED)}")
        return report.done(None)
    return report.done(_Reader(report).mapping(root))


class _Reader:
    """Reads nodes into values; an invalid node is reported and read as a default."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def mapping(self, root: nodes.Mapping) -> Mapping:
        self.known(root, KEYS, "mapping")
        for key in REQUIRED:
            if root.get(key) is None:
                self.report.add(root.span, "missing-key", f'the mapping has no "{key}"')
        event, value = self.event(root.get("event"))
        received = root.get("received")
        found = Mapping(
            user=self.text(root.get("user")) or "",
            event=event,
            event_value=value,
            time=self.time(root.get("time")),
            zone=self.zone(root.get("zone")),
            received=None if received is None else self.time(received),
            id=self.text(root.get("id")),
            sequence=self.text(root.get("sequence")),
            properties=dict(self.properties(root.get("properties"))),
        )
        if not self.report.errors:
            self.check_zone(root, found)
        return found

    def event(self, node: Node | None) -> tuple[str | None, str | None]:
        if isinstance(node, nodes.Mapping):
            self.known(node, ("value",), "event")
            if node.get("value") is None:
                help_ = "write a column, or {value: Purchase}"
                self.report.add(node.span, "missing-key", 'the event has no "value"', help_)
            return None, self.text(node.get("value"))
        return self.text(node), None

    def time(self, node: Node | None) -> TimeColumn:
        if isinstance(node, nodes.Mapping):
            self.known(node, ("column", "unit"), "time")
            unit = self.choice(node.get("unit"), UNITS, "unit")
            return TimeColumn(self.column(node), cast(Unit | None, unit))
        return TimeColumn(self.text(node) or "")

    def zone(self, node: Node | None) -> str:
        return self.choice(node, zones.zone_names(), "zone") or "UTC"

    def check_zone(self, root: nodes.Mapping, found: Mapping) -> None:
        """Report a zone if all times are numbers, which have none."""
        zone = root.get("zone")
        times = [time for time in (found.time, found.received) if time is not None]
        texts = any(time.unit is None for time in times)
        if zone and not texts and all(p.type != "time" for p in found.properties.values()):
            said = '"zone" is not used: all times are numbers, which have no zone'
            self.report.add(zone.span, "unused-zone", said)

    def properties(self, node: Node | None) -> Iterator[tuple[str, Property]]:
        if node is None:
            return
        if not isinstance(node, nodes.Mapping):
            help_ = "write {name: column}"
            self.report.add(node.span, "not-a-mapping", "properties are keys and columns", help_)
            return
        for name, value in node.items:
            if isinstance(value, nodes.Mapping):
                self.known(value, ("column", "type"), "property")
                kind = self.choice(value.get("type"), TYPES, "type") or "text"
                yield name.text, Property(self.column(value), cast(Type, kind))
            else:
                yield name.text, Property(self.text(value) or "")

    def column(self, node: nodes.Mapping) -> str:
        if node.get("column") is None:
            self.report.add(node.span, "missing-key", 'there is no "column"')
        return self.text(node.get("column")) or ""

    def choice(self, node: Node | None, known: Iterable[str], what: str) -> str | None:
        text = self.text(node)
        if node is not None and text and text not in known:
            self.report.add(node.span, f"unknown-{what}", f'unknown {what} "{text}"',
                            suggest(text, known))  # fmt: skip
        return text

    def text(self, node: Node | None) -> str | None:
        if node is None:
            return None
        if isinstance(node, Scalar) and node.text:
            return node.text
        self.report.add(node.span, "not-a-text", "a name is expected here")
        return None

    def known(self, node: nodes.Mapping, keys: tuple[str, ...], what: str) -> None:
        for key, _ in node.items:
            if key.text not in keys:
                said = f'unknown key "{key.text}" in the {what}'
                self.report.add(key.span, "unknown-key", said, suggest(key.text, keys))
