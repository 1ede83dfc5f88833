"""Time windows: ``mon-fri 09:00-18:00, sat 10:00-14:00``. Quiet hours are windows too.

A window is a half-open interval (R2) in the user's zone. A window across midnight belongs to the
day on which it starts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo

import msgspec

from transforms.flows.clock.delays import (
    WEEKDAYS,
    TimeSyntaxError,
    clock_text,
    parse_clock,
    parse_days,
)
from transforms.flows.clock.zones import local_clock, local_day

_SPAN = re.compile(r"(?:([a-z]{3}(?:-[a-z]{3})?))?\s*(?:(\d{1,2}:\d\d)\s*-\s*(\d{1,2}:\d\d))?")
_MOST = 50


class Span(msgspec.Struct, frozen=True, gc=False):
    """Hours of some weekdays, in minutes; an ``end`` not after ``start`` is on the next day."""

    days: tuple[int, ...]
    start: int
    end: int


class Window(msgspec.Struct, frozen=True, gc=False):
    """One or more spans; the window is open while any of them is."""

    text: str
    spans: tuple[Span, ...]


def parse_window(text: str) -> Window:
    """Read a window: weekdays, hours or both, several separated by commas."""
    parts = [" ".join(part.split()) for part in text.split(",")]
    if len(parts) > _MOST:
        raise TimeSyntaxError(f"a window has at most {_MOST} parts")
    read = [_span(part) for part in parts]
    return Window(", ".join(name for name, _ in read), tuple(span for _, span in read))


def _span(text: str) -> tuple[str, Span]:
    match = _SPAN.fullmatch(text)
    if not text or match is None:
        raise TimeSyntaxError(
            f'"{text}" is not a window; write for example 09:00-18:00 or mon-fri 09:00-18:00'
        )
    days, first, last = match.groups()
    wanted = parse_days(days) if days else tuple(range(len(WEEKDAYS)))
    if first is None:
        return days, Span(wanted, 0, 1440)
    start, end = parse_clock(first), parse_clock(last)
    if start == 1440:
        raise TimeSyntaxError('"24:00" can only end a window; write 00:00')
    if start == end:
        raise TimeSyntaxError(f'"{text}" is empty; a whole day is 00:00-24:00')
    hours = f"{clock_text(start)}-{clock_text(end)}"
    return f"{days} {hours}" if days else hours, Span(wanted, start, end)


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
    today = local_day(t, zone)
    for ahead in range(-1, days + 1):
        day = today + timedelta(days=ahead)
        for span in window.spans:
            if day.weekday() in span.days:
                last = day if span.end > span.start else day + timedelta(days=1)
                start, end = local_clock(day, span.start, zone), local_clock(last, span.end, zone)
                if start < end:
                    yield start, end
