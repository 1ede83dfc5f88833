"""What a signal changes of what is known of a user: step 3 of section 3."""

from __future__ import annotations

from typing import assert_never

from transforms.flows.engine.context import Data, Run
from transforms.flows.engine.lifecycle.pause import command
from transforms.flows.engine.messages.inbound import reply
from transforms.flows.engine.messages.statuses import take_status
from transforms.flows.engine.profile.audiences import (
    MOST_AUDIENCES,
    change_profile,
    compute,
    count_event,
    set_member,
)
from transforms.flows.engine.profile.participants import receive
from transforms.flows.engine.profile.visits import note as note_visit
from transforms.flows.engine.steps.call_results import take_answer
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
    Raised,
    Signal,
    Time,
)


def only_data(signal: Signal) -> bool:
    """Tell whether the signal is history to load: it starts, advances and sends nothing (R10)."""
    return type(signal) is not Time and (signal.bypass or signal.backfill)


def apply(run: Run, raised: Raised, own: int, t: int) -> Data | None:
    """Update what is known (step 3); return the changed traits' values before, None if refused."""
    signal = raised.signal
    match signal:
        case Event():
            era = run.era
            if era.visiting:
                note_visit(run, raised, t)
            count_event(run, signal, own, t)
            if era.audiences:
                compute(run, t, era.hearing.get(signal.name, era.other))
            return {}
        case ProfileChange():
            changed = change_profile(run, signal, t)
            compute(run, t, run.era.audiences)
            return changed
        case AudienceChange(audience=audience, entered=entered):
            if any(a.name == audience for a in run.era.audiences):
                run.reject("computed_audience", t, detail=audience)
                return None
            if entered and len(run.state.audiences) >= MOST_AUDIENCES:
                run.reject("value_too_large", t, detail="audiences")
                return None
            if not set_member(run, audience, entered, t):
                return None
            compute(run, t, run.era.audiences)
            return {}
        case CommunicationUpdate():
            return {} if take_status(run, signal, t) else None
        case Enter():
            return _apply_enter(run, signal, t)
        case Command(what="stop" | "hold" | "resume" | "suppress"):
            if only_data(signal):
                run.reject("loaded_order", t, signal.flow)
            else:
                command(run, signal, t, raised.source if raised.flow else None)
            return None
        case Inbound():
            reply(run, signal, t)
            return {}
        case CallResult():
            if only_data(signal):
                run.reject("loaded_order", t, detail=signal.call)
            else:
                take_answer(run, signal, t)
            return None
        case Time() | Command() | Handover() | Forwarded():
            return None
        case _:
            assert_never(signal)


def _apply_enter(run: Run, signal: Enter, t: int) -> Data | None:
    """Create or update the profile and the participant that come with an entry (I9, R21)."""
    if signal.profile:
        change = ProfileChange(id=run.other_id(), user=run.user, time=t, set=signal.profile)
        changed: Data | None = change_profile(run, change, t)
        compute(run, t, run.era.audiences)
        if changed:
            run.raise_(change, changed)
    return receive(run, signal, t) if signal.participant or signal.operation is not None else {}
