"""Steps that wait for a time: a duration, a date, a window, a duration within a visit."""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import ZoneInfo

from transforms.flows.catalog.compiled import CompiledStep
from transforms.flows.clock.delays import Delay, after
from transforms.flows.clock.schedules import is_recurring, next_occurrence, resolve
from transforms.flows.clock.windows import opening
from transforms.flows.clock.zones import instant_of
from transforms.flows.definitions.steps.waits import Wait, WaitUntil, WaitVisit, WaitWindow
from transforms.flows.engine.context import Context
from transforms.flows.engine.profile import visits
from transforms.flows.engine.steps.logic import ENDS, WAITS, Exit, StepLogic, pause_timeout
from transforms.flows.engine.working import Session
from transforms.flows.protocol.signals import Event, Signal
from transforms.flows.state.limits import LONGEST_WAIT
from transforms.flows.state.stored import Halt

NO_DATE: Final = ("missing_date", "too_far", "past_date")
"""Reasons why a wait for a date ends its session."""


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
    """Wait until a date or time of day; ``past`` and ``missing`` handle past and missing dates.

    The wait follows a date in user data when it changes, unless it is ``fixed``: ``wait_data`` is
    the date that it knows, False if that is none.
    """

    def begin(self, ctx: Context, session: Session) -> int:
        value = _date_of(ctx, session)
        due = _time_of(ctx, session, value)
        instead = _instead_of_waiting(ctx, session, due)
        if instead is not None:
            target, reason = instead.target, instead.reason
            return ctx.ends(reason or "") if target == ENDS else target
        session.due = due
        if _follows(session):
            session.wait_data = value
        return WAITS

    def on_signal(self, ctx: Context, session: Session, signal: Signal) -> Exit | None:
        # Events change no date: traits, participants and messages have signals of their own.
        return None if type(signal) is Event else self.on_recheck(ctx, session)

    def on_recheck(self, ctx: Context, session: Session) -> Exit | None:
        value = _date_of(ctx, session)
        if not _follows(session) or value == session.wait_data:
            return None
        due = _time_of(ctx, session, value)
        known, session.wait_data = session.wait_data, value
        if known is None and due == session.due:  # a wait that an earlier version began
            return None
        instead = _instead_of_waiting(ctx, session, due)
        if instead is None:
            _move(ctx, session, due)
        return instead

    def note_baseline(self, ctx: Context, session: Session) -> None:
        value = _date_of(ctx, session)
        if session.due is None or not _follows(session) or value == session.wait_data:
            return
        session.wait_data = value
        due = _time_of(ctx, session, value)
        if _instead_of_waiting(ctx, session, due) is None:
            _move(ctx, session, due)

    def rebase(self, ctx: Context, session: Session, before: CompiledStep) -> int | None:
        old, new = before.verb, session.node.verb
        assert isinstance(old, WaitUntil)
        assert isinstance(new, WaitUntil)
        if old.moment == new.moment and (new.fixed or not old.fixed):
            return session.due
        value = _date_of(ctx, session)
        session.wait_data = value if _follows(session) else None
        due = resolve(new.moment, session.since, ctx.view_of(session).zone, value)
        return None if due is None or due > ctx.now + LONGEST_WAIT else due


def _date_of(ctx: Context, session: Session) -> Any:
    """Return the date in user data that a wait reads; False if it is none, or reads none."""
    path = session.node.path
    if path is None:
        return False
    view = ctx.view_of(session)
    value = path(view)
    return value if instant_of(value, view.zone) is not None else False


def _time_of(ctx: Context, session: Session, value: Any) -> int | None:
    """Return the time to wait for as of now, None if there is no such date."""
    node, verb = session.node, session.node.verb
    assert isinstance(verb, WaitUntil)
    zone = ctx.view_of(session).zone
    again = session.visits[node.number] > 1 and is_recurring(verb.moment)
    return (next_occurrence if again else resolve)(verb.moment, ctx.now, zone, value)


def _follows(session: Session) -> bool:
    """Return True if a wait follows its date: the data of its entry do not change."""
    verb = session.node.verb
    assert isinstance(verb, WaitUntil)
    moment = verb.moment
    return moment.kind == "path" and not verb.fixed and not moment.path.startswith("entry.")


def _instead_of_waiting(ctx: Context, session: Session, due: int | None) -> Exit | None:
    """Return how the session continues if the date is missing, too far or past."""
    node, verb = session.node, session.node.verb
    assert isinstance(verb, WaitUntil)
    if due is None or due > ctx.now + LONGEST_WAIT:
        if "missing" in node.ports:
            return Exit(node.ports["missing"], "missing")
        return Exit(ENDS, "missing_date" if due is None else "too_far")
    if due <= ctx.now:
        return Exit(node.then) if verb.past == "go" else Exit(ENDS, "past_date")
    return None


def _move(ctx: Context, session: Session, due: int | None) -> None:
    """Wait until the new time of the date."""
    if due != session.due:
        session.due = due
        ctx.emit_transition("waiting", session, reason="moved", until=due)


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
