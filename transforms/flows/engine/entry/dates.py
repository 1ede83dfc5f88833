"""Triggers that time itself fires: dates of the profile, recurring schedules, changes that held.

Each has one next due instant in the state; it is an edge, so a date already past fires nothing.
"""

from __future__ import annotations

from typing import Any

from transforms.flows.catalog.compiled import Start
from transforms.flows.catalog.epochs import FlowView
from transforms.flows.clock.schedules import next_occurrence
from transforms.flows.clock.zones import DAY, local_day, local_midnight, zone
from transforms.flows.definitions.triggers import OnCombination, OnDate, OnProfile, OnSchedule
from transforms.flows.engine.context import Data, Run
from transforms.flows.engine.entry.decision import (
    due_id,
    pending_of,
    set_pending,
    still_held,
    try_enter,
)
from transforms.flows.engine.profile.participants import field_key
from transforms.flows.state.dedupe import remember, seen
from transforms.flows.state.ids import short
from transforms.flows.state.stored import Pending


def arm_all(run: Run, view: FlowView, t: int) -> None:
    """Arm every dated trigger of a flow for this user, from an instant on."""
    for start in view.plan.starts:
        arm(run, view, start, t)


def carry(run: Run, view: FlowView, t: int) -> None:
    """Take what is pending along to a new version: triggers that it still has, by their meaning.

    To be called once for a flow and instant, however many versions of it were published then.
    """
    number = view.plan.number
    before = run.catalog.at(t - 1).by_number.get(number)
    now = {start.trigger: start.number for start in view.plan.starts}
    kept = []
    for pending in run.state.pending:
        if pending.flow != number:
            kept.append(pending)
        elif before is not None:
            trigger = before.plan.starts[pending.trigger].trigger
            if trigger in now:
                pending.trigger = now[trigger]
                kept.append(pending)
    run.state.pending = kept


def arm_changed(run: Run, changed: dict[str, Any], t: int) -> None:
    """Arm anew the date triggers that read a changed trait, and move all to a changed zone."""
    for view in run.era.dated:
        for start in view.plan.starts:
            if isinstance(start.trigger, OnDate) and _reads(start, changed):
                arm(run, view, start, t)
            elif "timezone" in changed:
                _move(run, view, start, changed["timezone"], t)


def _reads(start: Start, changed: dict[str, Any]) -> bool:
    """Tell whether a date trigger reads what changed: a trait, or a field of a participant."""
    read = start.reads
    if not read.traits.isdisjoint(changed):
        return True
    fields = read.participant_fields
    return bool(fields) and any(field_key(field) in changed for field in fields)


def _move(run: Run, view: FlowView, start: Start, before: Any, t: int) -> None:
    """Move what is to come to the same day on the user's new clock: never lost, never twice."""
    pending, trigger = pending_of(run, view, start), start.trigger
    dated = isinstance(trigger, (OnDate, OnSchedule))
    if not dated or pending is None or pending.due is None:
        return
    old = zone(before, view.plan.zone or run.era.space.zone)
    since = local_midnight(local_day(pending.due, old), run.zone_of(view.plan)) - 1
    due = _next(run, view, start, since)
    if due is not None and due > t and abs(due - pending.due) <= 2 * DAY:
        set_pending(run, Pending(pending.flow, pending.trigger, [], due), view, start)


def arm_members(run: Run, audience: str, t: int) -> None:
    """Arm or disarm the schedules over an audience that the user entered or left."""
    for view in run.era.dated:
        for start in view.plan.starts:
            if isinstance(start.trigger, OnSchedule) and start.trigger.audience == audience:
                arm(run, view, start, t)


def arm(run: Run, view: FlowView, start: Start, t: int) -> None:
    """Set the next due instant of a dated trigger, strictly after ``t``, or none."""
    if not isinstance(start.trigger, (OnDate, OnSchedule)):
        return
    due = _next(run, view, start, t)
    live = due is not None and view.status == "running"
    pending = Pending(view.plan.number, start.number, [], due) if live else None
    set_pending(run, pending, view, start)


def _next(run: Run, view: FlowView, start: Start, t: int) -> int | None:
    """Return the first instant later than ``t`` at which a dated trigger fires."""
    match start.trigger:
        case OnDate() as trigger:
            return _next_date(run, view, start, trigger, t)
        case OnSchedule(moment=moment, audience=audience):
            member = audience in run.state.audiences
            return next_occurrence(moment, t, run.zone_of(view.plan)) if member else None
        case _:
            return None


def _next_date(run: Run, view: FlowView, start: Start, trigger: OnDate, t: int) -> int | None:
    look = run.look(t, view.plan)
    value = start.path(look) if start.path is not None else None
    return next_occurrence(trigger.moment, t, look.zone, value, yearly=trigger.yearly)


def fire(run: Run, view: FlowView, start: Start, due: int) -> None:
    """Let a trigger whose instant has come start a session, and arm the next."""
    pending = pending_of(run, view, start)
    if pending is None:
        return
    set_pending(run, None, view, start)
    trigger = start.trigger
    match trigger:
        case OnDate():
            if start.where is None or start.where(run.look(due, view.plan)):
                _enter_once(run, view, start, {}, due)
            if trigger.yearly or trigger.moment.yearly:
                arm(run, view, start, due)
        case OnSchedule(audience=audience):
            if audience in run.state.audiences:
                _enter_once(run, view, start, {}, due)
            arm(run, view, start, due)
        case OnCombination():
            _enter_once(run, view, start, pending.data, due)
        case OnProfile():
            if still_held(run, view, start, trigger, due):
                _enter_once(run, view, start, {}, due)
        case _:
            pass


def _enter_once(run: Run, view: FlowView, start: Start, data: Data, due: int) -> None:
    """Enter by what is due; once, also where it waited at two keys and is overdue at both (R5, R8)."""
    state, name = run.state, due_id(run, view, start, due)
    if due <= state.clock:
        known = short(name)
        if seen(state.memory, known):
            return
        state.memory, state.dropped = remember(state.memory, known, due, state.clock, state.dropped)
    try_enter(run, view, start, name, data, due)
