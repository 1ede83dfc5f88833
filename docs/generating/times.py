"""The page about durations, times, windows and limits, with an example of each form."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from docs.generating import markdown
from transforms.flows.clock.delays import Delay, Period, parse_delay, parse_period
from transforms.flows.clock.schedules import When, parse_when
from transforms.flows.clock.windows import Window, parse_window
from transforms.flows.clock.zones import at_local, find_zone, iso
from transforms.flows.definitions.flow import MAX_GOAL_DAYS
from transforms.flows.definitions.forms import MAX_DAYS

DELAYS: dict[str, str] = {
    "90s": "seconds",
    "30m": "minutes",
    "12h": "hours",
    "2d": "days of 24 hours, regardless of daylight saving time",
    "1w": "weeks of 7 such days",
    "1mo": "calendar months: the same day and clock time, or the last day of a shorter month",
    "1y": "calendar years",
    "2 days at 09:00": "calendar days: that many days later, at the given clock time",
    "1mo at 09:00": "the same with months, weeks or years",
}
MOMENTS: dict[str, str] = {
    "09:00": "the next 9 o'clock, including now",
    "daily at 09:00": "the same, for a recurring schedule",
    "mon-fri 09:00": "the next such weekday and time; also `sat` or `mon,wed,fri`",
    "2026-12-24": "the start of a day",
    "2026-12-24 18:00": "a day and time",
    "user.trial_ends": "a date of the user, or of `entry`, `event`, `session`",
    "user.trial_ends - 3d at 09:00": "shifted by a duration, at a clock time of that day",
    "anniversary of user.birthday at 09:00": "the next anniversary of a date",
}
WINDOWS: dict[str, str] = {
    "09:00-18:00": "hours of every day",
    "22:00-08:00": "hours across midnight: they belong to the day on which they start",
    "mon-fri": "whole days",
    "mon,wed,fri 14:00-16:00": "the same hours of several days",
    "mon-fri 09:00-18:00, sat 10:00-14:00": "several, at most 50",
    "mon-fri from 08:00": "until the end of the day",
    "until 20:00": "from the start of the day",
    "00:00-24:00": "a whole day",
    "mon-fri 09:00-18:00 Europe/Rome": "in a fixed zone, whatever the user's zone is",
}
PERIODS: dict[str, str] = {
    "day": "the calendar day in the user's zone",
    "week": "the calendar week, starting on Monday",
    "month": "the calendar month",
    "24h": "rolling: the last 24 hours",
    "7d": "rolling: the last 7 times 24 hours",
}

ZONES = """
Clock times, days and months use the user's trait `timezone`, else the flow's `zone`, else the
space's `zone`, else UTC. A zone that does not exist counts as missing. The time zone data is that
of the IANA database; it comes with the package, not from the operating system.

A clock time that does not exist (in the hour skipped in spring) means the first instant after the
gap; a clock time that occurs twice means the first one.
"""

HALF_OPEN = """
All intervals are half open: an interval from *a* to *b* includes *a*, but not *b*. What is due at
*t* comes before an event at *t*, so an event exactly at a time-out is too late. A window that ends
at 18:00 is closed at 18:00. An entry counts for `2 per 7d` until just before 7 days have passed.
"""


def page() -> str:
    """Return the page."""
    return markdown.page(
        "Times",
        "## Durations",
        markdown.table(("syntax", "meaning"), _read(DELAYS, parse_delay)),
        "Units may be written out: `30 minutes`, `3 hours`, `2 days`, `1 week`, also in expressions, "
        "periods and scenarios.",
        "Durations range from one second to a hundred years. Waits may last "
        f"{MAX_DAYS} days, and goals may count for {MAX_GOAL_DAYS}.",
        "## Moments",
        markdown.table(("syntax", "meaning"), _read(MOMENTS, parse_when)),
        "## Windows",
        markdown.table(("syntax", "meaning"), _read(WINDOWS, parse_window)),
        "Days without hours have the hours of the days after them: `mon,wed,fri 14:00-16:00`. Without "
        "such days they are whole days: `sat 10:00-14:00, sun`.",
        "## Limits and caps",
        "`2 per 7d`, `1 per day`: the maximum number per period.",
        markdown.table(("period", "meaning"), _read(PERIODS, parse_period)),
        "## Boundaries",
        HALF_OPEN,
        "## Time zones",
        ZONES,
        markdown.table(("clock time", "zone", "instant"), _changes()),
    )


Parse = Callable[[str], Delay | When | Window | Period]


def _read(forms: dict[str, str], parse: Parse) -> list[tuple[str, str]]:
    """Return table rows; each form is parsed and written back."""
    return [(markdown.code(parse(text).text), about) for text, about in forms.items()]


def _changes() -> list[tuple[str, str, str]]:
    found = []
    for text, name in (
        ("2026-03-29 02:30", "Europe/Berlin"),
        ("2026-10-25 02:30", "Europe/Berlin"),
        ("2026-03-08 02:30", "America/New_York"),
    ):
        wall = datetime.fromisoformat(text)
        found.append((text, name, iso(at_local(wall, find_zone(name)))))
    return found
