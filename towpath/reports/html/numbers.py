"""The numbers of a page: those of the funnel report, and those over time, by cohort and by variant.

Everything is a count or a sum: no user key is in them. Sessions in the holdout receive nothing and
are left out of times, cohorts and split tests.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import msgspec

from towpath.reports.funnel import Counts, Flow, report_of
from towpath.reports.html.results import Results
from towpath.reports.lift import Arm, wilson
from towpath.reports.views import open_views
from transforms.metrics import UNIT

Row = tuple[Any, ...]
Rows = dict[str, list[Row]]
Progress = Callable[[int, int], None]

HOUR = 3_600_000
DAY = 24 * HOUR
WEEK = 7 * DAY
AGES = (DAY, 7 * DAY, 30 * DAY, 90 * DAY)
"""The limits of the groups of waiting sessions, by how long they have waited."""
HORIZONS = (1, 2, 4, 8, 13, 26, 52)
"""Weeks after an entry, for cohorts."""
Z95 = 1.959963984540054


class Week(msgspec.Struct, frozen=True, gc=False):
    """One week, which starts on a Monday (ms UTC). ``conversions`` are outside the holdout."""

    start: int
    entries: int
    messages: int
    conversions: int


class Times(msgspec.Struct, frozen=True, gc=False):
    """How long after its entry a session reached a goal, in ms; ``hours`` counts by full hours."""

    goal: str
    conversions: int
    median: float
    ninth: float
    hours: dict[int, int]


class Cohort(msgspec.Struct, frozen=True, gc=False):
    """The sessions that entered in one week, and how many reached a goal within some weeks.

    ``within`` has no number for a time that is not over for all of them.
    """

    start: int
    entries: int
    within: dict[int, int]


class Share(msgspec.Struct, frozen=True, gc=False):
    """Users of a variant or of the holdout who reached a goal; a 95 % Wilson interval."""

    name: str
    goal: str
    users: int
    converted: int
    rate: float
    low: float
    high: float


class Wait(msgspec.Struct, frozen=True, gc=False):
    """Sessions that wait at a step: by how long, and the median and longest wait in ms."""

    step: str
    ages: tuple[int, ...]
    median: float
    longest: int


class Channel(msgspec.Struct, frozen=True, gc=False):
    """The messages on one channel; ``weeks`` counts them by week."""

    channel: str
    messages: int
    users: int
    parts: int
    cost: float
    reported_cost: float
    weeks: dict[int, int]


class FlowNumbers(msgspec.Struct, frozen=True, gc=False):
    """All numbers of one flow; ``report`` is that of the funnel."""

    space: str
    report: Flow
    weeks: tuple[Week, ...]
    times: tuple[Times, ...]
    cohorts: tuple[Cohort, ...]
    splits: dict[str, tuple[Share, ...]]
    holdout: tuple[Share, ...]
    waits: tuple[Wait, ...]
    channels: tuple[Channel, ...]


class Numbers(msgspec.Struct, frozen=True, gc=False):
    """All numbers of a page. ``audit``: people got the messages, so the holdout can be compared.

    ``refused`` counts refusals that name none of the flows.
    """

    name: str
    streamed: bool
    audit: bool
    until: int
    users: int
    records: int
    flows: tuple[FlowNumbers, ...]
    refused: Counts


ENTRIES = """
    select flow, epoch_ms(date_trunc('week', happened_at)) as week, count(*)
    from transition where what = 'entered' group by all order by all"""
TIMES = """
    select flow, goal, count(*), quantile_cont(took, 0.5), quantile_cont(took, 0.9)
    from (select flow, goal, epoch_ms(happened_at) - epoch_ms(entered) as took
          from conversion where not in_holdout)
    group by flow, goal order by all"""
HOURS = f"""
    select flow, goal, (epoch_ms(happened_at) - epoch_ms(entered)) // {HOUR} as hour, count(*)
    from conversion where not in_holdout group by all order by all"""
COHORTS = f"""
    with reached as (
        select flow, session, min(happened_at) as first from conversion
        where not in_holdout group by flow, session)
    select flow, epoch_ms(date_trunc('week', entered_at)) as week,
           (epoch_ms(first) - epoch_ms(entered_at)) // {WEEK} as later, count(*)
    from sessions left join reached using (flow, session)
    where not in_holdout group by all order by all"""
VARIANTS = """
    with assigned as (
        select distinct flow, step, variant, session, user_id from transition
        where what = 'left' and variant is not null and not in_holdout),
    reached as (
        select distinct flow, session, goal, unnest(variants) as variant from conversion
        where not in_holdout),
    arms as (select flow, step, variant, count(distinct user_id) as users from assigned group by all),
    goals as (
        select flow, step, variant, goal, count(distinct user_id) as converted
        from assigned join reached using (flow, session, variant) group by all)
    select flow, step, variant, users, goal, coalesce(converted, 0)
    from arms left join goals using (flow, step, variant) order by users desc, variant, goal"""
HOLDOUT = """
    select flow, count(distinct user_id) from transition
    where what = 'entered' and in_holdout group by flow"""
WAITS = f"""
    select flow, step, {", ".join(f"count(*) filter (group_number = {n})" for n in range(len(AGES) + 1))},
           median(waited), max(waited)
    from (select flow, step, greatest($1 - epoch_ms(since), 0) as waited,
                 {" + ".join(f"(waited >= {limit})::int" for limit in AGES)} as group_number
          from sessions where ended_at is null and step is not null)
    group by all order by all"""
CHANNELS = """
    select flow, channel, count(*), count(distinct user_id) from message
    group by all order by count(*) desc, channel"""
CHANNEL_WEEKS = """
    select flow, channel, epoch_ms(date_trunc('week', happened_at)), count(*) from message
    group by all order by all"""
COSTS = """
    select flow, channel, coalesce(sum(parts - 1), 0)::bigint,
           coalesce(sum(round(cost * 10000)::hugeint), 0),
           coalesce(sum(round(reported_cost * 10000)::hugeint), 0)
    from communication where parts is not null or reported_cost is not null
    group by all"""
QUERIES = {"entries": ENTRIES, "times": TIMES, "hours": HOURS, "cohorts": COHORTS,
           "variants": VARIANTS, "holdout": HOLDOUT, "waits": WAITS, "channels": CHANNELS,
           "channel_weeks": CHANNEL_WEEKS, "costs": COSTS}  # fmt: skip


def numbers_of(
    results: list[Results], name: str, only: str = "", progress: Progress = lambda done, total: None
) -> Numbers:
    """Compute the numbers of all flows, or of one."""
    flows: list[FlowNumbers] = []
    refused: Counts = {}
    steps = len(results) * (len(QUERIES) + 1)
    done = itertools.count(1)
    for found in results:
        report = report_of(found.account, found.folder, distinct=found.streamed)
        progress(next(done), steps)
        rows = _rows(found, lambda: progress(next(done), steps))
        weeks = {(w.flow, w.start): (w.messages, w.goals) for w in report.weeks}
        maker = _Maker(found.account.shape.space, found.account.until, rows, weeks)
        flows += [maker.flow(flow) for flow in report.flows if only in ("", flow.flow)]
        for reason, n in report.refused.items():
            refused[reason] = refused.get(reason, 0) + n
    accounts = [found.account for found in results]
    return Numbers(
        name=name,
        streamed=any(found.streamed for found in results),
        audit=all(account.audit for account in accounts),
        until=max((account.until for account in accounts), default=0),
        users=sum(account.users for account in accounts),
        records=sum(account.read for account in accounts),
        flows=tuple(flows),
        refused=refused,
    )


def _rows(results: Results, progress: Callable[[], None]) -> dict[str, Rows]:
    """Run every query, and group its rows by flow."""
    found: dict[str, Rows] = {}
    with open_views(results.folder, distinct=results.streamed) as database:
        for name, query in QUERIES.items():
            values = [results.account.until] if name == "waits" else []
            grouped = found.setdefault(name, {})
            for flow, *row in database.execute(query, values).fetchall():
                grouped.setdefault(flow, []).append(tuple(row))
            progress()
    return found


class _Maker:
    """Makes the numbers of each flow from the rows of the queries."""

    def __init__(
        self,
        space: str,
        until: int,
        rows: dict[str, Rows],
        weeks: dict[tuple[str, int], tuple[int, int]],
    ) -> None:
        self.space, self.until, self.rows, self.known = space, until, rows, weeks

    def flow(self, report: Flow) -> FlowNumbers:
        name = report.flow
        return FlowNumbers(
            space=self.space,
            report=report,
            weeks=self.weeks(name),
            times=self.times(name),
            cohorts=self.cohorts(name),
            splits=self.splits(report),
            holdout=self.holdout(report),
            waits=self.waits(report),
            channels=self.channels(name),
        )

    def of(self, query: str, flow: str) -> list[Row]:
        return self.rows[query].get(flow, [])

    def weeks(self, flow: str) -> tuple[Week, ...]:
        """Make all weeks from the first to the last, also those without anything."""
        entries: dict[int, int] = dict(self.of("entries", flow))
        others = {week: both for (name, week), both in self.known.items() if name == flow}
        known = entries.keys() | others.keys()
        if not known:
            return ()
        return tuple(
            Week(week, entries.get(week, 0), *others.get(week, (0, 0)))
            for week in range(min(known), max(known) + 1, WEEK)
        )

    def times(self, flow: str) -> tuple[Times, ...]:
        hours: dict[str, dict[int, int]] = {}
        for goal, hour, count in self.of("hours", flow):
            hours.setdefault(goal, {})[hour] = count
        return tuple(
            Times(goal, count, median, ninth, hours[goal])
            for goal, count, median, ninth in self.of("times", flow)
        )

    def cohorts(self, flow: str) -> tuple[Cohort, ...]:
        weeks: dict[int, dict[int | None, int]] = {}
        for week, later, count in self.of("cohorts", flow):
            weeks.setdefault(week, {})[later] = count
        latest = max((n for found in weeks.values() for n in found if n is not None), default=0)
        used = [n for n, before in zip(HORIZONS, (0, *HORIZONS), strict=False) if before <= latest]
        return tuple(
            Cohort(
                week,
                sum(found.values()),
                {
                    n: sum(
                        count for later, count in found.items() if later is not None and later < n
                    )
                    for n in used
                    if week + (n + 1) * WEEK <= self.until
                },
            )
            for week, found in sorted(weeks.items())
        )

    def splits(self, report: Flow) -> dict[str, tuple[Share, ...]]:
        """Compare the variants of each split, every variant with every goal of the flow."""
        found: dict[str, dict[tuple[str, int], dict[str, int]]] = {}
        for step, variant, users, goal, converted in self.of("variants", report.flow):
            reached = found.setdefault(step, {}).setdefault((variant, users), {})
            if goal is not None:
                reached[goal] = converted
        return {
            step: tuple(
                _share(
                    variant.removeprefix(f"{step}="), goal.goal, users, reached.get(goal.goal, 0)
                )
                for goal in report.goals
                for (variant, users), reached in variants.items()
            )
            for step, variants in found.items()
        }

    def holdout(self, report: Flow) -> tuple[Share, ...]:
        """Compare the users with the flow to its holdout."""
        silent = sum(n for (n,) in self.of("holdout", report.flow))
        if not silent or not report.treated:
            return ()
        found = []
        for goal in report.goals:
            found.append(_share("With the flow", goal.goal, report.treated, goal.users))
            found.append(_share("Holdout", goal.goal, silent, goal.holdout_users))
        return tuple(found)

    def waits(self, report: Flow) -> tuple[Wait, ...]:
        found = {row[0]: row[1:] for row in self.of("waits", report.flow)}
        order = [step.step for step in report.steps if step.step in found]
        return tuple(
            Wait(step, tuple(ages), median, longest)
            for step in order
            for *ages, median, longest in (found[step],)
        )

    def channels(self, flow: str) -> tuple[Channel, ...]:
        costs = {row[0]: row[1:] for row in self.of("costs", flow)}
        weeks: dict[str, dict[int, int]] = {}
        for channel, week, count in self.of("channel_weeks", flow):
            weeks.setdefault(channel, {})[week] = count
        found = []
        for channel, messages, users in self.of("channels", flow):
            more, cost, reported = costs.get(channel, (0, 0, 0))
            found.append(
                Channel(
                    channel, messages, users, messages + more, cost / UNIT, reported / UNIT,
                    weeks[channel],
                )
            )  # fmt: skip
        return tuple(found)


def _share(name: str, goal: str, users: int, converted: int) -> Share:
    low, high = wilson(Arm(users, converted), Z95)
    return Share(name, goal, users, converted, converted / users, max(low, 0.0), min(high, 1.0))
