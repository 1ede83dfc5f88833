"""Visits: a run of the user's own events less than 30 minutes apart, and waits within one (J11).

Kept only where something reads visits; then every event is read. What flows raise, and history
that is loaded, is no sign that the user is there.
"""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

from transforms.flows.catalog.compiled import Plan
from transforms.flows.clock.delays import Delay
from transforms.flows.clock.elapsing import after
from transforms.flows.definitions.verbs import WaitVisit
from transforms.flows.engine.context import Run, node_of
from transforms.flows.protocol.signals import Event, Raised
from transforms.flows.state.stored import Presence
from transforms.flows.state.working import Session

GAP: Final = 30 * 60_000
"""After an event at *e* the visit lasts during ``[e, e + 30m)`` (R2)."""


def note(run: Run, raised: Raised, t: int) -> None:
    """Count an event to the visit that it is in, or begin a new one; waits in it go on (J11)."""
    signal, seen = raised.signal, run.state.presence
    if raised.depth or not isinstance(signal, Event) or signal.bypass or signal.backfill:
        return
    if seen is None:
        seen = run.state.presence = run.view.presence = Presence(0, t, t)
    if not seen.count or t >= seen.last + GAP:
        seen.count, seen.started, seen.events = seen.count + 1, t, 0
    seen.last = t
    seen.events += 1
    wait_on(run)


def wait_on(run: Run) -> None:
    """Let waits in the visit at hand last as long as it does now: after an event, or a merge (R8)."""
    end = over(run)
    for session in run.state.sessions:
        waits = isinstance(node_of(run.plan_of(session), session).verb, WaitVisit)
        if waits and (session.halt is None or session.halt.target is None):
            session.due = _first(session, end)


def over(run: Run) -> int:
    """Return when the newest visit is over, as far as is known: 0 before the first."""
    seen = run.state.presence
    return seen.last + GAP if seen is not None else 0


def begin(run: Run, plan: Plan, session: Session, delay: Delay, t: int) -> bool:
    """Begin to wait in the visit at hand; tell whether there is one."""
    end = over(run)
    if end <= t:
        return False
    session.ends = after(delay, t, run.zone_of(plan))
    session.due = _first(session, end)
    return True


def stayed(session: Session, t: int) -> bool:
    """Tell whether a wait in a visit is over because its time is, not because the visit is."""
    ends = session.ends
    session.ends = None
    return ends is not None and ends <= t


def hold(run: Run, session: Session, t: int) -> int | None:
    """Take the rest of a wait's time out for a pause, in which the visit may still end (R26)."""
    left = None if session.ends is None else session.ends - t
    session.ends, session.due = None, over(run)
    return left


def go_on(run: Run, session: Session, left: int, t: int) -> None:
    """Go on with the rest of a wait's time after a pause."""
    session.ends = t + left
    session.due = _first(session, over(run))


def changed(run: Run, session: Session, old: Delay, new: Delay, where: ZoneInfo) -> int:
    """Return when a wait ends that a new version changed, from its own start (R27)."""
    more = 0
    if session.ends is not None:
        more = max(0, session.ends - after(old, session.since, where))
    session.ends = more + after(new, session.since, where)
    return _first(session, over(run))


def _first(session: Session, end: int) -> int:
    """Return what comes first: the end of the wait's time, or of the visit."""
    return end if session.ends is None else min(session.ends, end)
