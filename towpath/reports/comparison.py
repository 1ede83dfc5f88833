"""Compare two replays user by user: who enters, who gets other messages, who reaches the goals.

Both tables of a kind are joined by flow and user, so the counts are of the same users, not
differences of sums. Users in a holdout enter, but get no messages and are left out of goals.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from pipelines.replay.database import in_memory
from pipelines.replay.results import Account
from towpath.reports.views import views_of
from transforms.metrics import UNIT

SIDES = ("before", "after")
KINDS = ("transition", "message", "conversion")


class Pair(msgspec.Struct, frozen=True, gc=False):
    """A count in both replays."""

    before: float
    after: float

    @property
    def differ(self) -> bool:
        """Return True if the counts differ."""
        return self.before != self.after


class Users(msgspec.Struct, frozen=True, gc=False):
    """Distinct users in each replay, and those in only one of them.

    Of users with messages in both, ``other`` get other messages, and ``moved`` get the same ones
    at other times.
    """

    before: int = 0
    after: int = 0
    only_before: int = 0
    only_after: int = 0
    other: int = 0
    moved: int = 0

    @property
    def same(self) -> int:
        """Return how many users have the same in both replays."""
        return self.before - self.only_before - self.other - self.moved

    @property
    def differ(self) -> bool:
        """Return True if something is other for any user."""
        return bool(self.only_before or self.only_after or self.other or self.moved)


class Goal(msgspec.Struct, frozen=True, gc=False):
    """One goal outside the holdout: the users and sessions that reach it, and its value."""

    goal: str
    users: Users
    sessions: Pair
    revenue: Pair


class Step(msgspec.Struct, frozen=True, gc=False):
    """One step: sessions that reach it, and messages."""

    step: str
    reached: Pair
    messages: Pair


class Flow(msgspec.Struct, frozen=True, gc=False):
    """One flow; ``only`` names the replay that has it, None if both have."""

    flow: str
    only: str | None
    sessions: Pair
    entered: Users
    messages: Pair
    recipients: Users
    steps: tuple[Step, ...]
    goals: tuple[Goal, ...]

    @property
    def differ(self) -> bool:
        """Return True if anything differs."""
        steps = (pair for step in self.steps for pair in (step.reached, step.messages))
        goals = (part for goal in self.goals for part in (goal.users, goal.sessions, goal.revenue))
        whole = (self.sessions, self.entered, self.messages, self.recipients)
        return any(part.differ for part in (*whole, *steps, *goals))


class Comparison(msgspec.Struct, frozen=True, gc=False):
    """Two replays; ``doubts`` say why they may not be comparable."""

    before: str
    after: str
    flows: tuple[Flow, ...]
    doubts: tuple[str, ...] = ()


class Difference(msgspec.Struct, frozen=True, gc=False):
    """A user whose outcome differs: ``what`` differs, and its counts in both replays.

    ``what`` is entries, messages, times (the same messages at other times), or goal and its name.
    """

    flow: str
    user: str
    what: str
    before: int
    after: int


# By flow and user: entries; messages with a sum over their contents, and one with their times.
SOURCES = {
    "entries": """
        select flow, user_id, count(*) as n from {side}_transition
        where what = 'entered' group by all""",
    "messages": """
        select flow, user_id, count(*) as n, sum(content::hugeint) as content,
               sum(hash(content, happened_at)::hugeint) as timed
        from (select flow, user_id, happened_at,
                     hash(channel, address, template, template_version, data) as content
              from {side}_message)
        group by all""",
    "goals": """
        select flow, goal, user_id, count(*) as n,
               sum(round(coalesce(value, 0) * 10000)::hugeint) as units
        from {side}_conversion where not in_holdout group by all""",
    "steps": """
        select flow, step, sum(reached)::bigint as reached, sum(messages)::bigint as messages
        from (select flow, step, 1 as reached, 0 as messages from {side}_transition
              where what = 'reached'
              union all select flow, step, 0, 1 from {side}_message)
        group by all""",
}
SUMS = """
    coalesce(sum(b.n), 0)::bigint, coalesce(sum(a.n), 0)::bigint,
    count(b.n), count(a.n),
    count(*) filter (a.n is null), count(*) filter (b.n is null)"""
ENTERED = f"""
    select flow, {SUMS}
    from before_entries b full join after_entries a using (flow, user_id) group by flow"""
MESSAGES = f"""
    select flow, {SUMS},
           count(*) filter (b.content <> a.content),
           count(*) filter (b.content = a.content and b.timed <> a.timed)
    from before_messages b full join after_messages a using (flow, user_id) group by flow"""
GOALS = f"""
    select flow, goal, {SUMS}, coalesce(sum(b.units), 0), coalesce(sum(a.units), 0)
    from before_goals b full join after_goals a using (flow, goal, user_id) group by flow, goal"""
STEPS = """
    select flow, step, coalesce(b.reached, 0), coalesce(a.reached, 0),
           coalesce(b.messages, 0), coalesce(a.messages, 0)
    from before_steps b full join after_steps a using (flow, step)"""
USERS = """
    with found as (
        select flow, user_id, 'entries' as what, b.n as before, a.n as after
        from before_entries b full join after_entries a using (flow, user_id)
        where b.n is distinct from a.n
        union all
        select flow, user_id, case when b.content = a.content then 'times' else 'messages' end,
               b.n, a.n
        from before_messages b full join after_messages a using (flow, user_id)
        where b.timed is distinct from a.timed
        union all
        select flow, user_id, 'goal ' || goal, b.n, a.n
        from before_goals b full join after_goals a using (flow, goal, user_id)
        where b.n is distinct from a.n)
    select flow, user_id, what, coalesce(before, 0), coalesce(after, 0) from found
    order by flow, user_id, what"""


class Unreadable(Exception):
    """The tables in the folder ``out`` cannot be read."""

    def __init__(self, out: Path, reason: Exception) -> None:
        super().__init__(out, reason)
        self.out, self.reason = out, reason


class Replays:
    """The tables of two replays, joined by SQL; raises ``Unreadable`` if they cannot be read."""

    def __init__(self, before: Path, after: Path) -> None:
        self.database = in_memory()
        for side, out in zip(SIDES, (before, after), strict=True):
            try:
                self._open(side, out)
            except (duckdb.Error, msgspec.MsgspecError) as error:
                self.database.close()
                raise Unreadable(out, error) from None

    def _open(self, side: str, out: Path) -> None:
        queries = {view.view: view.query for view in views_of(out)}
        for kind in KINDS:
            self.database.execute(f"create view {side}_{kind} as {queries[kind]}")
        for name, source in SOURCES.items():
            query = source.format(side=side)
            self.database.execute(f"create temp table {side}_{name} as {query}")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Run a query and return its rows."""
        return self.database.execute(query).fetchall()

    def differences(self) -> list[Difference]:
        """Return the users whose outcome differs, by flow and user."""
        return [Difference(*row) for row in self.rows(USERS)]

    def __enter__(self) -> Replays:
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()


def compare(
    replays: Replays, accounts: tuple[Account, Account], names: tuple[str, str]
) -> Comparison:
    """Compare two replays, flow by flow."""
    entered = {row[0]: row[1:] for row in replays.rows(ENTERED)}
    messages = {row[0]: row[1:] for row in replays.rows(MESSAGES)}
    goals = {(row[0], row[1]): row[2:] for row in replays.rows(GOALS)}
    steps = {(row[0], row[1]): row[2:] for row in replays.rows(STEPS)}
    before, after = (account.shape for account in accounts)
    flows = []
    for flow in sorted({*before.steps, *after.steps}):
        came, sent = entered.get(flow, (0,) * 6), messages.get(flow, (0,) * 8)
        flows.append(
            Flow(
                flow=flow,
                only=_only(flow in before.steps, flow in after.steps),
                sessions=Pair(came[0], came[1]),
                entered=Users(*came[2:]),
                messages=Pair(sent[0], sent[1]),
                recipients=Users(*sent[2:]),
                steps=tuple(
                    _step(step, steps.get((flow, step), (0,) * 4))
                    for step in _joined(before.steps.get(flow, ()), after.steps.get(flow, ()))
                ),
                goals=tuple(
                    _goal(goal, goals.get((flow, goal), (0,) * 8))
                    for goal in _joined(before.goals.get(flow, ()), after.goals.get(flow, ()))
                ),
            )
        )
    return Comparison(*names, tuple(flows), tuple(_doubts(*accounts)))


def _only(before: bool, after: bool) -> str | None:
    return None if before and after else SIDES[after]


def _joined(before: Iterable[str], after: Iterable[str]) -> list[str]:
    """Join the names in order: a name that only the second list has follows its predecessor."""
    found = list(before)
    place = 0
    for name in after:
        if name in found:
            place = found.index(name) + 1
        else:
            found.insert(place, name)
            place += 1
    return found


def _step(step: str, row: tuple[Any, ...]) -> Step:
    return Step(step, Pair(row[0], row[1]), Pair(row[2], row[3]))


def _goal(goal: str, row: tuple[Any, ...]) -> Goal:
    revenue = Pair(row[6] / UNIT, row[7] / UNIT)
    return Goal(goal, Users(*row[2:6]), Pair(row[0], row[1]), revenue)


def _doubts(before: Account, after: Account) -> Iterable[str]:
    if before.read != after.read or before.bad != after.bad:
        yield f"the replays read different events: {before.read:,} and {after.read:,} records"
    if before.until != after.until:
        yield "the replays end at different times"
    if before.audit != after.audit:
        yield "one is an audit replay, the other a back-test"
    if before.rates != after.rates:
        yield "the replays assume different rates of opens and clicks"
    if before.shape.space != after.shape.space:
        yield (
            f"the spaces have different names, {before.shape.space} and {after.shape.space}: "
            "users are assigned at random anew"
        )
