"""Flow states and erasures where a job left them: in tables, files or a subscription.

They come in any order, with repetitions: a sequence says which state of a user is the newest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec

from schemas.wire import WireError
from transforms.flows.protocol.outputs import Erased, FlowState
from transforms.sinks.folders import folder_of
from transforms.sinks.part_files import Place, parts_of
from transforms.sinks.remote import Remote, place_of
from transforms.sources.files import SOURCES, source_of
from transforms.wire.messages import from_message
from transforms.wire.raw import DEFAULT, Bad
from transforms.wire.rows import from_row

KINDS = ("flow_state", "erased")
STORED = FlowState | Erased
Found = tuple[str, FlowState | Erased]
"""A space and a record."""

QUIET = 3
"""How many times in a row a subscription has nothing before it counts as read."""


def is_subscription(source: str) -> bool:
    """Return True for ``projects/P/subscriptions/S``."""
    parts = source.split("/")
    return len(parts) == 4 and (parts[0], parts[2]) == ("projects", "subscriptions")


def read(source: str, space: str | None) -> Iterator[Found | Bad]:
    """Read a folder of tables, or a file of records.

    ``space`` is the space of records that do not say theirs. Raises ValueError for a source that
    is neither.
    """
    place = place_of(source)
    if isinstance(place, Path) and place.is_file():
        return _file(place, space or "default")
    spaces = _spaces(source, place, space)
    if not spaces:
        raise ValueError(f"{source}: neither a file nor a folder with tables of flow states")
    return (row for name, folder in spaces for row in _tables(name, folder))


def _spaces(source: str, place: Place, space: str | None) -> list[tuple[str, Place]]:
    """Return the spaces with tables in a folder: it is one of them, or holds their folders."""
    if isinstance(place, Remote):
        if space is None:
            raise ValueError(f"{place}: name the space of the tables with --space")
        return [(space, at) for at in (place, folder_of(source, space)) if _has_tables(at)]
    if _has_tables(place):
        return [(space or unquote(place.name), place)]
    named = [(unquote(folder.name), folder) for folder in sorted(place.glob("*/"))]
    return [
        (name, folder) for name, folder in named if space in (None, name) and _has_tables(folder)
    ]


def _has_tables(folder: Place) -> bool:
    return any(parts_of(kind, folder) for kind in KINDS)


def _tables(space: str, folder: Place) -> Iterator[Found | Bad]:
    from transforms.sinks import parquet

    for kind in KINDS:
        for part in parts_of(kind, folder):
            path = folder / kind / part.path
            for row in parquet.rows_of(path):
                yield _of_row(space, kind, row, str(path), 0)


def _file(path: Path, space: str) -> Iterator[Found | Bad]:
    source = source_of(path)
    if source is None:
        raise ValueError(f"{path}: unknown format; supported: {', '.join(SOURCES)}")
    for raw in source.read(path, DEFAULT):
        if isinstance(raw, Bad):
            yield raw
        else:
            yield _record(raw.body, space, raw.file, raw.line)


def _record(body: bytes | dict[str, Any], space: str, file: str, line: int) -> Found | Bad:
    """Decode one record: a row, the body of a message, or a message with its attributes."""
    if isinstance(body, bytes):
        try:
            row = msgspec.json.decode(body)
        except msgspec.DecodeError:
            return Bad(file, line, "not_json", "not JSON")
        if not isinstance(row, dict):
            return Bad(file, line, "not_json", "not a JSON object")
    else:
        row = body
    if isinstance(row.get("data"), bytes) and isinstance(row.get("attributes"), dict):
        return of_message(row["data"], row["attributes"], space, file, line)
    return _of_row(space, "erased" if "until" in row else "flow_state", row, file, line)


def _of_row(space: str, kind: str, row: dict[str, Any], file: str, line: int) -> Found | Bad:
    try:
        found = from_row(kind, row)
    except (msgspec.MsgspecError, ValueError) as error:
        return Bad(file, line, "invalid", f"not a {kind}: {error}")
    assert isinstance(found, STORED)
    return space, found


def of_message(
    data: bytes, attributes: dict[str, str], space: str, file: str = "", line: int = 0
) -> Found | Bad:
    """Decode a message of the topics of flow states and erasures."""
    try:
        found = from_message(data, attributes)
    except WireError as error:
        return Bad(file, line, error.reason, str(error))
    if not isinstance(found, STORED):
        return Bad(file, line, "unexpected", "neither a flow state nor an erasure")
    return attributes.get("space", space), found


def drain(subscription: str, space: str, write: Callable[[list[Found | Bad]], None]) -> None:
    """Read a subscription until it is empty; a message is acknowledged once ``write`` returns."""
    from transforms.sources.pubsub.client import AT_ONCE, Subscriber

    subscriber = Subscriber(subscription, None)
    quiet = 0
    try:
        while quiet < QUIET:
            messages = subscriber.pull(AT_ONCE)
            quiet = 0 if messages else quiet + 1
            if messages:
                write([of_message(m.data, m.attributes, space, subscription) for m in messages])
                subscriber.acknowledge([message.ack_id for message in messages])
    finally:
        subscriber.close()
