"""When delays are over and periods begin: lengths of time on the user's clock (R2, R16)."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from transforms.flows.clock.delays import Delay, Period
from transforms.flows.clock.zones import (
    EARLIEST,
    LATEST,
    at_local,
    local,
    local_clock,
    local_day,
    local_midnight,
)


def add_months(day: date, months: int) -> date:
    """Move a date by months; a day that the month lacks is its last."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def after(delay: Delay, start: int, zone: ZoneInfo) -> int:
    """Return when a delay that begins at ``start`` is over."""
    ms = delay.ms
    return start + ms if ms else _moved(delay, 1, start, zone)


def before(delay: Delay, end: int, zone: ZoneInfo) -> int:
    """Return the instant that lies a delay before ``end``, counted back by the calendar."""
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
    """Return the instant after which entries count: those with t > start (R2).

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
