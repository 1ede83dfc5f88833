"""When something is due: a time of day, a weekday, a date, or a date in user data with an offset.

``09:00``, ``daily at 09:00``, ``mon-fri 09:00``, ``2026-12-24 09:00``, ``user.trial_ends - 3d``,
``anniversary of user.birthday - 3d at 09:00``. All in the user's time zone.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from transforms.flows.clock.delays import (
    Delay,
    TimeSyntaxError,
    after,
    before,
    clock_text,
    longest,
    parse_clock,
    parse_days,
    parse_delay,
)
from transforms.flows.clock.zones import (
    DAY,
    anniversary,
    instant_of,
    local_clock,
    local_day,
    parse_instant,
    utc,
)

ROOTS = (
    "user",
    "entry",
    "event",
    "session",
    "participant",
    "communication",
    "communications",
    "message",
)

_DATE = re.compile(r"(\d{4}-\d\d-\d\d)(?: (?:at )?(\d{1,2}:\d\d))?", re.ASCII)
_CLOCK = re.compile(r"(?:daily at )?\d{1,2}:\d\d", re.ASCII)
_WEEKLY = re.compile(r"([a-z]{3}(?:-[a-z]{3})?(?:,\s?[a-z]{3}(?:-[a-z]{3})?)*) (\d{1,2}:\d\d)")
_PATH = re.compile(
    r"(anniversary of )?([a-z]+(?:\.[\w$]+|\[\"[^\"\\]+\"\])+)(?: ?([+-]) ?(\d.*?))?(?: at (\d{1,2}:\d\d))?"
)
_HELP = "write for example 09:00, mon-fri 09:00, 2026-12-24 09:00 or user.trial_ends - 3d at 09:00"


class When(msgspec.Struct, frozen=True, gc=False):
    """When something is due.

    ``kind`` is one of:

    - ``weekly``: every one of ``days`` (Monday is 0) at the minute ``at``
    - ``date``: the day ``date`` at the minute ``at``
    - ``path``: the date that the expression ``path`` returns, plus ``offset`` (minus if ``sign``
      is -1), at the minute ``at`` if given; with ``yearly``, each anniversary of that date
    """

    text: str
    kind: Literal["weekly", "date", "path"]
    days: tuple[int, ...] = ()
    at: int | None = None
    date: str = ""
    path: str = ""
    sign: int = 1
    offset: Delay | None = None
    yearly: bool = False


def parse_when(text: str) -> When:
    """Parse a text like ``mon-fri 09:00``; the message of a TimeSyntaxError says what to write."""
    words = " ".join(text.split())
    if _CLOCK.fullmatch(words):
        at = _at(words.removeprefix("daily at "))
        prefix = "daily at " if words.startswith("daily") else ""
        return When(prefix + clock_text(at), "weekly", tuple(range(7)), at)
    if match := _WEEKLY.fullmatch(words):
        at = _at(match[2])
        days = match[1].replace(" ", "")
        return When(f"{days} {clock_text(at)}", "weekly", parse_days(days), at)
    if match := _DATE.fullmatch(words):
        return _dated(match[1], match[2])
    match = _PATH.fullmatch(words)
    if match is None:
        raise TimeSyntaxError(f'"{text}" is not a date or time; {_HELP}')
    return _pathed(match)


def _at(text: str) -> int:
    at = parse_clock(text)
    if at == 1440:
        raise TimeSyntaxError('"24:00" can only end a window; write 00:00')
    return at


def _dated(day: str, clock: str | None) -> When:
    if parse_instant(day, utc()) is None:
        raise TimeSyntaxError(f'"{day}" is not a date; write for example 2026-12-24')
    if clock is None:
        return When(day, "date", at=0, date=day)
    at = _at(clock)
    return When(f"{day} {clock_text(at)}", "date", at=at, date=day)


def _pathed(match: re.Match[str]) -> When:
    prefix, path, sign, length, clock = match.groups()
    root = re.split(r"[.\[]", path, maxsplit=1)[0]
    if root not in ROOTS:
        raise TimeSyntaxError(
            f'"{root}" has no dates; a date comes from {", ".join(f"{name}." for name in ROOTS)}'
        )
    at = None if clock is None else _at(clock)
    offset = None if length is None else parse_delay(length)
    if offset is not None and at is not None and offset.ms % DAY:
        raise TimeSyntaxError(
            f'"{length} at {clock}" is not a number of days; write for example 3d at {clock}'
        )
    text = (prefix or "") + path
    if offset is not None:
        text += f" {sign} {offset.text}"
    if at is not None:
        text += f" at {clock_text(at)}"
    turn = -1 if sign == "-" else 1
    return When(text, "path", (), at, "", path, turn, offset, prefix is not None)


def is_recurring(when: When) -> bool:
    """Return True for weekdays and anniversaries, which recur."""
    return when.kind == "weekly" or when.yearly


def resolve(
    when: When, now: int, zone: ZoneInfo, value: object = None, *, yearly: bool = False
) -> int | None:
    """Return the due instant, which may be past; if it recurs, the first one from ``now`` on.

    ``value`` is the value of ``path``; the result is None if that is missing or not a date.
    ``yearly`` means anniversaries of the value, like ``anniversary of``.
    """
    match when.kind:
        case "weekly":
            return _weekly(when, now, zone)
        case "date":
            return local_clock(date.fromisoformat(when.date), when.at or 0, zone)
        case "path":
            t = instant_of(value, zone)
            if t is None:
                return None
            if yearly or when.yearly:
                return _yearly(when, t, now, zone)
            return _moved(when, t, _whole(value), zone)


def next_occurrence(
    when: When, later_than: int, zone: ZoneInfo, value: object = None, *, yearly: bool = False
) -> int | None:
    """Return the first occurrence after an instant; None if there is none."""
    t = resolve(when, later_than + 1, zone, value, yearly=yearly)
    return t if t is not None and t > later_than else None


def _weekly(when: When, now: int, zone: ZoneInfo) -> int:
    today = local_day(now, zone)
    for ahead in range(9):
        day = today + timedelta(days=ahead)
        if day.weekday() in when.days:
            t = local_clock(day, when.at or 0, zone)
            if t >= now:
                return t
    raise AssertionError("a weekday comes within eight days")


def _yearly(when: When, t: int, now: int, zone: ZoneInfo) -> int | None:
    born = local_day(t, zone)
    minute = (t - local_clock(born, 0, zone)) // 60_000
    year = local_day(now, zone).year
    spread = 1 if when.offset is None else 2 + longest(when.offset) // (365 * DAY)
    for candidate in range(max(born.year, year - spread), max(born.year, year) + spread + 1):
        day = anniversary(born, candidate)
        due = _moved(when, local_clock(day, min(minute, 1439), zone), not minute, zone)
        if due >= now:
            return due
    return None


def _whole(value: object) -> bool:
    return isinstance(value, str) and len(value) == 10


def _moved(when: When, t: int, whole_day: bool, zone: ZoneInfo) -> int:
    offset = when.offset
    if offset is not None:
        if offset.ms and offset.ms % DAY == 0 and (whole_day or when.at is not None):
            offset = Delay(offset.text, days=offset.ms // DAY)
        t = after(offset, t, zone) if when.sign > 0 else before(offset, t, zone)
    return t if when.at is None else local_clock(local_day(t, zone), when.at, zone)
