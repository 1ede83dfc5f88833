"""Visits: runs of the user's events less than 30 minutes apart, and waits within a visit (J11).

Visits are counted only if a definition reads them; then every event counts. Events that flows
raise and loaded history do not count.
"""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

from transforms.flows.clock.delays import Delay, after
from transforms.flows.definitions.steps.waits import WaitVisit
from transforms.flows.engine.context import Context, InternalSignal
from transforms.flows.engine.working import Session
from transforms.flows.protocol.signals import Event
from transforms.flows.state.stored import Presence

GAP: Final = 30 * 60_000
"""After an event at *e* the visit lasts during ``[e, e + 30m)`` (R2)."""


def count_visit(ctx: Context, raised: InternalSignal) -> None:
    """Add an event to the current visit or begin a new one; extend waits within the visit (J11)."""
    now = ctx.now
    signal, seen = raised.signal, ctx.state.presence
    if raised.depth or not isinstance(signal, Event) or signal.bypass or signal.backfill:
        return
    if seen is None:
        seen = ctx.state.presence = ctx.view.presence = Presence(0, now, now)
    if not seen.count or now >= seen.last + GAP:
        seen.count, seen.started, seen.events = seen.count + 1, now, 0
    seen.last = now
    seen.events += 1
    extend_visit_waits(ctx)


def extend_visit_waits(ctx: Context) -> None:
    """Extend waits within the current visit to its new end, after an event or a merge (R8)."""
    end = visit_end(ctx)
    for session in ctx.state.sessions:
        waits = isinstance(session.node.verb, WaitVisit)
        if waits and (session.halt is None or session.halt.target is None):
            session.due = _first(session, end)


def visit_end(ctx: Context) -> int:
    """Return when the newest visit ends unless another event follows; 0 before the first."""
    seen = ctx.state.presence
    return seen.last + GAP if seen is not None else 0


def begin_visit_wait(ctx: Context, session: Session, delay: Delay) -> bool:
    """Begin a wait within the current visit; return True if there is one."""
    end = visit_end(ctx)
    if end <= ctx.now:
        return False
    session.visit_deadline = after(delay, ctx.now, ctx.zone_of(session.plan))
    session.due = _first(session, end)
    return True


def lasted(session: Session, t: int) -> bool:
    """Return True if the time of a wait within a visit is over; False if only the visit ended."""
    ends = session.visit_deadline
    session.visit_deadline = None
    return ends is not None and ends <= t


def hold_visit_wait(ctx: Context, session: Session) -> int | None:
    """Stop the time of a wait for a pause and return the rest; the visit may still end (R26)."""
    left = None if session.visit_deadline is None else session.visit_deadline - ctx.now
    session.visit_deadline, session.due = None, visit_end(ctx)
    return left


def resume_visit_wait(ctx: Context, session: Session, left: int) -> None:
    """Continue a wait with the rest of its time after a pause."""
    session.visit_deadline = ctx.now + left
    session.due = _first(session, visit_end(ctx))


def rebased_due(ctx: Context, session: Session, old: Delay, new: Delay, where: ZoneInfo) -> int:
    """Return when a wait ends after a new version changed its delay, from its start (R27)."""
    more = 0
    if session.visit_deadline is not None:
        more = max(0, session.visit_deadline - after(old, session.since, where))
    session.visit_deadline = more + after(new, session.since, where)
    return _first(session, visit_end(ctx))


def _first(session: Session, end: int) -> int:
    """Return the end of the wait's time or of the visit, whichever is earlier."""
    return end if session.visit_deadline is None else min(session.visit_deadline, end)
