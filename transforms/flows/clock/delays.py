"""Durations, exact (``30m``) or by the calendar (``1mo``, ``2 days at 09:00``), and periods.

An exact duration is in milliseconds; a calendar duration is in days and months of the user's zone.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from transforms.flows.clock.zones import (
    DAY,
    EARLIEST,
    LATEST,
    at_local,
    local,
    local_clock,
    local_day,
    local_midnight,
)

UNITS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": DAY, "w": 7 * DAY}
MONTHS = {"mo": 1, "y": 12}
HOUR = 3_600_000
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

WORDS = {
    "second": "s", "minute": "m", "hour": "h", "day": "d", "week": "w", "month": "mo", "year": "y"
}  # fmt: skip
"""Units written out, in the singular, with their short forms."""

UNIT = f"(?:mo|[smhdwy]|(?:{'|'.join(WORDS)})s?)"
"""The pattern of a unit."""

_LENGTH = re.compile(rf"(\d{{1,8}})\s*({UNIT})(?:\s+at\s+(\d{{1,2}}:\d\d))?", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)", re.ASCII)
_CENTURY = 36_525 * DAY


class TimeSyntaxError(ValueError):
    """A time, duration, schedule or window that cannot be read; the message says what to write.

    ``suggestion`` is what was probably meant, if there is a good guess.
    """

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.suggestion = suggestion


class Delay(msgspec.Struct, frozen=True, gc=False):
    """A duration: ``ms`` if exact, else ``months``, ``days`` and the minute of the day ``at``."""

    text: str
    ms: int = 0
    months: int = 0
    days: int = 0
    at: int | None = None


class Period(msgspec.Struct, frozen=True, gc=False):
    """The period of a limit or cap: a calendar ``unit``, else the last ``ms``."""

    text: str
    unit: str | None = None
    ms: int = 0


def parse_clock(text: str) -> int:
    """Read a time of day into minutes: ``09:00`` is 540, ``24:00`` is 1440."""
    match = _CLOCK.fullmatch(text)
    minute = int(match[1]) * 60 + int(match[2]) if match and int(match[2]) < 60 else 1441
    if minute > 1440:
        raise TimeSyntaxError(f'"{text}" is not a time of day; write for example 09:00')
    return minute


def clock_text(minute: int) -> str:
    """Write minutes as a time of day."""
    return f"{minute // 60:02}:{minute % 60:02}"


def parse_delay(text: str) -> Delay:
    """Read a duration: ``30m 12h 2d 1w 90s`` exact, ``1mo 1y`` and ``2 days at 09:00`` calendar.

    Units may be written out: ``1 week`` is ``1w``.
    """
    words = " ".join(text.split())
    match = _LENGTH.fullmatch(words)
    unit = "" if match is None else short_unit(match[2])
    if match is None or (match[3] and unit in ("s", "m", "h")):
        raise TimeSyntaxError(
            f'"{text}" is not a duration; write for example 30m, 12h or 2d', likely_duration(words)
        )
    number = int(match[1])
    if match[3]:
        delay = _calendar(number, unit, _wall_clock(match[3]))
    elif unit in MONTHS:
        delay = Delay(f"{number}{unit}", months=number * MONTHS[unit])
    else:
        delay = Delay(f"{number}{unit}", ms=number * UNITS[unit])
    if not delay.ms and not delay.months and not delay.days:
        raise TimeSyntaxError(f'"{text}" has no length; write at least 1s')
    if longest(delay) > _CENTURY:
        raise TimeSyntaxError(f'"{text}" is longer than a hundred years')
    return delay


def short_unit(unit: str) -> str:
    """Return the short form of a unit, which may be in it already."""
    return WORDS.get(unit.removesuffix("s"), unit)


def _calendar(number: int, unit: str, at: int) -> Delay:
    clock = clock_text(at)
    if unit in MONTHS:
        return Delay(f"{number}{unit} at {clock}", months=number * MONTHS[unit], at=at)
    days = number * 7 if unit == "w" else number
    return Delay(f"{days} day{'' if days == 1 else 's'} at {clock}", days=days, at=at)


def _wall_clock(text: str) -> int:
    minute = parse_clock(text)
    if minute == 1440:
        raise TimeSyntaxError('"24:00" can only end a window; write 00:00')
    return minute


def likely_duration(text: str) -> str | None:
    """Return the duration that a text probably means, in the short form."""
    match = re.fullmatch(r"(\d{1,8})\s*([a-z]+)", text.lower(), re.ASCII)
    if match is None:
        return None
    units = {
        "sec": "s", "min": "m", "hour": "h", "hr": "h", "day": "d", "week": "w", "wk": "w", "month": "mo",
        "year": "y", "yr": "y",
    }  # fmt: skip
    for start, unit in units.items():
        if match[2].startswith(start):
            return f"{match[1]}{unit}"
    return None


def longest(delay: Delay) -> int:
    """Return the maximum duration of a delay, in ms, in any zone and at any time of year."""
    if delay.ms:
        return delay.ms
    days = delay.months // 12 * 366 + delay.months % 12 * 31 + delay.days
    return (days + 2) * DAY


def parse_period(text: str) -> Period:
    """Read a period: ``day week month`` (calendar) or ``24h 7d`` (rolling)."""
    words = text.strip()
    if words in ("day", "week", "month"):
        return Period(words, words)
    match = _LENGTH.fullmatch(words)
    if match is None or match[3] or short_unit(match[2]) in MONTHS or not int(match[1]):
        raise TimeSyntaxError(
            f'"{text}" is not a period; write day, week or month, or for example 24h or 7d',
            likely_duration(words) if match is None else None,
        )
    delay = parse_delay(words)
    return Period(delay.text, None, delay.ms)


def longest_period(period: Period) -> int:
    """Return the maximum duration of a period, in ms."""
    if period.unit is None:
        return period.ms
    return {"day": 1, "week": 7, "month": 31}[period.unit] * DAY + 26 * HOUR


def parse_days(text: str) -> tuple[int, ...]:
    """Read weekdays, Monday as 0: ``mon``, ``mon-fri``, ``fri-mon``, several with commas."""
    days: set[int] = set()
    for part in text.replace(" ", "").split(","):
        ends = part.split("-")
        if len(ends) > 2 or any(end not in WEEKDAYS for end in ends):
            raise TimeSyntaxError(f'"{part}" is not a weekday; write for example mon or mon-fri')
        first, last = WEEKDAYS.index(ends[0]), WEEKDAYS.index(ends[-1])
        days.update((first + n) % 7 for n in range((last - first) % 7 + 1))
    return tuple(sorted(days))


# --- durations in the user's time zone (R2, R16) -------------------------------------------


def add_months(day: date, months: int) -> date:
    """Move a date by months; a day that the month does not have becomes its last day."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def after(delay: Delay, start: int, zone: ZoneInfo) -> int:
    """Return the end of a delay that begins at ``start``."""
    ms = delay.ms
    return start + ms if ms else _moved(delay, 1, start, zone)


def before(delay: Delay, end: int, zone: ZoneInfo) -> int:
    """Return the start of a delay that ends at ``end``, counted back by the calendar."""
    return end - delay.ms if delay.ms else _moved(delay, -1, end, zone)


def _moved(delay: Delay, sign: int, t: int, zone: ZoneInfo) -> int:
    wall = local(t, zone)
    try:
        day = add_months(wall.date(), sign * delay.months) + timedelta(days=sign * delay.days)
        if delay.at is not None:
            return local_clock(day, delay.at, zone)
        return at_local(datetime.combine(day, wall.time()), zone)
    except (ValueError, OverflowError):
        return LATEST if sign > 0 else EARLIEST


def period_start(period: Period, now: int, zone: ZoneInfo) -> int:
    """Return the start of the period that ends now. An entry counts if t > start (R2).

    A calendar week begins on Monday.
    """
    if period.unit is None:
        return now - period.ms
    day = local_day(now, zone)
    if period.unit == "week":
        day -= timedelta(days=day.weekday())
    elif period.unit == "month":
        day = day.replace(day=1)
    return local_midnight(day, zone) - 1
