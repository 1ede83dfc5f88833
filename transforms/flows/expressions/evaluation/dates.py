"""Operators on dates: the half-open intervals of time in which each is true (R2, R18).

A test and its next instant of change both follow from the intervals [start, end).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Final, final
from zoneinfo import ZoneInfo

from transforms.flows.clock.delays import Delay, add_months, after, before
from transforms.flows.clock.zones import (
    DAY,
    EARLIEST,
    LATEST,
    anniversary,
    local,
    local_day,
    local_midnight,
)

Interval = tuple[int, int]
Near = Callable[[int, int, ZoneInfo], tuple[Interval, ...]]
"""From (date, now, zone) to the intervals near now in which the operator is true."""

HOUR: Final = 3_600_000
_ONE_DAY: Final = timedelta(days=1)
_FIRST: Final = EARLIEST - 1000 * 366 * DAY
_LAST: Final = LATEST + 1000 * 366 * DAY
_FOREVER: Final = 1 << 60


@final
class Intervals:
    """The intervals of time in which an operator on a date is true.

    There is one from ``start`` to ``end`` ms after the date, unless ``near`` gives them.
    """

    def __init__(self, near: Near | None, start: int = 0, end: int = 0) -> None:
        self.near = near
        self.start = start
        self.end = end

    def holds(self, t: int, now: int, zone: ZoneInfo) -> bool:
        """Return True if the operator is true of the date ``t`` now."""
        near = self.near
        if near is None:
            return t + self.start <= now < t + self.end
        return any(start <= now < end for start, end in near(t, now, zone))

    def next_edge(self, t: int, now: int, zone: ZoneInfo) -> int | None:
        """Return the next instant at which the operator changes."""
        near, first = self.near, _LAST
        if near is None:
            first = t + (self.start if now < t + self.start else self.end)
            return first if now < first < _LAST else None
        for interval in near(t, now, zone):
            for edge in interval:
                if now < edge < first:
                    first = edge
        return first if first < _LAST else None


def intervals(op: str, delay: Delay | None) -> Intervals:
    """Return the intervals in which an operator, with or without a duration, is true."""
    if delay is not None and delay.ms:
        match op:
            case "within last _":
                return Intervals(None, 0, delay.ms)
            case "within next _":
                return Intervals(None, -delay.ms, 0)
            case "more than _ ago":
                return Intervals(None, delay.ms, _FOREVER)
            case "more than _ ahead":
                return Intervals(None, -_FOREVER, -delay.ms)
    return Intervals(_near(op, delay))


def _near(op: str, delay: Delay | None) -> Near:
    match op:
        case "is today" | "on":
            return _today
        case "is anniversary":
            return _anniversaries(0, 0)
    if delay is None:
        raise ValueError(f"{op} takes a duration")
    match op:
        case "within last _":
            return lambda t, now, zone: ((t, after(delay, t, zone)),)
        case "within next _":
            return lambda t, now, zone: ((before(delay, t, zone), t),)
        case "more than _ ago":
            return lambda t, now, zone: ((after(delay, t, zone), _LAST),)
        case "more than _ ahead":
            return lambda t, now, zone: ((_FIRST, before(delay, t, zone)),)
        case "exactly _ ago":
            return _exactly(delay, 1)
        case "exactly _ ahead":
            return _exactly(delay, -1)
        case "is anniversary within last _":
            return _anniversaries(0, delay.ms // DAY)
        case "is anniversary within next _":
            return _anniversaries(delay.ms // DAY, 0)
    raise ValueError(f"{op} is not an operator on dates")


def day_of(day: date, zone: ZoneInfo) -> Interval:
    """Return a local day as an interval."""
    return local_midnight(day, zone), local_midnight(day + _ONE_DAY, zone)


def _today(t: int, now: int, zone: ZoneInfo) -> tuple[Interval, ...]:
    return (day_of(local_day(t, zone), zone),)


def _exactly(delay: Delay, sign: int) -> Near:
    days = timedelta(days=sign * (delay.ms // DAY))

    def intervals_at(t: int, now: int, zone: ZoneInfo) -> tuple[Interval, ...]:
        return (day_of(add_months(local_day(t, zone), sign * delay.months) + days, zone),)

    return intervals_at


def _anniversaries(ahead: int, back: int) -> Near:
    early, late = timedelta(days=ahead), timedelta(days=back)

    def intervals_at(t: int, now: int, zone: ZoneInfo) -> tuple[Interval, ...]:
        born = local_day(t, zone)
        this = local_day(now, zone).year
        days = [anniversary(born, year) for year in range(this - 2, this + 3)]
        return tuple((day_of(d - early, zone)[0], day_of(d + late, zone)[1]) for d in days)

    return intervals_at


def part_of(part: str, t: int, zone: ZoneInfo) -> int | str:
    """Return the year, month, day, weekday or hour of an instant."""
    if part == "hour":
        return local(t, zone).hour
    day = local_day(t, zone)
    match part:
        case "year":
            return day.year
        case "month":
            return day.month
        case "day":
            return day.day
        case _:
            return ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[day.weekday()]


def next_part(part: str, now: int, zone: ZoneInfo) -> int:
    """Return the next instant at which a part of now can change."""
    if part == "hour":
        return _next_hour(now, zone)
    day = local_day(now, zone)
    if part == "year":
        return local_midnight(date(day.year + 1, 1, 1), zone)
    if part == "month":
        return local_midnight(add_months(day.replace(day=1), 1), zone)
    return local_midnight(day + _ONE_DAY, zone)


def _next_hour(now: int, zone: ZoneInfo) -> int:
    wall = local(now, zone)
    left = HOUR - ((wall.minute * 60 + wall.second) * 1000 + wall.microsecond // 1000)
    low, high = now, now + left
    if local(high, zone).utcoffset() == wall.utcoffset():
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if local(middle, zone).utcoffset() == wall.utcoffset():
            low = middle
        else:
            high = middle
    return high
