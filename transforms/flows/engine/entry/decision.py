"""Entries: which triggers a signal matches, and the decision whether a session starts (R19).

The first "no" is the reason code; a refused trigger is forgotten for good (I16).
"""

from __future__ import annotations

from typing import Any, Final

from transforms.flows.catalog.compiled import CompiledTrigger, Plan
from transforms.flows.catalog.epochs import FlowView
from transforms.flows.clock.delays import after, period_start
from transforms.flows.definitions.reentry import Reenter
from transforms.flows.definitions.triggers.audiences import OnTag
from transforms.flows.definitions.triggers.events import OnCombination
from transforms.flows.definitions.triggers.messages import OnCommunication
from transforms.flows.definitions.triggers.profile import OnProfile
from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.entry.groups import memory
from transforms.flows.engine.entry.groups import refusal as by_group
from transforms.flows.engine.entry.launches import accepts, refusal
from transforms.flows.engine.limits import fits
from transforms.flows.engine.profile.audiences import tag_key
from transforms.flows.engine.profile.participants import ensure_participant
from transforms.flows.engine.steps.moves import exit_conditions, proceed
from transforms.flows.engine.working import Session
from transforms.flows.protocol.signals import (
    AudienceChange,
    CommunicationUpdate,
    Enter,
    Event,
    ProfileChange,
    Signal,
)
from transforms.flows.state.codec import encoded_size
from transforms.flows.state.ids import hashed, key_text, session_id
from transforms.flows.state.stored import History, Pending, Visit

MOST_SESSIONS: Final = 100
MOST_ENTRIES: Final = 1_000
ENTRY_BOUND: Final = 32 * 1024


def enter_by(ctx: Context, signal: Signal, changed: Data, source: str = "") -> None:
    """Let one signal start sessions, flows in order of priority, then id.

    ``source`` is the flow that enrolls the user in another.
    """
    match signal:
        case Event(name=name):
            for view in ctx.epoch.by_event.get(name, ()):
                _by_event(ctx, view, signal)
        case AudienceChange(audience=audience, entered=entered):
            for view, start in ctx.epoch.by_audience.get((audience, entered), ()):
                try_enter(ctx, view, start, signal.id, {})
        case ProfileChange():
            if changed:
                for view in ctx.epoch.by_trait:
                    _by_profile(ctx, view, changed, signal.id)
        case Enter():
            _by_enter(ctx, signal, source)
        case CommunicationUpdate():
            for view in ctx.epoch.by_communication:
                _by_communication(ctx, view, signal.id)
        case _:
            pass


def _by_event(ctx: Context, view: FlowView, event: Event) -> None:
    entered = False
    for start in view.plan.triggers:
        if event.name not in start.events:
            continue
        trigger = start.trigger
        if type(trigger) is OnCombination:
            whole = view.status == "running" and combine(ctx, view, start, trigger, event)
            if whole and not entered:
                try_enter(ctx, view, start, event.id, event.properties)
            entered = entered or whole
        elif not entered and start.matchers[0].test(ctx.view_for(view.plan)):
            try_enter(ctx, view, start, event.id, event.properties)
            entered = True


def pending_of(ctx: Context, view: FlowView, start: CompiledTrigger) -> Pending | None:
    """Return the trigger's progress for this user."""
    for pending in ctx.state.pending:
        if pending.flow == view.plan.number and pending.trigger == start.number:
            return pending
    return None


def set_pending(
    ctx: Context, pending: Pending | None, view: FlowView, start: CompiledTrigger
) -> None:
    """Replace the trigger's progress."""
    rest = [p for p in ctx.state.pending if p.flow != view.plan.number or p.trigger != start.number]
    ctx.state.pending = rest if pending is None else [*rest, pending]


def combine(
    ctx: Context,
    view: FlowView,
    start: CompiledTrigger,
    trigger: OnCombination,
    event: Event,
) -> bool:
    """Take an event into a combination; tell whether that completes it (I4).

    An event at *e* counts during ``[e, e + within)`` (R2), and for one part of a sequence.
    """
    look = ctx.view_for(view.plan)
    hits = [i for i, matcher in enumerate(start.matchers) if matcher.test(look)]
    if not hits:
        return False
    if trigger.how == "any":
        return True
    pending = pending_of(ctx, view, start) or Pending(view.plan.number, start.number)
    if trigger.how == "without":
        _without(ctx, view, start, trigger, pending, hits, event)
        return False
    times = list(pending.times) or [None] * len(start.matchers)
    zone = look.zone
    times = [
        at if at is not None and ctx.now < after(trigger.within, at, zone) else None for at in times
    ]
    for i in reversed(hits):
        if trigger.how == "all" or i == 0:
            times[i] = ctx.now
        elif times[i - 1] is not None:
            times[i] = times[i - 1]
    whole = times[-1] is not None if trigger.how == "sequence" else None not in times
    pending.times = times
    set_pending(ctx, None if whole else pending, view, start)
    return whole


def _without(
    ctx: Context,
    view: FlowView,
    start: CompiledTrigger,
    trigger: OnCombination,
    pending: Pending,
    hits: list[int],
    event: Event,
) -> None:
    if any(hit > 0 for hit in hits):
        set_pending(ctx, None, view, start)
        return
    if pending.due is not None:
        return
    reason = _too_large(ctx, view.plan, event.properties)
    if reason is not None:
        ctx.emit_rejection(reason, view.plan.id)
    else:
        pending.due = after(trigger.within, ctx.now, ctx.zone_of(view.plan))
        pending.cause = event.id
        pending.data = kept_fields(ctx, view.plan, event.properties)
        set_pending(ctx, pending, view, start)


def _by_profile(ctx: Context, view: FlowView, changed: Data, cause: str) -> None:
    entered = False
    for start in view.plan.triggers:
        trigger = start.trigger
        if isinstance(trigger, OnTag):
            before, later = changed.get(tag_key(trigger.tag)), trigger.when != "launch"
            if before is (trigger.when == "removed") and later and not entered:
                try_enter(ctx, view, start, cause, {})
                entered = True
            continue
        if not isinstance(trigger, OnProfile) or trigger.trait not in changed:
            continue
        matches = _change_matches(ctx, view, start, trigger, changed[trigger.trait])
        if trigger.held is not None:
            pending = None
            if matches and view.status == "running":
                due = after(trigger.held, ctx.now, ctx.zone_of(view.plan))
                pending = Pending(view.plan.number, start.number, [], due, cause)
            set_pending(ctx, pending, view, start)
        elif matches and not entered:
            try_enter(ctx, view, start, cause, {})
            entered = True


def drop_held(ctx: Context, changed: Data) -> None:
    """Forget held changes of traits that loaded history has changed again (R10)."""
    for view in ctx.epoch.by_trait if changed and ctx.state.pending else ():
        for start in view.plan.triggers:
            trigger = start.trigger
            if isinstance(trigger, OnProfile) and trigger.trait in changed:
                set_pending(ctx, None, view, start)


def still_held(ctx: Context, view: FlowView, start: CompiledTrigger, trigger: OnProfile) -> bool:
    """Tell whether a held change holds when its time has come."""
    look = ctx.view_for(view.plan)
    if start.after is not None and ctx.state.traits.get(trigger.trait) != start.after(look):
        return False
    return start.where is None or start.where(look)


def _change_matches(
    ctx: Context, view: FlowView, start: CompiledTrigger, trigger: OnProfile, before: Any
) -> bool:
    look = ctx.view_for(view.plan)
    if start.before is not None and before != start.before(look):
        return False
    return still_held(ctx, view, start, trigger)


def _by_enter(ctx: Context, signal: Enter, source: str) -> None:
    view = ctx.epoch.by_id.get(signal.flow)
    starts = [s for s in view.plan.triggers if accepts(s, signal, source)] if view else []
    for start in starts:
        if view is not None:
            look = ctx.view_for(view.plan)
            look.entry = signal.data
            if start.where is None or start.where(look):
                _launched(ctx, view, start, signal)
                return
    if not starts:
        ctx.emit_rejection("unknown_flow", signal.flow)


def _by_communication(ctx: Context, view: FlowView, cause: str) -> None:
    """Enter by the first trigger that takes the status at hand; its data is the entry's."""
    told = ctx.handling.status_facts
    for start in view.plan.triggers:
        trigger = start.trigger
        if not isinstance(trigger, OnCommunication):
            continue
        if trigger.when == "ended" and not told["ended"]:
            continue
        look = ctx.view_for(view.plan)
        look.communication = told
        if start.where is None or start.where(look):
            try_enter(ctx, view, start, cause, told)
            return


def _launched(ctx: Context, view: FlowView, start: CompiledTrigger, signal: Enter) -> None:
    reason = refusal(ctx, view.plan, start, signal)
    if reason is not None:
        ctx.emit_rejection(reason, signal.flow)
    else:
        try_enter(ctx, view, start, signal.id, signal.data, key=signal.key)


def kept_fields(ctx: Context, plan: Plan, data: Data) -> Data:
    """Return the entry fields that the version, or a goal of a record, reads (R24, R27)."""
    fields = plan.entry_fields
    if ctx.epoch.goal_sets:
        fields = fields | ctx.goals_of(plan).fields
    return {name: value for name, value in data.items() if name in fields}


def try_enter(
    ctx: Context,
    view: FlowView,
    start: CompiledTrigger,
    origin: str,
    data: Data,
    key: str = "",
) -> bool:
    """Start a session unless something forbids it, in the order of R19; tell whether it did."""
    now = ctx.now
    plan = view.plan
    flow = plan.id
    if view.status != "running":
        ctx.emit_rejection(view.refusal, flow)
        return False
    if ctx.state.suppressed and ctx.suppressed(plan.number):
        ctx.emit_rejection("suppressed", flow)
        return False
    found = _key(ctx, plan, data, key)
    if found is None:
        ctx.emit_rejection("invalid_key", flow)
        return False
    key, reason = found, _forbidden(ctx, plan, start, found, data)
    if reason is not None:
        ctx.emit_rejection(reason, flow, key)
        return False
    history = ctx.state.histories.get(plan.number)
    if history is None:
        history = ctx.state.histories[plan.number] = History()
    history.times += 1
    history.visits = [*_still_needed(ctx, plan, history), Visit(now, None, key)]
    session = Session(
        session_id(ctx.space, flow, ctx.user, key, origin),
        plan.number,
        plan.version,
        key,
        now,
        plan.first,
        now,
    )
    session.plan = plan
    session.silent = ctx.held_out(plan)
    session.entry = kept_fields(ctx, plan, data)
    if ctx.handling.inbound_message:
        session.message = ctx.handling.inbound_message
    ctx.handling.ancestors[session.id] = ctx.handling.causes
    if plan.campaign is not None and not session.silent:
        ensure_participant(ctx, plan, plan.campaign)
    ctx.state.sessions = [*ctx.state.sessions, session]
    ctx.emit_transition(
        "entered",
        session,
        reason=start.kind,
    )
    if plan.exit_conditions:
        exit_conditions(ctx, session, start=True)
    proceed(ctx, session, plan.first)
    return True


def _key(ctx: Context, plan: Plan, data: Data, given: str) -> str | None:
    """Return the key that a session of the flow is one for (R20), None if it has no value.

    A flow without ``key:`` has one live session, whatever key is given.
    """
    if plan.key is None or given:
        return given if plan.key is not None else ""
    look = ctx.view_for(plan)
    look.entry = data
    return key_text(plan.key(look))


def _forbidden(
    ctx: Context, plan: Plan, start: CompiledTrigger, key: str, data: Data
) -> str | None:
    state = ctx.state
    if not plan.flow.simultaneous and any(
        s.flow == plan.number and s.key == key for s in state.sessions
    ):
        return "already_in_flow"
    history = state.histories.get(plan.number)
    if history is not None:
        reason = _too_soon(ctx, plan, start.reenter, history, key)
        if reason is not None:
            return reason
        if len(_still_needed(ctx, plan, history)) >= MOST_ENTRIES:
            return "too_many_entries"
    reason = by_group(ctx, plan)
    if reason is not None:
        return reason
    if len(state.sessions) >= MOST_SESSIONS:
        return "too_many_sessions"
    return _too_large(ctx, plan, data)


def _too_large(ctx: Context, plan: Plan, data: Data) -> str | None:
    """Bound what sessions remember of their triggers, for one and for all together (section 9)."""
    kept = kept_fields(ctx, plan, data) if data else {}
    size = encoded_size(kept) if kept else 0
    return None if size <= ENTRY_BOUND and fits(ctx.state, size) else "value_too_large"


def _too_soon(ctx: Context, plan: Plan, reenter: Reenter, history: History, key: str) -> str | None:
    """Judge re-entry, the delay after the last exit and the entry limits (I13-I17, R2).

    Re-entry and delay are judged for the key, limits for the user.
    """
    mine = [visit for visit in history.visits if visit.key == key]
    if mine and not reenter.allowed:
        return "reentry_off"
    zone = ctx.zone_of(plan)
    if reenter.after is not None:
        exits = [v.entered + v.took for v in mine if v.took is not None]
        if exits and ctx.now < after(reenter.after, max(exits), zone):
            return "reentry_delay"
    for limit in reenter.limits:
        start = period_start(limit.per, ctx.now, zone)
        if sum(1 for visit in history.visits if visit.entered > start) >= limit.most:
            return "entry_limit"
    return None


def _still_needed(ctx: Context, plan: Plan, history: History) -> list[Visit]:
    """Drop the entries that no limit needs any more."""
    if plan.history is None:
        return history.visits
    edge = ctx.now - max(plan.history, memory(ctx, plan))
    return [v for v in history.visits if v.took is None or v.entered + v.took > edge]


def due_id(ctx: Context, view: FlowView, start: CompiledTrigger, due: int) -> str:
    """Return the id of the signal that a date or a schedule gives (R30)."""
    return hashed(ctx.space, view.plan.id, str(start.number), str(due))
