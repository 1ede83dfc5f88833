"""Messages and goals by week: two charts over one time axis, one colour per flow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from towpath.reports.funnel import Week
from towpath.reports.svg import PALETTE, Scale, box, empty, heading, legend, line, picture, text
from transforms.flows.clock.zones import local, utc

WIDTH = 860
LEFT, RIGHT = 70, 836
CHART, GAP = 150, 58
TOP = 98
WEEK = 7 * 86_400_000
MONTHS = (1, 2, 3, 6, 12)
MOST_TICKS = 12
STEPS = (1, 2, 2.5, 5, 10)
TITLE = "Messages and goals by week"


def weekly(weeks: Sequence[Week], run: str = "") -> str:
    """Draw the messages and the goals of every week, with the flows stacked.

    ``run`` is the name of the run, for the title.
    """
    title = f"{TITLE}: {run}" if run else TITLE
    if not weeks:
        return empty(WIDTH, title, "No messages and no goals.")
    return _Chart(weeks, title).draw()


class _Chart:
    """The scales of the charts: the weeks from the first to the last."""

    def __init__(self, weeks: Sequence[Week], title: str) -> None:
        self.weeks, self.title = weeks, title
        self.flows = sorted({week.flow for week in weeks})
        self.first = min(week.start for week in weeks)
        self.last = max(max(week.start for week in weeks) + WEEK, self.first + 4 * WEEK)
        self.x = Scale(self.first, self.last, LEFT, RIGHT).at

    def draw(self) -> str:
        second = TOP + CHART + GAP
        bottom = second + CHART
        names = [(_hue(number), flow) for number, flow in enumerate(self.flows)]
        shapes = [heading(self.title), *legend(names, 62, RIGHT)]
        shapes += self.chart(TOP, "messages that would be sent", lambda week: week.messages)
        shapes += self.chart(second, "goals reached, without the holdout", lambda week: week.goals)
        shapes += self.months(bottom)
        sums = f"{sum(w.messages for w in self.weeks):,} messages, {sum(w.goals for w in self.weeks):,} goals"
        return picture(WIDTH, bottom + 60, self.title, sums, shapes)

    def chart(self, top: float, name: str, value: Callable[[Week], int]) -> Iterator[str]:
        stacks: dict[int, int] = {}
        for week in self.weeks:
            stacks[week.start] = stacks.get(week.start, 0) + value(week)
        ticks = nice(max(stacks.values()))
        scale = Scale(0, ticks[-1], top + CHART, top)
        yield text(LEFT, top - 12, name, "ink small")
        for tick in ticks:
            y = scale.at(tick)
            yield line(LEFT, y, RIGHT, y, "line" if tick else "axis")
            yield text(LEFT - 8, y + 4, f"{tick:,}", "soft small", "end")
        yield from self.bars(scale, value)

    def bars(self, scale: Scale, value: Callable[[Week], int]) -> Iterator[str]:
        stacked: dict[int, int] = {}
        for number, flow in enumerate(self.flows):
            for week in self.weeks:
                if week.flow != flow or not value(week):
                    continue
                below = stacked.get(week.start, 0)
                stacked[week.start] = below + value(week)
                top = scale.at(stacked[week.start])
                left, right = self.x(week.start), self.x(week.start + WEEK)
                room = min(1.5, (right - left) / 5)
                day = local(week.start, utc()).date().isoformat()
                tip = f"{flow}, week of {day}: {value(week):,}"
                size = scale.at(below) - top
                yield box(left + room / 2, top, right - left - room, size, _hue(number), tip)

    def months(self, y: float) -> Iterator[str]:
        begin, end = local(self.first, utc()), local(self.last, utc())
        yield text((LEFT + RIGHT) / 2, y + 50, "week, from Monday, UTC", "soft small", "middle")
        months = (end.year - begin.year) * 12 + end.month - begin.month + 1
        every = next((m for m in MONTHS if months / m <= MOST_TICKS), -(-months // MOST_TICKS))
        if months <= 2:
            yield from self.days(y, begin, end)
            return
        year = None
        for month in _firsts(begin, end, every):
            x = self.x(month.timestamp() * 1000)
            yield line(x, y, x, y + 5, "axis")
            yield text(x, y + 20, f"{month:%b}", "soft small", "middle")
            if month.year != year:
                year = month.year
                yield text(x, y + 36, str(year), "soft small", "middle")

    def days(self, y: float, begin: datetime, end: datetime) -> Iterator[str]:
        day, year = begin, None
        while day <= end:
            x = self.x(day.timestamp() * 1000)
            yield line(x, y, x, y + 5, "axis")
            yield text(x, y + 20, f"{day:%b} {day.day}", "soft small", "middle")
            if day.year != year:
                year = day.year
                yield text(x, y + 36, str(year), "soft small", "middle")
            day += timedelta(days=7)


def _firsts(begin: datetime, end: datetime, every: int) -> Iterator[datetime]:
    """Yield the first day of every n-th month within a period."""
    number = -(-(begin.year * 12 + begin.month - 1 + (begin.day > 1)) // every) * every
    while True:
        month = datetime(number // 12, number % 12 + 1, 1, tzinfo=begin.tzinfo)
        if month > end:
            return
        yield month
        number += every


def nice(most: int) -> list[int]:
    """Choose about five round numbers from 0 up to at least ``most``."""
    unit = 1
    while True:
        for step in STEPS:
            size = step * unit
            if size == int(size) and size * 5 >= most:
                count = max(1, -(-most // int(size)))
                return [int(size) * i for i in range(count + 1)]
        unit *= 10


def _hue(number: int) -> str:
    return f"hue{number % len(PALETTE)}"
