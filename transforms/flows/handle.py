"""One signal, in order (section 3): first what is due, then the signal, then what it raised."""

from __future__ import annotations

from typing import assert_never

import msgspec

from transforms.flows import model
from transforms.flows import outputs as out
from transforms.flows.advance import end
from transforms.flows.audiences import (
    change_profile,
    compute,
    count_event,
    forget_audiences,
    set_member,
)
from transforms.flows.catalog import Effect
from transforms.flows.dates import arm_all, arm_changed, arm_members, carry, fire
from transforms.flows.due import Due, next_due
from transforms.flows.effects import end_promotions
from transforms.flows.entry import enter_by, try_enter
from transforms.flows.goals import count_goals
from transforms.flows.ids import hashed, short
from transforms.flows.memory import remember
from transforms.flows.plan import Plan
from transforms.flows.react import look_again, react, wait_over
from transforms.flows.run import Data, Raised, Run, node_of
from transforms.flows.sending import judge, update
from transforms.flows.signals import (
    AudienceChange,
    CallResult,
    Command,
    CommunicationUpdate,
    Enter,
    Event,
    Handover,
    Inbound,
    ProfileChange,
    Signal,
    Time,
)
from transforms.flows.state import Communication, Pending, Session

DEEPEST = 16
MOST_AUDIENCES = 500


def fire_until(run: Run, until: int) -> None:
    """Fire everything due at or before an instant, each at its own time (R1)."""
    while (due := next_due(run.catalog, run.state, until)) is not None:
        _fire(run, due)
        _settle(run, due.at)


def _fire(run: Run, due: Due) -> None:
    t = due.at
    match due.what:
        case None:
            run.begin(f"control@{t}", t)
            for effect in run.catalog.effects_at(t):
                _absorb(run, effect, t)
            run.state.absorbed = t
        case Session() as session:
            plan = run.plan_of(session)
            run.begin(f"{session.id}@{t}", t)
            run.causes = frozenset([session.id])
            _fire_session(run, plan, session, t)
        case Communication() as sent:
            plan = run.catalog.plans[sent.flow, sent.version]
            run.begin(f"{sent.id}@{t}", t)
            owner = next((s for s in run.state.sessions if s.id == sent.session), None)
            judge(run, plan, plan.nodes[sent.step], sent, owner, t)
        case Pending() as pending:
            view = run.catalog.at(t).by_number[pending.flow]
            start = view.plan.starts[pending.trigger]
            run.begin(f"{view.plan.flow.id}:{start.number}@{t}", t)
            fire(run, view, start, t)
        case str() as audience:
            run.begin(f"{audience}@{t}", t)
            del run.state.checks[audience]
            compute(run, t, [a for a in run.era.audiences if a.name == audience])
        case _:
            assert_never(due.what)


def _fire_session(run: Run, plan: Plan, session: Session, t: int) -> None:
    end_promotions(run, plan, session, t)
    if session.due is not None and session.due <= t:
        wait_over(run, plan, session, t)
    elif session.check is not None and session.check <= t:
        look_again(run, plan, session, t)


def _absorb(run: Run, effect: Effect, t: int) -> None:
    """Let a control record act on this user, at its effective time."""
    match effect.what:
        case "stop":
            for session in list(run.state.sessions):
                if session.flow == effect.flow:
                    end(run, run.plan_of(session), session, t, effect.reason, forced=True)
            _disarm(run, effect)
        case "drain":
            _disarm(run, effect)
        case "start" | "publish":
            view = run.era.by_number[effect.flow or 0]
            if effect.what == "publish":
                carry(run, view, t)
            if view.status == "running":
                arm_all(run, view, t)
            if effect.what == "start":
                _members(run, effect, t)
        case "space":
            forget_audiences(run)
            compute(run, t, run.era.audiences)
            drain_queue(run, t)
        case "other":
            pass
        case _:
            assert_never(effect.what)


def _disarm(run: Run, effect: Effect) -> None:
    run.state.pending = [p for p in run.state.pending if p.flow != effect.flow]


def _members(run: Run, effect: Effect, t: int) -> None:
    """Enter a member of an audience at the launch of a flow over its members (R22)."""
    view = run.era.by_number[effect.flow or 0]
    for start in view.plan.starts:
        trigger = start.trigger
        if not isinstance(trigger, model.OnAudience) or trigger.when != "member":
            continue
        if trigger.audience in run.state.audiences:
            origin = hashed(run.space, view.plan.flow.id, "launch", str(t))
            try_enter(run, view, start, origin, {}, t)


def handle(run: Run, signal: Signal, own: int, t: int) -> None:
    """Handle a signal whose due things have fired (steps 3 to 7)."""
    run.begin(signal.id, t)  # type: ignore[union-attr]
    _one(run, Raised(signal, 0, applied=False), own, t)
    _settle(run, t)


def _settle(run: Run, t: int) -> None:
    """Handle what was raised, then say where the user stands."""
    drain_queue(run, t)
    if run.view.mismatches:
        run.reject("type_mismatch", t, detail=str(run.view.mismatches))
        run.view.mismatches = 0
    if run.dirty:
        run.dirty = False
        _say_state(run, t)


def drain_queue(run: Run, t: int) -> None:
    """Handle raised signals first in, first out, at the same instant (step 7)."""
    while run.queue:
        raised = run.queue.popleft()
        _remember(run, raised.signal, t)
        if raised.depth > DEEPEST:
            _too_deep(run, raised, t)
            continue
        run.depth, run.causes = raised.depth, raised.causes
        _one(run, raised, t, t)
    run.depth, run.causes = 0, frozenset()


def _remember(run: Run, signal: Signal, t: int) -> None:
    """Remember a raised signal's id, so that its echo from outside changes nothing (R5)."""
    state = run.state
    if not isinstance(signal, Time):
        known = short(signal.id)
        state.memory, state.dropped = remember(state.memory, known, t, state.clock, state.dropped)


def _too_deep(run: Run, raised: Raised, t: int) -> None:
    run.outputs.append(
        out.DeadLetter(
            id=run.other_id(),
            user=run.user,
            at=t,
            reason="cascade_too_deep",
            cause=run.cause,
            detail=str(raised.signal.__struct_config__.tag),
        )
    )
    for session in _in_order(run):
        if session.id in raised.causes:
            end(run, run.plan_of(session), session, t, "cascade_too_deep", forced=True)


def _one(run: Run, raised: Raised, own: int, t: int) -> None:
    signal = raised.signal
    _listen(run, signal, own)
    changed = raised.changed if raised.applied else _apply(run, signal, own, t)
    if changed is None:
        return
    if _only_data(signal):
        _load(run, signal, changed, t)
        return
    live = _in_order(run)
    stubs = list(run.state.ended)
    for session in live:
        if session.promotions:
            end_promotions(run, run.plan_of(session), session, t)
        if session.ended is None and _sees(run, session, raised):
            run.causes = raised.causes | {session.id}
            react(run, run.plan_of(session), session, signal, t)
    run.causes = raised.causes
    if isinstance(signal, Event) and (live or stubs):
        seeing = [s for s in (*live, *stubs) if _sees(run, s, raised)]
        count_goals(run, signal, seeing, t)
    _follow(run, signal, changed, t)
    enter_by(run, signal, changed, t)


def _follow(run: Run, signal: Signal, changed: Data, t: int) -> None:
    """Let dates to come and other audiences follow what has changed."""
    if changed:
        arm_changed(run, changed, t)
    if isinstance(signal, AudienceChange):
        arm_members(run, signal.audience, t)
        name = signal.audience
        compute(run, t, [a for a in run.era.audiences if name in a.reads.audiences])


def _load(run: Run, signal: Signal, changed: Data, t: int) -> None:
    """Take in history: what it raised is history too."""
    _follow(run, signal, changed, t)
    for raised in list(run.queue):
        if not isinstance(raised.signal, Time):
            loaded = msgspec.structs.replace(raised.signal, bypass=True)
            run.queue.append(msgspec.structs.replace(raised, signal=loaded))
        run.queue.popleft()


def _only_data(signal: Signal) -> bool:
    """Tell whether the signal is history to load: it starts, advances and sends nothing (R10)."""
    return not isinstance(signal, Time) and (signal.bypass or signal.backfill)


def _sees(run: Run, session: Session, raised: Raised) -> bool:
    """Tell whether a session sees a signal: none that it or its ancestors caused (R11)."""
    if not raised.causes:
        return True
    return session.id not in raised.causes and raised.causes.isdisjoint(
        run.ancestors.get(session.id, frozenset())
    )


def _in_order(run: Run) -> list[Session]:
    sessions = run.state.sessions
    if len(sessions) < 2:
        return list(sessions)
    flows = run.era.by_number
    return sorted(sessions, key=lambda s: (-flows[s.flow].priority, s.started, s.id))


def _listen(run: Run, signal: Signal, own: int) -> None:
    view = run.view
    if isinstance(signal, Event):
        view.event, view.event_name, view.event_time = signal.properties, signal.name, own
    else:
        view.event, view.event_name = None, ""
    if isinstance(signal, CommunicationUpdate):
        view.communication = signal.data | {"status": signal.status}


def _apply(run: Run, signal: Signal, own: int, t: int) -> Data | None:
    """Update what is known (step 3); return the changed traits' values before, None if refused."""
    match signal:
        case Event():
            count_event(run, signal, own, t)
            if run.era.audiences:
                era = run.era
                compute(
                    run, t, era.audiences if run.fresh else era.hearing.get(signal.name, era.other)
                )
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
            return {} if update(run, signal, t) else None
        case Enter():
            return _apply_enter(run, signal, t)
        case Command(what="stop"):
            for session in _in_order(run):
                plan = run.plan_of(session)
                if signal.flow in (None, plan.flow.id):
                    end(run, plan, session, t, "stopped", forced=True)
            return None
        case Inbound() | CallResult() | Handover() | Command():
            run.reject("unsupported", t, detail=str(signal.__struct_config__.tag))
            return None
        case Time():
            return None
        case _:
            assert_never(signal)


def _apply_enter(run: Run, signal: Enter, t: int) -> Data | None:
    """Create or update the profile that comes with an entry, and tell flows of it (I9)."""
    if not signal.profile:
        return {}
    change = ProfileChange(id=run.other_id(), user=run.user, time=t, set=signal.profile)
    changed = change_profile(run, change, t)
    compute(run, t, run.era.audiences)
    if changed:
        run.raise_(change, changed)
    return changed if changed is None else {}


def _say_state(run: Run, t: int) -> None:
    """Write where the user stands in every flow, and what each slot shows (L11).

    Silent sessions are left out: nobody outside may treat their users differently (R19).
    """
    state = run.state
    state.sequence += 1
    flows, promotions = [], {}
    for session in reversed([s for s in _in_order(run) if not s.silent]):
        plan = run.plan_of(session)
        flows.append(
            {
                "flow": plan.flow.id,
                "version": plan.version,
                "session": session.id,
                "key": session.key,
                "step": node_of(plan, session).name,
                "since": session.since,
                "started": session.started,
            }
        )
        for shown in session.promotions:
            promotions[shown.slot] = {
                "shows": shown.shows,
                "flow": plan.flow.id,
                "until": shown.until,
            }
    run.outputs.append(
        out.FlowState(
            id=hashed(run.space, run.user, "flow_state", str(state.sequence)),
            user=run.user,
            at=t,
            sequence=state.sequence,
            flows=flows[::-1],
            promotions=promotions,
        )
    )
