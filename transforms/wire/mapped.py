"""Turn rows of a table into events, by a mapping."""

from __future__ import annotations

import re
from datetime import date, datetime
from hashlib import blake2b
from typing import Any, Final
from zoneinfo import ZoneInfo

from transforms.flows.clock import zones
from transforms.flows.protocol.signals import Event
from transforms.wire import causes
from transforms.wire.mapping import Mapping, Property, TimeColumn
from transforms.wire.rows import canonical
from transforms.wire.values import (
    FIRST,
    LAST,
    RefusedError,
    bounded,
    has_control_character,
    plain,
    to_ms,
)

Row = dict[str, Any]

MARK: Final = "\x1f"
"""Separates hashed texts; no id or name from outside has it."""
NUMBER: Final = re.compile(r"[-+]?(\d+)(\.\d*)?([eE][-+]?\d{1,3})?|[-+]?\.\d+", re.ASCII)
TRUE: Final = {"true", "yes", "1", "t", "y"}
FALSE: Final = {"false", "no", "0", "f", "n"}
MAX_NAME: Final = 256
MAX_NUMBER: Final = 64

_HASH: Final = blake2b(digest_size=16)  # copying takes half the time of creating


def row_hash(row: Row) -> str:
    """Hash the names and values of a row, independent of the column order."""
    hashing = _HASH.copy()
    hashing.update(canonical({key: _plain(row[key]) for key in row}))
    return hashing.hexdigest()


def _plain(value: Any) -> Any:
    return value if type(value) is str else plain(value)


def numbered(row: str, k: int) -> str:
    """Return the id of the ``k``-th (from 1) of equal rows; the first keeps the row's hash.

    Equal rows have the same user, so they can be numbered per user, in any order. So two equal
    purchases both count, and splitting or shuffling files changes no id.
    """
    return row if k == 1 else blake2b(f"{row}{MARK}{k}".encode(), digest_size=16).hexdigest()


def to_event(row: Row, mapping: Mapping) -> Event:
    """Turn a row into an event. Raises RefusedError.

    Without an id column the event's id is the row's hash, still to be ``numbered``.
    """
    where = zones.find_zone(mapping.zone)
    name = mapping.event_value
    properties = {
        key: value
        for key, column in mapping.properties.items()
        if (value := _property(_cell(row, column.column), column, where)) is not None
    }
    bounded(properties)
    return Event(
        id=_id(row, mapping),
        user=_text(row, mapping.user),
        time=_required_time(row, mapping.time, where),
        received=_time(row, mapping.received, where) if mapping.received else None,
        sequence=_sequence(row, mapping.sequence),
        name=_text(row, mapping.event or "") if name is None else name,
        properties=properties,
    )


def _id(row: Row, mapping: Mapping) -> str:
    if mapping.id is None:
        return row_hash(row)
    return _text(row, mapping.id)


def _cell(row: Row, column: str) -> Any:
    """Return the value of a column, or of a path into nested values: ``properties.total``."""
    value = row.get(column)
    if value is not None or "." not in column or column in row:
        return value
    value = row
    for name in column.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _text(row: Row, column: str) -> str:
    value = _cell(row, column)
    if value is None or value == "":
        raise RefusedError("missing", f'column "{column}" is empty')
    if not isinstance(value, str) and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > MAX_NAME or has_control_character(value):
        raise RefusedError(
            "invalid",
            f'column "{column}" is not a text of 1 to {MAX_NAME} characters without control characters',
        )
    return value


def _sequence(row: Row, column: str | None) -> int:
    value = 0 if column is None else _cell(row, column)
    if value is None or value == "":
        return 0
    try:
        number = int(value) if isinstance(value, (int, str)) else None
    except ValueError:
        number = None
    if number is None or not -(2**63) <= number < 2**63:
        raise RefusedError("invalid", f'column "{column}" is not an integer')
    return number


def _required_time(row: Row, column: TimeColumn, where: ZoneInfo) -> int:
    t = _time(row, column, where)
    if t is None:
        raise RefusedError("missing", f'column "{column.column}" is empty')
    return t


def _time(row: Row, column: TimeColumn, where: ZoneInfo) -> int | None:
    value = _cell(row, column.column)
    if value is None or value == "":
        return None
    t = _number_time(value, column.unit) if column.unit else _iso_time(value, where)
    if t is None:
        hint = f"a number of {column.unit}" if column.unit else "an ISO 8601 date or date-time"
        said = f'column "{column.column}" is not {hint}{_likely(value, column)}'
        raise RefusedError("invalid", said)
    if not FIRST <= t <= LAST:
        said = f'column "{column.column}" is outside of 1970 to 2200{_likely(value, column)}'
        raise RefusedError("out_of_range", said)
    return t


UNITS_OF: Final = {"seconds": "s", "milliseconds": "ms"}


def _likely(value: Any, column: TimeColumn) -> str:
    """Describe the likely cause of a time that cannot be read."""
    if isinstance(value, (datetime, date)):
        return ": it has dates; leave out the unit" if column.unit else ""
    if isinstance(value, float) and value != value:
        return ": it is NaN; leave the cell empty, or write null"
    looks = causes.size_of(value)
    unit = UNITS_OF.get(looks or "")
    if looks is None or unit == column.unit:
        return ""
    if unit is None:
        return f": it looks like {looks} since 1970; divide by 1000 and use unit: ms"
    return f": it looks like {looks} since 1970; write {{column: {column.column}, unit: {unit}}}"


def _number_time(value: Any, unit: str) -> int | None:
    number = _number(value)
    if number is None or number != number:
        return None
    scaled = number * (1000 if unit == "s" else 1)
    return int(scaled) if abs(scaled) < LAST * 10 else LAST * 10


def _iso_time(value: Any, where: ZoneInfo) -> int | None:
    match value:
        case str():
            return zones.parse_instant(value, where)
        case datetime():
            return zones.at_local(value, where) if value.tzinfo is None else to_ms(value)
        case date():
            return zones.local_midnight(value, where)
        case _:
            return None


def _property(value: Any, column: Property, where: ZoneInfo) -> Any:
    if value is None or value == "":
        return None
    made: Any
    match column.type:
        case "text":
            return plain(value)
        case "number":
            made = _number(value)
        case "boolean":
            made = _boolean(value)
        case "time":
            made = _iso_time(value, where)
    if made is None:
        raise RefusedError("invalid", f'column "{column.column}" is not a {column.type}')
    return made


def _number(value: Any) -> int | float | None:
    if not isinstance(value, str):
        number = plain(value)
        fits = isinstance(number, (int, float)) and not isinstance(number, bool)
        return number if fits else None
    if len(value) > MAX_NUMBER:
        return None
    if value.isascii():  # fast path: most are digits with at most one point
        if value.isdigit():
            return int(value)
        if value.replace(".", "", 1).isdigit():
            return float(value)
    match = NUMBER.fullmatch(value)
    if match is None:
        return None
    return int(value) if match[1] and not match[2] and not match[3] else float(value)


def _boolean(value: Any) -> bool | None:
    text = str(value).lower()
    return True if text in TRUE else False if text in FALSE else None
