"""The history of one aggregate of one user: what ``count(event "X" within last 90d)`` reads.

A series depends on what was added, not on the order of arrival: values are whole numbers of
1/10000, and entries are sorted. The newest 500 entries within the horizon are exact; older ones
are merged into UTC days, each with the time of the day's start.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Final

from transforms.flows.state.stored import Entry, Series

SCALE: Final = 10_000
KEPT: Final = 500
LARGEST: Final = 10**12
MOST_TOTAL: Final = 2**63 - 1
DAY: Final = 86_400_000


def add(series: Series, t: int, value: float | None, horizon: int) -> bool:
    """Add one event at ``t``, keep entries for ``horizon`` ms (0: sums only); return True if added.

    ``value`` is None if events are only counted. An event whose value is not finite or is larger
    than 10**12 is ignored.
    """
    if value is not None and not abs(value) <= LARGEST:
        return False
    units = None if value is None else round(value * SCALE)
    series.count += 1
    series.first = _least(series.first, t)
    series.last = last = _most(series.last, t)
    if units is not None:
        series.total = _bounded(series.total + units)
        series.low, series.high = _least(series.low, units), _most(series.high, units)
    if horizon:
        entries = series.entries
        insort(entries, [t] if units is None else [t, units])
        if len(entries) > KEPT:
            _merge(series.days, entries.pop(0))
        prune(series, last, horizon)
    return True


def join(series: Series, other: Series) -> None:
    """Merge another series into this one, as if each of its events had been added here (R8)."""
    series.count += other.count
    if other.first is not None:
        series.first = _least(series.first, other.first)
    if other.last is not None:
        series.last = _most(series.last, other.last)
    series.total = _bounded(series.total + other.total)
    if other.low is not None:
        series.low = _least(series.low, other.low)
    if other.high is not None:
        series.high = _most(series.high, other.high)
    series.entries = sorted(series.entries + other.entries)
    for day in other.days:
        _add_day(series.days, day)
    while len(series.entries) > KEPT:
        _merge(series.days, series.entries.pop(0))


def _least(known: int | None, other: int) -> int:
    return other if known is None else min(known, other)


def _most(known: int | None, other: int) -> int:
    return other if known is None else max(known, other)


def _add_day(days: list[Entry], other: Entry) -> None:
    at = bisect_left(days, other[:1])
    if at == len(days) or days[at][0] != other[0]:
        days.insert(at, list(other))
        return
    day = days[at]
    day[1] += other[1]
    if len(other) > 2:
        day[2:] = [_bounded(day[2] + other[2]), min(day[3], other[3]), max(day[4], other[4])]


def prune(series: Series, now: int, horizon: int) -> None:
    """Drop the entries that no window of ``horizon`` ms ending at ``now`` or later contains."""
    for kept in (series.days, series.entries):
        if kept and kept[0][0] <= now - horizon:
            del kept[: bisect_left(kept, [now - horizon + 1])]


def counted(series: Series, since: int | None = None) -> int:
    """Count the events later than ``since``, or all."""
    if since is None:
        return series.count
    exact, days = _later(series, since)
    return len(exact) + sum(day[1] for day in days)


def total(series: Series, since: int | None = None) -> float:
    """Sum the values later than ``since``, or all; exact to four decimals."""
    if since is None:
        return series.total / SCALE
    exact, days = _later(series, since)
    return (sum(entry[1] for entry in exact) + sum(day[2] for day in days)) / SCALE


def minimum(series: Series, since: int | None = None) -> float | None:
    """Return the smallest value later than ``since``, or of all; None without any."""
    if since is None:
        return None if series.low is None else series.low / SCALE
    exact, days = _later(series, since)
    lows = [entry[1] for entry in exact] + [day[3] for day in days]
    return min(lows) / SCALE if lows else None


def maximum(series: Series, since: int | None = None) -> float | None:
    """Return the largest value later than ``since``, or of all; None without any."""
    if since is None:
        return None if series.high is None else series.high / SCALE
    exact, days = _later(series, since)
    highs = [entry[1] for entry in exact] + [day[4] for day in days]
    return max(highs) / SCALE if highs else None


def average(series: Series, since: int | None = None) -> float | None:
    """Return the mean of the values later than ``since``, or of all; None without any."""
    events = counted(series, since)
    return total(series, since) / events if events else None


def oldest(series: Series, since: int) -> int | None:
    """Return the time of the oldest entry later than ``since``."""
    exact, days = _later(series, since)
    return days[0][0] if days else exact[0][0] if exact else None


def newest(series: Series, since: int) -> int | None:
    """Return the time of the newest event, if it is later than ``since``."""
    return series.last if series.last is not None and series.last > since else None


def _bounded(total: int) -> int:
    # msgpack holds 64 bits: an absurd total must not make the state impossible to encode.
    return max(-MOST_TOTAL, min(MOST_TOTAL, total))


def _later(series: Series, since: int) -> tuple[list[Entry], list[Entry]]:
    exact, days = series.entries, series.days
    if exact and exact[0][0] <= since:
        exact = exact[bisect_left(exact, [since + 1]) :]
    if days and days[0][0] <= since:
        days = days[bisect_left(days, [since + 1]) :]
    return exact, days


def _merge(days: list[Entry], entry: Entry) -> None:
    t = entry[0] - entry[0] % DAY
    at = bisect_left(days, [t])
    if at == len(days) or days[at][0] != t:
        days.insert(at, [t, 1] if len(entry) == 1 else [t, 1, entry[1], entry[1], entry[1]])
        return
    day = days[at]
    day[1] += 1
    if len(entry) == 2:
        value = entry[1]
        day[2:] = [_bounded(day[2] + value), min(day[3], value), max(day[4], value)]
