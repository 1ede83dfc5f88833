"""The figures of one flow: funnel, ends, weeks, times, cohorts, tests, what was not sent, waits, channels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from towpath.reports.funnel import Counts, Flow
from towpath.reports.html import charts
from towpath.reports.html.figure import (
    DAY,
    HOUR,
    Figure,
    Row,
    columns,
    counted,
    day,
    duration,
    figure,
    share,
    tip,
    without,
    written,
)
from towpath.reports.html.numbers import Cohort, FlowNumbers, Share, Times
from towpath.reports.lift import Arm, lift
from transforms.flows.protocol.reason_codes import ENDING, ENTRY, REFUSED, SENDING

BINS = (HOUR, 3 * HOUR, 6 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY)
MOST_BINS = 40
MOST_REASONS = 12
AGE_NAMES = ("under 1 day", "1 to 7 days", "7 to 30 days", "30 to 90 days", "over 90 days")
MEANINGS = SENDING | REFUSED | ENTRY | ENDING


def figures_of(flow: FlowNumbers, audit: bool) -> list[Figure]:
    """Make the figures of a flow; ``audit``: people got the messages."""
    found = [funnel(flow.report), ends(flow.report), weeks(flow), times(flow), channels(flow)]
    found += [cohorts(flow), *splits(flow), holdout(flow, audit)]
    return [*found, not_sent(flow.report), waits(flow)]


def funnel(report: Flow) -> Figure:
    """Show how many sessions reached each step."""
    title = "Funnel by step"
    if not report.entered:
        return without(title, "No sessions entered.")
    values = [
        {
            "step": step.step,
            "count": step.reached,
            "label": f"{step.reached:,} · {share(step.reached, report.entered):.0%}",
            "tip": tip(step.step, [("Sessions", step.reached, "count"), ("Users", step.unique, "count"),
                                   ("Messages", step.messages, "count"), ("Waiting", step.waiting, "count")]),
        }
        for step in report.steps
    ]  # fmt: skip
    rows = [
        (step.step, step.reached, share(step.reached, report.entered), step.unique, step.waiting,
         step.messages, sum(step.suppressed.values()), step.cost)
        for step in report.steps
    ]  # fmt: skip
    heads = columns(("Step", "text"), ("Sessions", "count"), ("Of entries", "share"),
                    ("Users", "count"), ("Waiting", "count"), ("Messages", "count"),
                    ("Not sent", "count"), ("Cost", "money"))  # fmt: skip
    note = (
        "Sessions that reached each step, and their share of all entries. A session may skip steps."
    )
    chart = charts.bars(values, "step", "count", "sessions") if values else None
    return figure(title, note, heads, rows, (chart,) if chart else ())


def ends(report: Flow) -> Figure:
    """Show why sessions ended."""
    title = "How sessions ended"
    if not report.exits:
        return without(title, "No sessions have ended.")
    whole = sum(report.exits.values())
    note = f"{counted(whole, 'session')} ended, {report.waiting:,} wait at a step."
    return _reasons(title, note, {"Ended": report.exits}, "sessions")


def weeks(flow: FlowNumbers) -> Figure:
    """Show entries, messages and conversions by week."""
    title = "By week"
    if not flow.weeks:
        return without(title, "No entries, messages or conversions.")
    first: charts.Values = []
    second: charts.Values = []
    for week in flow.weeks:
        for name, count in (("Entries", week.entries), ("Messages", week.messages)):
            first.append(_at(week.start, name, count))
        second.append(_at(week.start, "Conversions", week.conversions))
    found = [charts.lines(first, "series", "per week")]
    if any(week.conversions for week in flow.weeks):
        found.append(charts.lines(second, "series", "conversions per week", hue=2))
    rows = [(w.start, w.entries, w.messages, w.conversions) for w in flow.weeks]
    heads = columns(("Week of", "week"), ("Entries", "count"), ("Messages", "count"),
                    ("Conversions", "count"))  # fmt: skip
    note = "Weeks start on Monday (UTC). Conversions are goals reached by sessions outside the holdout."
    return figure(title, note, heads, rows, tuple(found), wide=True)


def _at(week: int, series: str, count: int) -> dict[str, Any]:
    return {
        "week": week,
        "series": series,
        "count": count,
        "tip": tip(f"Week of {day(week)}", [(series, count, "count")]),
    }


def times(flow: FlowNumbers) -> Figure:
    """Show how long it took to reach the goals."""
    title = "Time to convert"
    if not flow.times:
        return without(title, "No conversions outside the holdout.")
    latest = max(max(found.hours) for found in flow.times) * HOUR
    size = next((size for size in BINS if latest // size < MOST_BINS), BINS[-1])
    unit, name = (DAY, "days") if size >= DAY else (HOUR, "hours")
    values: charts.Values = []
    rows: list[Row] = []
    for found in flow.times:
        for slot, count in _slots(found, size).items():
            start, end = slot * size, (slot + 1) * size
            rows.append((found.goal, f"{start // unit:,} to {end // unit:,} {name}", count))
            label = f"{start // unit:,} to {end // unit:,} {name} after the entry"
            values.append({"start": start / unit, "end": end / unit, "goal": found.goal,
                           "count": count, "tip": tip(label, [(found.goal, count, "count")])})  # fmt: skip
    notes = [
        f"{found.goal}: half of {counted(found.conversions, 'conversion')} within "
        f"{duration(found.median)}, nine in ten within {duration(found.ninth)} after the entry."
        for found in flow.times
    ]
    heads = columns(("Goal", "text"), ("After the entry", "text"), ("Conversions", "count"))
    chart = charts.histogram(values, "goal", f"{name} after the entry", "conversions")
    return figure(title, " ".join(notes), heads, rows, (chart,))


def _slots(found: Times, size: int) -> dict[int, int]:
    slots: dict[int, int] = {}
    for hour, count in sorted(found.hours.items()):
        slot = hour * HOUR // size
        slots[slot] = slots.get(slot, 0) + count
    return slots


def cohorts(flow: FlowNumbers) -> Figure:
    """Show by the week of entry how many sessions reached a goal, and how soon."""
    title = "Cohorts by week of entry"
    used = sorted({n for cohort in flow.cohorts for n in cohort.within})
    if not used or not flow.times:
        why = "No conversions outside the holdout." if used else "No cohort is a week old."
        return without(title, why)
    values = [
        _cell(cohort, n) for n in reversed(used) for cohort in flow.cohorts if n in cohort.within
    ]
    rows = [
        (
            c.start,
            c.entries,
            *(share(c.within[n], c.entries) if n in c.within else None for n in used),
        )
        for c in flow.cohorts
    ]
    heads = columns(
        ("Week of", "week"), ("Sessions", "count"), *((_within(n), "share") for n in used)
    )
    note = (
        "Share of the sessions of a week that reached a goal, outside the holdout. "
        "Times that are not over for all of its sessions are left out."
    )
    return figure(title, note, heads, rows, (charts.grid(values, "within", "share"),), wide=True)


def _cell(cohort: Cohort, weeks: int) -> dict[str, Any]:
    part = cohort.within[weeks] / cohort.entries
    head = f"Week of {day(cohort.start)}: {counted(cohort.entries, 'session')}"
    return {
        "week": cohort.start,
        "within": _within(weeks),
        "share": round(part, 4),
        "tip": tip(head, [(_within(weeks), part, "share")]),
    }


def _within(weeks: int) -> str:
    return f"within {counted(weeks, 'week')}"


def splits(flow: FlowNumbers) -> Iterator[Figure]:
    """Compare the variants of each split."""
    if not flow.splits:
        yield without("Split tests", "This flow has no split that sessions passed.")
    for step, shares in flow.splits.items():
        title = f"Split test: {step}"
        if not shares:
            yield without(title, "This flow has no goal to compare the variants by.")
            continue
        note = (
            "Users of each variant who reached the goal after it, outside the holdout, with 95 % "
            "confidence intervals. Differences are to the largest variant, in percentage points; "
            "an interval that includes 0 may be chance."
        )
        yield _compared(title, note, shares, "Variant", list(shares))


def holdout(flow: FlowNumbers, audit: bool) -> Figure:
    """Compare the users with the flow to its holdout."""
    title = "Effect: with the flow and holdout"
    if not flow.holdout:
        return without(title, "This flow has no holdout to compare with.")
    said = [_effect(goal.goal, goal.lift, goal.detectable) for goal in flow.report.goals]
    first = (
        ""
        if audit
        else "Nobody got a message in this replay, so both groups are alike but for chance. "
    )
    note = f"{first}{' '.join(filter(None, said))} Intervals are of 95 %."
    groups = [s for s in flow.holdout if s.name == "Holdout"]
    return _compared(title, note, flow.holdout, "Group", groups)


def _effect(goal: str, found: Any, detectable: float | None) -> str:
    if found is not None:
        chance = "does not include" if found.excludes_zero else "includes"
        return (
            f"{goal}: {written(found.difference, 'points')} percentage points, 95 % confidence interval "
            f"{written(found.low, 'points')} to {written(found.high, 'points')}, which {chance} 0."
        )
    if detectable:
        return f"{goal}: a live run with as many users would show a lift of {detectable * 100:.1f} points."
    return ""


def _compared(
    title: str, note: str, shares: tuple[Share, ...], head: str, bases: list[Share]
) -> Figure:
    """Make a figure of rates; each is compared with the first base of its goal."""
    base = {found.goal: found for found in reversed(bases)}
    rows: list[Row] = []
    values: charts.Values = []
    for found in shares:
        other = base[found.goal]
        compared = None
        if other is not found:
            compared = lift(Arm(found.users, found.converted), Arm(other.users, other.converted))
        between = (compared.difference, compared.low, compared.high) if compared else (None,) * 3
        rows.append((found.name, found.goal, found.users, found.converted, found.rate, found.low,
                     found.high, *between))  # fmt: skip
        text = tip(found.name, [("Goal", found.goal, "text"), ("Users", found.users, "count"),
                                ("Converted", found.converted, "count"), ("Rate", found.rate, "share"),
                                ("From", found.low, "share"), ("To", found.high, "share")])  # fmt: skip
        values.append({"name": found.name, "goal": found.goal, "rate": found.rate, "low": found.low,
                       "high": found.high, "tip": text})  # fmt: skip
    heads = columns((head, "text"), ("Goal", "text"), ("Users", "count"), ("Converted", "count"),
                    ("Rate", "share"), ("Low", "share"), ("High", "share"), ("Difference", "points"),
                    ("Low", "points"), ("High", "points"))  # fmt: skip
    return figure(title, note, heads, rows, (charts.intervals(values, "name", "goal"),))


def not_sent(report: Flow) -> Figure:
    """Show entries that were refused and messages that were not sent, by reason."""
    title = "Refused entries and messages not sent"
    groups = {"Entries and signals": report.refused, "Messages": report.suppressed}
    groups = {name: counts for name, counts in groups.items() if counts}
    if not groups:
        return without(title, "No entry was refused, and every message could be sent.")
    return _reasons(
        title, "Why users did not enter, and why messages were not sent.", groups, "count"
    )


def _reasons(title: str, note: str, groups: dict[str, Counts], axis: str) -> Figure:
    found = [(name, reason, n) for name, counts in groups.items() for reason, n in counts.items()]
    values = [
        {
            "reason": reason.replace("_", " "),
            "count": n,
            "what": name,
            "label": f"{n:,}",
            "tip": tip(reason.replace("_", " "), [(name, n, "count")]),
        }
        for name, reason, n in sorted(found, key=lambda row: -row[2])[:MOST_REASONS]
    ]
    rows = [
        (name, reason.replace("_", " "), n, MEANINGS.get(reason, "")) for name, reason, n in found
    ]
    heads = columns(("What", "text"), ("Reason", "text"), ("Count", "count"), ("Meaning", "text"))
    colour = "what" if len(groups) > 1 else ""
    chart = charts.bars(values, "reason", "count", axis, colour)
    return figure(title, note, heads, rows, (chart,))


def waits(flow: FlowNumbers) -> Figure:
    """Show where sessions wait, and for how long already."""
    title = "Where sessions wait"
    if not flow.waits:
        return without(title, "No session waits at a step.")
    values = [
        {
            "step": wait.step,
            "age": age,
            "count": count,
            "tip": tip(wait.step, [(f"Waiting {age}", count, "count")]),
        }
        for number, age in enumerate(AGE_NAMES)
        for wait in flow.waits
        for count in (wait.ages[number],)
        if any(other.ages[number] for other in flow.waits)
    ]
    rows = [(w.step, sum(w.ages), *w.ages, w.median, w.longest) for w in flow.waits]
    heads = columns(("Step", "text"), ("Sessions", "count"), *((name, "count") for name in AGE_NAMES),
                    ("Median", "time"), ("Longest", "time"))  # fmt: skip
    note = "Sessions at each step at the end of the data, by how long they have been there."
    chart = charts.stacked_bars(values, "step", "count", "sessions", "age")
    return figure(title, note, heads, rows, (chart,))


def channels(flow: FlowNumbers) -> Figure:
    """Show the messages by week and channel, and what they cost."""
    title = "Messages by channel"
    if not flow.channels:
        return without(title, "No messages.")
    values = [_at(week, c.channel, n) for c in flow.channels for week, n in sorted(c.weeks.items())]
    rows = [
        (c.channel, c.messages, c.users, c.parts, c.cost, c.reported_cost) for c in flow.channels
    ]
    heads = columns(("Channel", "text"), ("Messages", "count"), ("Users", "count"), ("Parts", "count"),
                    ("Cost", "money"), ("Reported cost", "money"))  # fmt: skip
    spent = sum(c.cost for c in flow.channels)
    cost = (
        f"They cost {spent:,.2f} by the prices of the space." if spent else "No prices are known."
    )
    whole = sum(c.messages for c in flow.channels)
    chart = charts.weekly_bars(values, "series", "messages per week")
    return figure(title, f"{counted(whole, 'message')}. {cost}", heads, rows, (chart,))
