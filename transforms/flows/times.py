"""The one door to times: instants and zones, delays and periods, moments.

All of it is pure; ``now`` is always an argument in ms UTC.
"""

from __future__ import annotations

from transforms.flows.delays import (
    Delay,
    Period,
    TimeSyntaxError,
    clock_text,
    longest,
    longest_period,
    parse_clock,
    parse_delay,
    parse_period,
)
from transforms.flows.elapsing import add_months, after, before, period_start
from transforms.flows.moments import Moment, next_occurrence, parse_moment, recurring, resolve
from transforms.flows.zones import (
    DAY,
    EARLIEST,
    LATEST,
    anniversary,
    at_local,
    instant,
    iso,
    local,
    local_clock,
    local_day,
    local_midnight,
    moment_of,
    next_midnight,
    utc,
    zone,
    zone_names,
)

__all__ = [
    "DAY",
    "EARLIEST",
    "LATEST",
    "Delay",
    "Moment",
    "Period",
    "TimeSyntaxError",
    "add_months",
    "after",
    "anniversary",
    "at_local",
    "before",
    "clock_text",
    "instant",
    "iso",
    "local",
    "local_clock",
    "local_day",
    "local_midnight",
    "longest",
    "longest_period",
    "moment_of",
    "next_midnight",
    "next_occurrence",
    "parse_clock",
    "parse_delay",
    "parse_moment",
    "parse_period",
    "period_start",
    "recurring",
    "resolve",
    "utc",
    "zone",
    "zone_names",
]
