"""A control log in a file: one JSON record per line."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from transforms.flows.catalog.control_log import InvalidLog, catalog_of, refuse_shared_keywords
from transforms.flows.diagnostics import headline
from transforms.flows.protocol.control_records import (
    ControlRecord,
    Publish,
    SetSpace,
    Start,
    decode_line,
)

Numbered = list[tuple[int, ControlRecord]]


class InvalidLines(Exception):
    """Lines that are not valid control records; ``lines`` has a message for each."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def read_log(text: str, path: str) -> Numbered:
    """Read the records with their line numbers; raise InvalidLines with all malformed lines."""
    found: Numbered = []
    wrong: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found.append((number, decode_line(line)))
        except (msgspec.DecodeError, RecursionError) as error:
            wrong.append(f"{path}:{number}:1: not a control record; {error} [control]")
    if wrong:
        raise InvalidLines(wrong)
    return found


def with_flows(log: Numbered, own: Iterable[ControlRecord]) -> list[ControlRecord]:
    """Put the flows and the space that the log does not publish before it; only the log starts them."""
    records = [record for _, record in log]
    published = {record.flow for record in records if isinstance(record, Publish)}
    spaces = any(isinstance(record, SetSpace) for record in records)
    first = [
        record
        for record in own
        if not isinstance(record, Start)
        and not (isinstance(record, SetSpace) and spaces)
        and not (isinstance(record, Publish) and record.flow in published)
    ]
    lowest = min((record.sequence for record in records), default=0)
    start = lowest - len(first)
    moved = [
        msgspec.structs.replace(record, sequence=start + index)
        for index, record in enumerate(first)
    ]
    return [*moved, *records]


def check(log: Numbered, records: list[ControlRecord], path: str) -> None:
    """Apply the log; raise InvalidLines with the line of the first record that is refused.

    A record is also refused if two flows would own the same keyword, or the calls, of a number
    (I8).
    """
    try:
        refuse_shared_keywords(catalog_of(records))
    except InvalidLog as error:
        raise InvalidLines(_where(log, records, path, error)) from None


def _where(log: Numbered, records: list[ControlRecord], path: str, error: InvalidLog) -> list[str]:
    ordered = sorted(records, key=lambda record: (record.effective_at, record.sequence))
    lines = {id(record): number for number, record in log}
    for count in range(1, len(ordered) + 1):
        try:
            refuse_shared_keywords(catalog_of(ordered[:count]))
        except InvalidLog as first:
            number = lines.get(id(ordered[count - 1]), 1)
            why = [f"  {headline(problem)}" for problem in first.problems]
            return [f"{path}:{number}:1: {first} [control]", *why]
    return [f"{path}:1:1: {error} [control]"]
