"""The order in which one signal is handled (RULES.md).

First the user's data, then live sessions, goals and entries, then the signals that these raised.
"""

from __future__ import annotations

from typing import Final

import msgspec

from transforms.flows.engine.context import NOBODY, Context, Data, InternalSignal
from transforms.flows.engine.entry.dates import (
    rearm_for_audience,
    rearm_for_traits,
)
from transforms.flows.engine.entry.decision import try_enter
from transforms.flows.engine.entry.participants import enter_by_participant
from transforms.flows.engine.entry.triggers import drop_held, enter_by
from transforms.flows.engine.flow_state import emit_flow_state
from transforms.flows.engine.lifecycle.goals import count_goals, count_states, forget_ended
from transforms.flows.engine.lifecycle.pause import apply_command
from transforms.flows.engine.limits import MOST_ENDED
from transforms.flows.engine.messages.inbound import claim_message, message_facts
from transforms.flows.engine.profile.apply import apply_signal, is_backfill
from transforms.flows.engine.profile.audiences import recompute
from transforms.flows.engine.steps.moves import (
    apply_call_result,
    end,
    end_promotions,
    note_baseline,
    on_signal,
    recheck_conditions,
)
from transforms.flows.engine.working import Session
from transforms.flows.protocol.signals import (
    FINAL_STATUSES,
    AudienceChange,
    CallResult,
    Command,
    CommunicationUpdate,
    Enter,
    Event,
    Inbound,
    Signal,
    Time,
)

DEEPEST: Final = 16
SESSION_COMMANDS: Final = frozenset(("stop", "hold", "resume", "suppress"))


def handle_signal(ctx: Context, signal: Signal, own: int) -> None:
    """Handle a signal after everything due by then has fired (steps 3 to 7)."""
    _one(ctx, InternalSignal(signal, 0, applied=False), own)
    settle(ctx, moved=not is_backfill(signal))


def settle(ctx: Context, moved: bool = True) -> None:
    """Handle the raised signals, then write the user's flow state."""
    drain_queue(ctx)
    if moved and ctx.epoch.has_state_readers:
        _settle_state_readers(ctx)
    if moved and ctx.catalog.state_goals:
        _settle_goals(ctx)
    if len(ctx.state.ended) > MOST_ENDED:
        forget_ended(ctx)
    if ctx.view.mismatches:
        ctx.emit_rejection("type_mismatch", detail=str(ctx.view.mismatches))
        ctx.view.mismatches = 0
    if ctx.flow_state_changed:
        ctx.flow_state_changed = False
        emit_flow_state(ctx)


def drain_queue(ctx: Context) -> None:
    """Handle raised signals first in, first out, at the same instant (step 7)."""
    while ctx.queue:
        raised = ctx.queue.popleft()
        if type(raised.signal) is not Time:  # its copy from the events topic is a duplicate (R5)
            ctx.remember_id(raised.signal.id, ctx.now, ctx.state.clock)
        if raised.depth > DEEPEST:
            _too_deep(ctx, raised)
            continue
        ctx.handling.depth, ctx.handling.causes, ctx.handling.acting_session = (
            raised.depth,
            raised.causes,
            raised.source,
        )
        _one(ctx, raised, ctx.now)
    ctx.handling.depth, ctx.handling.causes, ctx.handling.acting_session = 0, NOBODY, ""


def _settle_state_readers(ctx: Context) -> None:
    """Reevaluate conditions on the user's place in flows or sent messages until stable (R12).

    Only audiences and sessions with such conditions are evaluated: an unrelated event must not
    decide any other.
    """
    for _ in range(DEEPEST):
        before = len(ctx.outputs)
        recompute(ctx, ctx.epoch.state_audiences)
        for session in ctx.sessions_in_order():
            plan = session.plan
            if plan.has_state_readers and session.ended is None:
                end_promotions(ctx, session)
                recheck_conditions(ctx, session)
        drain_queue(ctx)
        if len(ctx.outputs) == before:
            return
    ctx.emit_dead_letter("cascade_too_deep", "conditions that change each other")


def _settle_goals(ctx: Context) -> None:
    """Count goals that something else than a signal made true: a step, time, a place in a flow."""
    for _ in range(DEEPEST):
        mismatches = ctx.view.mismatches
        found = count_states(ctx, (*ctx.sessions_in_order(), *ctx.state.ended))
        ctx.view.mismatches = mismatches
        if not found:
            return
        drain_queue(ctx)
        if ctx.epoch.has_state_readers:
            _settle_state_readers(ctx)
    ctx.emit_dead_letter("cascade_too_deep", "goals that change each other")


def _too_deep(ctx: Context, raised: InternalSignal) -> None:
    """Drop a signal that was raised too deep in a cascade, and end the session that raised it."""
    ctx.emit_dead_letter("cascade_too_deep", str(raised.signal.__struct_config__.tag))
    for session in ctx.sessions_in_order():
        if session.id == raised.source:
            end(ctx, session, "cascade_too_deep", forced=True)


def _one(ctx: Context, raised: InternalSignal, own: int) -> None:
    signal = raised.signal
    _set_view(ctx, signal, own)
    changed = raised.changed if raised.applied else _apply(ctx, raised, own)
    if raised.applied and type(signal) is CommunicationUpdate:
        ctx.handling.status_facts = signal.data | {"ended": signal.status in FINAL_STATUSES}
    if ctx.is_new_user:
        ctx.is_new_user = False
        recompute(ctx, ctx.epoch.audiences)
    if is_backfill(signal):
        _load(ctx, signal, changed or {})
        return
    if changed is None:
        return
    live = ctx.sessions_in_order()
    claimed = None
    if type(signal) is not Event:  # events, the most frequent signals, skip the other tests
        ctx.handling.inbound_owner = raised.inbound_owner
        if type(signal) is Inbound:
            claimed = claim_message(ctx, signal, live)
    stubs = list(ctx.state.ended)
    for session in live:
        if session.promotions:
            end_promotions(ctx, session)
        if session.ended is not None:
            continue
        causes = raised.causes
        ctx.handling.causes = causes | {session.id} if causes else frozenset((session.id,))
        if _sees(ctx, session, raised):
            on_signal(ctx, session, signal)
        else:
            recheck_conditions(ctx, session)
    ctx.handling.causes = raised.causes
    if ctx.catalog.state_goals:
        mismatches = ctx.view.mismatches
        count_states(ctx, (*live, *stubs))
        if type(signal) is Event:  # goals are evaluated at every event: one that repeats is no news
            ctx.view.mismatches = mismatches
    if type(signal) is Event:
        if signal.name in ctx.catalog.goals and (live or stubs):
            count_goals(ctx, signal, [s for s in (*live, *stubs) if _sees(ctx, s, raised)])
        forget_ended(ctx)
        enter_by(ctx, signal, changed, raised.flow)
        return
    _follow(ctx, signal, changed)
    if type(signal) is Enter and signal.operation is not None:
        enter_by_participant(ctx, signal, changed, raised.flow)
    else:
        enter_by(ctx, signal, changed, raised.flow)
    if type(signal) is Inbound:
        if claimed is not None:
            try_enter(ctx, *claimed, signal.id, message_facts(signal))
        ctx.handling.inbound_case, ctx.handling.inbound_message = -1, {}
    ctx.handling.inbound_owner = ""


def _apply(ctx: Context, raised: InternalSignal, own: int) -> Data | None:
    """Update the user's data (step 3); return previous values of changed traits, None if refused.

    Commands and call results only move sessions; they change no data that flows read.
    """
    signal = raised.signal
    if type(signal) is Event:  # events, the most frequent signals, skip the other tests
        return apply_signal(ctx, raised, own)
    if isinstance(signal, CallResult):
        if is_backfill(signal):
            ctx.emit_rejection("loaded_order", detail=signal.call)
        else:
            apply_call_result(ctx, signal)
        return None
    if isinstance(signal, Command) and signal.what in SESSION_COMMANDS:
        if is_backfill(signal):
            ctx.emit_rejection("loaded_order", signal.flow)
        else:
            apply_command(ctx, signal, raised.source if raised.flow else None)
        return None
    return apply_signal(ctx, raised, own)


def _follow(ctx: Context, signal: Signal, changed: Data) -> None:
    """After a change, update pending dates and the audiences that read other audiences."""
    if changed:
        rearm_for_traits(ctx, changed, ctx.now)
    if isinstance(signal, AudienceChange):
        rearm_for_audience(ctx, signal.audience, ctx.now)
        name = signal.audience
        recompute(ctx, [a for a in ctx.epoch.audiences if name in a.reads.audiences])


def _load(ctx: Context, signal: Signal, changed: Data) -> None:
    """Finish the loading of history: signals that it raised are marked as history too."""
    _follow(ctx, signal, changed)
    drop_held(ctx, changed)
    mark_as_backfill(ctx)
    note_baseline(ctx)


def mark_as_backfill(ctx: Context, kept: int = 0) -> None:
    """Mark the raised signals as loaded history, except the first ``kept`` (R10)."""
    for place, raised in enumerate(ctx.queue):
        if place >= kept and not isinstance(raised.signal, Time):
            raised.signal = msgspec.structs.replace(raised.signal, bypass=True)


def _sees(ctx: Context, session: Session, raised: InternalSignal) -> bool:
    """Return True if a session sees a signal: it does unless it or an ancestor caused it (R11)."""
    if not raised.causes:
        return True
    return session.id not in raised.causes and raised.causes.isdisjoint(
        ctx.handling.ancestors.get(session.id, frozenset())
    )


def _set_view(ctx: Context, signal: Signal, own: int) -> None:
    view = ctx.view
    if type(signal) is Event:
        view.event, view.event_name, view.event_time = signal.properties, signal.name, own
        return
    view.event, view.event_name = None, ""
    if type(signal) is CommunicationUpdate:
        view.communication = signal.data | {"status": signal.status}
