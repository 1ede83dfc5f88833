"""External values, converted to JSON types and bounded, so that states and messages can hold them."""

from __future__ import annotations

import base64
import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any, Final

import msgspec

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)
FIRST: Final = 0
LAST: Final = (datetime(2201, 1, 1, tzinfo=UTC) - EPOCH) // MILLISECOND - 1
MAX_BYTES: Final = 32 * 1024
MAX_DEPTH: Final = 16
INTEGERS: Final = range(-(2**63), 2**63)
NESTED: Final = frozenset((dict, list))

_size: Final = msgspec.json.encode
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")


class RefusedError(Exception):
    """A record is refused: a reason code, and a description without the value."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def in_range(at: int) -> int:
    """Return an instant, or the nearest one in the years 1970 to 2200; in ms UTC."""
    return min(max(at, FIRST), LAST)


def has_control_character(text: str) -> bool:
    """Return True if a text has a control character, which no id may have (R30)."""
    return not text.isprintable() and _CONTROL.search(text) is not None


def to_ms(moment: datetime) -> int:
    """Convert a date-time to ms since 1970; without a zone it is UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - EPOCH  # dividing timedeltas takes twice as long
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def bounded(values: dict[str, Any]) -> None:
    """Refuse values that are nested too deeply, beyond 64 bits, or too large in total."""
    _walk(values, 1)
    if len(_size(values)) > MAX_BYTES:
        raise RefusedError("too_large", f"values of more than {MAX_BYTES} bytes")


def check_nested(values: dict[str, Any]) -> None:
    """Refuse nested lists and maps that hold what the decoder could not refuse."""
    if not NESTED.isdisjoint(map(type, values.values())):
        _walk(values, 1)


def _walk(value: Any, depth: int) -> None:
    if isinstance(value, (dict, list)):
        if depth > MAX_DEPTH:
            raise RefusedError("too_deep", f"values nested deeper than {MAX_DEPTH}")
        for item in value.values() if isinstance(value, dict) else value:
            _walk(item, depth + 1)
    elif isinstance(value, int):
        if value not in INTEGERS:
            raise RefusedError("out_of_range", "a number beyond 64 bits")
    elif isinstance(value, float) and not isfinite(value):
        raise RefusedError("out_of_range", "a number that is not finite")


def plain(value: Any, depth: int = 1) -> Any:
    """Convert a table's value to a JSON type: times to ISO 8601 texts, bytes to base64."""
    if depth > MAX_DEPTH:
        raise RefusedError("too_deep", f"values nested deeper than {MAX_DEPTH}")
    match value:
        case str() | None | bool() | int() | float():
            return value
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime():
            return msgspec.to_builtins(value)
        case date() | time():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {str(key): plain(item, depth + 1) for key, item in value.items()}
        case list() | tuple():
            return [plain(item, depth + 1) for item in value]
        case _:
            return str(value)
