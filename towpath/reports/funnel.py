"""The report of a replay: entries, steps, messages and goals of each flow.

Everything is read from the result tables of the replay. Sessions in a flow's holdout are counted
as sessions, but receive nothing and are excluded from conversion rates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from pipelines.replay.results import Account
from towpath.reports.lift import Arm, Lift, detectable, lift
from towpath.reports.tables import Tables
from transforms.metrics import UNIT, money

Counts = dict[str, int]
Place = tuple[str, str]
KINDS = ("transition", "message", "communication", "conversion", "rejection", "call")


class Step(msgspec.Struct, frozen=True, gc=False):
    """One step: arrivals, distinct users, and sessions that wait there at the end.

    ``sources`` counts the arrivals by the step that the session came from, "" for its entry.
    ``parts`` counts the parts of messages (I25), ``cost`` uses the prices of the space,
    ``reported_cost`` is the sum that delivery reports state; 0 if nothing is known.
    """

    step: str
    reached: int
    unique: int
    waiting: int
    messages: int
    suppressed: Counts
    parts: int = 0
    cost: float = 0.0
    reported_cost: float = 0.0
    sources: Counts = {}


class Variant(msgspec.Struct, frozen=True, gc=False):
    """One branch of a split: the sessions assigned to it, and their results.

    ``goals`` counts the sessions that reached each goal after the split, ``goal_users`` their users,
    ``holdout`` the sessions that receive nothing.
    """

    variant: str
    sessions: int
    users: int
    holdout: int
    messages: int
    goals: Counts
    goal_users: Counts = {}


class Split(msgspec.Struct, frozen=True, gc=False):
    """One split with its variants, the largest first."""

    step: str
    variants: tuple[Variant, ...]


class Goal(msgspec.Struct, frozen=True, gc=False):
    """One goal: sessions outside the holdout that reached it, and their share of all entered.

    ``users`` and ``user_rate`` are the same of users: each counts once, with all its sessions.
    In a back-test nobody got a message: ``baseline`` is the share of all users who reach the goal
    without one, ``detectable`` the smallest lift that a live run with as many users would show.
    ``lift`` compares users with the flow to users in its holdout: in an audit replay, or with the
    ``assumed`` effect, the share of users with a message who reach the goal because of it. None
    without a holdout.
    """

    goal: str
    converted: int
    rate: float
    revenue: float
    holdout_converted: int
    holdout_revenue: float
    lift: Lift | None
    users: int = 0
    user_rate: float = 0.0
    holdout_users: int = 0
    baseline: float | None = None
    baseline_users: int = 0
    detectable: float | None = None
    assumed: float | None = None


class Flow(msgspec.Struct, frozen=True, gc=False):
    """One flow. ``entered`` counts sessions, ``holdout`` the sessions that receive nothing.

    ``treated`` counts the users with a session outside the holdout.
    ``first`` and ``last`` are the instants of the first and the last entry, ms UTC.
    """

    flow: str
    entered: int
    users: int
    holdout: int
    waiting: int
    messages: int
    recipients: int
    first: int | None
    last: int | None
    steps: tuple[Step, ...]
    suppressed: Counts
    exits: Counts
    refused: Counts
    goals: tuple[Goal, ...]
    parts: int = 0
    cost: float = 0.0
    reported_cost: float = 0.0
    splits: tuple[Split, ...] = ()
    treated: int = 0


class Week(msgspec.Struct, frozen=True, gc=False):
    """Messages and goals of one flow in one week; ``start`` is a Monday, ms UTC."""

    flow: str
    start: int
    messages: int
    goals: int


class Report(msgspec.Struct, frozen=True, gc=False):
    """The whole replay; ``run`` is the name of its folder, ``rates`` are the assumed rates in percent, by channel.

    ``unread_events`` are the most frequent events that no flow uses.
    ``refused`` counts rejections that name no flow of this run, ``calls`` the HTTP requests of
    ``call`` steps.
    """

    until: int
    users: int
    read: int
    bad: int
    unread: int
    after: int
    rates: dict[str, dict[str, float]] | None
    flows: tuple[Flow, ...]
    weeks: tuple[Week, ...] = ()
    refused: Counts = {}
    audit: bool = False
    calls: int = 0
    unread_events: Counts = {}
    run: str = ""


def report_of(account: Account, out: Path, distinct: bool = False) -> Report:
    """Compute the report from the tables in the folder ``out``; ``distinct`` as in ``Tables``."""
    with Tables(out, KINDS, distinct=distinct) as tables:
        counter = _Counter(tables, account)
        flows, refused = counter.flows(), counter.others()
        weeks = tuple(Week(*row) for row in tables.rows(WEEKS))
        calls = tables.rows(CALLS)[0][0]
    rates = account.rates
    return Report(
        until=account.until,
        users=account.users,
        read=account.read,
        bad=account.bad,
        unread=account.unread,
        after=account.after,
        rates=None if rates is None else {c: {s: r / 100 for s, r in found.items()}
                                          for c, found in rates.items()},
        flows=flows,
        weeks=weeks,
        refused=refused,
        audit=account.audit,
        calls=calls,
        unread_events=account.unread_events,
        run=out.absolute().name,
    )  # fmt: skip


ENTERED = """
    select flow, sum(n)::bigint, count(*), sum(hidden)::bigint,
           epoch_ms(min(first)), epoch_ms(max(last)),
           count(*) filter (hidden < n), count(*) filter (hidden > 0)
    from (select flow, count(*) as n, count(*) filter (silent) as hidden,
                 min("at") as first, max("at") as last
          from transition where what = 'entered' group by flow, user)
    group by flow"""
REACHED = """
    select flow, step, count(*), count(*) filter (first_arrival)
    from transition where what = 'reached' group by flow, step"""
EDGES = """
    select flow, step, coalesce(source, ''), count(*) from (
        select flow, step, lag(step) over (partition by session order by sequence) as source
        from transition where what = 'reached')
    group by all order by count(*) desc, 3"""
VARIANTS = """
    with assigned as (
        select distinct flow, step, variant, session, user, silent from transition
        where what = 'left' and variant is not null),
    sent as (select session, count(*) as n from message group by session)
    select flow, step, variant, count(distinct session), count(distinct user),
           count(distinct session) filter (silent), coalesce(sum(n), 0)::bigint
    from assigned left join sent using (session) group by all order by count(*) desc, variant"""
VARIANT_GOALS = """
    select flow, variant, goal, count(distinct session), count(distinct user) from (
        select flow, goal, session, user, unnest(variants) as variant from conversion)
    group by all"""
# A session keeps its id when its user is merged; its outputs are numbered within it.
WAITING = """
    select flow, step, count(*) from (
        select flow, arg_max(step, substr(id, length(session) + 2)::bigint) as step
        from transition
        anti join (select session from transition where what = 'ended') using (session)
        where what = 'reached' group by flow, session)
    group by flow, step"""
CALLS = "select count(*) from call where kind = 'api'"
SENT = "select flow, step, count(*) from message group by flow, step"
WORTH = """
    select flow, step, coalesce(sum(parts - 1), 0)::bigint,
           coalesce(sum(round(cost * 10000)::hugeint), 0),
           coalesce(sum(round(reported_cost * 10000)::hugeint), 0)
    from communication where parts is not null or reported_cost is not null
    group by flow, step"""
RECIPIENTS = "select flow, count(distinct user) from message group by flow"
SUPPRESSED = """
    select flow, step, reason, count(*) from communication
    where status in ('skipped', 'expired', 'canceled') and reason is not null
    group by flow, step, reason"""
EXITS = """
    select flow, coalesce(reason, 'completed'), count(*) from transition
    where what = 'ended' group by all"""
REFUSED = "select coalesce(flow, ''), reason, count(*) from rejection group by all"
GOALS = """
    with arms as (
        select session, flow, silent, user as entered from transition where what = 'entered')
    select flow, goal, arms.silent, count(*), count(distinct arms.entered),
           coalesce(sum(round(value * 10000)::hugeint), 0)
    from conversion join arms using (flow, session) group by all"""
UNCONVERTED = """
    select count(distinct user) from message where flow = $1 and user not in (
        select user from conversion where flow = $1 and goal = $2 and not silent)"""
WEEKS = """
    select flow, epoch_ms(date_trunc('week', day)) as week,
           sum(messages)::bigint, sum(goals)::bigint
    from (
        select flow, "at"::timestamp::date as day, count(*) as messages, 0 as goals
        from message group by all
        union all
        select flow, "at"::timestamp::date, 0, count(*) from conversion where not silent
        group by all)
    group by flow, week order by flow, week"""


class _Counter:
    """The query results, by flow and step."""

    def __init__(self, tables: Tables, account: Account) -> None:
        self.tables, self.account = tables, account
        self.shape = account.shape
        self.entered = {row[0]: row[1:] for row in tables.rows(ENTERED)}
        self.reached = _by_place(tables.rows(REACHED))
        self.edges = tables.rows(EDGES)
        self.variants = tables.rows(VARIANTS)
        self.variant_goals = {tuple(row[:3]): row[3:] for row in tables.rows(VARIANT_GOALS)}
        self.waiting = _by_place(tables.rows(WAITING))
        self.sent = _by_place(tables.rows(SENT))
        self.worth = _by_place(tables.rows(WORTH))
        self.recipients: dict[str, int] = dict(tables.rows(RECIPIENTS))
        self.suppressed = tables.rows(SUPPRESSED)
        self.exits = tables.rows(EXITS)
        self.refused = tables.rows(REFUSED)
        self.goals = {tuple(row[:3]): row[3:] for row in tables.rows(GOALS)}

    def flows(self) -> tuple[Flow, ...]:
        return tuple(self.flow(name) for name in sorted(self.shape.steps))

    def others(self) -> Counts:
        return _by_reason(row[1:] for row in self.refused if row[0] not in self.shape.steps)

    def flow(self, name: str) -> Flow:
        entered, users, holdout, first, last, treated, silent = self.entered.get(
            name, (0, 0, 0, None, None, 0, 0)
        )
        steps = tuple(self.step(name, step) for step in self.shape.steps[name])
        return Flow(
            flow=name,
            entered=entered,
            users=users,
            holdout=holdout,
            waiting=sum(step.waiting for step in steps),
            messages=sum(step.messages for step in steps),
            recipients=self.recipients.get(name, 0),
            first=first,
            last=last,
            steps=steps,
            suppressed=_by_reason((reason, n) for f, _, reason, n in self.suppressed if f == name),
            exits=_by_reason(row[1:] for row in self.exits if row[0] == name),
            refused=_by_reason(row[1:] for row in self.refused if row[0] == name),
            goals=tuple(
                self.goal(name, goal, entered - holdout, treated, silent)
                for goal in self.shape.goals[name]
            ),
            parts=sum(step.parts for step in steps),
            cost=_sum(step.cost for step in steps),
            reported_cost=_sum(step.reported_cost for step in steps),
            splits=tuple(self.splits(name)),
            treated=treated,
        )

    def splits(self, flow: str) -> Iterator[Split]:
        for step in self.shape.steps[flow]:
            found = [row[2:] for row in self.variants if row[:2] == (flow, step)]
            if found:
                yield Split(step, tuple(self.variant(flow, step, row) for row in found))

    def variant(self, flow: str, step: str, row: tuple[Any, ...]) -> Variant:
        name, sessions, users, holdout, messages = row
        found = {
            goal: self.variant_goals.get((flow, name, goal), (0, 0))
            for goal in self.shape.goals[flow]
        }
        return Variant(
            name.removeprefix(f"{step}="),
            sessions,
            users,
            holdout,
            messages,
            {goal: counts[0] for goal, counts in found.items()},
            {goal: counts[1] for goal, counts in found.items()},
        )

    def step(self, flow: str, step: str) -> Step:
        place = flow, step
        reached, unique = self.reached.get(place, (0, 0))
        messages = self.sent.get(place, (0,))[0]
        more, cost, reported = self.worth.get(place, (0, 0, 0))
        return Step(
            step=step,
            reached=reached,
            unique=unique,
            waiting=self.waiting.get(place, (0,))[0],
            messages=messages,
            suppressed=_by_reason((r, n) for f, s, r, n in self.suppressed if (f, s) == place),
            parts=messages + more,
            cost=cost / UNIT,
            reported_cost=reported / UNIT,
            sources={source: n for f, s, source, n in self.edges if (f, s) == place},
        )

    def goal(self, flow: str, goal: str, sessions: int, treated: int, silent: int) -> Goal:
        converted, users, units = self.goals.get((flow, goal, False), (0, 0, 0))
        apart, apart_users, apart_units = self.goals.get((flow, goal, True), (0, 0, 0))
        arms = Arm(treated, users), Arm(silent, apart_users)
        share = self.account.effects.get(flow, {}).get(goal)
        reported: dict[str, Any] = {"lift": lift(*arms) if self.account.audit else None}
        if not self.account.audit:
            whole = treated + silent
            reported["baseline"] = (users + apart_users) / whole if whole else None
            reported["baseline_users"] = users + apart_users
            reported["detectable"] = detectable(*arms)
        if share is not None:
            reported["lift"] = self.expected_lift(flow, goal, share, arms)
            reported["assumed"] = share / 100
        return Goal(
            goal=goal,
            converted=converted,
            rate=converted / sessions if sessions else 0.0,
            revenue=units / UNIT,
            holdout_converted=apart,
            holdout_revenue=apart_units / UNIT,
            users=users,
            user_rate=users / treated if treated else 0.0,
            holdout_users=apart_users,
            **reported,
        )

    def expected_lift(self, flow: str, goal: str, share: int, arms: tuple[Arm, Arm]) -> Lift | None:
        """Return the lift that a live run with the assumed effect would show on average.

        Both arms have the same baseline, as nobody got a message: their difference is chance.
        """
        users = sum(arm.users for arm in arms)
        baseline = sum(arm.converted for arm in arms) / users if users else 0.0
        without = self.tables.rows(UNCONVERTED, flow, goal)[0][0]
        treated, holdout = (round(baseline * arm.users) for arm in arms)
        more = round(without * share / 10_000)
        most = arms[0].users
        return lift(Arm(most, min(most, treated + more)), Arm(arms[1].users, holdout))


def _sum(amounts: Iterable[float]) -> float:
    """Sum amounts in whole ten-thousandths, so that the result is exact."""
    return sum(money(amount) for amount in amounts) / UNIT


def _by_place(rows: Iterable[tuple[Any, ...]]) -> dict[Place, tuple[Any, ...]]:
    return {(row[0], row[1]): row[2:] for row in rows}


def _by_reason(pairs: Iterable[tuple[Any, ...]]) -> Counts:
    """Sum counts by reason, largest first."""
    found: Counts = {}
    for reason, count in pairs:
        found[reason] = found.get(reason, 0) + count
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
