"""Time windows: ``mon,wed,fri 09:00-18:00, sat from 10:00``. Quiet hours are windows too.

A window is a half-open interval (R2) in the user's zone, or in a fixed one. A window across midnight
belongs to the day on which it starts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo

import msgspec

from transforms.flows.clock.delays import (
    TimeSyntaxError,
    clock_text,
    parse_clock,
    parse_days,
)
from transforms.flows.clock.zones import find_zone, local_clock, local_day, zone_names

_CLOCK = r"(\d{1,2}:\d\d)"
_SPAN = re.compile(
    r"(?:([a-z]{3}(?:-[a-z]{3})?)\s*)?"
    rf"(?:{_CLOCK}\s*-\s*{_CLOCK}|(?:from\s+{_CLOCK})?\s*(?:until\s+{_CLOCK})?)"
)
_ZONE = re.compile(r"(.*?\S)\s+(?:in\s+)?([A-Z][\w+-]*(?:/[\w+-]+)*)", re.ASCII)
_MOST = 50


class Span(msgspec.Struct, frozen=True, gc=False):
    """Hours of some weekdays, in minutes; an ``end`` not after ``start`` is on the next day."""

    days: tuple[int, ...]
    start: int
    end: int


class Window(msgspec.Struct, frozen=True, gc=False):
    """One or more spans; the window is open while any of them is.

    ``zone`` is the zone of its days and hours, if it is not the user's.
    """

    text: str
    spans: tuple[Span, ...]
    zone: str | None = None


def parse_window(text: str) -> Window:
    """Read a window: weekdays, hours or both, several separated by commas, and a zone at the end.

    Days without hours have the hours of the days after them; without such days they are whole days.
    """
    words, zone = " ".join(text.split()), None
    if match := _ZONE.fullmatch(words):
        words, zone = match.groups()
        if zone not in zone_names():
            raise TimeSyntaxError(
                f'"{zone}" is not a time zone; write for example mon-fri 09:00-18:00 Europe/Rome'
            )
    parts = [part.strip() for part in words.split(",")]
    if len(parts) > _MOST:
        raise TimeSyntaxError(f"a window has at most {_MOST} parts")
    names: list[str] = []
    spans: list[Span] = []
    days: list[str] = []
    for part in parts:
        of_days, hours = _part(part)
        if days and not of_days:
            names.append(",".join(days))
            spans.append(Span(parse_days(names[-1]), 0, 1440))
            days = []
        days += [of_days] if of_days else []
        if hours is not None:
            named = ",".join(days)
            names.append(f"{named} {hours[0]}".strip())
            spans.append(Span(parse_days(named or "mon-sun"), hours[1], hours[2]))
            days = []
    if days:
        names.append(",".join(days))
        spans.append(Span(parse_days(names[-1]), 0, 1440))
    name = ", ".join(names)
    return Window(name if zone is None else f"{name} {zone}", tuple(spans), zone)


def _part(text: str) -> tuple[str, tuple[str, int, int] | None]:
    """Read the days and the hours between two commas; the hours with their text."""
    match = _SPAN.fullmatch(text)
    if _ZONE.fullmatch(text):
        raise TimeSyntaxError("a window has one time zone; write it at the end")
    if not text or match is None:
        raise TimeSyntaxError(
            f'"{text}" is not a window; write for example 09:00-18:00 or mon-fri 09:00-18:00'
        )
    days, first, last, since, until = match.groups()
    if days:
        parse_days(days)
    first, last = first or since, last or until
    if first is None and last is None:
        return days, None
    start, end = parse_clock(first or "00:00"), parse_clock(last or "24:00")
    if start == 1440:
        raise TimeSyntaxError('"24:00" can only end a window; write 00:00')
    if start == end:
        raise TimeSyntaxError(f'"{text}" is empty; a whole day is 00:00-24:00')
    if last is None:
        return days or "", (f"from {clock_text(start)}", start, end)
    if first is None:
        return days or "", (f"until {clock_text(end)}", start, end)
    return days or "", (f"{clock_text(start)}-{clock_text(end)}", start, end)


def opening(window: Window, t: int, zone: ZoneInfo) -> int:
    """Return the first instant from ``t`` on at which the window is open."""
    best: int | None = None
    for start, end in _stretches(window, t, zone):
        if start <= t < end:
            return t
        if start > t and (best is None or start < best):
            best = start
    if best is None:
        raise AssertionError("every window opens within two weeks")
    return best


def is_open(window: Window, t: int, zone: ZoneInfo) -> bool:
    """Return True if the window is open at an instant."""
    return any(start <= t < end for start, end in _stretches(window, t, zone, days=0))


def closing(window: Window, t: int, zone: ZoneInfo) -> int | None:
    """Return the first instant from ``t`` on at which the window is closed; None if never."""
    limit = t + 8 * 86_400_000
    while t < limit:
        ends = [end for start, end in _stretches(window, t, zone, days=0) if start <= t < end]
        if not ends:
            return t
        t = max(ends)
    return None


def _stretches(
    window: Window, t: int, zone: ZoneInfo, *, days: int = 15
) -> Iterator[tuple[int, int]]:
    # Two weeks, because a clock change may skip the only opening of a week.
    zone = zone if window.zone is None else find_zone(window.zone)
    today = local_day(t, zone)
    for ahead in range(-1, days + 1):
        day = today + timedelta(days=ahead)
        for span in window.spans:
            if day.weekday() in span.days:
                last = day if span.end > span.start else day + timedelta(days=1)
                start, end = local_clock(day, span.start, zone), local_clock(last, span.end, zone)
                if start < end:
                    yield start, end
