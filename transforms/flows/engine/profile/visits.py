"""Visits: a run of the user's own events less than 30 minutes apart, and waits within one (J11).

Kept only where something reads visits; then every event is read. What flows raise, and history
that is loaded, is no sign that the user is there.
"""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

from transforms.flows.clock.delays import Delay, after
from transforms.flows.definitions.steps.waits import WaitVisit
from transforms.flows.engine.context import Context
from transforms.flows.engine.working import Session
from transforms.flows.protocol.signals import Event, InternalSignal
from transforms.flows.state.stored import Presence

GAP: Final = 30 * 60_000
"""After an event at *e* the visit lasts during ``[e, e + 30m)`` (R2)."""


def count_visit(ctx: Context, raised: InternalSignal) -> None:
    """Count an event to the visit that it is in, or begin a new one; waits in it go on (J11)."""
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
    """Let waits in the visit at hand last as long as it does now: after an event, or a merge (R8)."""
    end = visit_end(ctx)
    for session in ctx.state.sessions:
        waits = isinstance(session.node.verb, WaitVisit)
        if waits and (session.halt is None or session.halt.target is None):
            session.due = _first(session, end)


def visit_end(ctx: Context) -> int:
    """Return when the newest visit is over, as far as is known: 0 before the first."""
    seen = ctx.state.presence
    return seen.last + GAP if seen is not None else 0


def begin_visit_wait(ctx: Context, session: Session, delay: Delay) -> bool:
    """Begin to wait in the visit at hand; return True if there is one."""
    end = visit_end(ctx)
    if end <= ctx.now:
        return False
    session.visit_deadline = after(delay, ctx.now, ctx.zone_of(session.plan))
    session.due = _first(session, end)
    return True


def lasted(session: Session, t: int) -> bool:
    """Return True if a wait in a visit is over because its time is, not because the visit is."""
    ends = session.visit_deadline
    session.visit_deadline = None
    return ends is not None and ends <= t


def hold_visit_wait(ctx: Context, session: Session) -> int | None:
    """Take the rest of a wait's time out for a pause, in which the visit may still end (R26)."""
    left = None if session.visit_deadline is None else session.visit_deadline - ctx.now
    session.visit_deadline, session.due = None, visit_end(ctx)
    return left


def resume_visit_wait(ctx: Context, session: Session, left: int) -> None:
    """Go on with the rest of a wait's time after a pause."""
    session.visit_deadline = ctx.now + left
    session.due = _first(session, visit_end(ctx))


def rebased_due(ctx: Context, session: Session, old: Delay, new: Delay, where: ZoneInfo) -> int:
    """Return when a wait ends that a new version changed, from its own start (R27)."""
    more = 0
    if session.visit_deadline is not None:
        more = max(0, session.visit_deadline - after(old, session.since, where))
    session.visit_deadline = more + after(new, session.since, where)
    return _first(session, visit_end(ctx))


def _first(session: Session, end: int) -> int:
    """Return what comes first: the end of the wait's time, or of the visit."""
    return end if session.visit_deadline is None else min(session.visit_deadline, end)
