"""Steps that wait for a time: a duration, a date, a window, a duration within a visit."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

from transforms.flows.catalog.compiled import CompiledStep
from transforms.flows.clock.delays import Delay, after
from transforms.flows.clock.schedules import is_recurring, next_occurrence, resolve
from transforms.flows.clock.windows import opening
from transforms.flows.definitions.steps.waits import Wait, WaitUntil, WaitVisit, WaitWindow
from transforms.flows.engine.context import Context
from transforms.flows.engine.profile import visits
from transforms.flows.engine.steps.logic import WAITS, Exit, StepLogic, pause_timeout
from transforms.flows.engine.working import Session
from transforms.flows.state.limits import LONGEST_WAIT
from transforms.flows.state.stored import Halt


class WaitLogic(StepLogic):
    """Wait for a duration."""

    def begin(self, ctx: Context, session: Session) -> int:
        verb = session.node.verb
        assert isinstance(verb, Wait)
        session.due = after(verb.delay, ctx.now, ctx.zone_of(session.plan))
        return WAITS

    def pause(self, ctx: Context, session: Session, halt: Halt) -> None:
        pause_timeout(ctx, session, halt)

    def rebase(self, ctx: Context, session: Session, before: CompiledStep) -> int | None:
        old, new = before.verb, session.node.verb
        assert isinstance(old, Wait)
        assert isinstance(new, Wait)
        return rebased_due(ctx, session, old.delay, new.delay)


class WaitUntilLogic(StepLogic):
    """Wait until a date or time of day; ``past`` and ``missing`` handle past and missing dates."""

    def begin(self, ctx: Context, session: Session) -> int:
        node, now = session.node, ctx.now
        verb = node.verb
        assert isinstance(verb, WaitUntil)
        view = ctx.view_of(session)
        value = node.path(view) if node.path else None
        again = session.visits[node.number] > 1 and is_recurring(verb.moment)
        due = (next_occurrence if again else resolve)(verb.moment, now, view.zone, value)
        if due is None or due > now + LONGEST_WAIT:
            if "missing" in node.ports:
                return node.ports["missing"]
            return ctx.ends("missing_date" if due is None else "too_far")
        if due <= now:
            return node.then if verb.past == "go" else ctx.ends("past_date")
        session.due = due
        return WAITS

    def rebase(self, ctx: Context, session: Session, before: CompiledStep) -> int | None:
        old, node = before.verb, session.node
        new = node.verb
        assert isinstance(old, WaitUntil)
        assert isinstance(new, WaitUntil)
        if old.moment == new.moment:
            return session.due
        view = ctx.view_of(session)
        value = node.path(view) if node.path else None
        due = resolve(new.moment, session.since, view.zone, value)
        return None if due is None or due > ctx.now + LONGEST_WAIT else due


class WaitWindowLogic(StepLogic):
    """Wait until a window is open; continue at once if it is."""

    def begin(self, ctx: Context, session: Session) -> int:
        verb = session.node.verb
        assert isinstance(verb, WaitWindow)
        opens = opening(verb.window, ctx.now, ctx.zone_of(session.plan))
        if opens <= ctx.now:
            return session.node.then
        session.due = opens
        return WAITS

    def rebase(self, ctx: Context, session: Session, before: CompiledStep) -> int | None:
        old, new = before.verb, session.node.verb
        assert isinstance(old, WaitWindow)
        assert isinstance(new, WaitWindow)
        if old.window == new.window:
            return session.due
        return opening(new.window, ctx.now, ctx.zone_of(session.plan))


class WaitVisitLogic(StepLogic):
    """Wait while the user's visit lasts; if it ends first, take the branch ``gone`` (J11)."""

    def begin(self, ctx: Context, session: Session) -> int:
        verb = session.node.verb
        assert isinstance(verb, WaitVisit)
        waits = visits.begin_visit_wait(ctx, session, verb.delay)
        return WAITS if waits else session.node.ports["gone"]

    def on_time(self, ctx: Context, session: Session) -> Exit:
        if visits.lasted(session, ctx.now):
            return Exit(session.node.then)
        return Exit(session.node.ports["gone"], "gone")

    def pause(self, ctx: Context, session: Session, halt: Halt) -> None:
        halt.left = visits.hold_visit_wait(ctx, session)

    def resume(self, ctx: Context, session: Session, left: int) -> None:
        visits.resume_visit_wait(ctx, session, left)

    def rebase(self, ctx: Context, session: Session, before: CompiledStep) -> int | None:
        old, new = before.verb, session.node.verb
        assert isinstance(old, WaitVisit)
        assert isinstance(new, WaitVisit)
        if old.delay == new.delay:
            return session.due
        where = ctx.zone_of(session.plan)
        return visits.rebased_due(ctx, session, old.delay, new.delay, where)


def rebased_due(
    ctx: Context,
    session: Session,
    old: Delay | None,
    new: Delay | None,
    bound: int = LONGEST_WAIT,
) -> int | None:
    """Return when a wait ends after a new version changed its delay, from the wait's start.

    Time that a pause or a restart added is added again. Without a delay it ends after ``bound``.
    """
    if old == new:
        return session.due
    where, since, more = ctx.zone_of(session.plan), session.since, 0
    if session.due is not None:
        more = max(0, session.due - _ends(old, since, where, bound))
    return more + _ends(new, since, where, bound)


def _ends(delay: Delay | None, since: int, where: ZoneInfo, bound: int) -> int:
    return since + bound if delay is None else after(delay, since, where)


LOGIC: Final[dict[type, StepLogic]] = {
    Wait: WaitLogic(),
    WaitUntil: WaitUntilLogic(),
    WaitWindow: WaitWindowLogic(),
    WaitVisit: WaitVisitLogic(),
}
