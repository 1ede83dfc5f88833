"""Local time: zones from PyPI's tzdata, and local days and clock times as instants (R16).

A local time that a clock change skips means the first instant after the gap; one that occurs
twice means the first occurrence. Instants are ms UTC, from the year 1000 to the year 9000.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from functools import lru_cache
from importlib import resources
from typing import Final
from zoneinfo import ZoneInfo

DAY: Final = 86_400_000
EARLIEST: Final = -30_610_224_000_000
LATEST: Final = 221_845_392_000_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_ONE_DAY: Final = timedelta(days=1)
_LONGEST: Final = 40
_INSTANT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)"
    r"(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?) ?(Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Return the names of all zones of the IANA database."""
    text = resources.files("tzdata").joinpath("zones").read_text(encoding="ascii")
    return frozenset(text.split())


@lru_cache(maxsize=1024)
def _load(name: str) -> ZoneInfo | None:
    if name not in zone_names():
        return None
    file = resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
    with file.open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


@lru_cache(maxsize=1)
def utc() -> ZoneInfo:
    """Return UTC."""
    zone = _load("UTC")
    if zone is None:
        raise RuntimeError("tzdata has no UTC")
    return zone


def find_zone(name: object, fallback: object = None) -> ZoneInfo:
    """Return the zone called ``name``, else ``fallback``, else UTC; unknown names are skipped
    (R16).
    """
    for wanted in (name, fallback):
        if isinstance(wanted, str):
            zone = _load(wanted)
            if zone is not None:
                return zone
    return utc()


def local(t: int, zone: ZoneInfo) -> datetime:
    """Return the local date and time at an instant."""
    return (_EPOCH + timedelta(milliseconds=t)).astimezone(zone)


def at_local(wall: datetime, zone: ZoneInfo) -> int:
    """Return the instant of a naive local time (R16)."""
    first = wall.replace(tzinfo=zone, fold=0)
    t = (first - _EPOCH) // _MS
    second = wall.replace(tzinfo=zone, fold=1)
    if first.utcoffset() == second.utcoffset():
        return t
    if local(t, zone).replace(tzinfo=None) == wall:
        return t
    return _gap_end((second - _EPOCH) // _MS, t, zone)


def _gap_end(before: int, after: int, zone: ZoneInfo) -> int:
    offset = local(after, zone).utcoffset()
    while after - before > 1:
        middle = (before + after) // 2
        if local(middle, zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after


@lru_cache(maxsize=8192)
def local_clock(day: date, minute: int, zone: ZoneInfo) -> int:
    """Return the instant of a minute of a local day; 1440 is the next day's start."""
    if minute >= 1440:
        return local_midnight(day + _ONE_DAY, zone)
    return at_local(datetime.combine(day, clock(minute // 60, minute % 60)), zone)


@lru_cache(maxsize=8192)
def local_midnight(day: date, zone: ZoneInfo) -> int:
    """Return the first instant of a local day."""
    return at_local(datetime(day.year, day.month, day.day), zone)  # noqa: DTZ001


def local_day(t: int, zone: ZoneInfo) -> date:
    """Return the local day of an instant; a day begins at its first midnight."""
    wall = local(t, zone)
    day = wall.date()
    if wall.fold and local_midnight(day + _ONE_DAY, zone) <= t:
        return day + _ONE_DAY
    return day


def next_midnight(t: int, zone: ZoneInfo) -> int:
    """Return the start of the next local day."""
    return local_midnight(local_day(t, zone) + _ONE_DAY, zone)


def parse_instant(text: str, zone: ZoneInfo) -> int | None:
    """Read an ISO date (the local day's start) or date-time (local, unless it has an offset)."""
    return _instant(text, zone) if len(text) <= _LONGEST else None


@lru_cache(maxsize=8192)
def _instant(text: str, zone: ZoneInfo) -> int | None:
    match = _INSTANT.fullmatch(text)
    if match is None:
        return None
    day, time_of_day, offset = match.groups()
    try:
        if time_of_day is None:
            t = local_midnight(date.fromisoformat(day), zone)
        else:
            wall = datetime.fromisoformat(f"{day}T{time_of_day}{offset or ''}")
            t = at_local(wall, zone) if offset is None else (wall - _EPOCH) // _MS
    except (ValueError, OverflowError):
        return None
    return t if EARLIEST <= t <= LATEST else None


def instant_of(value: object, zone: ZoneInfo) -> int | None:
    """Return the instant that a value in user data represents; None if it is not a date.

    ``parse_instant`` parses text. A number is ms since 1970 if its absolute value is at least
    10**11: a smaller one is more likely seconds, or not a time.
    """
    if value.__class__ is str:
        return parse_instant(value, zone)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) >= 10**11 and EARLIEST <= value <= LATEST else None
    return None


def iso(t: int) -> str:
    """Write an instant: ``2026-01-02T03:04:05Z``, with ``.123`` unless it is a whole second."""
    text = (_EPOCH + timedelta(milliseconds=t)).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    return f"{text}.{t % 1000:03}Z" if t % 1000 else f"{text}Z"


def anniversary(born: date, year: int) -> date:
    """Return the anniversary of a date in a year; February 29 falls on the 28th."""
    if born.month == 2 and born.day == 29:
        return date(year, 3, 1) - _ONE_DAY
    return date(year, born.month, born.day)
