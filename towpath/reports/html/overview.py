"""The overview of all flows, and the largest numbers of each."""

from __future__ import annotations

from collections.abc import Iterator

from towpath.reports.html import charts
from towpath.reports.html.figure import (
    Figure,
    columns,
    counted,
    day,
    figure,
    share,
    tip,
    without,
    written,
)
from towpath.reports.html.numbers import FlowNumbers, Numbers
from transforms.flows.protocol.reason_codes import ENTRY, REFUSED

MOST_LINES = 6
OTHERS = "other flows"


def tiles(flow: FlowNumbers, audit: bool) -> Iterator[tuple[str, str]]:
    """Yield the names and values of a flow's largest numbers."""
    report = flow.report
    yield "Entries", f"{report.entered:,}"
    yield "Users", f"{report.users:,}"
    yield ("Messages" if audit else "Messages (would be sent)"), f"{report.messages:,}"
    for goal in report.goals:
        yield f"Conversions: {goal.goal}", f"{goal.converted:,} ({written(goal.rate, 'share')})"
        if goal.revenue:
            yield f"Revenue: {goal.goal}", f"{goal.revenue:,.2f}"
    yield "Ended", f"{sum(report.exits.values()):,}"
    yield "Active", f"{report.waiting:,}"
    if report.holdout:
        yield "Holdout sessions", f"{report.holdout:,}"
    if report.cost:
        yield "Cost", f"{report.cost:,.2f}"


def overview(numbers: Numbers) -> Iterator[Figure]:
    """Compare the flows."""
    if not numbers.flows:
        yield without("Flows", "There are no rows of any flow.")
        return
    rows = []
    for flow in numbers.flows:
        report = flow.report
        conversions = sum(goal.converted for goal in report.goals)
        rows.append((
            report.flow, report.entered, report.users, report.messages, conversions,
            share(conversions, report.entered - report.holdout),
            sum(goal.revenue for goal in report.goals), sum(report.exits.values()), report.waiting,
            report.cost,
        ))  # fmt: skip
    heads = columns(("Flow", "text"), ("Entries", "count"), ("Users", "count"), ("Messages", "count"),
                    ("Conversions", "count"), ("Per entry", "share"), ("Revenue", "money"),
                    ("Ended", "count"), ("Active", "count"), ("Cost", "money"))  # fmt: skip
    note = (
        "Entries are sessions, also those in the holdout. Conversions, their share of the entries and "
        "their revenue (the values of goals) are outside the holdout."
    )
    yield figure("Flows", note, heads, rows, wide=True)
    yield _entries(numbers)


def _entries(numbers: Numbers) -> Figure:
    """Draw the entries of the largest flows by week; the others are one line."""
    ranked = sorted(numbers.flows, key=lambda flow: -flow.report.entered)
    most = MOST_LINES if len(ranked) <= MOST_LINES else MOST_LINES - 1
    counts: dict[str, dict[int, int]] = {}
    for number, flow in enumerate(ranked):
        line = counts.setdefault(flow.report.flow if number < most else OTHERS, {})
        for week in flow.weeks:
            line[week.start] = line.get(week.start, 0) + week.entries
    values = [
        {"week": week, "series": name, "count": n, "tip": tip(f"Week of {day(week)}", [(name, n, "count")])}
        for name, line in counts.items()
        for week, n in sorted(line.items())
    ]  # fmt: skip
    title = "Entries by week"
    if not values:
        return without(title, "No sessions entered.")
    heads = columns(("Flow", "text"), ("Week of", "week"), ("Entries", "count"))
    rows = tuple(
        (name, week, n) for name, line in counts.items() for week, n in sorted(line.items())
    )
    whole = counted(sum(n for _, _, n in rows), "session")
    chart = charts.lines(values, "series", "entries per week")
    return figure(title, f"{whole} entered.", heads, rows, (chart,), wide=True)


def refused(numbers: Numbers) -> Iterator[Figure]:
    """Show refusals that name no flow, if there are some."""
    if numbers.refused:
        meanings = ENTRY | REFUSED
        rows = tuple(
            (r.replace("_", " "), n, meanings.get(r, "")) for r, n in numbers.refused.items()
        )
        heads = columns(("Reason", "text"), ("Count", "count"), ("Meaning", "text"))
        yield figure("Refused without a flow", "Signals that no flow took.", heads, rows, wide=True)
