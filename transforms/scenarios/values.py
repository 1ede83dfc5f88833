"""Reads one line of a scenario: times, names and values, each with its column.

Values are JSON, but keys need no quotes: ``{total: 30, plan: "pro"}``.
"""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any
from zoneinfo import ZoneInfo

from transforms.flows.clock.delays import UNITS, WORDS, short_unit
from transforms.flows.clock.zones import parse_instant

_UNITS = {"ms": 1, **UNITS}
_WORDS = "|".join(word for word, short in WORDS.items() if short in _UNITS)
_UNIT = f"(?:ms| ?(?:{_WORDS})s?|[smhdw])"
_SHIFT = re.compile(rf"([+-])((?:\d{{1,9}}{_UNIT})+)(?!\S)")
_LENGTH = re.compile(rf"(\d+)({_UNIT})")
_CLOCK = re.compile(
    r"\d{4}-\d\d-\d\d(?: \d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d)?)?(?!\S)"
)
_NAME = re.compile(r"[A-Za-z_][\w.-]*")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_LITERAL = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")
_BLANK = re.compile(r"[ \t]*")
DEEPEST = 20
LAST = 7_289_654_400_000
"""The first instant that no record may have: the year 2201."""


class LineError(ValueError):
    """A line that cannot be read: ``column`` (from 0), ``code``, message and help."""

    def __init__(self, column: int, code: str, message: str, known: str = "") -> None:
        super().__init__(message)
        self.column = column
        self.code = code
        self.known = known


class Line:
    """One line, read from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text.rstrip()
        self.at = 0

    @property
    def over(self) -> bool:
        return self.at >= len(self.text)

    def stop(
        self,
        message: str,
        code: str = "scenario-syntax",
        at: int | None = None,
        known: str = "",
    ) -> LineError:
        """Return an error at this place, or at another one of the line."""
        return LineError(self.at if at is None else at, code, message, known)

    def take(self, pattern: re.Pattern[str]) -> str | None:
        """Read the text that matches a pattern here, and skip the blanks after it."""
        match = pattern.match(self.text, self.at)
        if match is None:
            return None
        blank = _BLANK.match(self.text, match.end())
        self.at = blank.end() if blank else match.end()
        return match[0]

    def passes(self, literal: str) -> bool:
        """Skip a literal text if it is next; return whether it was."""
        return self.take(re.compile(re.escape(literal))) is not None

    def name(self, what: str) -> str:
        """Read a name; ``what`` names it in the error."""
        word = self.take(_NAME)
        if word is None:
            raise self.stop(f"{what} is expected here")
        return word

    def time(self, previous: int | None, zone: ZoneInfo) -> int:
        """Read a time: a local time in the zone, or ``+2h`` after the line before."""
        start = self.at
        if shift := self.take(_SHIFT):
            if previous is None:
                message = "the first time of a scenario cannot be relative"
                raise self.stop(message, "invalid-time", start, "write 2026-03-01 09:00")
            parts = _LENGTH.findall(shift)
            ms = sum(int(number) * _UNITS[short_unit(unit.strip())] for number, unit in parts)
            shifted = previous + (ms if shift[0] == "+" else -ms)
            if not 0 <= shifted < LAST:
                raise self.stop("this time is out of range", "invalid-time", start)
            return shifted
        text = self.take(_CLOCK)
        t = parse_instant(text, zone) if text is not None else None
        if t is None:
            known = "write 2026-03-01 09:00, or +2h after the line before"
            raise self.stop("a line begins with a time", "invalid-time", start, known)
        if not 0 <= t < LAST:
            raise self.stop("times are in the years 1970 to 2200", "invalid-time", start)
        return t

    def has_value(self) -> bool:
        """Return True if a map is next."""
        return self.text[self.at : self.at + 1] == "{"

    def mapping(self) -> dict[str, Any]:
        """Read a map of values; an empty map if none is next."""
        if not self.has_value():
            return {}
        values = self.value()
        return values if isinstance(values, dict) else {}

    def value(self, depth: int = 0) -> Any:
        """Read a value."""
        if depth > DEEPEST:
            raise self.stop(f"values are at most {DEEPEST} deep")
        if self.passes("{"):
            return self._map(depth)
        if self.passes("["):
            return self._list(depth)
        text = self.take(_STRING) or self.take(_LITERAL)
        if text is None:
            message = (
                'a value is expected here: a number, "text", true, false, null, [...] or {...}'
            )
            raise self.stop(message)
        try:
            return _storable(json.loads(text))
        except ValueError:
            raise self.stop(f"{text} is not a value", at=self.at - len(text)) from None

    def _map(self, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not self.passes("}"):
            if values:
                self._comma("}")
            quoted = self.take(_STRING)
            key = json.loads(quoted) if quoted else self.name("a name")
            if not self.passes(":"):
                raise self.stop(f'"{key}" needs a colon and a value')
            values[key] = self.value(depth + 1)
        return values

    def _list(self, depth: int) -> list[Any]:
        items: list[Any] = []
        while not self.passes("]"):
            if items:
                self._comma("]")
            items.append(self.value(depth + 1))
        return items

    def _comma(self, closing: str) -> None:
        if not self.passes(","):
            raise self.stop(f"a comma or {closing} is expected here")


def _storable(value: Any) -> Any:
    """Return a value; raise ValueError if no record may have it."""
    match value:
        case str():
            value.encode()
        case int() if not -(2**63) <= value < 2**64:
            raise ValueError
        case float() if not isfinite(value):
            raise ValueError
        case _:
            pass
    return value
