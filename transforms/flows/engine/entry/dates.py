"""Triggers with timers: profile dates, recurring schedules, changes that must hold for a period.

The state has the next due instant of each. A date that is already past does not fire.
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
from transforms.flows.engine.entry.pending import (
    pending_of,
    replace_pending,
    set_pending,
    still_held,
)
from transforms.flows.engine.profile.participants import field_key
from transforms.flows.state.dedupe import seen
from transforms.flows.state.ids import short
from transforms.flows.state.stored import Pending


def arm_date_triggers(ctx: Context, view: FlowView, since: int) -> None:
    """Set the next due instant after ``since`` of every date trigger of a flow for this user."""
    for compiled in view.plan.triggers:
        arm_date_trigger(ctx, view, compiled, since)


def disarm_date_triggers(ctx: Context, view: FlowView) -> None:
    """Drop the dates of a flow that takes no entries; what counts toward an entry still counts."""
    for compiled in view.plan.triggers:
        if isinstance(compiled.trigger, (OnDate, OnSchedule)):
            set_pending(ctx, None, view, compiled)


def rebase_pending(ctx: Context, view: FlowView) -> None:
    """Move pending triggers to a new version if it has triggers with the same definition.

    Call this once for a flow and instant, even if several versions were published then.
    """
    number = view.plan.number
    before = ctx.catalog.at(ctx.now - 1).by_number.get(number)
    now = {compiled.trigger: compiled.number for compiled in view.plan.triggers}
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
    """Recompute date triggers that read a changed trait, and all of them for a new time zone."""
    for view in ctx.epoch.with_dates:
        for compiled in view.plan.triggers:
            if isinstance(compiled.trigger, OnDate) and _reads(compiled, changed):
                arm_date_trigger(ctx, view, compiled, since)
            elif "timezone" in changed:
                _move(ctx, view, compiled, changed["timezone"], since)


def _reads(compiled: CompiledTrigger, changed: dict[str, Any]) -> bool:
    """Return True if a date trigger reads a changed trait or participant field."""
    read = compiled.reads
    if not read.traits.isdisjoint(changed):
        return True
    fields = read.participant_fields
    return bool(fields) and any(field_key(field) in changed for field in fields)


def _move(ctx: Context, view: FlowView, compiled: CompiledTrigger, before: Any, after: int) -> None:
    """Move a pending date to the same local day in the new time zone, so that it fires once."""
    pending, trigger = pending_of(ctx, view, compiled), compiled.trigger
    dated = isinstance(trigger, (OnDate, OnSchedule))
    if not dated or pending is None or pending.due is None:
        return
    old = find_zone(before, view.plan.zone or ctx.epoch.space.zone)
    since = local_midnight(local_day(pending.due, old), ctx.zone_of(view.plan)) - 1
    due = _next(ctx, view, compiled, since)
    if due is not None and due > after and abs(due - pending.due) <= 2 * DAY:
        set_pending(ctx, Pending(pending.flow, pending.trigger, [], due), view, compiled)


def rearm_for_audience(ctx: Context, audience: str, since: int) -> None:
    """Start or stop the schedules for an audience that the user entered or left."""
    for view in ctx.epoch.with_dates:
        for compiled in view.plan.triggers:
            if isinstance(compiled.trigger, OnSchedule) and compiled.trigger.audience == audience:
                arm_date_trigger(ctx, view, compiled, since)


def arm_date_trigger(ctx: Context, view: FlowView, compiled: CompiledTrigger, since: int) -> None:
    """Set the next due instant of a date trigger, strictly after ``since``, or none."""
    if not isinstance(compiled.trigger, (OnDate, OnSchedule)):
        return
    due = _next(ctx, view, compiled, since)
    live = due is not None and view.status == "running"
    pending = Pending(view.plan.number, compiled.number, [], due) if live else None
    set_pending(ctx, pending, view, compiled)


def _next(ctx: Context, view: FlowView, compiled: CompiledTrigger, since: int) -> int | None:
    """Return the first instant later than ``since`` at which a date trigger fires."""
    match compiled.trigger:
        case OnDate() as trigger:
            return _next_date(ctx, view, compiled, trigger, since)
        case OnSchedule(moment=moment, audience=audience):
            member = audience in ctx.state.audiences
            return next_occurrence(moment, since, ctx.zone_of(view.plan)) if member else None
        case _:
            return None


def _next_date(
    ctx: Context, view: FlowView, compiled: CompiledTrigger, trigger: OnDate, since: int
) -> int | None:
    scope = ctx.view_for(view.plan)
    value = compiled.path(scope) if compiled.path is not None else None
    return next_occurrence(trigger.moment, since, scope.zone, value, yearly=trigger.yearly)


def fire_pending(
    ctx: Context, view: FlowView, compiled: CompiledTrigger, pending: Pending, due: int
) -> None:
    """Fire a due trigger: start a session, and set the next date."""
    replace_pending(ctx, [pending], [])
    trigger = compiled.trigger
    match trigger:
        case OnDate():
            if compiled.where is None or compiled.where(ctx.view_for(view.plan)):
                _enter_once(ctx, view, compiled, {}, due)
            if trigger.yearly or trigger.moment.yearly:
                arm_date_trigger(ctx, view, compiled, due)
        case OnSchedule(audience=audience):
            if audience in ctx.state.audiences:
                _enter_once(ctx, view, compiled, {}, due)
            arm_date_trigger(ctx, view, compiled, due)
        case OnCombination():
            _enter_once(ctx, view, compiled, pending.data, due, pending.key)
        case OnProfile():
            if still_held(ctx, view, compiled, trigger):
                _enter_once(ctx, view, compiled, {}, due)
        case _:
            pass


def _enter_once(
    ctx: Context, view: FlowView, compiled: CompiledTrigger, data: Data, due: int, key: str = ""
) -> None:
    """Enter by a due trigger, only once if it was pending at two keys that were merged (R5, R8)."""
    state, name = ctx.state, due_id(ctx, view, compiled, due, key)
    if due <= state.clock:
        if seen(state.seen_ids, short(name)):
            return
        ctx.remember_id(name, due, state.clock)
    try_enter(ctx, view, compiled, name, data, key=key)
