"""The figures of a page: a title, a sentence, charts, and the table with the same numbers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from towpath.reports.html.charts import Spec

Kind = Literal["text", "count", "share", "points", "money", "time", "week"]
Row = tuple[Any, ...]

HOUR = 3_600_000
DAY = 24 * HOUR
NONE = "–"


class Column(msgspec.Struct, frozen=True, gc=False):
    """A column of a table: its heading, and how its values are written."""

    name: str
    kind: Kind = "text"


class Figure(msgspec.Struct, frozen=True):
    """One figure. Without rows it is only a sentence, which says so."""

    title: str
    note: str
    columns: tuple[Column, ...] = ()
    rows: tuple[Row, ...] = ()
    charts: tuple[Spec, ...] = ()
    wide: bool = False


def figure(
    title: str,
    note: str,
    heads: tuple[Column, ...],
    rows: Iterable[Row],
    charts: tuple[Spec, ...] = (),
    wide: bool = False,
) -> Figure:
    """Make a figure, without the columns of money in which there is none."""
    found = [*rows]
    kept = [
        n
        for n, column in enumerate(heads)
        if column.kind != "money" or any(row[n] for row in found)
    ]
    shown = tuple(tuple(row[n] for n in kept) for row in found)
    return Figure(title, note, tuple(heads[n] for n in kept), shown, charts, wide)


def without(title: str, sentence: str) -> Figure:
    """Make a figure of something of which there is nothing."""
    return Figure(title, sentence)


def columns(*pairs: tuple[str, Kind]) -> tuple[Column, ...]:
    """Make columns from names and kinds."""
    return tuple(Column(*pair) for pair in pairs)


def written(value: Any, kind: Kind) -> str:
    """Write a value for people."""
    if value is None:
        return NONE
    match kind:
        case "count":
            return f"{value:,}"
        case "share":
            return f"{value:.1%}"
        case "points":
            return f"{value * 100:+.1f}"
        case "money":
            return f"{value:,.2f}"
        case "time":
            return duration(value)
        case "week":
            return day(value)
        case _:
            return str(value)


def duration(ms: float) -> str:
    """Write a duration in days, hours or minutes: the largest unit that it fills."""
    for size, unit in ((DAY, "day"), (HOUR, "hour"), (60_000, "minute")):
        if ms >= size:
            text = f"{ms / size:,.1f}".removesuffix(".0")
            return f"{text} {unit}" + ("" if text == "1" else "s")
    return "0 minutes" if not ms else "under a minute"


def day(ms: int) -> str:
    """Write the day of an instant, in UTC."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d}"


def counted(count: int, name: str) -> str:
    """Write a count with its noun."""
    return f"{count:,} {name}" + ("" if count == 1 else "s")


def share(part: float, whole: float) -> float | None:
    """Divide; None where there is no whole."""
    return part / whole if whole else None


def tip(head: str, pairs: Iterable[tuple[str, Any, Kind]]) -> str:
    """Write what a mark of a chart stands for, in lines."""
    return "\n".join([head, *(f"{name}: {written(value, kind)}" for name, value, kind in pairs)])
