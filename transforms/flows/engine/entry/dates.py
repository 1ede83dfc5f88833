"""Triggers that fire by time: dates of the profile, recurring schedules, changes held for a period.

Each has one next due instant in the state; it is an edge, so a date already past fires nothing.
"""

from __future__ import annotations

from typing import Any

from transforms.flows.catalog.compiled import CompiledTrigger
from transforms.flows.catalog.epochs import FlowView
from transforms.flows.clock.schedules import next_occurrence
from transforms.flows.clock.zones import DAY, find_zone, local_day, local_midnight
from transforms.flows.definitions.triggers.events import OnCombination
from transforms.flows.definitions.triggers.profile import OnDate, OnProfile, OnSchedule
from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.entry.decision import due_id, try_enter
from transforms.flows.engine.entry.pending import pending_of, set_pending, still_held
from transforms.flows.engine.profile.participants import field_key
from transforms.flows.state.dedupe import seen
from transforms.flows.state.ids import short
from transforms.flows.state.stored import Pending


def arm_date_triggers(ctx: Context, view: FlowView, since: int) -> None:
    """Arm every dated trigger of a flow for this user, from an instant on."""
    for start in view.plan.triggers:
        arm_date_trigger(ctx, view, start, since)


def rebase_pending(ctx: Context, view: FlowView) -> None:
    """Move pending triggers to a new version: those that it still has, by their definition.

    To be called once for a flow and instant, however many versions of it were published then.
    """
    number = view.plan.number
    before = ctx.catalog.at(ctx.now - 1).by_number.get(number)
    now = {start.trigger: start.number for start in view.plan.triggers}
    kept = []
    for pending in ctx.state.pending:
        if pending.flow != number:
            kept.append(pending)
        elif before is not None:
            trigger = before.plan.triggers[pending.trigger].trigger
            if trigger in now:
                pending.trigger = now[trigger]
                kept.append(pending)
    ctx.state.pending = kept


def rearm_for_traits(ctx: Context, changed: dict[str, Any], since: int) -> None:
    """Arm anew the date triggers that read a changed trait, and move all to a changed zone."""
    for view in ctx.epoch.with_dates:
        for start in view.plan.triggers:
            if isinstance(start.trigger, OnDate) and _reads(start, changed):
                arm_date_trigger(ctx, view, start, since)
            elif "timezone" in changed:
                _move(ctx, view, start, changed["timezone"], since)


def _reads(start: CompiledTrigger, changed: dict[str, Any]) -> bool:
    """Return True if a date trigger reads what changed: a trait, or a field of a participant."""
    read = start.reads
    if not read.traits.isdisjoint(changed):
        return True
    fields = read.participant_fields
    return bool(fields) and any(field_key(field) in changed for field in fields)


def _move(ctx: Context, view: FlowView, start: CompiledTrigger, before: Any, after: int) -> None:
    """Move what is to come to the same day on the user's new clock: never lost, never twice."""
    pending, trigger = pending_of(ctx, view, start), start.trigger
    dated = isinstance(trigger, (OnDate, OnSchedule))
    if not dated or pending is None or pending.due is None:
        return
    old = find_zone(before, view.plan.zone or ctx.epoch.space.zone)
    since = local_midnight(local_day(pending.due, old), ctx.zone_of(view.plan)) - 1
    due = _next(ctx, view, start, since)
    if due is not None and due > after and abs(due - pending.due) <= 2 * DAY:
        set_pending(ctx, Pending(pending.flow, pending.trigger, [], due), view, start)


def rearm_for_audience(ctx: Context, audience: str, since: int) -> None:
    """Arm or disarm the schedules over an audience that the user entered or left."""
    for view in ctx.epoch.with_dates:
        for start in view.plan.triggers:
            if isinstance(start.trigger, OnSchedule) and start.trigger.audience == audience:
                arm_date_trigger(ctx, view, start, since)


def arm_date_trigger(ctx: Context, view: FlowView, start: CompiledTrigger, since: int) -> None:
    """Set the next due instant of a dated trigger, strictly after ``since``, or none."""
    if not isinstance(start.trigger, (OnDate, OnSchedule)):
        return
    due = _next(ctx, view, start, since)
    live = due is not None and view.status == "running"
    pending = Pending(view.plan.number, start.number, [], due) if live else None
    set_pending(ctx, pending, view, start)


def _next(ctx: Context, view: FlowView, start: CompiledTrigger, since: int) -> int | None:
    """Return the first instant later than ``since`` at which a dated trigger fires."""
    match start.trigger:
        case OnDate() as trigger:
            return _next_date(ctx, view, start, trigger, since)
        case OnSchedule(moment=moment, audience=audience):
            member = audience in ctx.state.audiences
            return next_occurrence(moment, since, ctx.zone_of(view.plan)) if member else None
        case _:
            return None


def _next_date(
    ctx: Context, view: FlowView, start: CompiledTrigger, trigger: OnDate, since: int
) -> int | None:
    look = ctx.view_for(view.plan)
    value = start.path(look) if start.path is not None else None
    return next_occurrence(trigger.moment, since, look.zone, value, yearly=trigger.yearly)


def fire_pending(ctx: Context, view: FlowView, start: CompiledTrigger, due: int) -> None:
    """Fire a due trigger: start a session, and arm the next date."""
    pending = pending_of(ctx, view, start)
    if pending is None:
        return
    set_pending(ctx, None, view, start)
    trigger = start.trigger
    match trigger:
        case OnDate():
            if start.where is None or start.where(ctx.view_for(view.plan)):
                _enter_once(ctx, view, start, {}, due)
            if trigger.yearly or trigger.moment.yearly:
                arm_date_trigger(ctx, view, start, due)
        case OnSchedule(audience=audience):
            if audience in ctx.state.audiences:
                _enter_once(ctx, view, start, {}, due)
            arm_date_trigger(ctx, view, start, due)
        case OnCombination():
            _enter_once(ctx, view, start, pending.data, due)
        case OnProfile():
            if still_held(ctx, view, start, trigger):
                _enter_once(ctx, view, start, {}, due)
        case _:
            pass


def _enter_once(ctx: Context, view: FlowView, start: CompiledTrigger, data: Data, due: int) -> None:
    """Enter by a due trigger, once, even if it was pending at two keys that were merged (R5, R8)."""
    state, name = ctx.state, due_id(ctx, view, start, due)
    if due <= state.clock:
        if seen(state.seen_ids, short(name)):
            return
        ctx.remember_id(name, due, state.clock)
    try_enter(ctx, view, start, name, data)
