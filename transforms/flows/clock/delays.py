"""How long: exact (``30m``) or by the user's calendar (``1mo``, ``2 days at 09:00``); periods.

Exact means milliseconds; calendar means days and months in the user's zone (section 4, wait).
"""

from __future__ import annotations

import re

import msgspec

from transforms.flows.clock.zones import DAY

UNITS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": DAY, "w": 7 * DAY}
MONTHS = {"mo": 1, "y": 12}
HOUR = 3_600_000

_SHORT = re.compile(r"(\d{1,8})\s*(mo|[smhdwy])", re.ASCII)
_AT = re.compile(r"(\d{1,8})\s*(days?|d|w|mo|y)\s+at\s+(\d{1,2}:\d\d)", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)", re.ASCII)
_CENTURY = 36_525 * DAY


class TimeSyntaxError(ValueError):
    """A time, duration, moment or window that cannot be read; the message helps.

    ``suggestion`` is what was probably meant, if that can be told.
    """

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.suggestion = suggestion


class Delay(msgspec.Struct, frozen=True, gc=False):
    """A length of time. ``ms`` if exact, else ``months``, ``days`` and the minute ``at``."""

    text: str
    ms: int = 0
    months: int = 0
    days: int = 0
    at: int | None = None


class Period(msgspec.Struct, frozen=True, gc=False):
    """What limits and caps count over: a calendar ``unit``, else rolling ``ms``."""

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
    """Read a duration: ``30m 12h 2d 1w 90s`` exact, ``1mo 1y`` and ``2 days at 09:00`` calendar."""
    words = " ".join(text.split())
    if match := _AT.fullmatch(words):
        delay = _calendar(int(match[1]), match[2], _wall_clock(match[3]))
    elif match := _SHORT.fullmatch(words):
        number, unit = int(match[1]), match[2]
        if unit in MONTHS:
            delay = Delay(f"{number}{unit}", months=number * MONTHS[unit])
        else:
            delay = Delay(f"{number}{unit}", ms=number * UNITS[unit])
    else:
        raise TimeSyntaxError(
            f'"{text}" is not a duration; write for example 30m, 12h or 2d', _meant(words)
        )
    if not delay.ms and not delay.months and not delay.days:
        raise TimeSyntaxError(f'"{text}" is no time at all; write at least 1s')
    if longest(delay) > _CENTURY:
        raise TimeSyntaxError(f'"{text}" is longer than a hundred years')
    return delay


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


def _meant(text: str) -> str | None:
    match = re.fullmatch(r"(\d{1,8})\s*([a-z]+)", text.lower(), re.ASCII)
    if match is None:
        return None
    units = {
        "sec": "s", "min": "m", "hour": "h", "hr": "h", "day": "d", "week": "w", "month": "mo",
        "year": "y", "yr": "y",
    }  # fmt: skip
    for start, unit in units.items():
        if match[2].startswith(start):
            return f"{match[1]}{unit}"
    return None


def longest(delay: Delay) -> int:
    """Return the most ms that a delay can last, in any zone and at any time of year."""
    if delay.ms:
        return delay.ms
    days = delay.months // 12 * 366 + delay.months % 12 * 31 + delay.days
    return (days + 2) * DAY


def parse_period(text: str) -> Period:
    """Read what a limit counts over: ``day week month`` (calendar) or ``24h 7d`` (rolling)."""
    words = text.strip()
    if words in ("day", "week", "month"):
        return Period(words, words)
    match = _SHORT.fullmatch(words)
    if match is None or match[2] in MONTHS or not int(match[1]):
        raise TimeSyntaxError(
            f'"{text}" is not a period; write day, week or month, or for example 24h or 7d'
        )
    delay = parse_delay(words)
    return Period(delay.text, None, delay.ms)


def longest_period(period: Period) -> int:
    """Return for how many ms at most an entry counts."""
    if period.unit is None:
        return period.ms
    return {"day": 1, "week": 7, "month": 31}[period.unit] * DAY + 26 * HOUR
