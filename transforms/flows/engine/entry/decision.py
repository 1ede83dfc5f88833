"""Entries: which triggers a signal matches, and the decision whether a session starts (R19).

The first "no" is the reason code; a refused trigger is forgotten for good (I16).
"""

from __future__ import annotations

from typing import Any, Final

from transforms.flows.catalog.compiled import Plan, Start
from transforms.flows.catalog.epochs import FlowView
from transforms.flows.clock.elapsing import after, period_start
from transforms.flows.definitions.triggers import (
    OnCombination,
    OnCommunication,
    OnProfile,
    OnTag,
    Reenter,
)
from transforms.flows.engine.context import Data, Run
from transforms.flows.engine.entry.groups import memory
from transforms.flows.engine.entry.groups import refusal as by_group
from transforms.flows.engine.entry.launches import refusal, takes
from transforms.flows.engine.lifecycle.pause import suppressed
from transforms.flows.engine.profile.audiences import tag_key
from transforms.flows.engine.profile.participants import join
from transforms.flows.engine.steps.advance import exit_conditions, proceed
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
from transforms.flows.state.limits import fits
from transforms.flows.state.stored import History, Pending, Visit
from transforms.flows.state.working import Session

MOST_SESSIONS: Final = 100
MOST_ENTRIES: Final = 1_000
ENTRY_BOUND: Final = 32 * 1024


def enter_by(run: Run, signal: Signal, changed: Data, t: int, source: str = "") -> None:
    """Let one signal start sessions, flows in order of priority, then id.

    ``source`` is the flow that enrolls the user in another.
    """
    match signal:
        case Event(name=name):
            for view in run.era.entering.get(name, ()):
                _by_event(run, view, signal, t)
        case AudienceChange(audience=audience, entered=entered):
            for view, start in run.era.joining.get((audience, entered), ()):
                try_enter(run, view, start, signal.id, {}, t)
        case ProfileChange():
            if changed:
                for view in run.era.profiled:
                    _by_profile(run, view, changed, signal.id, t)
        case Enter():
            _by_enter(run, signal, source, t)
        case CommunicationUpdate():
            for view in run.era.told:
                _by_communication(run, view, signal.id, t)
        case _:
            pass


def _by_event(run: Run, view: FlowView, event: Event, t: int) -> None:
    entered = False
    for start in view.plan.starts:
        if event.name not in start.events:
            continue
        trigger = start.trigger
        if type(trigger) is OnCombination:
            whole = view.status == "running" and combine(run, view, start, trigger, event, t)
            if whole and not entered:
                try_enter(run, view, start, event.id, event.properties, t)
            entered = entered or whole
        elif not entered and start.matchers[0].test(run.look(t, view.plan)):
            try_enter(run, view, start, event.id, event.properties, t)
            entered = True


def pending_of(run: Run, view: FlowView, start: Start) -> Pending | None:
    """Return the trigger's progress for this user."""
    for pending in run.state.pending:
        if pending.flow == view.plan.number and pending.trigger == start.number:
            return pending
    return None


def set_pending(run: Run, pending: Pending | None, view: FlowView, start: Start) -> None:
    """Replace the trigger's progress."""
    rest = [p for p in run.state.pending if p.flow != view.plan.number or p.trigger != start.number]
    run.state.pending = rest if pending is None else [*rest, pending]


def combine(
    run: Run, view: FlowView, start: Start, trigger: OnCombination, event: Event, t: int
) -> bool:
    """Take an event into a combination; tell whether that completes it (I4).

    An event at *e* counts during ``[e, e + within)`` (R2), and for one part of a sequence.
    """
    look = run.look(t, view.plan)
    hits = [i for i, matcher in enumerate(start.matchers) if matcher.test(look)]
    if not hits:
        return False
    if trigger.how == "any":
        return True
    pending = pending_of(run, view, start) or Pending(view.plan.number, start.number)
    if trigger.how == "without":
        _without(run, view, start, trigger, pending, hits, event, t)
        return False
    times = list(pending.times) or [None] * len(start.matchers)
    zone = look.zone
    times = [at if at is not None and t < after(trigger.within, at, zone) else None for at in times]
    for i in reversed(hits):
        if trigger.how == "all" or i == 0:
            times[i] = t
        elif times[i - 1] is not None:
            times[i] = times[i - 1]
    whole = times[-1] is not None if trigger.how == "sequence" else None not in times
    pending.times = times
    set_pending(run, None if whole else pending, view, start)
    return whole


def _without(
    run: Run,
    view: FlowView,
    start: Start,
    trigger: OnCombination,
    pending: Pending,
    hits: list[int],
    event: Event,
    t: int,
) -> None:
    if any(hit > 0 for hit in hits):
        set_pending(run, None, view, start)
        return
    if pending.due is not None:
        return
    reason = _too_large(run, view.plan, event.properties)
    if reason is not None:
        run.reject(reason, t, view.plan.id)
    else:
        pending.due = after(trigger.within, t, run.zone_of(view.plan))
        pending.cause = event.id
        pending.data = kept_fields(run, view.plan, event.properties)
        set_pending(run, pending, view, start)


def _by_profile(run: Run, view: FlowView, changed: Data, cause: str, t: int) -> None:
    entered = False
    for start in view.plan.starts:
        trigger = start.trigger
        if isinstance(trigger, OnTag):
            before, later = changed.get(tag_key(trigger.tag)), trigger.when != "launch"
            if before is (trigger.when == "removed") and later and not entered:
                try_enter(run, view, start, cause, {}, t)
                entered = True
            continue
        if not isinstance(trigger, OnProfile) or trigger.trait not in changed:
            continue
        matches = _change_matches(run, view, start, trigger, changed[trigger.trait], t)
        if trigger.held is not None:
            pending = None
            if matches and view.status == "running":
                due = after(trigger.held, t, run.zone_of(view.plan))
                pending = Pending(view.plan.number, start.number, [], due, cause)
            set_pending(run, pending, view, start)
        elif matches and not entered:
            try_enter(run, view, start, cause, {}, t)
            entered = True


def drop_held(run: Run, changed: Data) -> None:
    """Forget held changes of traits that loaded history has changed again (R10)."""
    for view in run.era.profiled if changed and run.state.pending else ():
        for start in view.plan.starts:
            trigger = start.trigger
            if isinstance(trigger, OnProfile) and trigger.trait in changed:
                set_pending(run, None, view, start)


def still_held(run: Run, view: FlowView, start: Start, trigger: OnProfile, t: int) -> bool:
    """Tell whether a held change holds when its time has come."""
    look = run.look(t, view.plan)
    if start.after is not None and run.state.traits.get(trigger.trait) != start.after(look):
        return False
    return start.where is None or start.where(look)


def _change_matches(
    run: Run, view: FlowView, start: Start, trigger: OnProfile, before: Any, t: int
) -> bool:
    look = run.look(t, view.plan)
    if start.before is not None and before != start.before(look):
        return False
    return still_held(run, view, start, trigger, t)


def _by_enter(run: Run, signal: Enter, source: str, t: int) -> None:
    view = run.era.by_id.get(signal.flow)
    starts = [s for s in view.plan.starts if takes(s, signal, source)] if view else []
    for start in starts:
        if view is not None:
            look = run.look(t, view.plan)
            look.entry = signal.data
            if start.where is None or start.where(look):
                _launched(run, view, start, signal, t)
                return
    if not starts:
        run.reject("unknown_flow", t, signal.flow)


def _by_communication(run: Run, view: FlowView, cause: str, t: int) -> None:
    """Enter by the first trigger that takes the status at hand; its data is the entry's."""
    told = run.told
    for start in view.plan.starts:
        trigger = start.trigger
        if not isinstance(trigger, OnCommunication):
            continue
        if trigger.when == "ended" and not told["ended"]:
            continue
        look = run.look(t, view.plan)
        look.communication = told
        if start.where is None or start.where(look):
            try_enter(run, view, start, cause, told, t)
            return


def _launched(run: Run, view: FlowView, start: Start, signal: Enter, t: int) -> None:
    reason = refusal(run, view.plan, start, signal)
    if reason is not None:
        run.reject(reason, t, signal.flow)
    else:
        try_enter(run, view, start, signal.id, signal.data, t, key=signal.key)


def kept_fields(run: Run, plan: Plan, data: Data) -> Data:
    """Return the entry fields that the version, or a goal of a record, reads (R24, R27)."""
    fields = plan.entry_fields
    if run.era.aims:
        fields = fields | run.aims_of(plan).fields
    return {name: value for name, value in data.items() if name in fields}


def try_enter(
    run: Run,
    view: FlowView,
    start: Start,
    origin: str,
    data: Data,
    t: int,
    key: str = "",
) -> bool:
    """Start a session unless something forbids it, in the order of R19; tell whether it did."""
    plan = view.plan
    flow = plan.id
    if view.status != "running":
        run.reject(view.refusal, t, flow)
        return False
    if run.state.suppressed and suppressed(run, plan.number):
        run.reject("suppressed", t, flow)
        return False
    found = _key(run, plan, data, key, t)
    if found is None:
        run.reject("invalid_key", t, flow)
        return False
    key, reason = found, _forbidden(run, plan, start, found, data, t)
    if reason is not None:
        run.reject(reason, t, flow, key)
        return False
    history = run.state.histories.get(plan.number)
    if history is None:
        history = run.state.histories[plan.number] = History()
    history.times += 1
    history.visits = [*_still_needed(run, plan, history, t), Visit(t, None, key)]
    session = Session(
        session_id(run.space, flow, run.user, key, origin),
        plan.number,
        plan.version,
        key,
        t,
        plan.first,
        t,
        run.held_out(plan),
        kept_fields(run, plan, data),
    )
    if run.message:
        session.message = run.message
    run.ancestors[session.id] = run.causes
    if plan.campaign is not None and not session.silent:
        join(run, plan, plan.campaign, t)
    run.state.sessions = [*run.state.sessions, session]
    run.move(
        "entered",
        plan,
        session,
        plan.nodes[plan.first].name,
        t,
        reason=start.kind,
    )
    if plan.exit_conditions:
        exit_conditions(run, plan, session, t, start=True)
    proceed(run, plan, session, plan.first, t)
    return True


def _key(run: Run, plan: Plan, data: Data, given: str, t: int) -> str | None:
    """Return the key that a session of the flow is one for (R20), None if it has no value.

    A flow without ``key:`` has one live session, whatever key is given.
    """
    if plan.key is None or given:
        return given if plan.key is not None else ""
    look = run.look(t, plan)
    look.entry = data
    return key_text(plan.key(look))


def _forbidden(run: Run, plan: Plan, start: Start, key: str, data: Data, t: int) -> str | None:
    state = run.state
    if not plan.flow.simultaneous and any(
        s.flow == plan.number and s.key == key for s in state.sessions
    ):
        return "already_in_flow"
    history = state.histories.get(plan.number)
    if history is not None:
        reason = _too_soon(run, plan, start.reenter, history, key, t)
        if reason is not None:
            return reason
        if len(_still_needed(run, plan, history, t)) >= MOST_ENTRIES:
            return "too_many_entries"
    reason = by_group(run, plan, t)
    if reason is not None:
        return reason
    if len(state.sessions) >= MOST_SESSIONS:
        return "too_many_sessions"
    return _too_large(run, plan, data)


def _too_large(run: Run, plan: Plan, data: Data) -> str | None:
    """Bound what sessions remember of their triggers, for one and for all together (section 9)."""
    kept = kept_fields(run, plan, data) if data else {}
    size = encoded_size(kept) if kept else 0
    return None if size <= ENTRY_BOUND and fits(run.state, size) else "value_too_large"


def _too_soon(
    run: Run, plan: Plan, reenter: Reenter, history: History, key: str, t: int
) -> str | None:
    """Judge re-entry, the delay after the last exit and the entry limits (I13-I17, R2).

    Re-entry and delay are judged for the key, limits for the user.
    """
    mine = [visit for visit in history.visits if visit.key == key]
    if mine and not reenter.allowed:
        return "reentry_off"
    zone = run.zone_of(plan)
    if reenter.after is not None:
        exits = [v.entered + v.took for v in mine if v.took is not None]
        if exits and t < after(reenter.after, max(exits), zone):
            return "reentry_delay"
    for limit in reenter.limits:
        start = period_start(limit.per, t, zone)
        if sum(1 for visit in history.visits if visit.entered > start) >= limit.most:
            return "entry_limit"
    return None


def _still_needed(run: Run, plan: Plan, history: History, t: int) -> list[Visit]:
    """Drop the entries that no limit needs any more."""
    if plan.history is None:
        return history.visits
    edge = t - max(plan.history, memory(run, plan))
    return [v for v in history.visits if v.took is None or v.entered + v.took > edge]


def due_id(run: Run, view: FlowView, start: Start, due: int) -> str:
    """Return the id of the signal that a date or a schedule gives (R30)."""
    return hashed(run.space, view.plan.id, str(start.number), str(due))
