"""The table of operators by type (R17): the parser, the checks and the reference use it.

A missing value makes every operator false except ``is empty`` and ``is not set``; a value of
another type than listed makes it false and is counted.
"""

from __future__ import annotations

from typing import Literal

import msgspec

TEXT, NUMBER, BOOLEAN, DATE, LIST, MAP = "text", "number", "boolean", "date", "list", "map"
SCALARS = (TEXT, NUMBER, BOOLEAN)
ALL = (TEXT, NUMBER, BOOLEAN, DATE, LIST, MAP)

Right = Literal["same", "text", "pattern", "list", "member", "date", "pair", "delay", "days", ""]
"""The right side: a value of the same type, a text, a pattern in quotes, a list, an item of the
list on the left (or a part of its text), a date, two values, a duration, a number of days, or
nothing."""


class Operator(msgspec.Struct, frozen=True, gc=False):
    """One operator: ``words`` as written, with ``_`` for a duration."""

    name: str
    left: tuple[str, ...]
    right: Right
    about: str

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self.name.split())


def _both(name: str, left: tuple[str, ...], right: Right, about: str) -> tuple[Operator, ...]:
    ignoring = tuple(kind for kind in left if kind in (TEXT, LIST))
    return (
        Operator(name, left, right, about),
        Operator(f"not {name}", left, right, f"not so: {about}"),
        Operator(f"i{name}", ignoring, right, f"{about}, ignoring case"),
        Operator(f"not i{name}", ignoring, right, f"not so: {about}, ignoring case"),
    )


_EQUAL = (TEXT, NUMBER, BOOLEAN, LIST, MAP)
_ORDERED = (NUMBER, TEXT)
_HOLDS = (TEXT, LIST)
_DATED = (DATE,)

COMPARISONS: tuple[Operator, ...] = (
    Operator("==", _EQUAL, "same", "equals"),
    Operator("!=", _EQUAL, "same", "is another value than"),
    Operator("i==", (TEXT,), "same", "equals, ignoring case"),
    Operator("i!=", (TEXT,), "same", "is another text than, ignoring case"),
    Operator("<", _ORDERED, "same", "is less than"),
    Operator("<=", _ORDERED, "same", "is less than or equals"),
    Operator(">", _ORDERED, "same", "is greater than"),
    Operator(">=", _ORDERED, "same", "is greater than or equals"),
    *_both("in", SCALARS, "list", "is one of"),
    *_both("contains any", _HOLDS, "list", "contains at least one of"),
    *_both("contains all", _HOLDS, "list", "contains every one of"),
    *_both("contains", _HOLDS, "member", "contains the text, or has the item"),
    *_both("starts with", (TEXT,), "text", "starts with"),
    *_both("ends with", (TEXT,), "text", "ends with"),
    *_both("matches", (TEXT,), "pattern", "has a part that matches the RE2 pattern"),
    Operator("before", _DATED, "date", "is earlier than"),
    Operator("until", _DATED, "date", "is earlier than or at"),
    Operator("since", _DATED, "date", "is later than or at"),
    Operator("after", _DATED, "date", "is later than"),
    Operator("on", _DATED, "date", "is on the same day, in the user's zone"),
)
RANGES: tuple[Operator, ...] = (
    Operator("between", _ORDERED, "pair", "lies between, both ends included"),
    Operator("not between", _ORDERED, "pair", "lies outside"),
)
TESTS: tuple[Operator, ...] = (
    Operator("is set", ALL, "", "has a value"),
    Operator("is not set", ALL, "", "has no value"),
    Operator("is empty", ALL, "", "has no value, or an empty text, list or map"),
    Operator("is not empty", ALL, "", "has a value that is not an empty text, list or map"),
    Operator("is today", _DATED, "", "is on this day, in the user's zone"),
    Operator("is anniversary", _DATED, "", "is on this day of a year; February 29 on the 28th"),
)
SPANS: tuple[Operator, ...] = (
    Operator("within last _", _DATED, "delay", "was at most so long ago"),
    Operator("within next _", _DATED, "delay", "comes in at most so long"),
    Operator("more than _ ago", _DATED, "delay", "was so long ago, or longer"),
    Operator("more than _ ahead", _DATED, "delay", "comes later than in so long"),
    Operator("exactly _ ago", _DATED, "days", "was so many days ago, in the user's zone"),
    Operator("exactly _ ahead", _DATED, "days", "comes in so many days, in the user's zone"),
    Operator(
        "is anniversary within last _",
        _DATED,
        "days",
        "has its day today, or had it so many days back",
    ),
    Operator(
        "is anniversary within next _", _DATED, "days", "has its day today, or in so many days"
    ),
)
OPERATORS: dict[str, Operator] = {
    operator.name: operator for operator in (*COMPARISONS, *RANGES, *TESTS, *SPANS)
}

ANNIVERSARIES = ("is anniversary within last _", "is anniversary within next _")
MOVING = frozenset(operator.name for operator in SPANS) | {"is today", "is anniversary"}
"""Operators whose result can change as time passes (R18)."""

PARTS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "length": ((LIST, TEXT), NUMBER, "the number of items of a list, or of characters of a text"),
    "year": (_DATED, NUMBER, "the year of a date, in the user's zone"),
    "month": (_DATED, NUMBER, "the month of a date, 1 to 12"),
    "day": (_DATED, NUMBER, "the day of the month of a date, 1 to 31"),
    "weekday": (_DATED, TEXT, "the weekday of a date, mon to sun"),
    "hour": (_DATED, NUMBER, "the hour of a date, 0 to 23"),
}
"""``<part> of x``: the types of x, the type of the result, its description."""

FUNCTIONS: dict[str, tuple[str, str]] = {
    "count": (NUMBER, "how many events there were"),
    "sum": (NUMBER, "the sum of a value over events, exact to four decimals"),
    "min": (NUMBER, "the smallest value"),
    "max": (NUMBER, "the largest value"),
    "average": (NUMBER, "the mean of a value"),
    "first": (DATE, "when the event happened first"),
    "last": (DATE, "when the event happened last"),
}
"""Aggregates over the events of a user: the type of the result, its description."""


def operators_for(kind: str) -> tuple[Operator, ...]:
    """Return the operators that take a value of this type on the left."""
    return tuple(operator for operator in OPERATORS.values() if kind in operator.left)
