"""Goals on a condition or an audience: which are true, and when time may change one (R18, R24).

Such a goal counts when it becomes true after the entry, so each session notes which are true.
"""

from __future__ import annotations

from typing import Final

from transforms.flows.catalog.compiled import CompiledGoal, GoalSet
from transforms.flows.clock.delays import after
from transforms.flows.engine.context import Context
from transforms.flows.engine.working import Session

NO_GOALS: Final = GoalSet()


def became_true(ctx: Context, session: Session) -> list[CompiledGoal]:
    """Note which goals of a session are true; return those that were not."""
    known = session.goals_true
    true = _true(ctx, session)
    names = [compiled.goal.name for compiled in true]
    if names != known:
        session.goals_true = names
    return [compiled for compiled in true if compiled.goal.name not in known]


def note_true(ctx: Context, session: Session, before: GoalSet = NO_GOALS) -> None:
    """Note which goals are true without counting them, except those that ``before`` has too."""
    known, same = session.goals_true, [compiled.goal for compiled in before.states]
    session.goals_true = [
        compiled.goal.name
        for compiled in _true(ctx, session)
        if compiled.goal not in same or compiled.goal.name in known
    ]


def next_check(ctx: Context, session: Session) -> int | None:
    """Return when time may next change a goal that the session may still reach (R18)."""
    if not ctx.goals_of(session.plan).timed:
        return None
    view, found = ctx.view_of(session), list[int]()
    for compiled in _open(ctx, session):
        condition = compiled.condition
        at = condition.next_change(view) if condition is not None else None
        if at is not None and at < after(compiled.goal.within, session.started, view.zone):
            found.append(at)
    return min(found, default=None)


def _true(ctx: Context, session: Session) -> list[CompiledGoal]:
    candidates = _open(ctx, session)
    if not candidates:
        return []
    view = ctx.view_of(session)
    return [c for c in candidates if c.condition is not None and c.condition.test(view)]


def _open(ctx: Context, session: Session) -> list[CompiledGoal]:
    """Return the goals on a condition or an audience that a session may still reach."""
    states = ctx.goals_of(session.plan).states
    if not states:
        return []
    zone = ctx.zone_of(session.plan)
    return [
        compiled
        for compiled in states
        if compiled.goal.name not in session.goals
        and ctx.now < after(compiled.goal.within, session.started, zone)
    ]
