"""The likely cause of a record that cannot be read, described without its contents."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any, Final

NOT_JSON: Final = "it is not JSON in UTF-8"
NOT_TIME: Final = "is not an ISO 8601 date and time, such as 2026-01-31T09:00:00Z"
SECONDS: Final = (10**8, 10**11)
"""Numbers that are seconds from 1973 to 5138, or milliseconds of the first three years."""
MILLISECONDS: Final = (10**11, 10**14)
MICROSECONDS: Final = (10**14, 10**17)
_NUMBER: Final = re.compile(r"\d{1,18}(?:\.\d*)?", re.ASCII)
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def not_json(line: bytes) -> str:
    """Describe a line that is not JSON."""
    found = _not_json(line)
    return f"{NOT_JSON}: {found}" if found else NOT_JSON


def _not_json(line: bytes) -> str:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return "some bytes are not UTF-8"
    text = text.strip()
    constants: list[str] = []
    try:
        json.loads(text, parse_constant=constants.append)
    except (ValueError, RecursionError):
        pass
    else:
        if constants:
            return "NaN and Infinity are not JSON; write null"
        if re.search(r"\\u[dD][89a-fA-F]", text):
            return r"an escape from \ud800 to \udfff is half of a character; write the whole one"
    if text.rstrip(",") in ("{", "}", "[", "]") or text.startswith('"'):
        return "a record must be on one line; jq -c . writes it so"
    if text.startswith("{'"):
        return "texts and keys need double quotes"
    if text.endswith(","):
        return "a comma after the record"
    if text.startswith("{") and not text.endswith("}"):
        return "it ends too early"
    return ""


def not_object(line: bytes) -> str:
    """Describe a line of JSON that is not an object."""
    if line.lstrip().startswith(b"["):
        return "it is a JSON array, not an object; jq -c '.[]' writes one record per line"
    return "it is not a JSON object"


def size_of(value: Any) -> str | None:
    """Return the unit that a number, or a number in a text, seems to count since 1970."""
    number = _number(value)
    if number is None:
        return None
    for unit, (least, beyond) in (
        ("seconds", SECONDS),
        ("milliseconds", MILLISECONDS),
        ("microseconds", MICROSECONDS),
    ):
        if least <= number < beyond:
            return unit
    return None


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value) if abs(value) < 2**64 else None
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    return None


def not_time(field: str, value: Any) -> str:
    """Describe a field of a record that is not a time."""
    unit = size_of(value)
    if unit == "seconds":
        more = "it looks like seconds since 1970; write milliseconds: multiply it by 1000"
    elif unit is not None and isinstance(value, str):
        more = f"it looks like {unit} since 1970 in quotes; write a number of milliseconds"
    elif unit is not None:
        more = f"it looks like {unit} since 1970; write a whole number of milliseconds"
    elif isinstance(value, str) and _is_day(value):
        more = "it is a date without a time of day; write T00:00:00Z after it"
    elif value is None:
        more = "it is null"
    else:
        more = ""
    return f"{field} {NOT_TIME}" + (f": {more}" if more else "")


def _is_day(text: str) -> bool:
    try:
        return _DAY.fullmatch(text) is not None and date.fromisoformat(text) is not None
    except ValueError:
        return False
