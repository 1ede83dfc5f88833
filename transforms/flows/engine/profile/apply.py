"""Applies a signal to the user's data: step 3 of the order in RULES.md."""

from __future__ import annotations

from typing import assert_never

from transforms.flows.engine.context import Context, Data, InternalSignal
from transforms.flows.engine.limits import MOST_AUDIENCES
from transforms.flows.engine.messages.inbound import mark_replied
from transforms.flows.engine.messages.statuses import apply_status
from transforms.flows.engine.profile.aggregates import count_event
from transforms.flows.engine.profile.audiences import change_profile, recompute, set_member
from transforms.flows.engine.profile.participants import receive
from transforms.flows.engine.profile.visits import count_visit as note_visit
from transforms.flows.protocol.signals import (
    AudienceChange,
    CallResult,
    Command,
    CommunicationUpdate,
    Enter,
    Event,
    Forwarded,
    Handover,
    Inbound,
    ProfileChange,
    Signal,
    Time,
)


def is_backfill(signal: Signal) -> bool:
    """Return True for loaded history: it starts, advances and sends nothing (R10)."""
    return type(signal) is not Time and (signal.bypass or signal.backfill)


def apply_signal(ctx: Context, raised: InternalSignal, own: int) -> Data | None:
    """Update the user's data (step 3); return previous trait values, None if refused."""
    signal = raised.signal
    match signal:
        case Event():
            epoch = ctx.epoch
            if epoch.reads_visits:
                note_visit(ctx, raised)
            count_event(ctx, signal, own)
            if epoch.audiences:
                recompute(ctx, epoch.audiences_by_event.get(signal.name, epoch.state_audiences))
            return {}
        case ProfileChange():
            changed = change_profile(ctx, signal)
            recompute(ctx, ctx.epoch.audiences)
            return changed
        case AudienceChange(audience=audience, entered=entered):
            if any(a.name == audience for a in ctx.epoch.audiences):
                ctx.emit_rejection("computed_audience", detail=audience)
                return None
            if entered and len(ctx.state.audiences) >= MOST_AUDIENCES:
                ctx.emit_rejection("value_too_large", detail="audiences")
                return None
            if not set_member(ctx, audience, entered):
                return None
            recompute(ctx, ctx.epoch.audiences)
            return {}
        case CommunicationUpdate():
            return {} if apply_status(ctx, signal) else None
        case Enter():
            return _apply_enter(ctx, signal)
        case Inbound():
            mark_replied(ctx, signal)
            return {}
        case Time() | Command() | CallResult() | Handover() | Forwarded():
            return None
        case _:
            assert_never(signal)


def _apply_enter(ctx: Context, signal: Enter) -> Data | None:
    """Create or update the profile and the participant that an entry contains (I9, R21)."""
    if signal.profile:
        change = ProfileChange(
            id=ctx.next_output_id(), user=ctx.user, time=ctx.now, set=signal.profile
        )
        changed: Data | None = change_profile(ctx, change)
        recompute(ctx, ctx.epoch.audiences)
        if changed:
            ctx.enqueue(change, changed)
    return receive(ctx, signal) if signal.participant or signal.operation is not None else {}
